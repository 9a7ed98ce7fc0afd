// The band under the graph: where exporters fell silent, and where records were missing.

import { bandText, type Lane, losses } from '../model/coverage';
import type { Drawn } from './graph-options';

const LANES: readonly Lane[] = ['absent', 'missing'];
/** Height of a lane, and the air above the second one, in the units of the drawing. */
const LANE = 5;
const AIR = 2;
/** A loss of one in a million is still to be seen. */
const FAINTEST = 0.45;

export function LossBand({ drawn }: { drawn: Drawn }) {
  const { window, from, to } = drawn;
  const width = to - from;
  const place = (ms: number) => Math.min(Math.max(ms - from, 0), width);
  return (
    <svg
      className="loss-band"
      role="img"
      aria-label={`Streams: ${bandText(window)}`}
      viewBox={`0 0 ${width} ${2 * LANE + AIR}`}
      preserveAspectRatio="none"
    >
      {LANES.map((lane, index) => (
        <g key={lane} className={lane}>
          <rect className="lane" y={index * (LANE + AIR)} width={width} height={LANE} />
          {losses(window, lane).map((loss) => (
            <rect
              key={loss.from}
              x={place(loss.from)}
              y={index * (LANE + AIR)}
              width={place(loss.to) - place(loss.from)}
              height={LANE}
              opacity={FAINTEST + (1 - FAINTEST) * loss.share}
            />
          ))}
        </g>
      ))}
    </svg>
  );
}

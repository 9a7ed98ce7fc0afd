// One profile: its graph, its channels, its largest keys.

import { useMemo, useState } from 'react';
import { serverNow } from '../api';
import { BucketTable } from '../components/bucket-table';
import { ChannelTable } from '../components/channel-table';
import { Graph } from '../components/graph';
import { LossBand } from '../components/loss-band';
import { Moment } from '../components/moment';
import { PaceNote } from '../components/pace-note';
import { Trouble } from '../components/problem';
import { Segmented } from '../components/segmented';
import { TopTables } from '../components/top-tables';
import type { Tick } from '../hooks/use-live';
import { useSeries } from '../hooks/use-series';
import { useMedia } from '../hooks/use-theme';
import { coarsen, rateStep } from '../model/coarse';
import { lossText } from '../model/coverage';
import { bucketAt, latestBucket, type SeriesWindow } from '../model/series';
import type { Profile } from '../model/shapes';
import { stack } from '../model/stack';
import { moment } from '../model/time';
import { spoken, unitOf } from '../model/units';
import type { View } from '../model/view';
import { stepText, WINDOWS, type WindowChoice, windowOf } from '../model/windows';

interface Props {
  profile: Profile;
  view: View;
  dark: boolean;
  /** The newest slot event. */
  tick: Tick;
  onView: (change: Partial<View>) => void;
}

export function ProfileView({ profile, view, dark, tick, onView }: Props) {
  const choice = windowOf(view.window);
  const { data, error, isPlaceholderData, refetch } = useSeries(profile.name, choice, tick);
  const even = view.value === 'rate' && view.steps === 'even';
  const window = useMemo(() => data && (even ? coarsen(data, rateStep(data)) : data), [data, even]);
  return (
    <main>
      <div className="section-head">
        <div>
          <h1>{profile.displayName}</h1>
          <p className="quiet">{profile.description || profile.name}</p>
        </div>
        <Switches view={view} onView={onView} />
      </div>
      {error !== null && <Trouble error={error} onRetry={() => void refetch()} />}
      {data === undefined && error === null && <p className="quiet">Loading {choice.long} …</p>}
      {data !== undefined && window !== undefined && (
        <div className="shown" aria-busy={isPlaceholderData}>
          <Shown
            profile={profile}
            view={view}
            dark={dark}
            window={window}
            fetched={data}
            choice={choice}
            onView={onView}
          />
        </div>
      )}
      <TopTables profile={profile} metric={view.metric} window={choice} />
    </main>
  );
}

function Switches({ view, onView }: Pick<Props, 'view' | 'onView'>) {
  return (
    <div className="switches">
      <Segmented
        label="Count"
        choices={[
          { id: 'flows', label: 'Flows' },
          { id: 'packets', label: 'Packets' },
          { id: 'traffic', label: 'Traffic' },
        ]}
        chosen={view.metric}
        onChoose={(metric) => onView({ metric })}
      />
      <Segmented
        label="As"
        choices={[
          { id: 'sum', label: 'Sum' },
          { id: 'rate', label: 'Rate' },
        ]}
        chosen={view.value}
        onChoose={(value) => onView({ value })}
      />
      <Segmented
        label="Window"
        choices={WINDOWS}
        chosen={view.window}
        onChoose={(window) => onView({ window })}
      />
    </div>
  );
}

interface ShownProps extends Omit<Props, 'tick'> {
  window: SeriesWindow;
  /** The window in the steps that are kept. */
  fetched: SeriesWindow;
  choice: WindowChoice;
}

function Shown({ profile, view, dark, window, fetched, choice, onView }: ShownProps) {
  const { metric, value } = view;
  const [cursorMs, setCursorMs] = useState<number | null>(null);
  const hidden = useMemo(() => new Set(view.hidden), [view.hidden]);
  const channels = profile.channels;
  const shown = useMemo(() => channels.filter(({ name }) => !hidden.has(name)), [channels, hidden]);
  const drawn = useDrawn(window, shown, view, choice);
  const layers = drawn.layers;

  // A cursor that the window has left behind stays at its edge.
  const pinned = cursorMs === null ? null : bucketAt(window, Math.max(cursorMs, window.from));
  const bucket = pinned ?? latestBucket(window);
  const start = window.from + (bucket ?? 0) * window.step;
  const readout = useMemo(() => readBucket(layers, bucket, view), [layers, bucket, view]);
  const loss = bucket === null ? '' : lossText(window, bucket);
  // A collector that wakes up a moment late has still collected the step.
  const open = bucket !== null && (window.covered[bucket] ?? 0) < 0.99 * window.step;
  return (
    <>
      <figure>
        <figcaption>
          <span>
            {unitOf(metric, value)}, {stepText(window.step)} a step
          </span>
          <span className="readout">
            {bucket !== null && <Moment ms={start} step={window.step} />} {readout}
            {open && (
              <span className="quiet">
                {start + window.step > drawn.to ? ' so far' : ' (partly collected)'}
              </span>
            )}
            {loss !== '' && <span className="loss"> {loss}</span>}
          </span>
          <Key />
        </figcaption>
        <Graph
          drawn={drawn}
          colors={shown.map((channel) => channel.color)}
          dark={dark}
          bucket={pinned}
          label={`${profile.displayName}, ${metric} as ${value}, ${choice.long}: time`}
          readout={
            bucket === null
              ? 'nothing collected'
              : [`${moment(start, window.step)}: ${readout}`, loss].filter(Boolean).join(', ')
          }
          onBucket={(next) => setCursorMs(next === null ? null : window.from + next * window.step)}
        />
        <LossBand drawn={drawn} />
        <PaceNote window={fetched} view={view} onView={onView} />
        <Changes window={window} shown={drawn.layers.map((layer) => layer.channel)} />
      </figure>
      <ChannelTable
        window={window}
        channels={channels}
        hidden={hidden}
        metric={metric}
        value={value}
        bucket={bucket}
        bucketTitle={
          bucket === null ? 'Latest' : pinned === null ? 'Latest' : <Moment ms={start} step={window.step} />
        }
        onHidden={(names) => onView({ hidden: names })}
      />
      <BucketTable window={window} channels={shown} metric={metric} value={value} />
    </>
  );
}

function Key() {
  return (
    <>
      <span className="key">
        <span className="hatch" aria-hidden="true" /> nothing collected
      </span>
      <span className="key">
        <span className="lane-key absent" aria-hidden="true" /> exporter silent
      </span>
      <span className="key">
        <span className="lane-key missing" aria-hidden="true" /> records missing
      </span>
    </>
  );
}

/** The dashed lines of the graph in words. */
function Changes({ window, shown }: { window: SeriesWindow; shown: readonly string[] }) {
  const changes = window.markers.filter((marker) => shown.includes(marker.channel));
  if (changes.length === 0) {
    return null;
  }
  return (
    <p className="changes quiet">
      Dashed, a changed filter:{' '}
      {changes.map((marker, index) => (
        <span key={`${marker.time} ${marker.channel}`}>
          {index > 0 && ', '}
          {marker.channel} at <Moment ms={marker.time} step={1000} />
        </span>
      ))}
    </p>
  );
}

/** What the graph draws. Its right edge is now, unless motion is to be kept low: then it moves by whole steps. */
function useDrawn(window: SeriesWindow, shown: Profile['channels'], view: View, choice: WindowChoice) {
  const still = useMedia('(prefers-reduced-motion: reduce)');
  return useMemo(() => {
    const to = still ? window.to : Math.min(Math.max(serverNow(), window.to - window.step), window.to);
    return { window, layers: stack(window, shown, view.metric, view.value), from: to - choice.ms, to };
  }, [window, shown, view.metric, view.value, choice, still]);
}

/** What was counted in a bucket, both sides of the axis apart. */
function readBucket(layers: ReturnType<typeof stack>, bucket: number | null, view: View): string {
  const edges = layers.map((layer) => (bucket === null ? null : (layer.outer[bucket] ?? null)));
  if (edges.every((edge) => edge === null)) {
    return 'nothing collected';
  }
  const say = (number: number) => spoken(view.metric, view.value, number);
  const up = Math.max(0, ...edges.map((edge) => edge ?? 0));
  const down = Math.max(0, ...edges.map((edge) => -(edge ?? 0)));
  return down > 0 ? `${say(up)} above, ${say(down)} below the axis` : say(up);
}

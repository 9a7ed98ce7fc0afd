// The graph as text: one row a bucket, the newest first.

import { useState } from 'react';
import { heardText, missingText } from '../model/coverage';
import { type SeriesWindow, sumAt } from '../model/series';
import type { Channel } from '../model/shapes';
import { cell, type Metric, toValue, unitOf, type Value } from '../model/units';
import { Moment } from './moment';
import { Scroller } from './scroller';

interface Props {
  window: SeriesWindow;
  channels: readonly Channel[];
  metric: Metric;
  value: Value;
}

/** More rows than this nobody reads: coarser windows have coarser buckets. */
const ROWS = 120;

export function BucketTable(props: Props) {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>The graph as a table</summary>
      {/* A thousand cells are laid out only for those who look. */}
      {open && <Rows {...props} />}
    </details>
  );
}

function Rows({ window, channels, metric, value }: Props) {
  const buckets = window.covered
    .map((coveredMs, bucket) => ({ coveredMs, bucket, start: window.from + bucket * window.step }))
    .reverse()
    .slice(0, ROWS);
  return (
    <Scroller label="The graph as a table" tall>
      <table className="numbers">
        <caption>
          {metric}, {unitOf(metric, value)}; a dash where nothing was collected. Streams: heard, of those
          expected; missing: by sequence numbers
        </caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Streams</th>
            <th scope="col">Missing</th>
            {channels.map((channel) => (
              <th key={channel.name} scope="col">
                {channel.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {buckets.map(({ coveredMs, bucket, start }) => (
            <tr key={start}>
              <th scope="row">
                <Moment ms={start} step={window.step} />
              </th>
              <td>{heardText(window, bucket)}</td>
              <td>{missingText(window, bucket)}</td>
              {channels.map(({ name }) => (
                <td key={name}>
                  {cell(
                    metric,
                    value,
                    toValue(metric, value, sumAt(window, name, metric, bucket), coveredMs),
                  )}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroller>
  );
}

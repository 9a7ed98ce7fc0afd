// The channels with their sums and average rates over the window, and their value under the time cursor.

import type { ReactNode } from 'react';
import { type SeriesWindow, sumAt, type Totals, totals } from '../model/series';
import type { Channel } from '../model/shapes';
import { cell, exact, METRICS, type Metric, toValue, unitOf, type Value } from '../model/units';
import { Scroller } from './scroller';

interface Props {
  window: SeriesWindow;
  channels: readonly Channel[];
  hidden: ReadonlySet<string>;
  metric: Metric;
  value: Value;
  /** The bucket under the cursor. */
  bucket: number | null;
  /** Heads the column of that bucket. */
  bucketTitle: ReactNode;
  onHidden: (hidden: string[]) => void;
}

export function ChannelTable(props: Props) {
  const { window, channels, hidden, metric, value, onHidden } = props;
  const tick = (name: string, shown: boolean) =>
    onHidden(
      channels.map((channel) => channel.name).filter((one) => (one === name ? !shown : hidden.has(one))),
    );
  const shown = channels.filter((channel) => !hidden.has(channel.name));
  const sums = new Map(channels.map((channel) => [channel.name, totals(window, channel.name)]));
  return (
    <Scroller label="Channels">
      <table className="numbers channels">
        <Head {...props} allShown={shown.length === channels.length} noneShown={shown.length === 0} />
        <tbody>
          {channels.map((channel) => (
            <tr key={channel.name} className={hidden.has(channel.name) ? 'off' : ''}>
              <th scope="row">
                <label className="tick">
                  <input
                    type="checkbox"
                    checked={!hidden.has(channel.name)}
                    onChange={(event) => tick(channel.name, event.target.checked)}
                  />
                  <span className="swatch" style={{ backgroundColor: channel.color }} aria-hidden="true" />
                  {channel.name}
                </label>
              </th>
              <td className="sign">{channel.sign === '-' ? '−' : '+'}</td>
              <td className="filter">
                <code>{channel.filter === '' ? 'any' : channel.filter}</code>
              </td>
              <td className="now">{atBucket(props, channel.name)}</td>
              <Sums totals={sums.get(channel.name)} />
            </tr>
          ))}
        </tbody>
        {shown.length > 1 && (
          <tfoot>
            <tr>
              <th scope="row" colSpan={3}>
                Ticked channels together
              </th>
              <td className="now">
                {cell(
                  metric,
                  value,
                  together(shown, (name) => valueAt(props, name)),
                )}
              </td>
              <Sums totals={addTotals(shown.map((channel) => sums.get(channel.name)))} />
            </tr>
          </tfoot>
        )}
      </table>
    </Scroller>
  );
}

function Head({
  metric,
  value,
  bucketTitle,
  channels,
  onHidden,
  allShown,
  noneShown,
}: Props & { allShown: boolean; noneShown: boolean }) {
  return (
    <thead>
      <tr>
        <th scope="col" rowSpan={2}>
          <label className="tick">
            <input
              type="checkbox"
              aria-label="All channels"
              checked={allShown}
              ref={(box) => {
                if (box !== null) {
                  box.indeterminate = !allShown && !noneShown;
                }
              }}
              onChange={() => onHidden(allShown ? channels.map((channel) => channel.name) : [])}
            />
            Channel
          </label>
        </th>
        <th scope="col" rowSpan={2} className="sign">
          Side
        </th>
        <th scope="col" rowSpan={2} className="filter">
          Filter
        </th>
        <th scope="col" className="now">
          {bucketTitle}
        </th>
        <th scope="colgroup" colSpan={3} className="group">
          Sum over the window
        </th>
        <th scope="colgroup" colSpan={3} className="group">
          Average rate
        </th>
      </tr>
      <tr>
        <th scope="col" className="now">
          {unitOf(metric, value)}
        </th>
        {(['sum', 'rate'] as const).flatMap((kind) =>
          METRICS.map((one) => (
            <th key={kind + one} scope="col" className={one === 'flows' ? 'first' : ''}>
              {one === 'traffic' ? 'traffic' : unitOf(one, kind)}
            </th>
          )),
        )}
      </tr>
    </thead>
  );
}

function Sums({ totals: sums }: { totals: Totals | undefined }) {
  return (['sum', 'rate'] as const).flatMap((kind) =>
    METRICS.map((metric) => {
      const sum = sums?.[metric] ?? null;
      const number = toValue(metric, kind, sum, sums?.coveredMs ?? 0);
      return (
        <td
          key={kind + metric}
          className={metric === 'flows' ? 'first' : ''}
          title={kind === 'sum' ? `${exact(sum)} ${unitOf(metric, 'sum')}` : undefined}
        >
          {cell(metric, kind, number)}
        </td>
      );
    }),
  );
}

function valueAt({ window, metric, value, bucket }: Props, name: string): number | null {
  return bucket === null
    ? null
    : toValue(metric, value, sumAt(window, name, metric, bucket), window.covered[bucket] ?? 0);
}

function atBucket(props: Props, name: string): string {
  return cell(props.metric, props.value, valueAt(props, name));
}

function together(channels: readonly Channel[], of: (name: string) => number | null): number | null {
  const known = channels.map((channel) => of(channel.name)).filter((number) => number !== null);
  return known.length === 0 ? null : known.reduce((sum, number) => sum + number, 0);
}

function addTotals(all: readonly (Totals | undefined)[]): Totals {
  const sum = (metric: Metric) => {
    const known = all.map((one) => one?.[metric] ?? null).filter((number) => number !== null);
    return known.length === 0 ? null : known.reduce((a, b) => a + b, 0);
  };
  return {
    flows: sum('flows'),
    packets: sum('packets'),
    traffic: sum('traffic'),
    coveredMs: Math.max(0, ...all.map((one) => one?.coveredMs ?? 0)),
  };
}

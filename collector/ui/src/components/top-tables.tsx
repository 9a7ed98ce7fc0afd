// The largest keys of one channel, with what is known of their sums: at least, at most.

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { fetchTop, serverNow } from '../api';
import type { Profile, TopOrder, TopSpec, TopTable } from '../model/shapes';
import { cell, exact, type Metric, percent } from '../model/units';
import type { WindowChoice } from '../model/windows';
import { Moment } from './moment';
import { Trouble } from './problem';

interface Props {
  profile: Profile;
  metric: Metric;
  window: WindowChoice;
}

/** Windows of heavy hitters close once a minute, so asking more often brings nothing. */
const REFRESH_MS = 15_000;

export function TopTables({ profile, metric, window }: Props) {
  const [chosen, setChosen] = useState<string | null>(null);
  const channel = profile.channels.find((one) => one.name === chosen) ?? profile.channels[0];
  if (profile.top.length === 0 || channel === undefined) {
    return null;
  }
  return (
    <section className="tops" aria-labelledby="tops-title">
      <div className="section-head">
        <h2 id="tops-title">Largest in {window.long}</h2>
        <label className="field">
          <span>Channel</span>
          <select value={channel.name} onChange={(event) => setChosen(event.target.value)}>
            {profile.channels.map((one) => (
              <option key={one.name}>{one.name}</option>
            ))}
          </select>
        </label>
      </div>
      <div className="cards">
        {profile.top.map((spec) => (
          <Top
            key={spec.element}
            profile={profile.name}
            channel={channel.name}
            spec={spec}
            order={orderOf(spec, metric)}
            window={window}
          />
        ))}
      </div>
    </section>
  );
}

/** By the metric that is shown, where the profile keeps it. */
function orderOf(spec: TopSpec, metric: Metric): TopOrder {
  const wanted = metric === 'traffic' ? 'bytes' : metric;
  return spec.orders.includes(wanted) ? wanted : (spec.orders[0] ?? wanted);
}

interface TopProps {
  profile: string;
  channel: string;
  spec: TopSpec;
  order: TopOrder;
  window: WindowChoice;
}

function Top({ profile, channel, spec, order, window }: TopProps) {
  const { element, size } = spec;
  const { data, error, refetch } = useQuery({
    queryKey: ['top', profile, channel, element, order, window.id],
    queryFn: ({ signal }) => {
      const to = serverNow();
      return fetchTop(profile, { channel, element, order, from: to - window.ms, to, limit: size }, signal);
    },
    refetchInterval: REFRESH_MS,
    placeholderData: keepPreviousData,
  });
  return (
    <div className="card">
      <h3>
        {element} by {order === 'bytes' ? 'traffic' : order}
      </h3>
      {error !== null && <Trouble error={error} onRetry={() => void refetch()} />}
      {data !== undefined && <TopRows table={data} order={order} element={element} />}
    </div>
  );
}

function TopRows({ table, order, element }: { table: TopTable; order: TopOrder; element: string }) {
  const metric: Metric = order === 'bytes' ? 'traffic' : order;
  const show = (number: number) => cell(metric, 'sum', number);
  if (table.rows.length === 0) {
    return <p className="quiet">No complete minute of the window has any {element} in this channel.</p>;
  }
  const spread = Math.max(...table.rows.map((row) => row.upper - row.lower));
  return (
    <>
      <p className="quiet">
        <strong>{table.exact ? 'Exact ranks' : `Approximate, ± ${show(spread)}`}</strong>,{' '}
        <Moment ms={table.from} step={60_000} /> to <Moment ms={table.to} step={60_000} />. Any other key has
        at most {show(table.absent)} of {show(table.total)}.
      </p>
      <table className="numbers">
        <thead>
          <tr>
            <th scope="col">{element}</th>
            <th scope="col">at least</th>
            <th scope="col">at most</th>
            <th scope="col">share</th>
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row) => (
            <tr key={row.key}>
              <th scope="row">
                <code>{row.key}</code>
              </th>
              <td title={exact(row.lower)}>{show(row.lower)}</td>
              <td title={exact(row.upper)}>{show(row.upper)}</td>
              <td>
                <span className="share" aria-hidden="true">
                  <span style={{ width: `${(row.lower / Math.max(table.total, 1)) * 100}%` }} />
                </span>
                {percent(row.lower, table.total)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

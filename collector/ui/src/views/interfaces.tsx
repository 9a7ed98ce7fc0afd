// Interfaces of sFlow agents: what their counters say beside the scaled samples.

import { Table } from '../components/table';
import { beside, nameOf, ofAgents, rateInEffect, speed, state } from '../model/interfaces';
import { sampling } from '../model/loss';
import type { Exporter } from '../model/shapes';
import { ago, utc } from '../model/time';

export function Interfaces({ streams, now }: { streams: readonly Exporter[]; now: number }) {
  const rows = ofAgents(streams);
  if (rows.length === 0) {
    return null;
  }
  return (
    <>
      <h2>Interfaces by their own counters</h2>
      <Table
        label="Interfaces of sFlow agents"
        rows={rows}
        keyOf={(row) => row.key}
        columns={[
          { title: 'Agent', text: true, show: (row) => <strong>{row.agent}</strong> },
          { title: 'Interface', text: true, show: (row) => nameOf(row) },
          { title: 'Speed', show: (row) => speed(row) },
          { title: 'State', text: true, show: (row) => state(row) },
          {
            title: 'Sampling',
            hint: 'As its samples state, and as the agent counts packets and samples. Where they differ, scaled numbers are wrong by as much.',
            bad: (row) => row.rateDiffers,
            show: (row) => (
              <Two first={row.statedRate === 0 ? '–' : sampling(row.statedRate)} second={rateInEffect(row)} />
            ),
          },
          {
            title: 'Received',
            hint: 'Octets by the counter of the interface, and what the scaled samples make of the same time.',
            show: (row) => <Two first={beside(row, 'In')[0]} second={beside(row, 'In')[1]} />,
          },
          {
            title: 'Sent',
            hint: 'As for what was received; agents that sample packets only as they come in have no samples of it.',
            show: (row) => <Two first={beside(row, 'Out')[0]} second={beside(row, 'Out')[1]} />,
          },
          {
            title: 'Last sample',
            show: (row) => <time title={utc(row.lastSeen)}>{ago(row.lastSeen, now)}</time>,
          },
        ]}
      />
    </>
  );
}

function Two({ first, second }: { first: string; second: string }) {
  return (
    <>
      {first}
      {second !== '' && <span className="second">{second}</span>}
    </>
  );
}

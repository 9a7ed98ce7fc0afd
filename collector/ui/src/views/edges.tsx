// What the edges' sockets counted, and how far each edge has come.

import { Reasons, Table } from '../components/table';
import { givenUp, socketDrops } from '../model/loss';
import type { Edge, Listener } from '../model/shapes';
import { ago, utc } from '../model/time';
import { exact } from '../model/units';

export function Listeners({ rows }: { rows: readonly Listener[] }) {
  return (
    <>
      <h2>Listeners</h2>
      <Table
        label="Listeners"
        rows={rows}
        keyOf={(row) => `${row.edge} ${row.listener}`}
        columns={[
          { title: 'Listener', text: true, show: (row) => row.listener },
          { title: 'Edge', text: true, show: (row) => row.edge },
          {
            title: 'Datagrams',
            hint: 'Datagrams, or messages of TCP connections.',
            show: (row) => exact(row.datagrams),
          },
          {
            title: 'Dropped by the kernel',
            hint: 'The known part of what is missing: the receive buffer of a socket was full. The address of an exporter decides which of the eight sockets it reaches.',
            bad: (row) => row.kernelDrops > 0,
            show: (row) => <Reasons counts={socketDrops(row)} />,
          },
          {
            title: 'Connections',
            hint: 'TCP connections that are open.',
            show: (row) => exact(row.connections),
          },
          {
            title: 'Closed',
            hint: 'TCP connections that were closed, by reason.',
            show: (row) => <Reasons counts={row.closed} />,
          },
          {
            title: 'Rejected',
            hint: 'Datagrams that belong to no stream, by reason.',
            show: (row) => <Reasons counts={row.rejected} />,
          },
        ]}
      />
    </>
  );
}

export function Edges({ rows, now }: { rows: readonly Edge[]; now: number }) {
  return (
    <>
      <h2>Edges</h2>
      <Table
        label="Edges"
        rows={rows}
        keyOf={(row) => row.spool}
        columns={[
          { title: 'Edge', text: true, show: (row) => row.edge },
          { title: 'Last block', show: (row) => exact(row.block) },
          { title: 'Made', show: (row) => <time title={utc(row.made)}>{ago(row.made, now)}</time> },
          {
            title: 'Given up',
            hint: 'Records that the edge had counted and that are in no graph: its spool was full, hung or could not be written.',
            bad: (row) => row.droppedBlocks > 0,
            show: (row) => <Reasons counts={givenUp(row)} />,
          },
          { title: 'Spool', text: true, show: (row) => <code>{row.spool.slice(0, 8)}</code> },
          {
            title: 'Plan',
            hint: 'The generation of the profiles that it counts by.',
            text: true,
            show: (row) => <code>{row.generation.slice(0, 8)}</code>,
          },
        ]}
      />
    </>
  );
}

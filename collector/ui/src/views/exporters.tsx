// Who sends, and what of it was received, understood and lost.

import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { fetchExporters, serverNow } from '../api';
import { Trouble } from '../components/problem';
import { Reasons, Table } from '../components/table';
import type { Tick } from '../hooks/use-live';
import { exporterLosses, missing, sampling, skew, templates, undecoded } from '../model/loss';
import type { Exporter, ExporterList } from '../model/shapes';
import { ago, utc } from '../model/time';
import { exact } from '../model/units';
import { Edges, Listeners } from './edges';
import { Interfaces } from './interfaces';
import { Taught } from './taught';

/** Counters need not move faster than a person compares them. */
const REFRESH_MS = 2_000;

export function ExportersView({ tick }: { tick: Tick }) {
  const { data, error, refetch } = useQuery({
    queryKey: ['exporters'],
    queryFn: ({ signal }) => fetchExporters(signal),
  });
  const lastMs = useRef(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each tick is a reason to ask again.
  useEffect(() => {
    if (Date.now() - lastMs.current >= REFRESH_MS && !document.hidden) {
      lastMs.current = Date.now();
      void refetch();
    }
  }, [tick]);
  return (
    <main>
      <div className="section-head">
        <div>
          <h1>Exporters</h1>
          <p className="quiet">
            Counts since the aggregator first heard of each. Expected = received − duplicates + missing, in
            the unit of the stream&apos;s sequence numbers; records received = decoded + not decoded.
          </p>
        </div>
      </div>
      {error !== null && <Trouble error={error} onRetry={() => void refetch()} />}
      {data === undefined && error === null && <p className="quiet">Loading …</p>}
      {data !== undefined && <Lists list={data} />}
    </main>
  );
}

function Lists({ list }: { list: ExporterList }) {
  const now = serverNow();
  return (
    <>
      {list.exporters.length === 0 ? (
        <div className="notice">
          <p>
            <strong>No exporter has sent anything yet.</strong> Point one at a listener of this machine, for
            example <code>softflowd -i eth0 -v 9 -n 127.0.0.1:2055</code>.
          </p>
        </div>
      ) : (
        <Streams list={list} now={now} />
      )}
      <Taught now={now} />
      <Interfaces streams={list.exporters} now={now} />
      <Listeners rows={list.listeners} />
      <Edges rows={list.edges} now={now} />
    </>
  );
}

function Streams({ list, now }: { list: ExporterList; now: number }) {
  return (
    <Table
      label="Streams"
      rows={list.exporters}
      keyOf={(row) =>
        [row.edge, row.listener, row.exporter, row.port, row.protocol, row.domain, row.agent].join(' ')
      }
      columns={[
        { title: 'Exporter', text: true, show: (row) => <Who stream={row} edges={list.edges.length} /> },
        { title: 'Source', text: true, show: (row) => row.source },
        {
          title: 'Last seen',
          show: (row) => <time title={utc(row.lastSeen)}>{ago(row.lastSeen, now)}</time>,
        },
        {
          title: 'Sampling',
          hint: 'Packets and bytes are scaled by it. Unknown: the exporter announced no rate, and none is configured. Rate unknown: its flows refer to a sampler of which it told no rate.',
          show: (row) => sampling(row.samplingRate, row.rateUnknown),
        },
        {
          title: 'Records',
          hint: 'Received in datagrams, duplicates left out: decoded ones, options data, those not decoded and those that wait.',
          show: (row) => (
            <TwoLines
              first={exact(row.recordsReceived)}
              second={`${exact(row.records)} decoded${row.optionsRecords > 0 ? `, ${exact(row.optionsRecords)} options` : ''}`}
            />
          ),
        },
        { title: 'Not decoded', show: (row) => <Reasons counts={undecoded(row)} /> },
        {
          title: 'Received',
          hint: 'In the unit of the sequence numbers, duplicates included.',
          show: (row) => (
            <TwoLines
              first={exact(row.received)}
              second={row.sequence === 'standard' ? row.unit : `${row.unit}, ${row.sequence}`}
            />
          ),
        },
        {
          title: 'Missing',
          hint: 'Between the first and the last datagram seen; what was lost before, after or across a restart cannot be known. ~ marks an estimate.',
          bad: (row) => (row.missing ?? 0) > 0,
          show: (row) => {
            const [first, second] = missing(row);
            return <TwoLines first={first} second={second} />;
          },
        },
        {
          title: 'Twice, late',
          hint: 'Units received twice; datagrams that came after a later one.',
          bad: (row) => row.duplicates > 0,
          show: (row) => <TwoLines first={exact(row.duplicates)} second={`${exact(row.reordered)} late`} />,
        },
        {
          title: 'Restarts',
          hint: 'Times that the exporter started anew, and when the last of them, or its first datagram, was seen.',
          show: (row) => (
            <TwoLines first={exact(row.restarts)} second={`since ${ago(row.epoch.since, now)}`} />
          ),
        },
        {
          title: 'Templates',
          hint: 'Definitions read. Changed: they gave a known number another shape. In conflict: another port of the exporter announced another shape under the number, so that each is read by its own.',
          bad: (row) => row.templateConflicts > 0,
          show: (row) => <TwoLines first={exact(row.templates)} second={templates(row)} />,
        },
        {
          title: 'Faults',
          hint: 'What was wrong with sets, templates, samples and datagrams, whatever records it cost.',
          show: (row) => <Reasons counts={row.faults} />,
        },
        {
          title: 'Lost at the exporter',
          hint: 'What it says itself, beside the balance.',
          show: (row) => <Reasons counts={exporterLosses(row)} />,
        },
        {
          title: 'Clock skew',
          hint: 'From the end of the newest flow to its arrival: the timeout of the exporter, and what its clock is wrong by.',
          show: (row) => skew(row.clockSkew),
        },
      ]}
    />
  );
}

function TwoLines({ first, second }: { first: string; second: string }) {
  return (
    <>
      {first}
      <span className="second">{second}</span>
    </>
  );
}

/** Two lines: the address, and which stream of it; the edge where there are several. */
function Who({ stream, edges }: { stream: Exporter; edges: number }) {
  return (
    <>
      <strong>{stream.exporter}</strong> port {stream.port}
      <span className="second">
        {stream.protocol}, domain {stream.domain}, listener {stream.listener}
        {stream.agent !== undefined && `, agent ${stream.agent}`}
        {edges > 1 && `, edge ${stream.edge}`}
      </span>
    </>
  );
}

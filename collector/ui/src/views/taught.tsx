// What exporters taught: names of their interfaces and VRFs, sampling rates, templates with their age.

import { useQuery } from '@tanstack/react-query';
import { fetchFacts } from '../api';
import { Trouble } from '../components/problem';
import { Table } from '../components/table';
import type { Facts } from '../model/shapes';
import { interfaceText, samplingTexts, templateSum } from '../model/taught';
import { ago, utc } from '../model/time';

/** Names and templates change rarely, and long lists of them need not be sent with every tick. */
const REFRESH_MS = 30_000;

/** More than this many are folded away. */
const SHOWN = 3;

export function Taught({ now }: { now: number }) {
  const { data, error, refetch } = useQuery({
    queryKey: ['facts'],
    queryFn: ({ signal }) => fetchFacts(signal),
    refetchInterval: REFRESH_MS,
  });
  if (error !== null) {
    return <Trouble error={error} onRetry={() => void refetch()} />;
  }
  if (data === undefined || data.length === 0) {
    return null;
  }
  return (
    <>
      <h2>What they told</h2>
      <Table
        label="Templates, rates and names"
        rows={data}
        keyOf={(row) => [row.edge, row.listener, row.exporter, row.port, row.protocol, row.domain].join(' ')}
        columns={[
          { title: 'Exporter', text: true, show: (row) => <Who facts={row} /> },
          {
            title: 'Templates',
            hint: 'Announced: when the one that was not repeated for longest was. Restored: known from before the edge was restarted, and not repeated since.',
            text: true,
            show: (row) => <Templates facts={row} now={now} />,
          },
          { title: 'Sampling', text: true, show: (row) => <Lines what="rates" lines={samplingTexts(row)} /> },
          {
            title: 'Interfaces',
            text: true,
            show: (row) => <Lines what="interfaces" lines={row.interfaces.map(interfaceText)} />,
          },
          {
            title: 'VRFs',
            text: true,
            show: (row) => <Lines what="VRFs" lines={row.vrfs.map(({ id, name }) => `${id} ${name}`)} />,
          },
        ]}
      />
    </>
  );
}

function Who({ facts }: { facts: Facts }) {
  return (
    <>
      <strong>{facts.exporter}</strong> port {facts.port}
      <span className="second">
        {facts.protocol}, domain {facts.domain}
      </span>
    </>
  );
}

function Templates({ facts, now }: { facts: Facts; now: number }) {
  const { known, restored, oldest } = templateSum(facts.templates);
  return (
    <>
      {known}
      {restored > 0 && `, ${restored} restored`}
      {oldest !== undefined && (
        <span className="second">
          announced <time title={utc(oldest)}>{ago(oldest, now)}</time>
        </span>
      )}
    </>
  );
}

function Lines({ what, lines }: { what: string; lines: readonly string[] }) {
  if (lines.length === 0) {
    return '–';
  }
  const list = (
    <ul className="reasons">
      {lines.map((line) => (
        <li key={line}>{line}</li>
      ))}
    </ul>
  );
  if (lines.length <= SHOWN) {
    return list;
  }
  return (
    <details>
      <summary>
        {lines.length} {what}
      </summary>
      {list}
    </details>
  );
}

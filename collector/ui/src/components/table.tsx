// A table of rows and columns that scrolls within itself.

import type { ReactNode } from 'react';
import { exact } from '../model/units';
import { Scroller } from './scroller';

interface Column<Row> {
  title: string;
  /** What the column means, where its title does not say all. */
  hint?: string;
  /** Words stand left, numbers right. */
  text?: boolean;
  /** Whether the value is one to look at. */
  bad?: (row: Row) => boolean;
  show: (row: Row) => ReactNode;
}

interface Props<Row> {
  label: string;
  rows: readonly Row[];
  columns: readonly Column<Row>[];
  keyOf: (row: Row) => string;
}

export function Table<Row>({ label, rows, columns, keyOf }: Props<Row>) {
  const [first, ...rest] = columns;
  return (
    <Scroller label={label}>
      <table className="numbers">
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.title} scope="col" title={column.hint} className={column.text ? 'text' : ''}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)}>
              <th scope="row">{first?.show(row)}</th>
              {rest.map((column) => (
                <td key={column.title} className={cellClass(column, row)}>
                  {column.show(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length === 0 && <p className="quiet">None yet.</p>}
    </Scroller>
  );
}

function cellClass<Row>(column: Column<Row>, row: Row): string {
  return [column.text ? 'text' : '', column.bad?.(row) ? 'loss' : ''].join(' ').trim();
}

/** Counts by reason, the largest first. */
export function Reasons({ counts }: { counts: Readonly<Record<string, number>> }) {
  const known = Object.entries(counts).filter(([, count]) => count > 0);
  if (known.length === 0) {
    return '0';
  }
  return (
    <ul className="reasons">
      {known
        .sort((a, b) => b[1] - a[1])
        .map(([reason, count]) => (
          <li key={reason} className="loss">
            {exact(count)} {reason.replaceAll('_', ' ')}
          </li>
        ))}
    </ul>
  );
}

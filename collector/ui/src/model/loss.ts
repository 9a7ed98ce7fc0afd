// The loss ledger in words.

import type { Edge, Exporter, Listener } from './shapes';
import { exact, percent } from './units';

/** The records of a stream that were received and are not decoded, by reason; those that wait among them. */
export function undecoded(
  stream: Pick<Exporter, 'undecodable' | 'waiting' | 'uncountedSets'>,
): Record<string, number> {
  const { undecodable, waiting, uncountedSets } = stream;
  const unknown = waiting.sets > 0 && waiting.records === 0 ? waiting.sets : 0;
  return {
    ...undecodable,
    'waiting for a template': waiting.records,
    'sets waiting for a template': unknown,
    'sets of unknown size': uncountedSets,
  };
}

/** What is missing by sequence number, and what that is in records where the numbers count datagrams. */
export function missing(
  stream: Pick<Exporter, 'missing' | 'expected' | 'missingRecords' | 'unit'>,
): [string, string] {
  const { missing, expected, missingRecords, unit } = stream;
  if (missing === undefined || expected === undefined) {
    return ['not judged', ''];
  }
  const records = missingRecords?.estimated ? `, ~${exact(missingRecords.records)} records` : '';
  return [`${exact(missing)} (${percent(missing, expected)})`, `of ${exact(expected)} ${unit}${records}`];
}

/** What the exporter says that it lost itself, and samples missing by their own numbers. */
export function exporterLosses(stream: Pick<Exporter, 'samples' | 'declared'>): Record<string, number> {
  const { samples, declared } = stream;
  return {
    'samples dropped': samples?.exporterDrops ?? 0,
    'samples missing': Math.max(samples?.missing ?? 0, 0),
    'packets ignored': declared?.ignoredPackets ?? 0,
    'flows not sent': declared?.notSentFlows ?? 0,
  };
}

/** What became of template definitions: `2 changed, 1 in conflict`, or nothing to say. */
export function templates(stream: Pick<Exporter, 'templateChanges' | 'templateConflicts'>): string {
  const { templateChanges, templateConflicts } = stream;
  const parts = [
    templateChanges > 0 ? `${exact(templateChanges)} changed` : '',
    templateConflicts > 0 ? `${exact(templateConflicts)} in conflict` : '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}

/** What the kernel dropped at each socket of a listener. */
export function socketDrops({ socketDrops: drops }: Pick<Listener, 'socketDrops'>): Record<string, number> {
  return Object.fromEntries(drops.map((count, socket) => [`at socket ${socket}`, count]));
}

/** Records that an edge gave up, by reason; blocks where their records are unknown. */
export function givenUp({ dropped }: Pick<Edge, 'dropped'>): Record<string, number> {
  const words = ([reason, { blocks, records }]: [string, { blocks: number; records: number }]) =>
    records > 0 ? [`records: ${reason}`, records] : [`blocks: ${reason}`, blocks];
  return Object.fromEntries(Object.entries(dropped).map(words));
}

/** `1 in 1,000`; rates are not always whole. `lacking`: flows refer to a sampler of which no rate is known. */
export function sampling(rate: number | undefined, lacking = false): string {
  if (lacking) {
    return 'rate unknown';
  }
  if (rate === undefined) {
    return 'unknown';
  }
  return rate === 1 ? 'none' : `1 in ${rate.toLocaleString('en-US', { maximumFractionDigits: 3 })}`;
}

/** `+6 s`, `−5 min`: arrival minus the end of the newest flow, an exporter's timeout plus what its clock is
 * wrong by. */
export function skew(ms: number | undefined): string {
  if (ms === undefined) {
    return 'unknown';
  }
  const seconds = Math.round(Math.abs(ms) / 1000);
  if (seconds === 0) {
    return '0 s';
  }
  const text = seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
  return (ms > 0 ? '+' : '−') + text;
}

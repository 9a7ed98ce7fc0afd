// Coarser steps for rates: exporters report long flows in steps of their timeouts, and a rate that is drawn
// finer than these is a comb.

import type { Buckets, ChannelSums, SeriesWindow } from './series';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const GRANTED = 1.25;

/** Steps that people use. */
const STEPS = [
  ...[1, 2, 3, 5, 10, 15, 20, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 7].map((n) => n * DAY),
];

/** The finest step in which rates of this window are no comb: its own, where its sources report within that.
 * A quarter more is granted: exporters look only every few seconds for flows whose timeout is over. */
export function rateStep(window: Pick<SeriesWindow, 'step' | 'reportedWithin'>): number {
  const { step, reportedWithin } = window;
  if (reportedWithin === null || reportedWithin <= GRANTED * step) {
    return step;
  }
  const fits = (coarse: number) => coarse % step === 0 && reportedWithin <= GRANTED * coarse;
  return STEPS.find(fits) ?? Math.ceil(reportedWithin / step) * step;
}

/** The window in steps of `step`, a multiple of its own; the first and the last may be cut off. */
export function coarsen(window: SeriesWindow, step: number): SeriesWindow {
  if (step === window.step) {
    return window;
  }
  const from = Math.floor(window.from / step) * step;
  const to = Math.ceil(window.to / step) * step;
  const groups: number[][] = Array.from({ length: Math.round((to - from) / step) }, () => []);
  window.covered.forEach((_, bucket) => {
    groups[Math.floor((window.from + bucket * window.step - from) / step)]?.push(bucket);
  });
  const sums = (values: Buckets) => groups.map((group) => sum(group.map((bucket) => values[bucket] ?? null)));
  const channels = new Map<string, ChannelSums>();
  for (const [name, { flows, packets, traffic }] of window.channels) {
    channels.set(name, { flows: sums(flows), packets: sums(packets), traffic: sums(traffic) });
  }
  const { expected, present, absent, missing } = window.coverage;
  const of = (values: readonly number[], group: readonly number[]) =>
    group.map((bucket) => values[bucket] ?? 0);
  const most = groups.map((group) => Math.max(0, ...of(expected, group)));
  const away = groups.map((group) =>
    Math.max(0, ...group.map((bucket) => (expected[bucket] ?? 0) - (present[bucket] ?? 0))),
  );
  return {
    ...window,
    from,
    to,
    step,
    covered: groups.map((group) => of(window.covered, group).reduce((all, one) => all + one, 0)),
    coverage: {
      expected: most,
      present: most.map((streams, at) => streams - (away[at] ?? 0)),
      absent: groups.map((group) => {
        const heard = group.map((bucket) => expected[bucket] ?? 0);
        const all = heard.reduce((sum, one) => sum + one, 0);
        const silent = group.map((bucket, at) => (absent[bucket] ?? 0) * (heard[at] ?? 0));
        return all === 0 ? null : silent.reduce((sum, one) => sum + one, 0) / all;
      }),
      missing: groups.map((group) => mean(group.map((bucket) => missing[bucket] ?? null))),
    },
    channels,
  };
}

function sum(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((all, one) => all + one, 0);
}

function mean(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((all, one) => all + one, 0) / known.length;
}

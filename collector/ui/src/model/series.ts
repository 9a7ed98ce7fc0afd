// A window of buckets as the server counted them, and what the page reckons from it: newer buckets merged in,
// sums and averages over the whole. Only sums are fetched: rates follow from the covered time, so that
// switching between the two asks nothing.

import type { Coverage } from './coverage';
import type { Metric } from './units';

export type Buckets = readonly (number | null)[];

export interface ChannelSums {
  flows: Buckets;
  packets: Buckets;
  traffic: Buckets;
}

export interface SeriesWindow {
  /** Start of the first bucket, Unix ms. */
  from: number;
  /** End of the last bucket. */
  to: number;
  /** Length of a bucket in ms. */
  step: number;
  /** How much of each bucket was collected, in ms; 0 is a hole. */
  covered: readonly number[];
  /** Which streams were heard in each bucket. */
  coverage: Coverage;
  /** Milliseconds within which nearly all records come after their flow began; `null` while unknown. */
  reportedWithin: number | null;
  channels: ReadonlyMap<string, ChannelSums>;
  /** When a changed filter of a channel took effect, Unix ms. */
  markers: readonly Marker[];
}

export interface Marker {
  time: number;
  channel: string;
}

export interface Totals {
  flows: number | null;
  packets: number | null;
  traffic: number | null;
  /** Milliseconds over which the channel was counted: what its average rates divide by. */
  coveredMs: number;
}

/** The window after its tail was asked for again: the tail's buckets replace those of the same time, and
 * what is older than `keepMs` falls out at the other end. A tail that does not fit gives `null`: ask for all. */
export function merge(window: SeriesWindow, tail: SeriesWindow, keepMs: number): SeriesWindow | null {
  if (tail.step !== window.step || tail.from > window.to || tail.from < window.from || tail.to < window.to) {
    return null;
  }
  const { step } = window;
  const from = Math.max(window.from, Math.floor((tail.to - keepMs) / step) * step);
  const skip = (from - window.from) / step;
  const kept = (tail.from - window.from) / step;
  const cut = Math.max(0, (from - tail.from) / step);
  const join = <T>(old: readonly T[], fresh: readonly T[]): T[] => [
    ...old.slice(skip, kept),
    ...fresh.slice(cut),
  ];
  const hole = new Array<null>(Math.round((window.to - window.from) / step)).fill(null);
  const channels = new Map<string, ChannelSums>();
  for (const [name, fresh] of tail.channels) {
    const old = window.channels.get(name) ?? { flows: hole, packets: hole, traffic: hole };
    channels.set(name, {
      flows: join(old.flows, fresh.flows),
      packets: join(old.packets, fresh.packets),
      traffic: join(old.traffic, fresh.traffic),
    });
  }
  const markers = [
    ...window.markers.filter((marker) => marker.time >= from && marker.time < tail.from),
    ...tail.markers,
  ];
  const [old, fresh] = [window.coverage, tail.coverage];
  return {
    from,
    to: tail.to,
    step,
    covered: join(window.covered, tail.covered),
    coverage: {
      expected: join(old.expected, fresh.expected),
      present: join(old.present, fresh.present),
      absent: join(old.absent, fresh.absent),
      missing: join(old.missing, fresh.missing),
    },
    reportedWithin: tail.reportedWithin,
    channels,
    markers,
  };
}

/** Sums of one channel over the window. */
export function totals(window: SeriesWindow, channel: string): Totals {
  const sums = window.channels.get(channel);
  let coveredMs = 0;
  sums?.flows.forEach((flows, bucket) => {
    coveredMs += flows === null ? 0 : (window.covered[bucket] ?? 0);
  });
  return {
    flows: add(sums?.flows),
    packets: add(sums?.packets),
    traffic: add(sums?.traffic),
    coveredMs,
  };
}

function add(values: Buckets | undefined): number | null {
  const known = values?.filter((value) => value !== null) ?? [];
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
}

/** Which bucket holds a moment, or `null` outside the window. */
export function bucketAt(window: SeriesWindow, ms: number): number | null {
  const bucket = Math.floor((ms - window.from) / window.step);
  return bucket < 0 || bucket >= window.covered.length ? null : bucket;
}

/** The last bucket that anything was collected in. */
export function latestBucket(window: SeriesWindow): number | null {
  const bucket = window.covered.findLastIndex((covered) => covered > 0);
  return bucket < 0 ? null : bucket;
}

/** A channel's sum in one bucket. */
export function sumAt(window: SeriesWindow, channel: string, metric: Metric, bucket: number): number | null {
  return window.channels.get(channel)?.[metric][bucket] ?? null;
}

/** The parts of the window in which nothing was collected, in ms, up to `now`. */
export function holes(window: SeriesWindow, nowMs: number): { from: number; to: number }[] {
  const found: { from: number; to: number }[] = [];
  window.covered.forEach((covered, bucket) => {
    const from = window.from + bucket * window.step;
    if (covered > 0 || from >= nowMs) {
      return;
    }
    const to = from + window.step;
    const last = found.at(-1);
    if (last?.to === from) {
      last.to = to;
    } else {
      found.push({ from, to });
    }
  });
  return found;
}

// Which streams a bucket heard of those that it should have, and what of theirs was missing: what tells a dip
// of the traffic from an exporter that fell silent.

import { moment } from './time';
import { percent } from './units';

/** One entry a bucket, as the server tells them. */
export interface Coverage {
  /** The most streams expected in any slot of the bucket. */
  expected: readonly number[];
  /** That number less the most that were silent in any slot. */
  present: readonly number[];
  /** Share of the expected streams that were silent, over all slots; `null` where none was expected. */
  absent: readonly (number | null)[];
  /** Share of what was sent that did not arrive, by sequence numbers; `null` where nothing came. */
  missing: readonly (number | null)[];
}

/** What the band under the graph shows. */
export type Lane = 'absent' | 'missing';

/** A run of buckets with equal loss. */
export interface Loss {
  from: number;
  to: number;
  /** 0 to 1, never 0. */
  share: number;
}

interface Window {
  from: number;
  step: number;
  coverage: Coverage;
}

/** Where something was lost, in ms. */
export function losses(window: Window, lane: Lane): Loss[] {
  const found: Loss[] = [];
  window.coverage[lane].forEach((share, bucket) => {
    if (share === null || share <= 0) {
      return;
    }
    const from = window.from + bucket * window.step;
    const last = found.at(-1);
    if (last?.to === from && last.share === share) {
      last.to = from + window.step;
    } else {
      found.push({ from, to: from + window.step, share });
    }
  });
  return found;
}

/** `6 of 7`; a dash where no stream is known. */
export function heardText({ coverage }: Window, bucket: number): string {
  const expected = coverage.expected[bucket] ?? 0;
  return expected === 0 ? '–' : `${coverage.present[bucket] ?? 0} of ${expected}`;
}

/** `0.42 %`; a dash where nothing came. */
export function missingText({ coverage }: Window, bucket: number): string {
  const share = coverage.missing[bucket] ?? null;
  return share === null ? '–' : percent(share, 1);
}

/** What was lost in one bucket, in a sentence's part; empty where nothing was. */
export function lossText(window: Window, bucket: number): string {
  const { coverage } = window;
  const parts: string[] = [];
  if ((coverage.absent[bucket] ?? 0) > 0) {
    parts.push(`${heardText(window, bucket)} streams heard`);
  }
  if ((coverage.missing[bucket] ?? 0) > 0) {
    parts.push(`${missingText(window, bucket)} missing`);
  }
  return parts.join(', ');
}

/** The whole band in words. */
export function bandText(window: Window): string {
  const { coverage, from, step } = window;
  const buckets = coverage.expected.map((_, bucket) => bucket);
  const silent = buckets.filter((bucket) => (coverage.absent[bucket] ?? 0) > 0);
  const lossy = buckets.filter((bucket) => (coverage.missing[bucket] ?? 0) > 0);
  const at = (bucket: number | undefined) => moment(from + (bucket ?? 0) * step, step);
  const most = Math.max(0, ...coverage.expected);
  if (most === 0) {
    return 'No streams are known.';
  }
  const streams = `${most} ${most === 1 ? 'stream' : 'streams'}`;
  const worst = Math.max(0, ...silent.map((bucket) => silentIn(coverage, bucket)));
  const largest = percent(Math.max(0, ...lossy.map((bucket) => coverage.missing[bucket] ?? 0)), 1);
  const heard =
    silent.length === 0
      ? `All ${streams} were heard throughout.`
      : `Of ${streams} up to ${worst} silent, in ${steps(silent.length)}, the last at ${at(silent.at(-1))}.`;
  const arrived =
    lossy.length === 0
      ? 'Nothing was missing.'
      : `Up to ${largest} missing, in ${steps(lossy.length)}, the last at ${at(lossy.at(-1))}.`;
  return `${heard} ${arrived}`;
}

function silentIn(coverage: Coverage, bucket: number): number {
  return (coverage.expected[bucket] ?? 0) - (coverage.present[bucket] ?? 0);
}

function steps(count: number): string {
  return count === 1 ? '1 step' : `${count} steps`;
}

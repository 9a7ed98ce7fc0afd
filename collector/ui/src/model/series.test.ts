import { describe, expect, it } from 'vitest';
import { bucketAt, holes, latestBucket, merge, type SeriesWindow, totals } from './series';

function window(from: number, flows: (number | null)[], covered?: number[]): SeriesWindow {
  const step = 10;
  const times = (factor: number) => flows.map((value) => (value === null ? null : value * factor));
  return {
    from,
    to: from + flows.length * step,
    step,
    covered: covered ?? flows.map((value) => (value === null ? 0 : step)),
    coverage: {
      expected: flows.map(() => 4),
      present: flows.map((value) => value ?? 0),
      absent: flows.map((value) => (4 - (value ?? 0)) / 4),
      missing: flows.map(() => null),
    },
    channels: new Map([['web', { flows, packets: times(2), traffic: times(100) }]]),
    markers: [],
    reportedWithin: null,
  };
}

const flowsOf = (merged: SeriesWindow | null) => merged?.channels.get('web')?.flows;

describe('merging newer buckets', () => {
  it('replaces the open bucket and appends the next', () => {
    const merged = merge(window(100, [1, 2, 3]), window(120, [7, 1]), 1000);
    expect(flowsOf(merged)).toEqual([1, 2, 7, 1]);
    expect(merged?.covered).toEqual([10, 10, 10, 10]);
    expect(merged?.coverage.present).toEqual([1, 2, 7, 1]);
    expect([merged?.from, merged?.to]).toEqual([100, 140]);
  });

  it('lets buckets fall out that are older than the window is long', () => {
    const merged = merge(window(100, [1, 2, 3]), window(120, [7, 1]), 20);
    expect(flowsOf(merged)).toEqual([7, 1]);
    expect(merged?.from).toBe(120);
  });

  it('keeps every list as long as the window when the tail reaches further back than is kept', () => {
    const merged = merge(window(100, [1, 2, 3]), window(110, [5, 6, 7]), 10);
    expect(flowsOf(merged)).toEqual([7]);
    expect(merged?.covered).toHaveLength(1);
  });

  it('keeps each marker of a changed filter once', () => {
    const mark = (time: number) => ({ time, channel: 'web' });
    const whole = { ...window(100, [1, 2, 3]), markers: [mark(105), mark(125)] };
    const tail = { ...window(120, [3, 4]), markers: [mark(125), mark(135)] };
    expect(merge(whole, tail, 1000)?.markers).toEqual([mark(105), mark(125), mark(135)]);
    expect(merge(whole, tail, 20)?.markers).toEqual([mark(125), mark(135)]);
  });

  it('asks for everything when there is a gap, another step, or a step back', () => {
    const whole = window(100, [1, 2, 3]);
    expect(merge(whole, window(140, [1]), 1000)).toBeNull();
    expect(merge(whole, { ...window(120, [1]), step: 20 }, 1000)).toBeNull();
    expect(merge(whole, window(90, [1, 2, 3, 4]), 1000)).toBeNull();
    expect(merge(whole, window(100, [1]), 1000)).toBeNull();
  });

  it('gives a channel that was added a hole before its first bucket, and drops one that was removed', () => {
    const tail = window(120, [7]);
    const other = { ...tail, channels: new Map([['mail', { flows: [4], packets: [4], traffic: [4] }]]) };
    const merged = merge(window(100, [1, 2, 3]), other, 1000);
    expect(merged?.channels.get('mail')?.flows).toEqual([null, null, 4]);
    expect(merged?.channels.has('web')).toBe(false);
  });
});

describe('sums over a window', () => {
  it('adds what was collected and divides by the time that was covered', () => {
    expect(totals(window(0, [1, null, 3], [10, 0, 5]), 'web')).toEqual({
      flows: 4,
      packets: 8,
      traffic: 400,
      coveredMs: 15,
    });
  });

  it('tells nothing collected from zero', () => {
    expect(totals(window(0, [null, null]), 'web').flows).toBeNull();
    expect(totals(window(0, [0, null]), 'web').flows).toBe(0);
  });
});

describe('buckets and holes', () => {
  it('finds the bucket of a moment, and none outside', () => {
    const whole = window(100, [1, 2]);
    expect([99, 100, 109, 110, 120].map((ms) => bucketAt(whole, ms))).toEqual([null, 0, 0, 1, null]);
  });

  it('names the last bucket with data', () => {
    expect(latestBucket(window(0, [1, 2, null]))).toBe(1);
    expect(latestBucket(window(0, [null]))).toBeNull();
  });

  it('joins neighboring holes and leaves the future alone', () => {
    const whole = window(0, [null, null, 3, null, null]);
    expect(holes(whole, 40)).toEqual([
      { from: 0, to: 20 },
      { from: 30, to: 40 },
    ]);
  });
});

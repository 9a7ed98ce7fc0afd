import { describe, expect, it } from 'vitest';
import { runs } from '../components/graph-paths';
import { nextBucket } from './cursor';

describe('the time cursor', () => {
  it('moves by a bucket, by a tenth, to both ends, and back to the latest', () => {
    const to = (key: string) => nextBucket(key, 50, 100);
    expect(['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown'].map(to)).toEqual([49, 51, 51, 49]);
    expect(['PageUp', 'PageDown', 'Home', 'End'].map(to)).toEqual([60, 40, 0, 100]);
    expect(to('Escape')).toBeNull();
  });

  it('stays within the window and leaves other keys alone', () => {
    expect(nextBucket('ArrowRight', 100, 100)).toBe(100);
    expect(nextBucket('ArrowLeft', 0, 100)).toBe(0);
    expect(nextBucket('Tab', 50, 100)).toBeUndefined();
    expect(nextBucket('ArrowLeft', 0, 0)).toBe(0);
  });
});

describe('areas of the graph', () => {
  it('end at each hole', () => {
    expect(runs([1, 2, null, 0, null, null, 5])).toEqual([
      [0, 1],
      [3, 3],
      [6, 6],
    ]);
    expect(runs([null])).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import { ago, timeLabels, utc } from './time';
import { refreshMs, stepText } from './windows';

describe('times', () => {
  it('gives UTC to the second', () => {
    expect(utc(Date.UTC(2026, 10, 21, 13, 5, 10, 999))).toBe('2026-11-21 13:05:10 UTC');
  });

  it('says how long ago something was', () => {
    const now = 1_000_000_000;
    expect(
      [0, 2_000, 12_000, 119_000, 180_000, 7_200_000, 200_000_000].map((ms) => ago(now - ms, now)),
    ).toEqual(['now', 'now', '12 s ago', '119 s ago', '3 min ago', '2 h ago', '2 d ago']);
    expect(ago(now + 5_000, now)).toBe('now');
  });

  it('puts the date under the first label of each day', () => {
    const noon = new Date(2026, 10, 21, 12).getTime() / 1000;
    const labels = timeLabels([noon, noon + 3600, noon + 86_400], 3600);
    expect(labels.map((label) => label.split('\n').length)).toEqual([2, 1, 2]);
  });

  it('names steps and refreshes no faster than a second, no slower than a minute', () => {
    expect([10_000, 60_000, 300_000, 3_600_000, 86_400_000, 90_000].map(stepText)).toEqual([
      '10 s',
      '1 min',
      '5 min',
      '1 h',
      '1 d',
      '90 s',
    ]);
    expect([10_000, 300_000, 86_400_000].map(refreshMs)).toEqual([1000, 5000, 60_000]);
  });
});

import { expect, it } from 'vitest';
import { coarsen, rateStep } from './coarse';
import type { SeriesWindow } from './series';

it('draws rates in the window’s own steps where sources report within them, else in the next usual ones', () => {
  const of = (step: number, reportedWithin: number | null) => rateStep({ step, reportedWithin });
  expect(of(10_000, null)).toBe(10_000);
  expect(of(10_000, 12_000)).toBe(10_000);
  expect(of(10_000, 13_000)).toBe(20_000);
  expect(of(10_000, 68_000)).toBe(60_000);
  expect(of(10_000, 1_830_000)).toBe(1_800_000);
  expect(of(12_000, 30_000)).toBe(60_000);
  expect(of(3_600_000, 1_830_000)).toBe(3_600_000);
  expect(of(86_400_000 * 7, 86_400_000 * 9)).toBe(86_400_000 * 14);
});

it('adds up sums and covered time in whole steps, with holes as holes and the worst of the coverage', () => {
  const flows = [1, 2, null, 4, null, null, 7];
  const window: SeriesWindow = {
    from: 50,
    to: 120,
    step: 10,
    covered: [10, 10, 0, 5, 0, 0, 3],
    coverage: {
      expected: [3, 3, 3, 2, 0, 0, 3],
      present: [3, 3, 1, 2, 0, 0, 3],
      absent: [0, 0, 0.5, 0, null, null, 0],
      missing: [0.5, 0, null, 0.25, null, null, 0],
    },
    channels: new Map([['web', { flows, packets: flows, traffic: flows }]]),
    markers: [],
    reportedWithin: 30,
  };
  const coarse = coarsen(window, 30);
  expect([coarse.from, coarse.to, coarse.step]).toEqual([30, 120, 30]);
  expect(coarse.channels.get('web')?.flows).toEqual([1, 6, 7]);
  expect(coarse.covered).toEqual([10, 15, 3]);
  expect(coarse.coverage.expected).toEqual([3, 3, 3]);
  expect(coarse.coverage.present).toEqual([3, 1, 3]);
  expect(coarse.coverage.missing).toEqual([0.5, 0.125, 0]);
  expect(coarsen(window, 10)).toBe(window);
});

import { expect, it } from 'vitest';
import { bandText, heardText, losses, lossText, missingText } from './coverage';

const STEP = 10_000;

function window(present: number[], missing: (number | null)[], expected = 3) {
  const coverage = {
    expected: present.map(() => expected),
    present,
    absent: present.map((heard) => (expected === 0 ? null : (expected - heard) / expected)),
    missing,
  };
  return { from: 1_000_000, step: STEP, coverage };
}

it('joins buckets of equal loss to one run and leaves out those without', () => {
  const lossy = window([3, 2, 2, 1, 3], [0, 0.25, null, 0.25, 0]);
  expect(losses(lossy, 'absent').map(({ from, to }) => [from, to])).toEqual([
    [1_010_000, 1_030_000],
    [1_030_000, 1_040_000],
  ]);
  expect(losses(lossy, 'missing')).toEqual([
    { from: 1_010_000, to: 1_020_000, share: 0.25 },
    { from: 1_030_000, to: 1_040_000, share: 0.25 },
  ]);
});

it('says of a bucket what was lost, and nothing where nothing was', () => {
  const lossy = window([3, 2, 3], [0, 0.0042, null]);
  expect([0, 1, 2].map((bucket) => lossText(lossy, bucket))).toEqual([
    '',
    '2 of 3 streams heard, 0.42 % missing',
    '',
  ]);
  expect([heardText(lossy, 0), missingText(lossy, 0), missingText(lossy, 2)]).toEqual(['3 of 3', '0 %', '–']);
  expect(heardText(window([0], [null], 0), 0)).toBe('–');
});

it('tells the whole band to those who do not see it', () => {
  expect(bandText(window([0], [null], 0))).toBe('No streams are known.');
  expect(bandText(window([3, 3], [0, null]))).toBe(
    'All 3 streams were heard throughout. Nothing was missing.',
  );
  const text = bandText(window([3, 2, 1, 3], [0.5, 0, 0, 0.25]));
  expect(text).toMatch(/^Of 3 streams up to 2 silent, in 2 steps, the last at .*\d\d:\d\d:\d\d\. /);
  expect(text).toMatch(/ Up to 50\.0 % missing, in 2 steps, the last at .*\d\d:\d\d:\d\d\.$/);
});

import { describe, expect, it } from 'vitest';
import { balance, sampling, skew } from './loss';

describe('the loss ledger', () => {
  it('lists sets without a template among the undecodable', () => {
    expect(balance({ undecodable: { short_set: 2 }, unknownTemplateSets: 3 })).toEqual({
      short_set: 2,
      'sets without template': 3,
    });
  });

  it('says so when flows refer to a sampler without a rate, whatever others have', () => {
    expect([sampling(undefined, true), sampling(512, true)]).toEqual(['rate unknown', 'rate unknown']);
  });

  it('says so when no sampling rate is known', () => {
    expect([undefined, 1, 1000, 611 / 305].map((rate) => sampling(rate))).toEqual([
      'unknown',
      'none',
      '1 in 1,000',
      '1 in 2.003',
    ]);
  });

  it('signs the skew of a clock', () => {
    expect([undefined, 400, 900, 5_000, -300_000].map(skew)).toEqual([
      'unknown',
      '0 s',
      '+1 s',
      '+5 s',
      '−5 min',
    ]);
  });
});

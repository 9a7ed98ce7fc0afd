import { describe, expect, it } from 'vitest';
import { balance, sampling, skew } from './loss';

describe('the loss ledger', () => {
  it('lists sets without a template among the undecodable', () => {
    expect(balance({ undecodable: { short_set: 2 }, unknownTemplateSets: 3 })).toEqual({
      short_set: 2,
      'sets without template': 3,
    });
  });

  it('says so when no sampling rate is known', () => {
    expect([undefined, 1, 1000, 611 / 305].map(sampling)).toEqual([
      'unknown',
      'none',
      '1 in 1,000',
      '1 in 2.003',
    ]);
  });

  it('tells the side on which a clock is wrong', () => {
    expect([undefined, 900, 5_000, -300_000].map(skew)).toEqual([
      'unknown',
      'right',
      '5 s behind',
      '5 min ahead',
    ]);
  });
});

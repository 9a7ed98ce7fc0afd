import { describe, expect, it } from 'vitest';
import { exporterLosses, givenUp, missing, sampling, skew, socketDrops, templates, undecoded } from './loss';

describe('the loss ledger', () => {
  it('lists waiting records among those that are not decoded, and sets where records are unknown', () => {
    const none = { records: 0, sets: 0, bytes: 0 };
    const stream = {
      undecodable: { truncated: 2 },
      waiting: { ...none, records: 3, sets: 1 },
      uncountedSets: 0,
    };
    expect(undecoded(stream)).toMatchObject({ truncated: 2, 'waiting for a template': 3 });
    const unknown = { undecodable: {}, waiting: { ...none, sets: 4 }, uncountedSets: 5 };
    expect(undecoded(unknown)).toMatchObject({ 'sets waiting for a template': 4, 'sets of unknown size': 5 });
  });

  it('marks what is missing in records where that is an estimate', () => {
    const packets = {
      unit: 'packets',
      missing: 4,
      expected: 40,
      missingRecords: { records: 81, estimated: true },
    };
    expect(missing(packets)).toEqual(['4 (10.0 %)', 'of 40 packets, ~81 records']);
    const flows = {
      unit: 'flows',
      missing: 0,
      expected: 9,
      missingRecords: { records: 0, estimated: false },
    };
    expect(missing(flows)).toEqual(['0 (0 %)', 'of 9 flows']);
    expect(missing({ unit: 'flows' })).toEqual(['not judged', '']);
  });

  it('tells what an exporter lost itself', () => {
    const samples = { received: 9, expected: 11, missing: 2, exporterDrops: 5 };
    expect(exporterLosses({ samples })).toMatchObject({ 'samples dropped': 5, 'samples missing': 2 });
    expect(Object.values(exporterLosses({})).every((count) => count === 0)).toBe(true);
  });

  it('tells templates that changed from those that ports announce differently', () => {
    expect([
      templates({ templateChanges: 0, templateConflicts: 0 }),
      templates({ templateChanges: 2, templateConflicts: 0 }),
      templates({ templateChanges: 1, templateConflicts: 3 }),
    ]).toEqual(['', '2 changed', '1 changed, 3 in conflict']);
  });

  it('names the socket at which the kernel dropped', () => {
    expect(socketDrops({ socketDrops: [0, 4] })).toEqual({ 'at socket 0': 0, 'at socket 1': 4 });
  });

  it('counts what an edge gave up in records, where those are known', () => {
    const dropped = { spool_stalled: { blocks: 2, records: 70 }, damaged: { blocks: 1, records: 0 } };
    expect(givenUp({ dropped })).toEqual({ 'records: spool_stalled': 70, 'blocks: damaged': 1 });
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

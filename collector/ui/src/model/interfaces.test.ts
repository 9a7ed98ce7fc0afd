import { describe, expect, it } from 'vitest';
import { beside, nameOf, rateInEffect, speed, state } from './interfaces';

describe('the interfaces of sFlow agents', () => {
  it('are called by index and name, and by their kind where they are none', () => {
    expect([
      nameOf({ class: 0, index: 3, name: 'eth0' }),
      nameOf({ class: 0, index: 3 }),
      nameOf({ class: 1, index: 12 }),
      nameOf({ class: 7, index: 1 }),
    ]).toEqual(['3 eth0', '3', 'VLAN 12', 'class 7, 1']);
  });

  it('are up, down, or switched off', () => {
    expect([
      state({ adminUp: true, operUp: true }),
      state({ adminUp: true, operUp: false }),
      state({ adminUp: false, operUp: false }),
      state({}),
    ]).toEqual(['up', 'down', 'switched off', 'unknown']);
    expect([speed({ speed: 10_000_000_000 }), speed({})]).toEqual(['10.0\u00a0Gbit/s', 'unknown']);
  });

  it('show what the samples make of what the counter counted', () => {
    const octets = {
      since: 0,
      until: 1,
      countedIn: 4_000_000,
      sampledIn: 3_900_000,
      countedOut: 0,
      sampledOut: 0,
    };
    expect(beside({ octets }, 'In')).toEqual(['4.00\u00a0MB', '3.90\u00a0MB by samples (97.5 %)']);
    expect(beside({ octets }, 'Out')).toEqual(['0\u00a0B', '0\u00a0B by samples']);
    expect(beside({}, 'In')).toEqual(['–', '']);
    expect([rateInEffect({ effectiveRate: 1024.3 }), rateInEffect({})]).toEqual(['in effect 1 in 1,024', '']);
  });
});

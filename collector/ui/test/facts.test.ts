// What exporters tell of themselves, on the page: the counters of their interfaces, and how the listeners stand.

import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { launch, open, type Watched } from './browser';
import { Weir } from './weir';

const POLL = { timeout: 20_000, interval: 200 };

let weir: Weir;
let browser: Browser;
let watched: Watched | undefined;

beforeAll(async () => {
  [weir, browser] = await Promise.all([Weir.start(), launch()]);
});

afterEach(async () => {
  await watched?.close();
  watched = undefined;
});

afterAll(async () => {
  await browser?.close();
  await weir?.close();
});

function longs(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, at) => {
    bytes.writeUInt32BE(value >>> 0, at * 4);
  });
  return bytes;
}

/** A generic counter sample of interface 3: 1 Gbit/s, up, so many octets received and sent. */
function counters(sequence: number, received: number, sent: number): Buffer {
  const interfaceCounters = Buffer.concat([
    longs(3, 6, 0, 1_000_000_000, 1, 3, 0, received, 1, 0, 0, 0, 0, 0, 0, sent, 1, 0, 0, 0, 0, 0),
  ]);
  const record = Buffer.concat([longs(1, interfaceCounters.length), interfaceCounters]);
  const name = Buffer.concat([longs(1005, 8, 4), Buffer.from('eth3')]);
  const sample = Buffer.concat([longs(sequence, 3, 2), record, name]);
  const agent = Buffer.concat([longs(5, 1), Buffer.from([192, 0, 2, 33])]);
  return Buffer.concat([agent, longs(0, sequence, 1000 * sequence, 1), longs(2, sample.length), sample]);
}

async function cells(name: string, row: string): Promise<Record<string, string>> {
  const table = watched?.page.getByRole('region', { name });
  const line = table?.locator('tbody tr').filter({ hasText: row }).first();
  const titles = (await table?.locator('thead th').allInnerTexts()) ?? [];
  const texts = (await line?.locator('th, td').allInnerTexts()) ?? [];
  return Object.fromEntries(titles.map((title, at) => [title, texts[at]?.replace(/\s+/g, ' ').trim() ?? '']));
}

it('shows what the counters of an interface say', async () => {
  await weir.sendRaw('sflow', [counters(1, 1_000_000, 500_000), counters(2, 5_000_000, 2_500_000)]);
  watched = await open(browser, `${weir.url}/?page=exporters`);
  await expect
    .poll(() => cells('Interfaces of sFlow agents', '192.0.2.33'), POLL)
    .toMatchObject({
      Interface: '3 eth3',
      Speed: '1.00 Gbit/s',
      State: 'up',
      Received: '4.00 MB 0 B by samples (0 %)',
      Sent: '2.00 MB 0 B by samples (0 %)',
    });
});

it('shows connections and what the kernel dropped at each socket', async () => {
  watched = await open(browser, `${weir.url}/?page=exporters`);
  await expect
    .poll(() => cells('Listeners', 'netflow'), POLL)
    .toMatchObject({ 'Dropped by the kernel': '0', Connections: '0', Closed: '0' });
});

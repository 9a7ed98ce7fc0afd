// The loss ledger on the page: datagrams that are lost, late, repeated and numbered anew in known numbers.

import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { launch, open, type Watched } from './browser';
import { Weir } from './weir';

const POLL = { timeout: 20_000, interval: 200 };

let weir: Weir;
let browser: Browser;
let watched: Watched | undefined;

beforeAll(async () => {
  [weir, browser] = await Promise.all([Weir.start({ slotLength: '2s' }), launch()]);
});

afterEach(async () => {
  await watched?.close();
  watched = undefined;
});

afterAll(async () => {
  await browser?.close();
  await weir?.close();
});

/** NetFlow v5 with so many records; `uptime` tells one datagram from another. */
function netflow5(sequence: number, records: number, uptime: number): Buffer {
  const datagram = Buffer.alloc(24 + 48 * records);
  datagram.writeUInt16BE(5, 0);
  datagram.writeUInt16BE(records, 2);
  datagram.writeUInt32BE(uptime, 4);
  datagram.writeUInt32BE(Math.floor(Date.now() / 1000), 8);
  datagram.writeUInt32BE(sequence, 16);
  for (let at = 24; at < datagram.length; at += 48) {
    datagram.set([192, 0, 2, 1, 198, 51, 100, 2], at);
    datagram.writeUInt32BE(10, at + 16);
    datagram.writeUInt32BE(1000, at + 20);
    datagram.set([17], at + 38);
  }
  return datagram;
}

/** The template 256 is never sent: its 21 bytes, three records by the header, wait for a minute. */
function netflow9WithoutTemplate(): Buffer {
  const datagram = Buffer.alloc(20 + 4 + 24);
  datagram.writeUInt16BE(9, 0);
  datagram.writeUInt16BE(3, 2);
  datagram.writeUInt32BE(Math.floor(Date.now() / 1000), 8);
  datagram.writeUInt16BE(256, 20);
  datagram.writeUInt16BE(28, 22);
  return datagram;
}

it('shows both balances of a stream, exactly, and what waits', async () => {
  await weir.sendRaw('netflow', [
    netflow5(1_000_000, 10, 1),
    // 20 flows are missing here, of which 10 come late.
    netflow5(1_000_030, 10, 2),
    netflow5(1_000_010, 10, 3),
    netflow5(1_000_040, 10, 4),
    netflow5(1_000_030, 10, 2),
    // It starts anew, and loses 5 more.
    netflow5(0, 10, 5),
    netflow5(15, 10, 6),
  ]);
  await weir.sendRaw('netflow', [netflow9WithoutTemplate()]);
  watched = await open(browser, `${weir.url}/?page=exporters`);
  const table = watched.page.getByRole('region', { name: 'Streams' });
  await expect.poll(() => table.locator('tbody tr').count(), POLL).toBe(2);
  const cells = async (protocol: string) => {
    const row = table.locator('tbody tr').filter({ hasText: protocol });
    const names = await table.locator('thead th').allInnerTexts();
    const texts = await row.locator('th, td').allInnerTexts();
    return Object.fromEntries(names.map((name, at) => [name, texts[at]?.replace(/\s+/g, ' ').trim()]));
  };
  await expect
    .poll(() => cells('netflow5'), POLL)
    .toMatchObject({
      Records: '60 60 decoded',
      'Not decoded': '0',
      Received: '70 flows',
      Missing: '15 (20.0 %) of 75 flows',
      'Twice, late': '10 1 late',
      Faults: '0',
      'Lost at the exporter': '0',
    });
  expect((await cells('netflow5')).Restarts).toMatch(/^1 since /);
  await expect
    .poll(() => cells('netflow9'), POLL)
    .toMatchObject({
      Records: '3 0 decoded',
      'Not decoded': '3 waiting for a template',
    });
});

it('is read by the keyboard alone', async () => {
  watched = await open(browser, `${weir.url}/?page=exporters`, { viewport: { width: 700, height: 600 } });
  const { page } = watched;
  const table = page.getByRole('region', { name: 'Streams' });
  await table.locator('tbody tr').first().waitFor();
  await table.focus();
  const scrolled = () => table.evaluate((element) => element.scrollLeft);
  expect(await scrolled()).toBe(0);
  await page.keyboard.press('ArrowRight');
  await expect.poll(scrolled, POLL).toBeGreaterThan(0);
});

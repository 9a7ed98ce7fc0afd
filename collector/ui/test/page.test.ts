// The page of a running weir, with real traffic, in a real browser.

import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { launch, open, pixels, type Watched } from './browser';
import { type Sent, Weir } from './weir';

const CHANNELS = 21;
const POLL = { timeout: 20_000, interval: 200 };

let weir: Weir;
let browser: Browser;
let sent: Sent;
let watched: Watched | undefined;

beforeAll(async () => {
  [weir, browser] = await Promise.all([Weir.start(), launch()]);
  sent = await weir.send('netflow', 'netflow9', 3000);
});

afterEach(async () => {
  await watched?.close();
  watched = undefined;
});

afterAll(async () => {
  await browser?.close();
  await weir?.close();
});

async function visit(path = '/', options = {}): Promise<Page> {
  watched = await open(browser, weir.url + path, options);
  await watched.page.locator('.channels tbody tr').first().waitFor();
  return watched.page;
}

/** One number of the table of channels: 0 is the value under the cursor, 1 to 3 are the sums. */
const cellOf = (page: Page, channel: string, column: number) =>
  page
    .getByRole('row', { name: channel, exact: false })
    .locator('td')
    .nth(2 + column);

const choose = (page: Page, group: string, choice: string) =>
  page.getByRole('group', { name: group }).getByRole('radio', { name: choice, exact: true }).check();

it('shows the sums of every channel as they were sent, to the last unit', async () => {
  const page = await visit();
  const titles = () =>
    page
      .locator('.channels tbody tr')
      .evaluateAll((rows) =>
        Object.fromEntries(
          rows.map((row) => [
            row.querySelector('th')?.textContent?.trim() ?? '',
            [...row.querySelectorAll('td[title]')].map((cell) => cell.getAttribute('title')),
          ]),
        ),
      );
  const said = (number: number, unit: string) => `${number.toLocaleString('en-US')} ${unit}`;
  const expected = Object.fromEntries(
    Object.entries(sent.channels).map(([channel, { flows, packets, bytes }]) => [
      channel,
      [said(flows, 'flows'), said(packets, 'packets'), said(bytes, 'B')],
    ]),
  );
  expect(Object.keys(expected)).toHaveLength(CHANNELS);
  await expect.poll(titles, POLL).toEqual(expected);
});

it('shows the 21 channels of zone1_profile moving within 15 seconds', async () => {
  const begin = Date.now();
  weir.keepSending('netflow', 'netflow5', 400, 3);
  weir.keepSending('any', 'netflow9', 200, 2);
  weir.keepSending('ipfix', 'ipfix', 100, 1);
  weir.keepSending('sflow', 'sflow', 100, 1);
  const page = await visit();
  expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('zone1_profile');
  expect(await page.locator('.channels tbody tr').count()).toBe(CHANNELS);
  expect(await page.locator('.link').textContent()).toContain('Live');
  const sums = () =>
    page
      .locator('.channels tbody tr td:nth-of-type(4)')
      .evaluateAll((cells) => cells.map((cell) => Number(cell.getAttribute('title')?.replace(/\D/g, ''))));
  const first = await sums();
  await expect
    .poll(async () => (await sums()).filter((sum, at) => sum > (first[at] ?? 0)).length, POLL)
    .toBeGreaterThan(CHANNELS - 6);
  const graphs = new Set<string>();
  await expect
    .poll(async () => {
      graphs.add(await page.locator('.readout').innerText());
      return graphs.size;
    }, POLL)
    .toBeGreaterThan(3);
  expect(Date.now() - begin).toBeLessThan(15_000);
});

it('counts by flows, packets and traffic, as sum and as rate, and keeps that in the address', async () => {
  const page = await visit();
  const head = page.locator('.channels thead tr').nth(1).locator('th').first();
  for (const [count, sum, rate] of [
    ['Flows', 'flows', 'flows/s'],
    ['Packets', 'packets', 'packets/s'],
    ['Traffic', 'B', 'bit/s'],
  ] as const) {
    await choose(page, 'Count', count);
    await choose(page, 'As', 'Sum');
    expect(await head.innerText()).toBe(sum);
    await choose(page, 'As', 'Rate');
    expect(await head.innerText()).toBe(rate);
    expect(await page.locator('figcaption').innerText()).toContain(rate);
  }
  await choose(page, 'Count', 'Packets');
  await choose(page, 'Window', '1 h');
  expect(new URL(page.url()).search).toBe('?metric=packets&window=1h');
  await page.reload();
  await expect.poll(() => head.innerText(), POLL).toBe('packets/s');
  expect(await page.getByRole('radio', { name: '1 h', exact: true }).isChecked()).toBe(true);
});

it('draws rates in steps in which they are no comb, and finer ones to those who ask', async () => {
  const page = await visit();
  const caption = () => page.locator('figcaption').innerText();
  // Of the generator's flows the longest last a minute.
  await expect.poll(caption, POLL).toContain('1 min a step');
  await page.getByRole('checkbox', { name: 'Steps of 10 s all the same' }).check();
  await expect.poll(caption, POLL).toContain('10 s a step');
  expect(new URL(page.url()).search).toBe('?steps=finest');
  await choose(page, 'As', 'Sum');
  expect(await page.getByRole('checkbox', { name: 'Steps of 10 s' }).count()).toBe(0);
});

it('paints the channels in their colors, and leaves out those that are not ticked', async () => {
  const page = await visit();
  await expect.poll(() => pixels(page, '#A787FF'), POLL).toBeGreaterThan(20);
  expect(await pixels(page, '#305FFF')).toBeGreaterThan(0);
  await page.getByRole('checkbox', { name: 'https' }).uncheck();
  await expect.poll(() => pixels(page, '#A787FF'), POLL).toBe(0);
  expect(new URL(page.url()).searchParams.getAll('hide')).toEqual(['https']);
  await page.getByRole('checkbox', { name: 'All channels' }).check();
  await expect.poll(() => pixels(page, '#A787FF'), POLL).toBeGreaterThan(20);
});

it('draws every window, and holes where nothing was collected', async () => {
  const page = await visit();
  for (const window of ['1 h', '6 h', '12 h', '1 d', '1 w', '1 month', '1 y', '10 min']) {
    await choose(page, 'Window', window);
    await expect.poll(() => page.locator('[aria-busy=true]').count(), POLL).toBe(0);
    expect(await page.getByRole('alert').count()).toBe(0);
    await expect.poll(() => cellOf(page, 'https', 1).innerText(), POLL).toMatch(/^[1-9]/);
  }
  await page.getByText('The graph as a table').click();
  const cells = await page
    .getByRole('region', { name: 'The graph as a table' })
    .locator('tbody tr')
    .evaluateAll((rows) => rows.map((row) => row.querySelectorAll('td')[14]?.textContent));
  expect(cells[0]).not.toBe('–');
  expect(cells.at(-1)).toBe('–');
});

it('reads out the step under the mouse, and the latest without it', async () => {
  const page = await visit('/?steps=finest');
  const head = page.locator('.channels thead th.now').first();
  expect(await head.innerText()).toBe('Latest');
  const graph = await page.locator('.time-cursor').boundingBox();
  await page.mouse.move((graph?.x ?? 0) + (graph?.width ?? 0) / 2, (graph?.y ?? 0) + 50);
  await expect.poll(() => head.innerText(), POLL).toMatch(/\d\d:\d\d:\d0$/);
  const mark = await page.locator('.time-mark').boundingBox();
  const middle = (graph?.x ?? 0) + (graph?.width ?? 0) / 2;
  // The window moves on by two pixels a second.
  expect(mark?.x).toBeLessThanOrEqual(middle + 10);
  expect((mark?.x ?? 0) + (mark?.width ?? 0)).toBeGreaterThanOrEqual(middle - 10);
  expect(await head.locator('time').getAttribute('title')).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d0 UTC$/);
  await page.mouse.move(5, 5);
  await expect.poll(() => head.innerText(), POLL).toBe('Latest');
});

it('switches profiles, and the way back leads back', async () => {
  const page = await visit();
  await page.getByRole('combobox', { name: 'Profile' }).selectOption({ label: 'live' });
  await expect.poll(() => page.getByRole('heading', { level: 1 }).innerText(), POLL).toBe('live');
  const names = () => page.locator('.channels tbody th').allInnerTexts();
  await expect.poll(names, POLL).toEqual(expect.arrayContaining(['netflow-global', 'peer1', 'peer2']));
  expect(new URL(page.url()).searchParams.get('profile')).toBe('live');
  await expect.poll(() => cellOf(page, 'peer1', 1).innerText(), POLL).toMatch(/^[1-9]/);
  await page.goBack();
  await expect.poll(() => page.getByRole('heading', { level: 1 }).innerText(), POLL).toBe('zone1_profile');
});

it('says which profile is not there', async () => {
  watched = await open(browser, `${weir.url}/?profile=default/none`);
  await expect
    .poll(() => watched?.page.getByRole('alert').innerText(), POLL)
    .toContain('There is no profile default/none');
});

it('lists the exporters with what they sent and what is missing', async () => {
  watched = await open(browser, `${weir.url}/?page=exporters`);
  const { page } = watched;
  const rows = page.getByRole('region', { name: 'Streams' }).locator('tbody tr');
  await expect.poll(() => rows.count(), POLL).toBeGreaterThanOrEqual(7);
  const peer = rows.filter({ hasText: 'peer1' });
  expect(await peer.innerText()).toMatch(/127\.0\.0\.11[\s\S]*netflow9[\s\S]*0 \(0 %\)/);
  const records = () => peer.locator('td').nth(3).innerText();
  const first = await records();
  await expect.poll(records, POLL).not.toBe(first);
  const listeners = page.getByRole('region', { name: 'Listeners' }).locator('tbody');
  expect(await listeners.innerText()).toMatch(/netflow[\s\S]*sflow/);
  expect(await page.getByRole('region', { name: 'Edges' }).locator('tbody tr').count()).toBe(1);
});

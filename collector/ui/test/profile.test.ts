// What a profile says of its channels is what the page draws, and a changed profile is drawn by itself.

import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { launch, open, painted, type Watched } from './browser';
import { Weir } from './weir';

const POLL = { timeout: 20_000, interval: 200 };
const BLUE = '#2040F0';
const GREEN = '#20A040';
const RED = '#D02020';

const profile = (webFilter: string) => `
apiVersion: weir.dev/v1alpha1
kind: FlowProfile
metadata:
  name: both-sides
spec:
  displayName: Both sides
  description: Two channels above the axis and one below
  group: Edges
  channels:
    - {name: web, filter: ${webFilter}, color: "${BLUE}", sign: "+", order: 2}
    - {name: names, filter: port 53, color: "${RED}", sign: "-", order: 3}
    - {name: shell, filter: port 22, color: "${GREEN}", sign: "+", order: 1}
`;

let weir: Weir;
let browser: Browser;
let watched: Watched | undefined;

beforeAll(async () => {
  [weir, browser] = await Promise.all([Weir.start({ slotLength: '2s' }), launch()]);
  await weir.apply('both-sides', profile('port 80 or port 443'));
  weir.keepSending('netflow', 'netflow5', 400);
});

afterEach(async () => {
  await watched?.close();
  watched = undefined;
});

afterAll(async () => {
  await browser?.close();
  await weir?.close();
});

it('draws channels in their order and on their side of the axis', async () => {
  watched = await open(browser, `${weir.url}/?profile=default/both-sides&metric=flows`);
  const { page } = watched;
  const names = () => page.locator('.channels tbody th').allInnerTexts();
  await expect.poll(names, POLL).toEqual(['shell', 'web', 'names']);
  const group = page.locator('optgroup[label="Edges"] option');
  expect(await group.allInnerTexts()).toEqual(['Both sides']);
  await expect
    .poll(async () => {
      const colors = await painted(page);
      return [BLUE, GREEN, RED].filter((color) => (colors.get(color)?.count ?? 0) > 20);
    }, POLL)
    .toEqual([BLUE, GREEN, RED]);
  const colors = await painted(page);
  const [web, shell, below] = [BLUE, GREEN, RED].map((color) => colors.get(color)?.y ?? Number.NaN);
  expect(web).toBeLessThan(shell ?? Number.NaN);
  expect(shell).toBeLessThan(below ?? Number.NaN);
  expect(await page.locator('.readout').innerText()).toMatch(/above, .* below the axis/);
});

it('shows a changed filter and where it took effect, without a reload', async () => {
  watched = await open(browser, `${weir.url}/?profile=default/both-sides`);
  const { page } = watched;
  const filter = page.getByRole('row', { name: 'web' }).locator('code');
  await expect.poll(() => filter.innerText(), POLL).toBe('port 80 or port 443');
  await weir.apply('both-sides', profile('port 443'));
  await expect.poll(() => filter.innerText(), POLL).toBe('port 443');
  await expect.poll(() => page.locator('.changes').innerText(), POLL).toContain('web at');
});

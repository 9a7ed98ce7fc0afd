// The page without a mouse, in both themes, on a small screen, and as a machine checks it for accessibility.

import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { launch, open, type Watched } from './browser';
import { Weir } from './weir';

const POLL = { timeout: 20_000, interval: 200 };
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

let weir: Weir;
let browser: Browser;
let watched: Watched | undefined;

beforeAll(async () => {
  [weir, browser] = await Promise.all([Weir.start(), launch()]);
  weir.keepSending('any', 'netflow9', 300);
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
  await watched.page.locator('tbody tr').first().waitFor();
  return watched.page;
}

const focused = (page: Page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    // A radio button is drawn by the text beside it.
    const seen = element?.matches('.segmented input') ? element.nextElementSibling : element;
    const outline = seen === null || seen === undefined ? '' : getComputedStyle(seen).outlineStyle;
    const name = element?.getAttribute('aria-label') ?? element?.closest('label, fieldset')?.textContent;
    return {
      name: name ?? element?.textContent ?? '',
      role: element?.getAttribute('role'),
      visible: outline !== 'none',
      body: element === document.body,
    };
  });

/** Tabs on until the focus is on something of that name; each stop on the way must be visible. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  for (let stop = 0; stop < 80; stop += 1) {
    await page.keyboard.press('Tab');
    const now = await focused(page);
    // Past the last stop the browser's own controls come, then the page from its top.
    expect(now.visible || now.body, `focus on ${now.name}`).toBe(true);
    if (name.test(now.name)) {
      return;
    }
  }
  throw new Error(`no stop named ${name}`);
}

it('is used by the keyboard alone', async () => {
  // Steps that do not change while the page learns how late flows are reported.
  const page = await visit('/?steps=finest');
  await tabTo(page, /^Traffic|Flows.*Packets.*Traffic|Traffic/);
  await page.keyboard.press('ArrowLeft');
  await expect.poll(() => new URL(page.url()).search, POLL).toContain('metric=packets');
  await tabTo(page, /^10 min/);
  await page.keyboard.press('ArrowRight');
  await expect.poll(() => new URL(page.url()).search, POLL).toContain('window=1h');

  await tabTo(page, /time$/);
  const slider = page.getByRole('slider');
  await expect.poll(() => slider.getAttribute('aria-valuetext'), POLL).toMatch(/packets\/s/);
  // An hour in steps of 10 s: the ten minutes before are gone.
  const most = async () => Number(await slider.getAttribute('aria-valuemax'));
  await expect.poll(most, POLL).toBeGreaterThan(300);
  await page.keyboard.press('End');
  const last = await slider.getAttribute('aria-valuenow');
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowLeft');
  expect(Number(await slider.getAttribute('aria-valuenow'))).toBe(Number(last) - 2);
  expect(await page.locator('.time-mark').count()).toBe(1);
  await page.keyboard.press('Home');
  await expect.poll(() => slider.getAttribute('aria-valuetext'), POLL).toContain('nothing collected');
  await page.keyboard.press('Escape');
  await expect.poll(() => page.locator('.time-mark').count(), POLL).toBe(0);

  await tabTo(page, /^dns/);
  await page.keyboard.press('Space');
  await expect.poll(() => new URL(page.url()).searchParams.get('hide'), POLL).toBe('dns');
  await tabTo(page, /^The graph as a table/);
  await page.keyboard.press('Enter');
  await page.getByRole('region', { name: 'The graph as a table' }).waitFor();
});

it('follows the system into the dark, and a choice of its own over the system', async () => {
  const page = await visit('/', { colorScheme: 'dark' });
  const lightness = () =>
    page.evaluate(() => Number(/\d+/.exec(getComputedStyle(document.documentElement).backgroundColor)?.[0]));
  expect(await lightness()).toBeLessThan(60);
  await page.emulateMedia({ colorScheme: 'light' });
  await expect.poll(lightness, POLL).toBeGreaterThan(200);
  await page.getByRole('group', { name: 'Theme' }).getByRole('radio', { name: 'Dark' }).check();
  await expect.poll(lightness, POLL).toBeLessThan(60);
  await page.reload();
  await expect.poll(lightness, POLL).toBeLessThan(60);
});

it.each(['light', 'dark'] as const)(
  'has nothing that a checker of accessibility objects to, %s',
  async (theme) => {
    for (const path of ['/', '/?profile=live', '/?page=exporters']) {
      const page = await visit(path, { colorScheme: theme });
      await page.evaluate(await (await import('node:fs/promises')).readFile(AXE, 'utf8'));
      const result = await page.evaluate(() =>
        (globalThis as unknown as { axe: { run: () => Promise<AxeResults> } }).axe.run(),
      );
      const found = result.violations.map(
        ({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`,
      );
      expect(found, path).toEqual([]);
      await watched?.close();
      watched = undefined;
    }
  },
);

it('fits a narrow screen without scrolling sideways', async () => {
  const page = await visit('/', { viewport: { width: 390, height: 800 } });
  const wide = () =>
    page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  await expect.poll(wide, POLL).toBeLessThanOrEqual(0);
});

it('moves by whole steps where motion is to be kept low', async () => {
  const page = await visit('/', { reducedMotion: 'reduce' });
  await expect.poll(() => page.locator('.graph canvas').count(), POLL).toBe(1);
  await expect.poll(() => page.locator('.readout').innerText(), POLL).toMatch(/bit\/s/);
});

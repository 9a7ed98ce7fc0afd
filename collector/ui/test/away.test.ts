// The server goes away and comes back; and a server that wants a token.

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launch, open, pixels } from './browser';
import { Weir } from './weir';

const POLL = { timeout: 30_000, interval: 200 };
const SLOT_MS = 2000;

let browser: Browser;

beforeAll(async () => {
  browser = await launch();
});

afterAll(async () => {
  await browser?.close();
});

it('says that the server is away, goes on by itself when it is back, and shows the hole', async () => {
  const weir = await Weir.start({ slotLength: `${SLOT_MS / 1000}s` });
  try {
    weir.keepSending('netflow', 'netflow5', 500);
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${weir.url}/?steps=finest`);
    const status = page.locator('.link');
    await expect.poll(() => status.innerText(), POLL).toBe('Live');
    await expect.poll(() => pixels(page, '#A787FF'), POLL).toBeGreaterThan(0);

    await weir.down();
    const since = Date.now();
    await expect.poll(() => status.innerText(), POLL).toBe('Not connected');
    expect(await page.getByRole('alert').innerText()).toContain('weir standalone');
    expect(await pixels(page, '#A787FF'), 'the last numbers stay').toBeGreaterThan(0);
    // Long enough that at least one whole slot is missing.
    await expect.poll(() => Date.now() - since, POLL).toBeGreaterThan(2.5 * SLOT_MS);

    await weir.up();
    await expect.poll(() => status.innerText(), POLL).toBe('Live');
    await expect.poll(() => page.getByRole('alert').count(), POLL).toBe(0);
    await page.getByText('The graph as a table').click();
    const rows = page.getByRole('region', { name: 'The graph as a table' }).locator('tbody tr');
    const collected = async () =>
      (
        await rows.evaluateAll((all) =>
          all.map((row) => (row.querySelector('td')?.textContent === '–' ? '-' : '#')),
        )
      ).join('');
    // Newest first: data since the restart, the hole, data before it, and nothing before the first start.
    await expect.poll(collected, POLL).toMatch(/^-?#+-+#+-+$/);
    await context.close();
  } finally {
    await weir.close();
  }
});

it('asks for the token of a server that wants one', async () => {
  const token = 'a-token-of-a-test-0123456789';
  const weir = await Weir.start({ token });
  try {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(weir.url);
    for (const [text, accepted] of [
      ['not-the-token-of-this-test', false],
      [token, true],
    ] as const) {
      await page.getByLabel('Token').fill(text);
      await page.getByRole('button', { name: 'Continue' }).click();
      const shown = page.getByRole('heading', { name: 'zone1_profile' });
      if (accepted) {
        await shown.waitFor();
      } else {
        await expect.poll(() => page.getByRole('alert').innerText(), POLL).toContain('token');
      }
    }
    await expect.poll(() => page.locator('.link').innerText(), POLL).toBe('Live');
    await context.close();
  } finally {
    await weir.close();
  }
});

it('opens the page of a build by the policy that forbids all but its own files', async () => {
  const weir = await Weir.start();
  try {
    const { close, page } = await open(browser, weir.url);
    const answer = await page.request.get(weir.url);
    expect(answer.headers()['content-security-policy']).toContain("default-src 'none'");
    await page.locator('.channels tbody tr').first().waitFor();
    await close();
  } finally {
    await weir.close();
  }
});

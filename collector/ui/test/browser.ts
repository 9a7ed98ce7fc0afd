// Debian's Chromium with an empty profile, and pages that remember everything that went wrong in them.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';

/** Where to put a picture of each page at the end of its test, for people to look at. */
const SHOTS = process.env.SHOTS;

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

export interface Watched {
  page: Page;
  /** Ends the test's page; fails if it logged an error or asked any other server. */
  close: () => Promise<void>;
}

export async function open(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Watched> {
  const context = await browser.newContext({ viewport: { width: 1360, height: 1000 }, ...options });
  const page = await context.newPage();
  const wrong: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') {
      wrong.push(`console ${message.type()}: ${message.text()}`);
    }
  });
  page.on('pageerror', (error) => wrong.push(`uncaught: ${error.message}`));
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) {
      wrong.push(`asked another server: ${request.url()}`);
    }
  });
  await page.goto(url);
  const close = async () => {
    await shoot(page);
    await context.close();
    expect(wrong).toEqual([]);
  };
  return { page, close };
}

async function shoot(page: Page): Promise<void> {
  if (SHOTS === undefined) {
    return;
  }
  await mkdir(SHOTS, { recursive: true });
  const name = (expect.getState().currentTestName ?? 'page').replace(/[^a-z0-9]+/gi, '-').slice(0, 80);
  await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
}

export interface Painted {
  /** How many pixels. */
  count: number;
  /** The mean of their distances from the top. */
  y: number;
}

/** The colors of the graph, as `#RRGGBB`, and where they are. */
export async function painted(page: Page): Promise<Map<string, Painted>> {
  const found = await page.evaluate(() => {
    const canvas = document.querySelector('.graph canvas');
    if (!(canvas instanceof HTMLCanvasElement)) {
      return [];
    }
    // A copy is read: the graph's own canvas stays where the browser draws it fastest.
    const context = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d');
    context?.drawImage(canvas, 0, 0);
    const data = context?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    const colors = new Map<string, { count: number; y: number }>();
    for (let at = 0; at + 3 < data.length; at += 4) {
      const rgb = [0, 1, 2].map((part) => (data[at + part] ?? 0).toString(16).padStart(2, '0')).join('');
      const name = `#${rgb.toUpperCase()}`;
      const color = colors.get(name) ?? { count: 0, y: 0 };
      const y = Math.floor(at / 4 / canvas.width);
      colors.set(name, { count: color.count + 1, y: (color.y * color.count + y) / (color.count + 1) });
    }
    return [...colors];
  });
  return new Map(found);
}

/** How many pixels of a color the graph has. */
export async function pixels(page: Page, color: string): Promise<number> {
  return (await painted(page)).get(color)?.count ?? 0;
}

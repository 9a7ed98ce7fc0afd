import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const SOURCES = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.tsx?$/.test(file) && !file.includes('.test.'))
  .map((file) => ({ file, text: readFileSync(join(import.meta.dirname, file), 'utf8') }));

it('asks the server in one file only', () => {
  const asking = SOURCES.filter(({ text }) => /\bfetch\(|XMLHttpRequest|EventSource\(|WebSocket/.test(text));
  expect(asking.map(({ file }) => file)).toEqual(['api.ts']);
});

it('keeps files short enough to be read', () => {
  expect(SOURCES.filter(({ text }) => text.split('\n').length > 300).map(({ file }) => file)).toEqual([]);
});

it('says at the top of each file what it is for', () => {
  expect(SOURCES.filter(({ text }) => !text.startsWith('// ')).map(({ file }) => file)).toEqual([]);
});

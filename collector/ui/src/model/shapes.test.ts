import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

interface Schema {
  required?: string[];
  properties?: Record<string, unknown>;
}

const read = (file: string) => readFileSync(join(import.meta.dirname, file), 'utf8');

/** Interfaces whose name differs in the API's description. */
const NAMES: Record<string, string> = { TopSpec: 'Top', TopTable: 'TopAnswer' };

it('takes the server to answer only what its description promises', () => {
  const document = JSON.parse(read('../../../openapi.json')) as {
    components: { schemas: Record<string, Schema> };
  };
  const interfaces = [...read('shapes.ts').matchAll(/export interface (\w+) \{\n([\s\S]*?)\n\}/g)];
  expect(interfaces.length).toBeGreaterThan(5);
  const broken = interfaces.flatMap(([, name = '', body = '']) => {
    const schema = document.components.schemas[NAMES[name] ?? name];
    // Properties of the interface itself are indented once.
    return [...body.matchAll(/^ {2}(\w+)(\??):/gm)]
      .filter(([, property = '', optional]) =>
        optional === '?' ? !(property in (schema?.properties ?? {})) : !schema?.required?.includes(property),
      )
      .map(([, property]) => `${name}.${property}`);
  });
  expect(broken).toEqual([]);
});

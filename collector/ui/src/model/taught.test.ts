import { describe, expect, it } from 'vitest';
import { interfaceText, rateText, templateSum } from './taught';

const RATE = { domain: 7, of: 'sampler 3', rate: 512, told: 0, restored: false };
const TEMPLATE = { id: 256, options: false, fields: 4, announced: 5, restored: false };

describe('what exporters taught', () => {
  it('calls an interface by its name, with what its description adds', () => {
    expect([
      interfaceText({ index: 10, name: 'Gi0/0/1', description: 'to the core' }),
      interfaceText({ index: 11, name: 'Gi0/0/2', description: 'Gi0/0/2' }),
      interfaceText({ index: 12, description: 'a customer' }),
      interfaceText({ index: 13, name: 'lo' }),
    ]).toEqual(['10 Gi0/0/1 (to the core)', '11 Gi0/0/2', '12 a customer', '13 lo']);
  });

  it('says of a rate what it holds for, and the domain where it is another one', () => {
    expect(rateText(RATE, 7)).toBe('sampler 3: 1 in 512');
    expect(rateText({ ...RATE, of: 'any', rate: 2.5 }, 0)).toBe('domain 7, all: 1 in 2.5');
  });

  it('counts templates, those from before a restart, and finds the oldest', () => {
    const templates = [TEMPLATE, { ...TEMPLATE, announced: 3, restored: true }];
    expect(templateSum(templates)).toEqual({ known: 2, restored: 1, oldest: 3 });
    expect(templateSum([])).toEqual({ known: 0, restored: 0, oldest: undefined });
  });
});

// What exporters taught, in words.

import type { Facts, NamedInterface, Rate, Template } from './shapes';

/** `10 Gi0/0/1 (to the core)`; one that has a description only is called by it. */
export function interfaceText({ index, name, description }: NamedInterface): string {
  if (name === undefined || name === description) {
    return `${index} ${name ?? description ?? ''}`.trimEnd();
  }
  return `${index} ${name}${description === undefined ? '' : ` (${description})`}`;
}

/** `sampler 3: 1 in 512`; the domain where it is not the stream's own. */
export function rateText(rate: Rate, domain: number): string {
  const one = rate.rate.toLocaleString('en-US', { maximumFractionDigits: 3 });
  const whose = rate.domain === domain ? '' : `domain ${rate.domain}, `;
  return `${whose}${rate.of === 'any' ? 'all' : rate.of}: 1 in ${one}`;
}

export interface TemplateSum {
  known: number;
  /** Known from before the edge's last start only. */
  restored: number;
  /** When the one that was not repeated for longest was announced, Unix ms; none: no templates. */
  oldest: number | undefined;
}

export function templateSum(templates: readonly Template[]): TemplateSum {
  const announced = templates.map((template) => template.announced);
  return {
    known: templates.length,
    restored: templates.filter((template) => template.restored).length,
    oldest: announced.length === 0 ? undefined : Math.min(...announced),
  };
}

/** Names of samplers beside their rates, where there are any. */
export function samplingTexts(facts: Facts): string[] {
  const named = facts.samplers.map(({ id, name }) => `sampler ${id} is ${name}`);
  return [...facts.rates.map((rate) => rateText(rate, facts.domain)), ...named];
}

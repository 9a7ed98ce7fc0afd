// How numbers are written: SI prefixes (1000), three digits that matter, traffic in bytes or bits per second.

export type Metric = 'flows' | 'packets' | 'traffic';
export type Value = 'sum' | 'rate';

export const METRICS: readonly Metric[] = ['flows', 'packets', 'traffic'];
export const VALUES: readonly Value[] = ['sum', 'rate'];

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P', 'E'] as const;

export function unitOf(metric: Metric, value: Value): string {
  if (metric === 'traffic') {
    return value === 'sum' ? 'B' : 'bit/s';
  }
  return value === 'sum' ? metric : `${metric}/s`;
}

/** What the sum of a bucket or window becomes; `null` where nothing was collected. Rates of traffic are bits. */
export function toValue(metric: Metric, value: Value, sum: number | null, coveredMs: number): number | null {
  if (sum === null || (value === 'rate' && coveredMs <= 0)) {
    return null;
  }
  if (value === 'sum') {
    return sum;
  }
  return ((metric === 'traffic' ? sum * 8 : sum) * 1000) / coveredMs;
}

/** The number with its prefix apart: `12345` is `['12.3', 'k']`. */
export function scaled(number: number): [string, string] {
  let rest = Math.abs(number);
  let step = 0;
  // 999.5 already reads as 1000 with three digits, so it takes the next prefix.
  while (rest >= 999.5 && step < PREFIXES.length - 1) {
    rest /= 1000;
    step += 1;
  }
  const sign = number < 0 ? '-' : '';
  const whole = step === 0 && Number.isInteger(rest);
  return [sign + (whole ? String(rest) : digits(rest)), PREFIXES[step] ?? ''];
}

function digits(number: number): string {
  if (number === 0) {
    return '0';
  }
  if (number < 0.001) {
    return '<0.001';
  }
  const decimals = number < 0.9995 ? 3 : number < 9.995 ? 2 : number < 99.95 ? 1 : 0;
  return number.toFixed(decimals);
}

const NBSP = '\u00a0';

/** A table's cell: `12.3 k`, and for traffic `12.3 kB` or `12.3 kbit/s`; a dash where nothing was collected. */
export function cell(metric: Metric, value: Value, number: number | null): string {
  if (number === null) {
    return '–';
  }
  const [text, prefix] = scaled(number);
  const unit = metric === 'traffic' ? unitOf(metric, value) : '';
  return prefix + unit === '' ? text : text + NBSP + prefix + unit;
}

/** A number in a sentence, always with its unit: `12.3 k flows/s`. */
export function spoken(metric: Metric, value: Value, number: number | null): string {
  if (number === null) {
    return 'nothing collected';
  }
  const text = cell(metric, value, number);
  return metric === 'traffic' ? text : text + NBSP + unitOf(metric, value);
}

/** The labels of an axis: magnitudes, because the side of the axis already tells the sign. */
export function axisLabels(splits: readonly number[]): string[] {
  return splits.map((split) => {
    const [text, prefix] = scaled(Math.abs(split));
    return (text.includes('.') ? text.replace(/\.?0+$/, '') : text) + (prefix === '' ? '' : ` ${prefix}`);
  });
}

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** Every digit, in groups of three: for titles, where somebody wants the exact sum. */
export function exact(number: number | null): string {
  return number === null ? 'nothing collected' : WHOLE.format(number);
}

/** A share of a whole as a percentage. */
export function percent(part: number, whole: number): string {
  if (whole <= 0) {
    return '–';
  }
  const share = (part / whole) * 100;
  if (share === 0) {
    return '0 %';
  }
  if (share < 0.01) {
    return '<0.01 %';
  }
  return `${share < 9.995 ? share.toFixed(2) : share.toFixed(1)} %`;
}

// The windows that can be chosen, from ten minutes to a year, each ending now.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const WINDOWS = [
  { id: '10m', label: '10 min', long: 'the last 10 minutes', ms: 10 * MINUTE },
  { id: '1h', label: '1 h', long: 'the last hour', ms: HOUR },
  { id: '6h', label: '6 h', long: 'the last 6 hours', ms: 6 * HOUR },
  { id: '12h', label: '12 h', long: 'the last 12 hours', ms: 12 * HOUR },
  { id: '1d', label: '1 d', long: 'the last day', ms: DAY },
  { id: '1w', label: '1 w', long: 'the last week', ms: 7 * DAY },
  { id: '1mo', label: '1 month', long: 'the last month', ms: 31 * DAY },
  { id: '1y', label: '1 y', long: 'the last year', ms: 366 * DAY },
] as const;

export type WindowId = (typeof WINDOWS)[number]['id'];
export type WindowChoice = (typeof WINDOWS)[number];

export function windowOf(id: WindowId): WindowChoice {
  return WINDOWS.find((window) => window.id === id) ?? WINDOWS[0];
}

/** `10 s`, `5 min`, `1 h`, `1 d`: the length of a bucket. */
export function stepText(ms: number): string {
  for (const [unit, length] of [
    ['d', DAY],
    ['h', HOUR],
    ['min', MINUTE],
  ] as const) {
    if (ms >= length && ms % length === 0) {
      return `${ms / length} ${unit}`;
    }
  }
  return `${ms / 1000} s`;
}

/** How often a graph of this step asks for its newest buckets: a sixtieth of a bucket, but no faster than a
 * person sees and no slower than a minute. */
export function refreshMs(stepMs: number): number {
  return Math.min(Math.max(stepMs / 60, 1000), MINUTE);
}

// Times are shown in the browser's zone, with UTC one hover (or one screen-reader title) away.

const DAY_SECONDS = 86_400;

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const SECONDS = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});
const DATE = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const YEAR = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' });

/** A moment, as fine as the buckets around it: seconds, minutes or days. */
export function moment(ms: number, stepMs: number): string {
  const date = new Date(ms);
  if (stepMs >= DAY_SECONDS * 1000) {
    return YEAR.format(date);
  }
  const clock = (stepMs < 60_000 ? SECONDS : CLOCK).format(date);
  return isToday(date) ? clock : `${DATE.format(date)} ${clock}`;
}

/** The same moment for titles: `2026-11-21 13:05:10 UTC`. */
export function utc(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** Labels of a time axis in seconds: the clock, and under the first label of a day its date. */
export function timeLabels(splits: readonly number[], incrementSeconds: number): string[] {
  let day = '';
  return splits.map((split) => {
    const date = new Date(split * 1000);
    const name = DATE.format(date);
    const first = name !== day;
    day = name;
    if (incrementSeconds >= DAY_SECONDS) {
      return incrementSeconds >= 28 * DAY_SECONDS ? YEAR.format(date) : name;
    }
    const clock = (incrementSeconds < 60 ? SECONDS : CLOCK).format(date);
    return first ? `${clock}\n${name}` : clock;
  });
}

/** How long ago something was: `now`, `12 s ago`, `3 min ago`, `2 h ago`, `5 d ago`. */
export function ago(ms: number, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - ms) / 1000));
  if (seconds < 3) {
    return 'now';
  }
  for (const [unit, length] of [
    ['d', DAY_SECONDS],
    ['h', 3600],
    ['min', 60],
  ] as const) {
    if (seconds >= 2 * length) {
      return `${Math.floor(seconds / length)} ${unit} ago`;
    }
  }
  return `${seconds} s ago`;
}

function isToday(date: Date): boolean {
  return date.toDateString() === new Date().toDateString();
}

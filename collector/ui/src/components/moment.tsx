// A moment in the browser's zone; its title is UTC.

import { moment, utc } from '../model/time';

export function Moment({ ms, step }: { ms: number; step: number }) {
  return (
    <time dateTime={new Date(ms).toISOString()} title={utc(ms)}>
      {moment(ms, step)}
    </time>
  );
}

// The time cursor, moved by keys as a slider is.

/** Where a key leads from a bucket; `null` back to the latest, `undefined` for other keys. */
export function nextBucket(key: string, bucket: number, last: number): number | null | undefined {
  const page = Math.max(2, Math.round(last / 10));
  const steps: Record<string, number> = {
    ArrowLeft: -1,
    ArrowDown: -1,
    ArrowRight: 1,
    ArrowUp: 1,
    PageDown: -page,
    PageUp: page,
    Home: -last,
    End: last,
  };
  if (key === 'Escape') {
    return null;
  }
  const step = steps[key];
  return step === undefined ? undefined : Math.min(Math.max(bucket + step, 0), last);
}

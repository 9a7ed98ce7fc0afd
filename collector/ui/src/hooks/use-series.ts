// The window that is drawn: fetched whole once, then only its newest buckets at each slot event.

import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { fetchWindow, serverNow } from '../api';
import { merge, type SeriesWindow } from '../model/series';
import { refreshMs, type WindowChoice } from '../model/windows';
import type { Tick } from './use-live';

/** Old buckets change without an event when a roll-up takes the place of what it sums up. */
const WHOLE_MS = 120_000;
/** An edge that was cut off sends what it kept block by block: the whole window is not read at each. */
const LATE_MS = 5_000;
/** A tail that takes longer is given up for the next one. */
const TAIL_TIMEOUT_MS = 10_000;

export function useSeries(profile: string, choice: WindowChoice, tick: Tick) {
  const client = useQueryClient();
  const key = ['series', profile, choice.id] as const;
  const query = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => {
      const now = serverNow();
      return fetchWindow(profile, now - choice.ms, now, null, signal);
    },
    // Until the newly chosen window is there, the graph keeps what it has: the page does not jump.
    placeholderData: keepPreviousData,
    staleTime: WHOLE_MS,
    refetchInterval: WHOLE_MS,
  });

  const busy = useRef(false);
  const lastMs = useRef(0);
  const late = useRef(false);
  const wholeMs = useRef(Date.now());
  // biome-ignore lint/correctness/useExhaustiveDependencies: each tick, and nothing else, is a reason to ask.
  useEffect(() => {
    const window = client.getQueryData<SeriesWindow>(key);
    late.current ||= window !== undefined && tick.oldest < tailStart(window);
    if (late.current && Date.now() - wholeMs.current >= LATE_MS) {
      late.current = false;
      wholeMs.current = Date.now();
      void client.invalidateQueries({ queryKey: key });
      return;
    }
    const due = window !== undefined && Date.now() - lastMs.current >= refreshMs(window.step) - 100;
    if (!due || busy.current || document.hidden) {
      return;
    }
    busy.current = true;
    lastMs.current = Date.now();
    void tail(profile, window)
      .then((fresh) => {
        const now = client.getQueryData<SeriesWindow>(key);
        const merged = now === undefined ? null : merge(now, fresh, choice.ms);
        if (merged === null) {
          return client.invalidateQueries({ queryKey: key });
        }
        client.setQueryData(key, merged);
        return undefined;
      })
      // The stream of events tells that the server is away; a lost tail is made up for by the next one.
      .catch(() => undefined)
      .finally(() => {
        busy.current = false;
      });
  }, [tick]);

  return query;
}

/** Everything since the bucket before the last one: a cut may still add to a slot that is just over. */
function tail(profile: string, window: SeriesWindow): Promise<SeriesWindow> {
  const signal = AbortSignal.timeout(TAIL_TIMEOUT_MS);
  return fetchWindow(profile, tailStart(window), serverNow(), window.step, signal);
}

function tailStart(window: SeriesWindow): number {
  return Math.max(window.from, window.to - 2 * window.step);
}

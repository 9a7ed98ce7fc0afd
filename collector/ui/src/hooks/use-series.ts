// The window that is drawn: fetched whole once, then only its newest buckets at each slot event.

import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { fetchWindow, serverNow } from '../api';
import { merge, type SeriesWindow } from '../model/series';
import { refreshMs, type WindowChoice } from '../model/windows';

/** Late data may change any bucket, so the whole window is read again this often. */
const WHOLE_MS = 120_000;

export function useSeries(profile: string, choice: WindowChoice, tick: number) {
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
  // biome-ignore lint/correctness/useExhaustiveDependencies: each tick, and nothing else, is a reason to ask.
  useEffect(() => {
    const window = client.getQueryData<SeriesWindow>(key);
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
  return fetchWindow(profile, Math.max(window.from, window.to - 2 * window.step), serverNow(), window.step);
}

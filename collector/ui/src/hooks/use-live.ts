// The connection to the server: one stream of slot events that says when to ask for newer buckets, and whose
// silence or end says that the server is away.

import { useCallback, useEffect, useRef, useState } from 'react';
import { followLive, Problem, type SlotEvent } from '../api';

export type Link =
  | { state: 'connecting' }
  | { state: 'live' }
  | { state: 'away'; reason: string; retryAt: number };

export interface Live {
  link: Link;
  /** A new one for each event: a reason to ask for newer buckets. */
  tick: Tick;
  /** Tries again at once. */
  retry: () => void;
}

export interface Tick {
  /** Start of the oldest slot that changed, Unix ms; 0 when it may be any, `Infinity` when none did. */
  oldest: number;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** The server says something at least every ten seconds; a stream that is silent for longer is taken for dead. */
const SILENCE_MS = 25_000;

export function useLive(): Live {
  const [link, setLink] = useState<Link>({ state: 'connecting' });
  const [tick, setTick] = useState<Tick>({ oldest: Infinity });
  const wake = useRef<() => void>(() => {});
  const retry = useCallback(() => wake.current(), []);

  useEffect(() => {
    const stopped = new AbortController();
    const seen = { lastId: null as string | null, failures: 0 };
    const follow = async () => {
      const attempt = new Watchdog(stopped.signal, SILENCE_MS);
      const heard = (event: SlotEvent | null) => {
        attempt.feed();
        seen.lastId = event?.id ?? seen.lastId;
        seen.failures = 0;
        setLink((now) => (now.state === 'live' ? now : { state: 'live' }));
        // A keep-alive counts too: without any traffic the window still moves on.
        setTick({ oldest: event?.oldest ?? Infinity });
      };
      try {
        await followLive(seen.lastId, attempt.signal, heard);
        return 'the server closed the connection';
      } catch (error) {
        return error instanceof Problem ? error.message : 'the server does not answer';
      } finally {
        attempt.end();
      }
    };
    const run = async () => {
      while (!stopped.signal.aborted) {
        const reason = await follow();
        const wait = Math.min(FIRST_WAIT_MS * 2 ** seen.failures, LONGEST_WAIT_MS);
        seen.failures += 1;
        if (!stopped.signal.aborted) {
          setLink({ state: 'away', reason, retryAt: Date.now() + wait });
          await pause(wait, stopped.signal, wake);
        }
      }
    };
    void run();
    return () => stopped.abort();
  }, []);

  return { link, tick, retry };
}

/** Ends an attempt when the page goes away or nothing was heard for a while. */
class Watchdog {
  readonly #controller = new AbortController();
  readonly signal = this.#controller.signal;
  readonly #silenceMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(page: AbortSignal, silenceMs: number) {
    this.#silenceMs = silenceMs;
    page.addEventListener('abort', () => this.#controller.abort(), { signal: this.signal });
    this.feed();
  }

  feed = (): void => {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(), this.#silenceMs);
  };

  end(): void {
    clearTimeout(this.#timer);
    this.#controller.abort();
  }
}

function pause(ms: number, signal: AbortSignal, wake: { current: () => void }): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    const now = () => {
      clearTimeout(timer);
      resolve();
    };
    wake.current = now;
    signal.addEventListener('abort', now, { once: true });
  });
}

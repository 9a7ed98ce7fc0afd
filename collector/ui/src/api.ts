// Everything that the page asks its server, and the only file that does. Shapes follow /openapi.json.

import { EventSourceParserStream } from 'eventsource-parser/stream';
import type { Coverage } from './model/coverage';
import type { Buckets, ChannelSums, Marker, SeriesWindow } from './model/series';
import type { ExporterList, Facts, Profile, TopOrder, TopTable } from './model/shapes';

/** A server that answered with a problem (RFC 9457). */
export class Problem extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'Problem';
    this.status = status;
  }
}

/** A server that did not answer. */
export class Unreachable extends Error {
  constructor(cause: unknown) {
    super('weir does not answer', { cause });
    this.name = 'Unreachable';
  }
}

const BASE = '/api/v1';

/** By how much the server's clock is ahead of the browser's; windows end at the server's now. */
let clockAheadMs = 0;

/** The server's time, Unix ms. */
export function serverNow(): number {
  return Date.now() + clockAheadMs;
}

const TOKEN_KEY = 'weir-token';

/** The token that a server beyond this machine asks for; forgotten when the tab is closed. */
export function setToken(token: string): void {
  window.sessionStorage.setItem(TOKEN_KEY, token);
}

/** Whether one was given already. */
export function hasToken(): boolean {
  return window.sessionStorage.getItem(TOKEN_KEY) !== null;
}

function authorization(): Record<string, string> {
  const token = window.sessionStorage.getItem(TOKEN_KEY);
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

async function ask(
  path: string,
  signal: AbortSignal | undefined,
  extra: Record<string, string> = {},
): Promise<Response> {
  const headers = { ...authorization(), ...extra };
  let response: Response;
  try {
    response = await fetch(BASE + path, { headers, signal: signal ?? null, cache: 'no-store' });
  } catch (cause) {
    if (signal?.aborted) {
      throw cause;
    }
    throw new Unreachable(cause);
  }
  if (response.status === 502 || response.status === 504) {
    // A proxy before weir answered for it.
    throw new Unreachable(response.statusText);
  }
  noteClock(response.headers.get('date'));
  if (!response.ok) {
    throw await problem(response);
  }
  return response;
}

/** The header has whole seconds, so only what is clearly a difference of clocks counts as one. */
function noteClock(date: string | null): void {
  const ahead = date === null ? Number.NaN : Date.parse(date) + 500 - Date.now();
  if (!Number.isNaN(ahead)) {
    clockAheadMs = Math.abs(ahead) < 1500 ? 0 : ahead;
  }
}

async function problem(response: Response): Promise<Error> {
  const text = await response.text().catch(() => '');
  try {
    const body = JSON.parse(text) as { title?: string; detail?: string };
    return new Problem(response.status, body.detail ?? body.title ?? response.statusText);
  } catch {
    return new Problem(response.status, text.slice(0, 300) || response.statusText);
  }
}

async function json<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await ask(path, signal)).json() as Promise<T>;
}

export async function fetchProfiles(signal?: AbortSignal): Promise<Profile[]> {
  return (await json<{ profiles: Profile[] }>('/profiles', signal)).profiles;
}

interface SeriesAnswer {
  from: number;
  to: number;
  step: number;
  covered: number[];
  coverage: Coverage;
  reportedWithin?: number;
  series: { channel: string; values: Buckets }[];
  markers: Marker[];
}

/** Flows, packets and bytes of every channel between two moments. Without a step the server chooses one. */
export async function fetchWindow(
  profile: string,
  from: number,
  to: number,
  step: number | null,
  signal?: AbortSignal,
): Promise<SeriesWindow> {
  const one = (metric: string, at: string | null) => {
    const query = new URLSearchParams({ from: String(Math.floor(from)), to: String(Math.ceil(to)), metric });
    query.set('value', 'sum');
    if (at !== null) {
      query.set('step', at);
    }
    return json<SeriesAnswer>(`/profiles/${profile}/series?${query}`, signal);
  };
  // The first answer's step holds for the other two: all three must have the same buckets.
  const flows = await one('flows', step === null ? null : String(step));
  const [packets, bytes] = await Promise.all([
    one('packets', String(flows.step)),
    one('bytes', String(flows.step)),
  ]);
  const channels = new Map<string, ChannelSums>();
  flows.series.forEach((line, index) => {
    channels.set(line.channel, {
      flows: line.values,
      packets: packets.series[index]?.values ?? [],
      traffic: bytes.series[index]?.values ?? [],
    });
  });
  return {
    from: flows.from,
    to: flows.to,
    step: flows.step,
    covered: flows.covered,
    coverage: flows.coverage,
    reportedWithin: flows.reportedWithin ?? null,
    channels,
    markers: flows.markers,
  };
}

export function fetchExporters(signal?: AbortSignal): Promise<ExporterList> {
  return json<ExporterList>('/exporters', signal);
}

/** What exporters taught: templates, rates, names. */
export async function fetchFacts(signal?: AbortSignal): Promise<Facts[]> {
  return (await json<{ streams: Facts[] }>('/exporters/facts', signal)).streams;
}

export function fetchTop(
  profile: string,
  question: { channel: string; element: string; order: TopOrder; from: number; to: number; limit: number },
  signal?: AbortSignal,
): Promise<TopTable> {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(question)) {
    query.set(key, typeof value === 'number' ? String(Math.round(value)) : value);
  }
  return json<TopTable>(`/profiles/${profile}/top?${query}`, signal);
}

export interface SlotEvent {
  id: string | null;
  /** Start of the oldest slot that changed, Unix ms; 0 when it may be any. */
  oldest: number;
}

/** Follows the slot events, beginning after `lastId`, until the server ends the stream. Ids are commit numbers:
 * what they announce is read with {@link fetchWindow}. `heard` is called with each event, and with `null`
 * when the stream opens and for each keep-alive comment. */
export async function followLive(
  lastId: string | null,
  signal: AbortSignal,
  heard: (event: SlotEvent | null) => void,
): Promise<void> {
  const headers: Record<string, string> = { accept: 'text/event-stream' };
  if (lastId !== null) {
    headers['last-event-id'] = lastId;
  }
  const response = await ask('/live', signal, headers);
  heard(null);
  const events = response.body
    ?.pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream({ onComment: () => heard(null) }));
  for await (const event of events ?? []) {
    const told = event.event === 'slot' ? (JSON.parse(event.data) as { slots: number[] }) : null;
    heard(told && { id: event.id ?? null, oldest: told.slots.length === 0 ? 0 : Math.min(...told.slots) });
  }
}

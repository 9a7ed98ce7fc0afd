// What is shown, as it stands in the address: a link shows somebody else the same.

import { METRICS, type Metric, VALUES, type Value } from './units';
import { WINDOWS, type WindowId } from './windows';

export type Page = 'profile' | 'exporters';

export type Steps = 'even' | 'finest';

export interface View {
  page: Page;
  /** `namespace/name` or `live`; `null` until somebody chose: the first profile that is not built in. */
  profile: string | null;
  metric: Metric;
  value: Value;
  window: WindowId;
  /** Whether rates keep to steps in which they are no comb. */
  steps: Steps;
  /** Channels that are not ticked. Those that come later are ticked. */
  hidden: readonly string[];
}

export const DEFAULT_VIEW: View = {
  page: 'profile',
  profile: null,
  metric: 'traffic',
  value: 'rate',
  window: '10m',
  steps: 'even',
  hidden: [],
};

/** Reads an address; what is missing or unknown takes its default, because links outlive versions. */
export function parseView(search: string): View {
  const query = new URLSearchParams(search);
  const windows = WINDOWS.map((window) => window.id);
  return {
    page: one(query.get('page'), ['profile', 'exporters'], DEFAULT_VIEW.page),
    profile: query.get('profile'),
    metric: one(query.get('metric'), METRICS, DEFAULT_VIEW.metric),
    value: one(query.get('value'), VALUES, DEFAULT_VIEW.value),
    window: one(query.get('window'), windows, DEFAULT_VIEW.window),
    steps: one(query.get('steps'), ['even', 'finest'], DEFAULT_VIEW.steps),
    hidden: [...new Set(query.getAll('hide'))],
  };
}

/** Writes an address; defaults are left out, so that it stays short. */
export function formatView(view: View): string {
  const query = new URLSearchParams();
  for (const key of ['page', 'profile', 'metric', 'value', 'window', 'steps'] as const) {
    const value = view[key];
    if (value !== null && value !== DEFAULT_VIEW[key]) {
      query.set(key, value);
    }
  }
  for (const channel of view.hidden) {
    query.append('hide', channel);
  }
  const text = query.toString().replaceAll('%2F', '/');
  return text === '' ? '' : `?${text}`;
}

function one<T extends string>(text: string | null, allowed: readonly T[], otherwise: T): T {
  return allowed.find((choice) => choice === text) ?? otherwise;
}

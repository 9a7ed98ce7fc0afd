// The view state, kept in the address: back and forward work, and a link is a saved view.

import { useCallback, useMemo, useSyncExternalStore } from 'react';
import { formatView, parseView, type View } from '../model/view';

const changed = new EventTarget();

function subscribe(listener: () => void): () => void {
  window.addEventListener('popstate', listener);
  changed.addEventListener('change', listener);
  return () => {
    window.removeEventListener('popstate', listener);
    changed.removeEventListener('change', listener);
  };
}

/** Another page or profile is a new entry in the browser's history; a switch or a tick is not. */
export function useView(): [View, (change: Partial<View>) => void] {
  const search = useSyncExternalStore(subscribe, () => window.location.search);
  const view = useMemo(() => parseView(search), [search]);
  const change = useCallback((part: Partial<View>) => {
    const next = { ...parseView(window.location.search), ...part };
    const address = window.location.pathname + formatView(next);
    if ('page' in part || 'profile' in part) {
      window.history.pushState(null, '', address);
    } else {
      window.history.replaceState(null, '', address);
    }
    changed.dispatchEvent(new Event('change'));
  }, []);
  return [view, change];
}

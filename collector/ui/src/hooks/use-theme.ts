// Light or dark: as the system says, until somebody chooses. The choice stays in this browser.

import { useEffect, useState } from 'react';

export type Theme = 'auto' | 'light' | 'dark';

export const THEMES: readonly Theme[] = ['auto', 'light', 'dark'];

const KEY = 'weir-theme';

function stored(): Theme {
  try {
    const text = window.localStorage.getItem(KEY);
    return THEMES.find((theme) => theme === text) ?? 'auto';
  } catch {
    // Storage may be forbidden; then the system's choice holds.
    return 'auto';
  }
}

export function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState(stored);
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    try {
      window.localStorage.setItem(KEY, theme);
    } catch {
      // As above: the choice then lasts as long as the page.
    }
  }, [theme]);
  return [theme, setTheme];
}

/** Whether the page is dark just now: what a canvas must know, because no style reaches into it. */
export function useDark(theme: Theme): boolean {
  const dark = useMedia('(prefers-color-scheme: dark)');
  return theme === 'auto' ? dark : theme === 'dark';
}

export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => window.matchMedia(query).matches);
  useEffect(() => {
    const media = window.matchMedia(query);
    const listen = () => setMatches(media.matches);
    listen();
    media.addEventListener('change', listen);
    return () => media.removeEventListener('change', listen);
  }, [query]);
  return matches;
}

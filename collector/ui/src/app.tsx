// The frame of the page: what it shows follows from the address.

import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { fetchProfiles, hasToken, Problem } from './api';
import { AwayNotice, LinkStatus } from './components/link-status';
import { Trouble } from './components/problem';
import { ProfileSelect } from './components/profile-select';
import { Segmented } from './components/segmented';
import { TokenForm } from './components/token-form';
import { type Live, useLive } from './hooks/use-live';
import { type Theme, useDark, useTheme } from './hooks/use-theme';
import { useView } from './hooks/use-view';
import type { Profile } from './model/shapes';
import type { View } from './model/view';
import { ExportersView } from './views/exporters';
import { ProfileView } from './views/profile';

/** Profiles change when somebody applies a file; a page shows that within this time. */
const PROFILES_MS = 3_000;

export function App() {
  const [view, setView] = useView();
  const [theme, setTheme] = useTheme();
  const dark = useDark(theme);
  const live = useLive();
  useCatchUp(live);
  const {
    data: profiles,
    error,
    refetch,
  } = useQuery({
    queryKey: ['profiles'],
    queryFn: ({ signal }) => fetchProfiles(signal),
    refetchInterval: PROFILES_MS,
  });
  const again = () => {
    void refetch();
    live.retry();
  };
  const profile = profiles === undefined ? undefined : chosenProfile(profiles, view.profile);

  useEffect(() => {
    document.title =
      view.page === 'exporters' ? 'Exporters - Weir' : `${profile?.displayName ?? 'Flows'} - Weir`;
  }, [view.page, profile?.displayName]);

  if (error instanceof Problem && error.status === 401) {
    return <TokenForm refused={hasToken() ? error.message : null} onToken={again} />;
  }
  return (
    <>
      <Header view={view} onView={setView} theme={theme} onTheme={setTheme} live={live}>
        {profiles !== undefined && profile !== undefined && view.page === 'profile' && (
          <ProfileSelect
            profiles={profiles}
            chosen={profile.name}
            onChoose={(name) => setView({ profile: name, hidden: [] })}
          />
        )}
      </Header>
      <AwayNotice live={live} />
      {error !== null && <Trouble error={error} />}
      {view.page === 'exporters' && <ExportersView tick={live.tick} />}
      {view.page === 'profile' && profiles !== undefined && (
        <Chosen profile={profile} wanted={view.profile}>
          {(found) => (
            <ProfileView
              key={found.name}
              profile={found}
              view={view}
              dark={dark}
              tick={live.tick}
              onView={setView}
            />
          )}
        </Chosen>
      )}
    </>
  );
}

interface HeaderProps {
  view: View;
  onView: (change: Partial<View>) => void;
  theme: Theme;
  onTheme: (theme: Theme) => void;
  live: Live;
  children: React.ReactNode;
}

function Header({ view, onView, theme, onTheme, live, children }: HeaderProps) {
  return (
    <header>
      <p className="brand">Weir</p>
      <nav aria-label="Pages">
        {(['profile', 'exporters'] as const).map((page) => (
          <button
            key={page}
            type="button"
            aria-current={view.page === page ? 'page' : undefined}
            onClick={() => onView({ page })}
          >
            {page === 'profile' ? 'Profiles' : 'Exporters'}
          </button>
        ))}
      </nav>
      {children}
      <div className="end">
        <LinkStatus live={live} />
        <Segmented
          label="Theme"
          choices={[
            { id: 'auto', label: 'Auto' },
            { id: 'light', label: 'Light' },
            { id: 'dark', label: 'Dark' },
          ]}
          chosen={theme}
          onChoose={onTheme}
        />
      </div>
    </header>
  );
}

interface ChosenProps {
  profile: Profile | undefined;
  wanted: string | null;
  children: (profile: Profile) => React.ReactNode;
}

function Chosen({ profile, wanted, children }: ChosenProps) {
  if (profile !== undefined) {
    return children(profile);
  }
  return (
    <main>
      <div className="notice" role="alert">
        <p>
          <strong>There is no profile {wanted}.</strong> It may have been renamed or removed. Choose another:
        </p>
        <a href="/">the first profile</a>
      </div>
    </main>
  );
}

/** The profile that was asked for; without one the first that is not built in. */
function chosenProfile(profiles: readonly Profile[], wanted: string | null): Profile | undefined {
  return wanted === null
    ? (profiles.find((profile) => !profile.builtIn) ?? profiles[0])
    : profiles.find((profile) => profile.name === wanted);
}

/** After a time without a connection everything shown may be old. */
function useCatchUp(live: Live): void {
  const client = useQueryClient();
  const { state } = live.link;
  const away = useRef(false);
  useEffect(() => {
    if (state === 'live' && away.current) {
      void client.invalidateQueries();
    }
    away.current = state === 'away';
  }, [state, client]);
}

// Whether the numbers are live: a word in the header, and a notice with what to do when the server is away.

import { useEffect, useState } from 'react';
import type { Live } from '../hooks/use-live';

const WORDS = { connecting: 'Connecting', live: 'Live', away: 'Not connected' } as const;

export function LinkStatus({ live }: { live: Live }) {
  return (
    <p className={`link ${live.link.state}`} role="status">
      <span className="dot" aria-hidden="true" />
      {WORDS[live.link.state]}
    </p>
  );
}

export function AwayNotice({ live }: { live: Live }) {
  const { link, retry } = live;
  const seconds = useCountdown(link.state === 'away' ? link.retryAt : null);
  if (link.state !== 'away') {
    return null;
  }
  return (
    <div className="notice bad" role="alert">
      <p>
        <strong>No connection to weir: {link.reason}.</strong> What you see is what was last received. See
        whether <code>weir standalone</code> is still running and start it again; the page goes on by itself.
      </p>
      <button type="button" onClick={retry}>
        Try now{/* A screen reader need not hear every second. */}
        <span aria-hidden="true"> ({seconds} s)</span>
      </button>
    </div>
  );
}

function useCountdown(until: number | null): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (until === null) {
      return;
    }
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [until]);
  return Math.max(0, Math.ceil(((until ?? now) - now) / 1000));
}

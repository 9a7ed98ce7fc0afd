// What went wrong, and what to do about it.

import { Problem, Unreachable } from '../api';

export function Trouble({ error, onRetry }: { error: Error; onRetry?: () => void }) {
  if (error instanceof Unreachable) {
    // The notice about the connection says it, once for the whole page.
    return null;
  }
  return (
    <div className="notice bad" role="alert">
      <p>
        <strong>{error instanceof Problem ? 'weir refused this:' : 'This page failed:'}</strong>{' '}
        {error.message}
      </p>
      {onRetry !== undefined && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

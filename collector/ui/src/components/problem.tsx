// What went wrong, and what to do about it.

import { Problem, Unreachable } from '../api';

export function Trouble({ error, onRetry }: { error: Error; onRetry?: () => void }) {
  return (
    <div className="notice bad" role="alert">
      <p>
        <strong>{title(error)}</strong> {advice(error)}
      </p>
      {onRetry !== undefined && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

function title(error: Error): string {
  if (error instanceof Unreachable) {
    return 'weir does not answer.';
  }
  return error instanceof Problem ? 'weir refused this.' : 'This page failed.';
}

function advice(error: Error): string {
  return error instanceof Unreachable
    ? 'Is it still running? The page goes on by itself as soon as it answers.'
    : error.message;
}

// Why rates are drawn in coarser steps than are kept, and the choice to see the finest all the same.

import { rateStep } from '../model/coarse';
import type { SeriesWindow } from '../model/series';
import type { View } from '../model/view';
import { stepText } from '../model/windows';

interface Props {
  /** As it was fetched. */
  window: SeriesWindow;
  view: View;
  onView: (change: Partial<View>) => void;
}

export function PaceNote({ window, view, onView }: Props) {
  const { step, reportedWithin } = window;
  const even = rateStep(window);
  if (view.value !== 'rate' || reportedWithin === null || even === step) {
    return null;
  }
  return (
    <p className="pace quiet">
      These exporters report flows in steps of {paceText(reportedWithin)}: finer than this is a comb.{' '}
      <label className="finest">
        <input
          type="checkbox"
          checked={view.steps === 'finest'}
          onChange={(event) => onView({ steps: event.currentTarget.checked ? 'finest' : 'even' })}
        />{' '}
        Steps of {stepText(step)} all the same
      </label>
    </p>
  );
}

/** `59 s`, `31 min`. */
function paceText(ms: number): string {
  return ms < 120_000 ? `${Math.ceil(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
}

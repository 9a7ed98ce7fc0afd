// The graph: stacked layers on a canvas, and over it a time cursor that mouse and arrow keys move alike.

import { type KeyboardEvent, useEffect, useLayoutEffect, useMemo, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { nextBucket } from '../model/cursor';
import type { SeriesWindow } from '../model/series';
import { type Drawn, graphData, graphOptions, type Palette } from './graph-options';

interface Props {
  drawn: Drawn;
  /** The colors of the layers. */
  colors: readonly string[];
  /** Colors on the canvas follow the theme. */
  dark: boolean;
  /** The bucket that is read out; `null`: the latest. */
  bucket: number | null;
  label: string;
  /** What the readout says of the bucket. */
  readout: string;
  onBucket: (bucket: number | null) => void;
}

export function Graph({ drawn, colors, dark, bucket, label, readout, onBucket }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef({ drawn, onBucket });
  latest.current = { drawn, onBucket };
  const shape = colors.join();

  // biome-ignore lint/correctness/useExhaustiveDependencies: colors are compared by `shape`, palettes by `dark`.
  useLayoutEffect(() => {
    const element = host.current;
    if (element === null) {
      return;
    }
    const made = new uPlot(
      graphOptions(colors, paletteOf(element), () => latest.current.drawn, sizeOf(element)),
      graphData(latest.current.drawn),
      element,
    );
    plot.current = made;
    made.over.addEventListener('mousemove', (event) => {
      const { window } = latest.current.drawn;
      const ms = made.posToVal(event.offsetX, 'x') * 1000;
      latest.current.onBucket(clampBucket(window, (ms - window.from) / window.step));
    });
    made.over.addEventListener('mouseleave', () => latest.current.onBucket(null));
    const observer = new ResizeObserver(() => made.setSize(sizeOf(element)));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, dark]);

  useEffect(() => plot.current?.setData(graphData(drawn)), [drawn]);

  return (
    <div className="graph">
      <div className="graph-canvas" ref={host} aria-hidden="true" />
      <TimeCursor drawn={drawn} bucket={bucket} label={label} readout={readout} onBucket={onBucket} />
    </div>
  );
}

type CursorProps = Pick<Props, 'drawn' | 'bucket' | 'label' | 'readout' | 'onBucket'>;

/** A slider over the plot: what a screen reader and the arrow keys hold on to. Positions are shares of the
 * plotting area, which lies between the axes as the style sheet says. */
function TimeCursor({ drawn, bucket, label, readout, onBucket }: CursorProps) {
  const { window, from, to } = drawn;
  const last = window.covered.length - 1;
  const place = useMemo(() => {
    const start = window.from + (bucket ?? 0) * window.step;
    const share = (ms: number) => (Math.min(Math.max(ms, from), to) - from) / (to - from);
    return { left: share(start), width: share(start + window.step) - share(start) };
  }, [window, from, to, bucket]);

  const onKeyDown = (event: KeyboardEvent) => {
    const next = nextBucket(event.key, bucket ?? last, last);
    if (next !== undefined) {
      event.preventDefault();
      onBucket(next);
    }
  };
  return (
    <div
      className="time-cursor"
      role="slider"
      tabIndex={0}
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={last}
      aria-valuenow={bucket ?? last}
      aria-valuetext={readout}
      onKeyDown={onKeyDown}
    >
      {bucket !== null && (
        <span
          className="time-mark"
          style={{ left: `${place.left * 100}%`, width: `${place.width * 100}%` }}
        />
      )}
    </div>
  );
}

function clampBucket(window: SeriesWindow, bucket: number): number {
  return Math.min(Math.max(Math.floor(bucket), 0), window.covered.length - 1);
}

function sizeOf(element: HTMLElement): { width: number; height: number } {
  return { width: Math.max(element.clientWidth, 240), height: element.clientHeight };
}

/** Canvas colors come from the style sheet, by way of properties of the host that nothing else uses. */
function paletteOf(element: HTMLElement): Palette {
  const style = getComputedStyle(element);
  return { text: style.color, grid: style.borderTopColor, hatch: style.borderBottomColor };
}

// Paths of the stacked layers on uPlot's canvas.

import type uPlot from 'uplot';
import type { Layer } from '../model/stack';

/** Fills the area between a layer's edges, one step a bucket: a bucket's value holds for all of it. Runs of
 * buckets are separate areas, so that a hole is a hole. Edges lie on whole pixels: neighbors then share them
 * without a seam of background. */
export function layerPath(
  plot: uPlot,
  layer: Layer,
  starts: ArrayLike<number>,
  endOf: (bucket: number) => number,
) {
  const path = new Path2D();
  const x = (seconds: number) => Math.round(plot.valToPos(seconds, 'x', true));
  const y = (value: number | null | undefined) => Math.round(plot.valToPos(value ?? 0, 'y', true));
  for (const [first, last] of runs(layer.outer)) {
    path.moveTo(x(starts[first] ?? 0), y(layer.inner[first]));
    for (let bucket = first; bucket <= last; bucket += 1) {
      const top = y(layer.outer[bucket]);
      path.lineTo(x(starts[bucket] ?? 0), top);
      path.lineTo(x(endOf(bucket)), top);
    }
    for (let bucket = last; bucket >= first; bucket -= 1) {
      const bottom = y(layer.inner[bucket]);
      path.lineTo(x(endOf(bucket)), bottom);
      path.lineTo(x(starts[bucket] ?? 0), bottom);
    }
    path.closePath();
  }
  return path;
}

/** First and last bucket of each unbroken run of values. */
export function runs(values: readonly (number | null)[]): [number, number][] {
  const found: [number, number][] = [];
  values.forEach((value, bucket) => {
    const last = found.at(-1);
    if (value === null) {
      return;
    }
    if (last !== undefined && last[1] === bucket - 1) {
      last[1] = bucket;
    } else {
      found.push([bucket, bucket]);
    }
  });
  return found;
}

/** Hatches the parts in which nothing was collected, so that a hole is not taken for a zero. */
export function drawHoles(plot: uPlot, spans: readonly { from: number; to: number }[], color: string): void {
  const { ctx, bbox } = plot;
  const gap = 7 * devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = color;
  ctx.lineWidth = Math.max(1, devicePixelRatio);
  for (const span of spans) {
    const left = Math.max(bbox.left, plot.valToPos(span.from / 1000, 'x', true));
    const right = Math.min(bbox.left + bbox.width, plot.valToPos(span.to / 1000, 'x', true));
    if (right <= left) {
      continue;
    }
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, bbox.top, right - left, bbox.height);
    ctx.clip();
    ctx.beginPath();
    // Lines start at multiples of the gap, so that the pattern does not crawl when the window moves on.
    for (let x = Math.floor((left - bbox.height) / gap) * gap; x < right; x += gap) {
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x + bbox.height, bbox.top);
    }
    ctx.stroke();
    ctx.restore();
  }
  ctx.restore();
}

/** The axis itself, where channels hang below it. */
export function drawZero(plot: uPlot, color: string): void {
  const { ctx, bbox } = plot;
  const y = Math.round(plot.valToPos(0, 'y', true)) + 0.5;
  ctx.save();
  ctx.strokeStyle = color;
  ctx.lineWidth = Math.max(1, devicePixelRatio);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

/** A dashed line where a changed filter took effect: left of it, something else was counted. */
export function drawMarkers(plot: uPlot, times: readonly number[], color: string): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = color;
  ctx.lineWidth = Math.max(1, devicePixelRatio);
  ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  for (const ms of times) {
    const x = Math.round(plot.valToPos(ms / 1000, 'x', true)) + 0.5;
    if (x >= bbox.left && x <= bbox.left + bbox.width) {
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
    }
  }
  ctx.stroke();
  ctx.restore();
}

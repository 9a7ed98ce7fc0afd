// Stacks channels: + channels upwards and - channels downwards from the axis, in the profile's order.

import type { SeriesWindow } from './series';
import { type Metric, toValue, type Value } from './units';

export type Sign = '+' | '-';

export interface Layer {
  channel: string;
  /** The edge nearer to the axis; `null` in a hole. */
  inner: (number | null)[];
  /** The edge away from the axis. */
  outer: (number | null)[];
}

/** One layer a channel. In a bucket in which other channels were counted but this one was not, its layer is
 * flat: the layers above it keep their place, and nothing of its color is drawn. */
export function stack(
  window: SeriesWindow,
  channels: readonly { name: string; sign: Sign }[],
  metric: Metric,
  value: Value,
): Layer[] {
  const edges = { '+': window.covered.map(() => 0), '-': window.covered.map(() => 0) };
  return channels.map(({ name, sign }) => {
    const sums = window.channels.get(name)?.[metric];
    const edge = edges[sign];
    const layer: Layer = { channel: name, inner: [], outer: [] };
    window.covered.forEach((covered, bucket) => {
      if (covered <= 0) {
        layer.inner.push(null);
        layer.outer.push(null);
        return;
      }
      const before = edge[bucket] ?? 0;
      const height = toValue(metric, value, sums?.[bucket] ?? null, covered) ?? 0;
      const after = sign === '-' ? before - height : before + height;
      edge[bucket] = after;
      layer.inner.push(before);
      layer.outer.push(after);
    });
    return layer;
  });
}

/** The lowest and the highest edge; the axis itself is always in view. */
export function extent(layers: readonly Layer[]): [number, number] {
  let low = 0;
  let high = 0;
  for (const layer of layers) {
    for (const edge of layer.outer) {
      low = Math.min(low, edge ?? 0);
      high = Math.max(high, edge ?? 0);
    }
  }
  return [low, high];
}

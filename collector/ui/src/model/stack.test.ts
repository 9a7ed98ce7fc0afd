import { describe, expect, it } from 'vitest';
import type { SeriesWindow } from './series';
import { extent, type Sign, stack } from './stack';

function window(covered: number[], lines: Record<string, (number | null)[]>): SeriesWindow {
  const channels = new Map(
    Object.entries(lines).map(([name, values]) => [
      name,
      { flows: values, packets: values, traffic: values },
    ]),
  );
  const coverage = { expected: [], present: [], absent: [], missing: [] };
  return {
    from: 0,
    to: covered.length * 1000,
    step: 1000,
    covered,
    coverage,
    reportedWithin: null,
    channels,
    markers: [],
  };
}

const signed = (...channels: [string, Sign][]) => channels.map(([name, sign]) => ({ name, sign }));

describe('stacking', () => {
  it('puts each channel upon the one before it, and - channels below the axis', () => {
    const layers = stack(
      window([1000], { in1: [3], out1: [4], in2: [5], out2: [1] }),
      signed(['in1', '+'], ['out1', '-'], ['in2', '+'], ['out2', '-']),
      'flows',
      'sum',
    );
    expect(layers.map(({ inner, outer }) => [inner[0], outer[0]])).toEqual([
      [0, 3],
      [0, -4],
      [3, 8],
      [-4, -5],
    ]);
    expect(extent(layers)).toEqual([-5, 8]);
  });

  it('draws a rate by the covered time, and bytes as bits', () => {
    const [layer] = stack(window([500], { web: [100] }), signed(['web', '+']), 'traffic', 'rate');
    expect(layer?.outer).toEqual([1600]);
  });

  it('leaves a hole where nothing was collected', () => {
    const [layer] = stack(
      window([1000, 0, 1000], { web: [1, null, 2] }),
      signed(['web', '+']),
      'flows',
      'sum',
    );
    expect(layer?.inner).toEqual([0, null, 0]);
    expect(layer?.outer).toEqual([1, null, 2]);
  });

  it('draws nothing of a channel that did not exist yet, and keeps the channels above it', () => {
    const layers = stack(
      window([1000, 1000], { old: [1, 1], young: [null, 2], top: [5, 5] }),
      signed(['old', '+'], ['young', '+'], ['top', '+']),
      'flows',
      'sum',
    );
    expect(layers.map((layer) => layer.inner)).toEqual([
      [0, 0],
      [1, 1],
      [1, 3],
    ]);
    expect(layers.map((layer) => layer.outer)).toEqual([
      [1, 1],
      [1, 3],
      [6, 8],
    ]);
  });

  it('keeps the axis in view when there is nothing to draw', () => {
    expect(extent([])).toEqual([0, 0]);
    expect(extent(stack(window([0], { web: [null] }), signed(['web', '+']), 'flows', 'sum'))).toEqual([0, 0]);
  });
});

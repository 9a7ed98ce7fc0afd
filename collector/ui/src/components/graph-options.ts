// How uPlot is set up: scales, axes and what is painted besides the layers.

import type uPlot from 'uplot';
import type { SeriesWindow } from '../model/series';
import { holes } from '../model/series';
import { extent, type Layer } from '../model/stack';
import { timeLabels } from '../model/time';
import { axisLabels } from '../model/units';
import { drawHoles, drawMarkers, drawZero, layerPath } from './graph-paths';

/** What the plot reads each time it draws; it is exchanged, while the plot itself stays. */
export interface Drawn {
  window: SeriesWindow;
  layers: readonly Layer[];
  /** What is in view, Unix ms. */
  from: number;
  to: number;
}

export interface Palette {
  text: string;
  grid: string;
  hatch: string;
}

const FONT = '12px system-ui, sans-serif';

export function graphOptions(
  colors: readonly string[],
  palette: Palette,
  drawn: () => Drawn,
  size: { width: number; height: number },
): uPlot.Options {
  return {
    ...size,
    legend: { show: false },
    // The page has its own cursor, which the keyboard moves too.
    cursor: { show: false },
    // The style sheet knows these and the axes' sizes: the time cursor lies over the plotting area.
    padding: [8, 28, 0, 0],
    scales: {
      x: { time: true, range: () => [drawn().from / 1000, drawn().to / 1000] },
      y: { range: () => yRange(drawn().layers) },
    },
    axes: [
      {
        ...axis(palette),
        size: 44,
        space: 90,
        values: (_, splits, __, ___, step) => timeLabels(splits, step),
      },
      { ...axis(palette), size: 62, space: 44, values: (_, splits) => axisLabels(splits) },
    ],
    series: [{}, ...colors.map((color, index) => layerSeries(color, index, drawn))],
    hooks: {
      drawClear: [(plot) => drawHoles(plot, holes(drawn().window, drawn().to), palette.hatch)],
      draw: [
        (plot) => drawZero(plot, palette.text),
        (plot) => drawMarkers(plot, markerTimes(drawn()), palette.text),
      ],
    },
  };
}

function axis({ text, grid }: Palette): uPlot.Axis {
  const line = { stroke: grid, width: 1 };
  return { stroke: text, font: FONT, grid: line, ticks: { ...line, size: 5 } };
}

function layerSeries(color: string, index: number, drawn: () => Drawn): uPlot.Series {
  return {
    fill: color,
    width: 0,
    points: { show: false },
    paths: (plot) => {
      const { window, layers } = drawn();
      const layer = layers[index];
      const starts = plot.data[0];
      const end = (bucket: number) => (starts[bucket] ?? 0) + window.step / 1000;
      return layer === undefined ? null : { stroke: null, fill: layerPath(plot, layer, starts, end) };
    },
  };
}

/** Of the channels that are shown. */
function markerTimes({ window, layers }: Drawn): number[] {
  const shown = new Set(layers.map((layer) => layer.channel));
  return window.markers.filter((marker) => shown.has(marker.channel)).map((marker) => marker.time);
}

/** A little air above the highest edge, and below the lowest where there is one. */
function yRange(layers: readonly Layer[]): [number, number] {
  const [low, high] = extent(layers);
  return low === 0 && high === 0 ? [0, 1] : [low * 1.05, high * 1.05];
}

/** uPlot's columns: the starts of the buckets in seconds, then each layer's outer edge. */
export function graphData({ window, layers }: Drawn): uPlot.AlignedData {
  const starts = window.covered.map((_, bucket) => (window.from + bucket * window.step) / 1000);
  return [starts, ...layers.map((layer) => layer.outer)];
}

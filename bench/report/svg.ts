/**
 * Drawing: panels of lines or bars in a grid, as SVG text.
 * It is the same for the same data, and readable on a light page and on a dark one.
 */
import * as echarts from 'echarts';

const WIDTH = 880;
const LEFT = 62;
const RIGHT = 16;
/** Between the panels of a row, where each but the first repeats the scale without its labels. */
const GAP = 26;
const LEGEND = 34;
const PANEL_TITLE = 22;
const PANEL_HEIGHT = 170;
/** Below a panel: labels and the axis' name. */
const FOOT = 58;
const GRID = '#8b949e55';
const AXIS = '#8b949e';
const TICKS_MAX = 7;
const LABEL_ROOM = 1.1;

/** The text's colour follows the reader's preference; those of lines and bars stand on both grounds. */
const STYLE = '<style>svg{background:#fff;color:#1f2328}@media(prefers-color-scheme:dark){svg{background:#0d1117;color:#e6edf3}}</style>';

export interface Look {
  color: string;
  dashed?: boolean;
  symbol?: 'circle' | 'rect' | 'triangle' | 'diamond';
}

export interface Series {
  name: string;
  look: Look;
  /** one for each category; null where there is none */
  values: (number | null)[];
}

export interface Panel {
  title: string;
  categories: string[];
  series: Series[];
}

/** Panels side by side that share their vertical scale. */
export interface Row {
  kind: 'line' | 'bar';
  /** what is along the bottom, with its unit */
  x: string;
  /** what is upwards, with its unit */
  y: string;
  /** powers of two upwards instead of even steps from 0 */
  logarithmic: boolean;
  /** a value at which a line is drawn across */
  reference?: number;
  /** whether each bar has its value above it */
  labelled?: boolean;
  panels: Panel[];
}

interface Scale {
  min: number;
  max: number;
  interval: number;
  of: (value: number) => number;
  label: (value: number) => string;
}

function scaleOf(row: Row): Scale {
  const values = row.panels.flatMap(({ series }) => series.flatMap((each) => each.values.filter((value) => value !== null)));
  if (row.reference !== undefined) values.push(row.reference);
  // Above the highest bar there is room for its value.
  const [low, high] = [Math.min(...values), Math.max(...values) * (row.labelled ? LABEL_ROOM : 1)];
  if (row.logarithmic) {
    const [min, top] = [Math.floor(Math.log2(low)), Math.ceil(Math.log2(high))];
    const interval = Math.max(1, Math.ceil((top - min) / TICKS_MAX));
    const max = min + Math.max(1, Math.ceil((top - min) / interval)) * interval;
    return { min, max, interval, of: (value) => Number(Math.log2(value).toFixed(4)), label: (value) => shortNumber(2 ** value) };
  }
  const rough = high / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const interval = ([1, 2, 2.5, 5, 10].find((step) => step * power >= rough) ?? 10) * power;
  return { min: 0, max: Math.ceil(high / interval) * interval, interval, of: (value) => Number(value.toPrecision(5)), label: shortNumber };
}

/** "0.25", "1.5", "2,048", "100k", "2M". */
export function shortNumber(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (value >= 1e5) return `${Number((value / 1e3).toPrecision(3))}k`;
  return value >= 100 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));
}

/** The place of a panel, in pixels. */
function place(row: number, column: number, columns: number): { left: number; top: number; width: number; height: number } {
  const width = (WIDTH - LEFT - RIGHT - GAP * (columns - 1)) / columns;
  const top = LEGEND + PANEL_TITLE + row * (PANEL_TITLE + PANEL_HEIGHT + FOOT);
  return { left: Math.round(LEFT + column * (width + GAP)), top, width: Math.round(width), height: PANEL_HEIGHT };
}

function seriesOf(row: Row, scale: Scale, axis: number, { series }: Panel): echarts.SeriesOption[] {
  const reference = row.reference === undefined ? [] : [{ yAxis: scale.of(row.reference) }];
  return series.map(({ name, look, values }, index) => {
    const common = {
      ...{ name, xAxisIndex: axis, yAxisIndex: axis, silent: true, emphasis: { disabled: true } },
      data: values.map((value) => (value === null ? null : scale.of(value))),
      itemStyle: { color: look.color },
      markLine: {
        ...{ silent: true, symbol: 'none', label: { show: false }, data: index === 0 ? reference : [] },
        lineStyle: { color: AXIS, type: 'solid' as const, width: 1.5 },
      },
    };
    const line = { type: look.dashed ? ('dashed' as const) : ('solid' as const), width: 2, color: look.color };
    const written = {
      ...{ show: true, position: 'top' as const, color: 'currentColor', fontSize: 11 },
      formatter: ({ dataIndex }: { dataIndex: number }) => shortNumber(values[dataIndex] ?? Number.NaN),
    };
    return row.kind === 'bar'
      ? { ...common, ...(row.labelled ? { label: written } : {}), type: 'bar', barCategoryGap: '28%', barGap: '10%' }
      : { ...common, type: 'line', symbol: look.symbol ?? 'circle', symbolSize: 7, lineStyle: line };
  });
}

function axes(row: Row, scale: Scale, axis: number, isFirst: boolean, { categories }: Panel) {
  const text = { color: 'currentColor', fontSize: 11 };
  const name = { nameLocation: 'middle' as const, nameTextStyle: { ...text, fontSize: 12 } };
  return {
    x: {
      ...{ type: 'category' as const, gridIndex: axis, data: categories, name: row.x, nameGap: 30, ...name },
      ...{ axisLabel: { ...text, interval: 0 }, axisTick: { show: false }, axisLine: { onZero: false, lineStyle: { color: AXIS } } },
    },
    y: {
      ...{ type: 'value' as const, gridIndex: axis, min: scale.min, max: scale.max, interval: scale.interval },
      ...(isFirst ? { name: row.y, nameGap: 44, ...name } : {}),
      axisLabel: { ...text, show: isFirst, formatter: scale.label },
      ...{ axisTick: { show: false }, axisLine: { show: false }, splitLine: { lineStyle: { color: GRID } } },
    },
  };
}

/** The plot as SVG text. */
export function draw(title: string, rows: Row[]): string {
  const option = { title: [], grid: [], xAxis: [], yAxis: [], series: [] } as Record<
    'title' | 'grid' | 'xAxis' | 'yAxis' | 'series',
    unknown[]
  >;
  const names = new Map<string, Look>();
  for (const [index, row] of rows.entries()) {
    const scale = scaleOf(row);
    for (const [column, panel] of row.panels.entries()) {
      const axis = option.grid.length;
      const { left, top, width, height } = place(index, column, row.panels.length);
      const heading = { fontSize: 13, fontWeight: 'bold', color: 'currentColor' };
      option.title.push({
        text: panel.title,
        left: left + width / 2,
        top: top - PANEL_TITLE,
        textAlign: 'center',
        padding: 0,
        textStyle: heading,
      });
      option.grid.push({ left, top, width, height, outerBoundsMode: 'none' });
      const { x, y } = axes(row, scale, axis, column === 0, panel);
      option.xAxis.push(x);
      option.yAxis.push(y);
      option.series.push(...seriesOf(row, scale, axis, panel));
      for (const { name, look } of panel.series) names.set(name, look);
    }
  }
  const height = LEGEND + rows.length * (PANEL_TITLE + PANEL_HEIGHT + FOOT);
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  const legend = { data: [...names.keys()], top: 4, itemGap: 22, textStyle: { color: 'currentColor', fontSize: 12 } };
  chart.setOption({ animation: false, textStyle: { color: 'currentColor', fontFamily: 'sans-serif' }, legend, ...option });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return `${stable(svg).replace(/^(<svg [^>]*>)/, `$1\n<title>${title}</title>\n${STYLE}`)}\n`;
}

/**
 * Takes out what is for pointing at things,
 * and the counters that the library goes on counting from one plot to the next.
 */
function stable(svg: string): string {
  const ids = new Map<string, string>();
  return svg
    .replace(/<style[^>]*>[^]*?<\/style>\n?/g, '')
    .replace(/ class="zr[^"]*"/g, '')
    .replace(/ pointer-events="[^"]*"/g, '')
    .replace(/zr\d+-[a-z]+\d+/g, (id) => ids.get(id) ?? (ids.set(id, `id${ids.size}`), ids.get(id) ?? id));
}

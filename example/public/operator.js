// The operator's page: asks for the figures every second, draws them with uPlot, and keeps the tables those
// of now. While the page is not seen it asks for nothing. Types: ../operator/view.ts, by JSDoc; checked with
// the rest of the project.

/** @typedef {import('../operator/view.ts').View} View */
/** @typedef {import('../operator/sampler.ts').Sample} Sample */
/** @typedef {import('../operator/info.ts').Memory} Memory */
/** @typedef {import('../operator/info.ts').Latency} Latency */

const INTERVAL_MS = 1000;
/** Seconds that the charts show, at most and at least. */
const WINDOW_S = 300;
const WINDOW_MIN_S = 60;
const PLOT_HEIGHT = 240;
const ROW_HEIGHT = 26;

const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
const PLAIN = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 1 });

/** @type {Sample[]} */
let samples = [];
/** @type {View | undefined} */
let view;
/**
 * Charts by the id of their figure, with what their look depends on. @type {Map<string, { plot: uPlot, shape:
 * string }>}
 */
const charts = new Map();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let isAsking = false;

/** @param {string} id @returns {HTMLElement} */
function element(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

/** What lies between two marks of an axis: bytes, or whole sessions. */
const BINARY_STEPS = Array.from({ length: 33 }, (_, exponent) => 2 ** exponent);
const WHOLE_STEPS = Array.from({ length: 30 }, (_, index) => ([1, 2, 5][index % 3] ?? 1) * 10 ** Math.floor(index / 3));

/** The value of a colour of the style sheet. @param {string} name */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** @param {number} bytes */
function bytesText(bytes) {
  const unit = Math.min(3, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  return `${PLAIN.format(bytes / 1024 ** unit)} ${['B', 'KiB', 'MiB', 'GiB'][unit]}`;
}

/** @param {number} us */
function durationText(us) {
  if (us >= 1e6) return `${PLAIN.format(us / 1e6)} s`;
  return us >= 1000 ? `${PLAIN.format(us / 1000)} ms` : `${PLAIN.format(us)} µs`;
}

/** As ../operator/view.ts has it. @param {number} us */
function microsecondsText(us) {
  return us < 1 ? '< 1' : PLAIN.format(Math.round(us));
}

// ── Charts ───────────────────────────────────────────────────────────────────────────────────────────────

/** Between an axis' labels and what is beside them on both sides, its ticks included. */
const LABEL_MARGIN = 14;
const ruler = document.createElement('canvas').getContext('2d');

/** What an upright axis needs for its labels, in pixels. @param {readonly (string | null)[]} labels */
function widthFor(labels) {
  if (ruler === null) throw new Error('the page has no canvas');
  ruler.font = FONT;
  return LABEL_MARGIN + Math.ceil(labels.reduce((most, label) => Math.max(most, ruler.measureText(label ?? '').width), 0));
}

/** An axis in the page's colours. @param {Partial<uPlot.Axis>} given @returns {uPlot.Axis} */
function axis(given) {
  const line = { stroke: colour('line'), width: 1 };
  return { stroke: colour('quiet'), font: FONT, grid: line, ticks: { ...line, size: 4 }, ...given };
}

/**
 * Draws the data, in a new chart where its shape is not what it was.
 * @param {string} id of the figure @param {string} shape @param {() => Omit<uPlot.Options, 'width'>} options
 *   @param {uPlot.AlignedData} data
 * @param {string} label for those who do not see it
 */
function draw(id, shape, options, data, label) {
  const place = element(id).querySelector('.plot');
  if (!(place instanceof HTMLElement)) return;
  let chart = charts.get(id);
  if (chart?.shape !== shape) {
    chart?.plot.destroy();
    chart = { plot: new uPlot({ width: place.clientWidth, ...options() }, data, place), shape };
    charts.set(id, chart);
    resizes.observe(place);
  } else chart.plot.setData(data);
  // While nobody points at a moment, the legend tells the last one.
  if (chart.plot.cursor.idx === null || chart.plot.cursor.left === -10) chart.plot.setLegend({ idx: (data[0]?.length ?? 0) - 1 });
  const canvas = chart.plot.ctx.canvas;
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', `${label} The table below has the figures of now.`);
}

const resizes = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const { plot } = charts.get(target.closest('figure')?.id ?? '') ?? {};
    if (plot !== undefined && plot.width !== target.clientWidth) plot.setSize({ width: target.clientWidth, height: plot.height });
  }
});

/**
 * The squares of a legend, one of each colour, the first series aside. @param {string[]} names of the colours
 * @returns {uPlot.Legend.Markers}
 */
function markers(names) {
  const colours = names.map(colour);
  return { width: 0, fill: (_plot, index) => colours[index - 1] ?? 'transparent' };
}

/**
 * What charts over time have in common. @param {string[]} names of the colours @param {uPlot.Series[]} series
 * @param {(value: number) => string} text @param {number[]} [increments]
 */
function overTime(names, series, text, increments) {
  return {
    height: PLOT_HEIGHT,
    legend: { markers: markers(names) },
    cursor: { drag: { x: false, y: false }, points: { size: 7 } },
    scales: { x: { range: xRange }, y: { range: yRange } },
    axes: [
      axis({ space: 70, size: 34, values: (/** @type {uPlot} */ _plot, /** @type {number[]} */ at) => at.map(clockText) }),
      axis({
        size: (/** @type {uPlot} */ _plot, /** @type {string[] | null} */ labels) => widthFor(labels ?? []),
        values: (/** @type {uPlot} */ _plot, /** @type {number[]} */ values) => values.map(text),
        ...(increments === undefined ? {} : { incrs: increments }),
      }),
    ],
    series: [
      { label: 'Time', value: (/** @type {uPlot} */ _plot, /** @type {number | null} */ at) => (at === null ? '–' : clockText(at)) },
      ...series,
    ],
  };
}

/** @param {number} at Unix seconds */
function clockText(at) {
  return new Date(at * 1000).toLocaleTimeString('en-GB');
}

/** The last minutes, as far as they are known. @returns {uPlot.Range.MinMax} */
function xRange() {
  const now = samples.at(-1)?.at ?? Date.now() / 1000;
  const first = Math.min(samples[0]?.at ?? now, now - WINDOW_MIN_S);
  return [Math.max(first, now - WINDOW_S), now];
}

/**
 * From 0, with room above. @param {uPlot} _plot @param {number} _min @param {number} max @returns
 * {uPlot.Range.MinMax}
 */
function yRange(_plot, _min, max) {
  return [0, Number.isFinite(max) && max > 0 ? max * 1.15 : 1];
}

/**
 * Lines that lie on one another are all seen, and told apart without their colours. By place; the first is
 * whole.
 */
const DASHES = [[], [10, 8], [3, 6]];

/**
 * @param {string} label @param {string} name of its colour @param {(value: number) => string} text @param
 *   {number[]} [dash]
 * @returns {uPlot.Series}
 */
function lineOf(label, name, text, dash = []) {
  const stroke = colour(name);
  return {
    label,
    stroke,
    width: 2,
    dash,
    points: { show: false },
    value: (_plot, value) => (typeof value === 'number' ? text(value) : '–'),
  };
}

const times = () => samples.map(({ at }) => at);
const plain = (/** @type {number} */ value) => PLAIN.format(value);

function drawSessions() {
  const options = () =>
    overTime(['plot-1'], [{ ...lineOf('Sessions', 'plot-1', plain), fill: `${colour('plot-1')}30` }], plain, WHOLE_STEPS);
  draw('chart-sessions', 'sessions', options, [times(), samples.map(({ sessions }) => sessions)], 'Chart of the number of sessions.');
}

function drawRates() {
  const options = () =>
    overTime(
      ['plot-1', 'plot-2', 'plot-3'],
      [lineOf('Created', 'plot-1', plain), lineOf('Expired', 'plot-2', plain, DASHES[1]), lineOf('Evicted', 'plot-3', plain, DASHES[2])],
      plain,
    );
  /** @type {uPlot.AlignedData} */
  const data = [times(), samples.map((at) => at.created), samples.map((at) => at.expired), samples.map((at) => at.evicted)];
  draw('chart-rates', 'rates', options, data, 'Chart of the sessions created, expired and evicted per second.');
}

/** One line for each module, and for the calls between them. @param {View['commands']} commands */
function drawCommands({ lines, text }) {
  const subtitle = element('chart-commands').querySelector('figcaption span');
  if (subtitle !== null && subtitle.textContent !== text) subtitle.textContent = text;
  const names = lines.map((_, index) => `plot-${1 + (index % 3)}`);
  const options = () =>
    overTime(
      names,
      lines.map((line, index) => lineOf(line, names[index] ?? 'plot-1', plain, DASHES[index % 3])),
      plain,
    );
  /** @type {uPlot.AlignedData} */
  const data = [
    times(),
    ...lines.map((_, index) => samples.map(({ commands }) => (commands?.length === lines.length ? (commands[index] ?? null) : null))),
  ];
  draw('chart-commands', lines.join(), options, data, 'Chart of the commands per second of each module, and of the calls between modules.');
}

/** One chart for each linear memory, its parts on top of each other. @param {Memory[]} memories */
function drawMemories(memories) {
  const place = element('memories');
  memories.forEach((memory, index) => {
    const id = `chart-memory-${index}`;
    if (document.getElementById(id) === null) place.append(memoryFigure(id));
    const subtitle = element(id).querySelector('figcaption span');
    if (subtitle !== null) subtitle.textContent = `${memory.title}: ${bytesText(memory.reserved)} reserved`;
    /** Bytes of the parts up to this one. */
    const upTo = (/** @type {Sample} */ sample, /** @type {number} */ part) => {
      const bytes = sample.memories?.[index];
      return bytes?.length === memory.parts.length ? bytes.slice(0, part + 1).reduce((sum, each) => sum + each, 0) : null;
    };
    const heights = memory.parts.map((_, part) => samples.map((sample) => upTo(sample, part)));
    /** @type {uPlot.AlignedData} */
    const data = [times(), ...heights];
    const options = () => memoryOptions(memory, index);
    draw(id, JSON.stringify(memory.parts.map(({ label }) => label)), options, data, `Chart of the memory of ${memory.title}.`);
  });
  for (const [id, { plot }] of charts) {
    if (!id.startsWith('chart-memory-') || Number(id.slice('chart-memory-'.length)) < memories.length) continue;
    plot.destroy();
    charts.delete(id);
    element(id).remove();
  }
}

/** @param {string} id */
function memoryFigure(id) {
  const figure = document.createElement('figure');
  figure.id = id;
  figure.className = 'card chart';
  figure.setAttribute('aria-describedby', 'figures-title');
  const caption = document.createElement('figcaption');
  const title = document.createElement('b');
  title.textContent = 'Memory';
  caption.append(title, document.createElement('span'));
  const plot = document.createElement('div');
  plot.className = 'plot';
  figure.append(caption, plot);
  return figure;
}

/** @param {Memory} memory @param {number} index */
function memoryOptions(memory, index) {
  let data = 0;
  const colours = memory.parts.map(({ kind }) => (kind === 'data' ? `plot-${1 + (data++ % 3)}` : `plot-${kind}`));
  const series = memory.parts.map(({ label }, part) => ({
    ...lineOf(label, colours[part] ?? 'plot-1', bytesText),
    width: 1,
    ...(part === 0 ? { fill: `${colour(colours[0] ?? 'plot-1')}66` } : {}),
    value: (/** @type {uPlot} */ _plot, /** @type {unknown} */ _value, /** @type {number} */ _series, /** @type {number | null} */ at) => {
      const bytes = at === null ? undefined : samples[at]?.memories?.[index]?.[part];
      return bytes === undefined ? '–' : bytesText(bytes);
    },
  }));
  /** @type {uPlot.Band[]} */
  const bands = memory.parts.slice(1).map((_, part) => ({ series: [part + 2, part + 1], fill: `${colour(colours[part + 1] ?? '')}66` }));
  return { ...overTime(colours, series, bytesText, BINARY_STEPS), bands };
}

/** Label, field, colour, and size of the point: where two fall together both are seen. */
const PERCENTILES = /** @type {const} */ ([
  ['50 %', 'p50', 'plot-1', 10],
  ['99 %', 'p99', 'plot-2', 14],
  ['99.9 %', 'p999', 'plot-3', 8],
]);

/** Each command on a line of its own, its percentiles as points on it. @param {Latency[]} latencies */
function drawLatencies(latencies) {
  const figure = element('chart-latencies');
  const empty = figure.querySelector('.empty');
  if (empty instanceof HTMLElement) {
    empty.hidden = latencies.length > 0;
    empty.textContent = 'No command has been measured yet. If this stays so: CONFIG SET latency-tracking yes.';
  }
  if (latencies.length === 0) {
    charts.get(figure.id)?.plot.destroy();
    charts.delete(figure.id);
    return;
  }
  /** @type {uPlot.AlignedData} */
  const data = [
    latencies.map((_, row) => row),
    ...PERCENTILES.map(([, field]) => latencies.map((latency) => Math.max(0.1, latency[field]))),
  ];
  const names = latencies.map(({ command }) => command);
  draw(figure.id, names.join(), () => latencyOptions(names), data, 'Chart of the latency of commands.');
}

/** @param {string[]} names @returns {Omit<uPlot.Options, 'width'>} */
function latencyOptions(names) {
  return {
    height: names.length * ROW_HEIGHT + 60,
    legend: { markers: markers(PERCENTILES.map(([, , name]) => name)), live: false },
    cursor: { show: false },
    scales: {
      x: { time: false, ori: 1, dir: -1, range: [-0.7, names.length - 0.3] },
      // From a little before the first decade: a point on it does not touch the names.
      y: {
        ori: 0,
        distr: 3,
        range: (_plot, min, max) => [0.6 * 10 ** Math.floor(Math.log10(min)), 10 ** Math.ceil(Math.log10(max * 1.01))],
      },
    },
    axes: [
      axis({
        side: 3,
        size: widthFor(names),
        splits: () => names.map((_, row) => row),
        values: () => names,
        grid: { show: false },
        ticks: { show: false },
      }),
      axis({
        side: 2,
        scale: 'y',
        size: 36,
        space: 45,
        splits: decades,
        values: (_plot, values) => values.map((us) => (us === null ? null : durationText(us))),
      }),
    ],
    series: [
      { label: 'Command', value: (_plot, row) => names[row] ?? '–' },
      ...PERCENTILES.map(([label, , name, size]) => ({
        ...lineOf(label, name, durationText),
        paths: () => null,
        points: { show: true, size, stroke: colour('surface'), width: 1, fill: colour(name) },
      })),
    ],
    hooks: { drawAxes: [drawSpans] },
  };
}

/** @param {uPlot} _plot @param {number} _axis @param {number} min @param {number} max */
function decades(_plot, _axis, min, max) {
  const [first, last] = [Math.ceil(Math.log10(min)), Math.floor(Math.log10(max))];
  return Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
}

/** A line from the first percentile to the last of each command. @param {uPlot} plot */
function drawSpans(plot) {
  const { ctx, data } = plot;
  ctx.save();
  ctx.strokeStyle = colour('line');
  ctx.lineWidth = 4 * devicePixelRatio;
  ctx.lineCap = 'round';
  for (const [row] of data[0].entries()) {
    const y = plot.valToPos(row, 'x', true);
    ctx.beginPath();
    ctx.moveTo(plot.valToPos(data[1]?.[row] ?? 1, 'y', true), y);
    ctx.lineTo(plot.valToPos(data[3]?.[row] ?? 1, 'y', true), y);
    ctx.stroke();
  }
  ctx.restore();
}

function drawAll() {
  if (view === undefined) return;
  element('charts').hidden = false;
  drawSessions();
  drawRates();
  drawCommands(view.commands);
  drawMemories(view.memories);
  drawLatencies(view.latencies);
}

// ── Words ────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Replaces the rows of a table's body where they are not the same. @param {string} id @param {string[][]}
 * rows the first cell heads its row
 */
function fill(id, rows) {
  const body = element(id).querySelector('tbody');
  if (body === null || body.dataset.shown === JSON.stringify(rows)) return;
  body.dataset.shown = JSON.stringify(rows);
  body.replaceChildren(
    ...rows.map((cells) => {
      const row = document.createElement('tr');
      cells.forEach((text, column) => {
        const cell = document.createElement(column === 0 ? 'th' : 'td');
        if (column === 0) cell.setAttribute('scope', 'row');
        else cell.className = 'number';
        cell.textContent = text;
        row.append(cell);
      });
      return row;
    }),
  );
}

/** @param {View['states']} states */
function showStates(states) {
  element('states').replaceChildren(
    ...states.map(({ title, value, level, text }) => {
      const item = document.createElement('li');
      item.className = level;
      const parts = [
        ['span', 'title', title],
        ['b', '', value],
        ['span', 'text', text],
      ].map(([tag = '', className = '', content = '']) => {
        const part = document.createElement(tag);
        part.className = className;
        part.textContent = content;
        return part;
      });
      item.append(...parts.flatMap((part) => [part, ' ']));
      return item;
    }),
  );
}

/**
 * Says what is wrong, and what to do; undefined: nothing. @param {{ title: string, text: string, next?: {
 * href: string, label: string } } | undefined} trouble
 */
function showTrouble(trouble) {
  const place = element('trouble');
  for (const figure of document.querySelectorAll('.chart')) figure.classList.toggle('stale', trouble !== undefined);
  if (trouble !== undefined) document.title = `${trouble.title} · Wasm sessions`;
  else if (!place.hidden) document.title = 'Operator · Wasm sessions';
  const shown = JSON.stringify(trouble ?? null);
  if (place.dataset.shown === shown) return;
  place.dataset.shown = shown;
  place.hidden = trouble === undefined;
  if (trouble === undefined) return;
  const title = document.createElement('h2');
  title.textContent = trouble.title;
  const text = document.createElement('p');
  text.textContent = `${trouble.text} `;
  if (trouble.next?.href) {
    const link = document.createElement('a');
    link.href = trouble.next.href;
    link.textContent = trouble.next.label;
    text.append(link);
  }
  place.replaceChildren(title, text);
}

// ── Asking ───────────────────────────────────────────────────────────────────────────────────────────────

/** @returns whether to ask again */
async function ask() {
  let response;
  try {
    const headers = { accept: 'application/json' };
    response = await fetch(`/operator/figures?after=${samples.at(-1)?.n ?? 0}`, { headers, signal: AbortSignal.timeout(10 * INTERVAL_MS) });
  } catch {
    showTrouble({
      title: 'The site does not answer',
      text: 'Whoever runs it: start it again with npm run example. This page goes on by itself.',
    });
    return true;
  }
  const answer = await response.json().catch(() => undefined);
  if (!response.ok || answer === undefined) {
    showStates([]);
    showTrouble(answer ?? { title: 'The site has failed', text: `It answered with status ${response.status}. Its terminal says more.` });
    return response.status !== 401 && response.status !== 403;
  }
  take(/** @type {View} */ (answer));
  return true;
}

/** @param {View} news */
function take(news) {
  view = news;
  element('still').hidden = true;
  // After a restart the site counts its samples anew.
  const first = news.samples[0]?.n ?? Infinity;
  samples = [...samples.filter(({ n }) => n < first), ...news.samples];
  const from = (samples.at(-1)?.at ?? 0) - WINDOW_S;
  samples = samples.filter(({ at }) => at >= from);
  showTrouble(news.trouble);
  showStates(news.states);
  fill(
    'figures',
    news.rows.map(({ label, value }) => [label, value]),
  );
  fill(
    'latency-table',
    news.latencies.map(({ command, p50, p99, p999 }) => [command, ...[p50, p99, p999].map(microsecondsText)]),
  );
  drawAll();
}

async function goOn() {
  clearTimeout(timer);
  if (document.hidden || isAsking) return;
  isAsking = true;
  let again = true;
  try {
    again = await ask();
  } finally {
    isAsking = false;
    if (again) timer = setTimeout(() => void goOn(), INTERVAL_MS);
  }
}

document.addEventListener('visibilitychange', () => void goOn());
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const { plot } of charts.values()) plot.destroy();
  charts.clear();
  drawAll();
});
void goOn();

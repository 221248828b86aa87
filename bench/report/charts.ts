/** Which plots the report has, out of its figures. */
import { median } from '../lib/statistics.ts';
import type { Timing } from '../lib/rounds.ts';
import { PERCENTILES } from '../measures/growth.ts';
import type { SessionOperation, SessionSide } from '../measures/session-commands.ts';
import type { CommandName } from '../measures/storage.ts';
import { last, ofKind, type Figure, type ServerName } from './results.ts';
import { draw, shortNumber, type Look, type Panel, type Row } from './svg.ts';

const OURS = '#2f81d6';
const NATIVE = '#d9822b';

const COMMAND_LOOKS: Record<CommandName, Look> = {
  SET: { color: NATIVE },
  'CUSTOM.SET': { color: OURS },
  GET: { color: NATIVE, dashed: true, symbol: 'triangle' },
  'CUSTOM.GET': { color: OURS, dashed: true, symbol: 'triangle' },
};
export const COMMAND_NAMES = Object.keys(COMMAND_LOOKS) as CommandName[];

const SIDE_LOOKS: Record<SessionSide, { title: string; look: Look }> = {
  direct: { title: 'modules, linked directly', look: { color: OURS } },
  command: { title: 'modules, by command', look: { color: '#7cc4f0' } },
  lua: { title: 'native keys, Lua script', look: { color: NATIVE } },
  multi: { title: 'native keys, MULTI', look: { color: '#e3b341' } },
};
const BOTH: Record<'native' | 'ours', { title: string; look: Look }> = {
  native: { title: 'native keys', look: { color: NATIVE } },
  ours: { title: 'modules', look: { color: OURS } },
};
/** By number of keys, in the order of the plan. */
const SHADES: Look[] = [{ color: '#2da44e' }, { color: OURS, symbol: 'rect' }, { color: '#a371f7', symbol: 'diamond' }];
const SERVER_SHADES = ['#2f81d6', '#2da44e', '#a371f7'];

export const OPERATION_TITLES: Record<SessionOperation, string> = {
  create: 'CREATE, new',
  existing: 'CREATE, exists',
  get: 'GET_DATA',
  add: 'ADD_DATA',
};

/** The number of keys at which the pipeline depth is varied, and the depth at which the number of keys is. */
const KEYS_SHOWN = 1;
const NS_PER_US = 1000;

export interface Chart {
  /** the file's name, without its ending */
  name: string;
  /** what a reader who does not see it is told */
  title: string;
  svg: string;
}

/** The servers of the figures, in their order. */
export function serversOf(figures: Figure[]): ServerName[] {
  return [...new Map(figures.map(({ server }) => [server.key, server])).values()];
}

export const label = ({ name, version }: ServerName): string => `${name} ${version}`;

const cpu_us = (timing: Timing) => median(timing.cpu_ns) / NS_PER_US;
const perSecond_k = (timing: Timing) => 1e6 / median(timing.wall_ns);

/** A panel for each server. */
function perServer(figures: Figure[], panel: (server: ServerName, own: Figure[]) => Omit<Panel, 'title'>): Panel[] {
  return serversOf(figures).map((server) => ({
    title: label(server),
    ...panel(
      server,
      figures.filter((figure) => figure.server.key === server.key),
    ),
  }));
}

function depthRows(figures: Figure[]): Row[] {
  const row = (y: string, of: (timing: Timing) => number): Row => ({
    ...{ kind: 'line', x: 'pipeline depth', y, logarithmic: true },
    panels: perServer(figures, (_, own) => {
      const cells = ofKind(own, 'commands');
      const byDepth = (cells[KEYS_SHOWN] ?? cells[0])?.result.byDepth ?? {};
      const values = (name: CommandName) => Object.values(byDepth).map((timings) => of(timings[name]));
      return {
        categories: Object.keys(byDepth),
        series: COMMAND_NAMES.map((name) => ({ name, look: COMMAND_LOOKS[name], values: values(name) })),
      };
    }),
  });
  return [row('server CPU, µs', cpu_us), row('thousand per second', perSecond_k)];
}

function keyRows(figures: Figure[]): Row[] {
  const row = (y: string, of: (timing: Timing) => number): Row => ({
    ...{ kind: 'line', x: 'keys', y, logarithmic: true },
    panels: perServer(figures, (_, own) => {
      const cells = ofKind(own, 'commands');
      const deepest = cells.map(({ result }) => last(Object.values(result.byDepth)));
      const values = (name: CommandName) => deepest.map((timings) => (timings === undefined ? null : of(timings[name])));
      return {
        categories: cells.map(({ parameters }) => shortNumber(Number(parameters.keys))),
        series: COMMAND_NAMES.map((name) => ({ name, look: COMMAND_LOOKS[name], values: values(name) })),
      };
    }),
  });
  return [row('server CPU, µs', cpu_us), row('thousand per second', perSecond_k)];
}

/** Medians of what each round's pair gives. */
export function ratioOf(ours: number[], native: number[]): number {
  return median(ours.map((value, round) => value / (native[round] ?? Number.NaN)));
}

function ratioRows(figures: Figure[]): Row[] {
  return (['SET', 'GET'] as const).map((name): Row => ({
    ...{ kind: 'line', x: 'pipeline depth', y: `CUSTOM.${name} / ${name}`, logarithmic: true, reference: 1 },
    panels: perServer(figures, (_, own) => {
      const cells = ofKind(own, 'commands');
      return {
        categories: Object.keys(cells[0]?.result.byDepth ?? {}),
        series: cells.map(({ parameters, result }, index) => ({
          name: `${shortNumber(Number(parameters.keys))} keys`,
          look: SHADES[index % SHADES.length] ?? { color: OURS },
          values: Object.values(result.byDepth).map((timings) => ratioOf(timings[`CUSTOM.${name}`].cpu_ns, timings[name].cpu_ns)),
        })),
      };
    }),
  }));
}

function sessionRows(figures: Figure[]): Row[] {
  const depths = [...new Set(ofKind(figures, 'sessions').map(({ parameters }) => parameters.depth))];
  return depths.map((depth): Row => ({
    ...{ kind: 'bar', x: `pipeline depth ${depth ?? ''}`, y: 'server CPU, µs', logarithmic: false },
    panels: perServer(figures, (_, own) => {
      const result = ofKind(own, 'sessions').find(({ parameters }) => parameters.depth === depth)?.result;
      const operations = Object.keys(OPERATION_TITLES) as SessionOperation[];
      return {
        categories: operations.map((operation) => OPERATION_TITLES[operation].replace(', ', ',\n')),
        series: (Object.keys(SIDE_LOOKS) as SessionSide[]).map((side) => ({
          ...{ name: SIDE_LOOKS[side].title, look: SIDE_LOOKS[side].look },
          values: operations.map((operation) => {
            const timing = result?.[operation][side];
            return timing === undefined ? null : cpu_us(timing);
          }),
        })),
      };
    }),
  }));
}

/** By command over direct, of a call alone and of the commands that make calls. */
export function linkRatios(own: Figure[]): { title: string; ratio: number }[] {
  const calls = ofKind(own, 'calls')[0]?.result;
  const deepest = last(ofKind(own, 'sessions'))?.result;
  const of = (title: string, command?: number[], direct?: number[]) =>
    command && direct ? [{ title, ratio: ratioOf(command, direct) }] : [];
  return [
    ...of('a look-up\nby an import', calls?.command, calls?.direct),
    ...of('CREATE,\nnew', deepest?.create.command?.cpu_ns, deepest?.create.direct?.cpu_ns),
    ...of('CREATE,\nexists', deepest?.existing.command?.cpu_ns, deepest?.existing.direct?.cpu_ns),
  ];
}

function linkRows(figures: Figure[]): Row[] {
  const servers = serversOf(figures);
  const ratios = servers.map((server) => linkRatios(figures.filter((figure) => figure.server.key === server.key)));
  const series = servers.map((server, index) => ({
    ...{ name: label(server), look: { color: SERVER_SHADES[index % SERVER_SHADES.length] ?? OURS } },
    values: (ratios[index] ?? []).map(({ ratio }) => ratio),
  }));
  const panel = { title: 'server CPU, by command / linked directly', categories: (ratios[0] ?? []).map(({ title }) => title), series };
  return [{ kind: 'bar', x: '', y: 'by command / direct', logarithmic: true, reference: 1, labelled: true, panels: [panel] }];
}

/** "512", "1Ki", "4Ki". */
const inBytes = (bytes: number) => (bytes < 1024 ? String(bytes) : `${bytes / 1024}Ki`);

function memoryRows(figures: Figure[]): Row[] {
  const categories = (own: Figure[]) => ofKind(own, 'memory').map(({ parameters }) => inBytes(Number(parameters['value bytes'])));
  const total: Row = {
    ...{ kind: 'line', x: 'value, bytes', y: 'resident bytes per entry', logarithmic: true },
    panels: perServer(figures, (_, own) => ({
      categories: categories(own),
      series: (['native', 'ours'] as const).map((side) => ({
        ...{ name: BOTH[side].title, look: BOTH[side].look },
        values: ofKind(own, 'memory').map(({ result }) => median(result[side])),
      })),
    })),
  };
  const ratio: Row = {
    ...{ kind: 'line', x: 'value, bytes', y: 'modules / native keys', logarithmic: false, reference: 1 },
    panels: perServer(figures, (_, own) => ({
      categories: categories(own),
      series: [
        {
          ...{ name: BOTH.ours.title, look: BOTH.ours.look },
          values: ofKind(own, 'memory').map(({ result }) => ratioOf(result.ours, result.native)),
        },
      ],
    })),
  };
  return [total, ratio];
}

/**
 * Medians over the rounds of each percentile, in µs.
 * The server's clock tells whole ones, and less than one is shown as one.
 */
export function percentiles(own: Figure[], name: 'SET' | 'CUSTOM.SET'): number[] {
  const rounds = ofKind(own, 'growth')[0]?.result[name] ?? [];
  return PERCENTILES.map((percentile) =>
    Math.max(1, Math.round(median(rounds.map(({ latency_us }) => latency_us[percentile] ?? Number.NaN)))),
  );
}

function growthRows(figures: Figure[]): Row[] {
  const titles = PERCENTILES.map((percentile) => (percentile === '100' ? 'max' : percentile));
  return [
    {
      ...{ kind: 'line', x: 'percentile', y: 'latency, µs', logarithmic: true },
      panels: perServer(figures, (_, own) => ({
        categories: titles,
        series: (['SET', 'CUSTOM.SET'] as const).map((name) => ({ name, look: COMMAND_LOOKS[name], values: percentiles(own, name) })),
      })),
    },
  ];
}

function savingRows(figures: Figure[]): Row[] {
  const servers = serversOf(figures);
  const panel = (title: string, of: (figure: Figure<'saving'>, side: 'native' | 'ours') => number, data: string): Panel => ({
    title,
    categories: servers.map(label),
    series: (['native', 'ours'] as const).map((side) => ({
      ...{ name: BOTH[side].title, look: BOTH[side].look },
      values: servers.map(({ key }) => {
        const found = ofKind(figures, 'saving').find(({ server, parameters }) => server.key === key && parameters.data === data);
        return found === undefined ? null : of(found, side);
      }),
    })),
  });
  const times = (data: string): Row => ({
    ...{ kind: 'bar', x: '', y: 'milliseconds', logarithmic: false, labelled: true },
    panels: [
      panel(`BGSAVE of ${data}, by the clock`, ({ result }, side) => median(result[side].save_ms), data),
      panel(`loading them, CPU`, ({ result }, side) => median(result[side].load_ms), data),
    ],
  });
  return [times('entries'), times('sessions')];
}

/** Every plot of the page. */
export function charts(figures: Figure[]): Chart[] {
  const chart = (name: string, title: string, rows: Row[]): Chart => ({ name, title, svg: draw(title, rows) });
  return [
    chart('ratio', 'Server CPU of CUSTOM.SET and CUSTOM.GET over SET and GET, by pipeline depth and number of keys', ratioRows(figures)),
    chart('depth', 'Server CPU and throughput by pipeline depth', depthRows(figures)),
    chart('keys', 'Server CPU and throughput by number of keys', keyRows(figures)),
    chart('sessions', 'Server CPU of commands on sessions, over native keys', sessionRows(figures)),
    chart('links', 'Server CPU by command over linked directly', linkRows(figures)),
    chart('memory', 'Resident memory per entry by size of the value', memoryRows(figures)),
    chart('growth', 'Latency of inserts by percentile', growthRows(figures)),
    chart('saving', 'Time to save and to load', savingRows(figures)),
  ];
}

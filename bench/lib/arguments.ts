/** What `npm run bench` is asked for. What is wrong with it is a Problem that says what would be right. */
import { parseArgs } from 'node:util';
import { Problem } from '../../scripts/lib/process.ts';

/** The parts of a report. */
export const KINDS = ['commands', 'sessions', 'http', 'calls', 'memory', 'session-memory', 'growth', 'saving', 'start'] as const;
export type Kind = (typeof KINDS)[number];

export const SERVER_TITLES = { redis7: 'Redis 7', redis8: 'Redis 8', valkey9: 'Valkey 9' };
export type ServerKey = keyof typeof SERVER_TITLES;
export const SERVER_KEYS = Object.keys(SERVER_TITLES) as ServerKey[];

const ROUNDS_DEFAULT = 7;
const KEYS_DEFAULT = 100_000;

export interface MeasuresRequest {
  what: 'measures';
  /** none: those that need not be named */
  names: string[];
  /** undefined when none was asked for */
  servers: ServerKey[] | 'all' | undefined;
  rounds: number;
  keys: number;
  /** how many entries a measure of large tables inserts; undefined: what is its own */
  entries: number | undefined;
}

export interface ReportRequest {
  what: 'report';
  /** none: all */
  kinds: Kind[];
  servers: ServerKey[] | 'all' | undefined;
  /** measure again what is done */
  fresh: boolean;
  /** tiny counts, to see that it works */
  quick: boolean;
  /** where the cells are kept; in build/ by default */
  cells: string | undefined;
  /** the page's folder; docs/report by default */
  out: string | undefined;
}

/** A page out of the figures that are in its folder. */
export interface RenderRequest {
  what: 'render';
  out: string | undefined;
}

function options(words: string[]) {
  try {
    return parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        server: { type: 'string', multiple: true },
        rounds: { type: 'string' },
        keys: { type: 'string' },
        entries: { type: 'string' },
        report: { type: 'boolean' },
        fresh: { type: 'boolean' },
        quick: { type: 'boolean' },
        render: { type: 'boolean' },
        cells: { type: 'string' },
        out: { type: 'string' },
      },
    });
  } catch (error) {
    throw new Problem((error as Error).message);
  }
}

type Values = ReturnType<typeof options>['values'];

function serversOf(wanted: string[] | undefined): ServerKey[] | 'all' | undefined {
  const unknown = wanted?.filter((name) => name !== 'all' && !(SERVER_KEYS as string[]).includes(name)) ?? [];
  if (unknown.length > 0) throw new Problem(`There is no server ${unknown.join(', ')} here; one of: ${SERVER_KEYS.join(', ')}, all`);
  return wanted?.includes('all') ? 'all' : (wanted as ServerKey[] | undefined);
}

/** A whole number from 1. */
function count<Otherwise extends number | undefined>(values: Values, name: 'rounds' | 'keys' | 'entries', otherwise: Otherwise) {
  const text = values[name];
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new Problem(`--${name} is a whole number from 1, and not ${text}`);
  return Number(text);
}

function refuse(values: Values, names: (keyof Values)[], why: string): void {
  const given = names.filter((name) => values[name] !== undefined);
  if (given.length > 0) throw new Problem(`${given.map((name) => `--${name}`).join(', ')}: ${why}`);
}

/** @param measures those that there are */
export function parse(words: string[], measures: { name: string; summary: string }[]): MeasuresRequest | ReportRequest | RenderRequest {
  const { values, positionals } = options(words);
  if (!values.report) {
    refuse(values, ['fresh', 'quick', 'render', 'cells', 'out'], 'only with --report');
    if (positionals.some((name) => !measures.some((measure) => measure.name === name))) {
      throw new Problem(`Measures:\n${measures.map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`).join('\n')}`);
    }
    const numbers = {
      rounds: count(values, 'rounds', ROUNDS_DEFAULT),
      keys: count(values, 'keys', KEYS_DEFAULT),
      entries: count(values, 'entries', undefined),
    };
    return { what: 'measures', names: positionals, servers: serversOf(values.server), ...numbers };
  }
  refuse(values, ['rounds', 'keys', 'entries'], 'not with --report, whose counts are fixed');
  if (values.render) {
    refuse(values, ['server', 'fresh', 'quick', 'cells'], 'not with --render, which measures nothing');
    if (positionals.length > 0) throw new Problem(`--render writes the whole page, and not ${positionals.join(', ')} alone`);
    return { what: 'render', out: values.out };
  }
  const unknown = positionals.filter((kind) => !(KINDS as readonly string[]).includes(kind));
  if (unknown.length > 0) throw new Problem(`A report has no part ${unknown.join(', ')}; its parts: ${KINDS.join(', ')}`);
  const { server, fresh = false, quick = false, cells, out } = values;
  return { what: 'report', kinds: positionals as Kind[], servers: serversOf(server), fresh, quick, cells, out };
}

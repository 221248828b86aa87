/** The report's page, as Markdown: tables of what the plots show, with the spread of the rounds. */
import { type Kind } from '../lib/arguments.ts';
import type { Timing } from '../lib/rounds.ts';
import { isNoisy, median, ratio, spread } from '../lib/statistics.ts';
import { alone } from '../measures/calls.ts';
import { PERCENTILES } from '../measures/growth.ts';
import { PAGES, type Page, type SiteTiming } from '../measures/http.ts';
import type { SessionOperation } from '../measures/session-commands.ts';
import { COMMAND_NAMES, label, OPERATION_TITLES, percentiles, ratioOf, serversOf, type Chart } from './charts.ts';
import { last, ofKind, type Figure } from './results.ts';
import { shortNumber } from './svg.ts';

/** Of the clock's time, the share of CPU below which the server waited for the client. */
const BUSY_MIN = 0.9;
const NS_PER_US = 1000;
const MB = 1e6;
const NONE = '–';

export function table(header: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [line(header), `|${'---|'.repeat(header.length)}`, ...rows.map(line)].join('\n');
}

/** "0.86 (0.80–0.89)", with a tilde before it when the rounds differ too much to conclude. */
function ratioText(ours: number[] | undefined, native: number[] | undefined): string {
  if (ours === undefined || native === undefined) return NONE;
  const found = ratio(ours, native);
  return `${isNoisy(found) ? '~ ' : ''}${found.median.toFixed(2)} (${found.min.toFixed(2)}–${found.max.toFixed(2)})`;
}

const us = (ns: number[]) => (median(ns) / NS_PER_US).toFixed(2);
const each = (one: string, other: string) => `${one} · ${other}`;

function perSecond({ cpu_ns, wall_ns }: Timing): string {
  const waited = median(cpu_ns) / median(wall_ns) < BUSY_MIN;
  return `${(1e6 / median(wall_ns)).toFixed(0)}k${waited ? '*' : ''}`;
}

/** The figures of one server and kind. */
function own<K extends Kind>(figures: Figure[], server: string, kind: K): Figure<K>[] {
  return ofKind(figures, kind).filter((figure) => figure.server.key === server);
}

/** A row for each of `rows`, a column for each server. */
function byServer(figures: Figure[], first: string, rows: [title: string, cell: (server: string) => string][]): string {
  const servers = serversOf(figures);
  return table(
    [first, ...servers.map(label)],
    rows.map(([title, cell]) => [title, ...servers.map(({ key }) => cell(key))]),
  );
}

function commandTables(figures: Figure[]): string {
  return serversOf(figures)
    .map((server) => {
      const rows = own(figures, server.key, 'commands').flatMap(({ parameters, result }) =>
        Object.entries(result.byDepth).map(([depth, timings]) => [
          ...[Number(parameters.keys).toLocaleString('en'), depth],
          ...(['SET', 'GET'] as const).flatMap((name) => {
            const [ours, native] = [timings[`CUSTOM.${name}`], timings[name]];
            return [
              ratioText(ours.cpu_ns, native.cpu_ns),
              each(us(ours.cpu_ns), us(native.cpu_ns)),
              each(perSecond(ours), perSecond(native)),
            ];
          }),
        ]),
      );
      const header = ['SET', 'GET'].flatMap((name) => [`CUSTOM.${name} / ${name}, CPU`, 'µs', 'per second']);
      return `**${label(server)}**\n\n${table(['keys', 'pipeline', ...header], rows)}`;
    })
    .join('\n\n');
}

function sessionTables(figures: Figure[]): string {
  const cells = ofKind(figures, 'sessions');
  return [...new Set(cells.map(({ parameters }) => parameters.depth))]
    .map((depth) => {
      const at = (server: string) => own(figures, server, 'sessions').find(({ parameters }) => parameters.depth === depth)?.result;
      const rows = (Object.keys(OPERATION_TITLES) as SessionOperation[]).flatMap((operation) =>
        (['lua', 'multi'] as const)
          .filter((side) => cells[0]?.result[operation][side] !== undefined)
          .map((side): [string, (server: string) => string] => [
            `${OPERATION_TITLES[operation]} / native keys, ${side === 'lua' ? 'Lua script' : 'MULTI'}`,
            (server) => {
              const [ours, native] = [at(server)?.[operation].direct?.cpu_ns, at(server)?.[operation][side]?.cpu_ns];
              return ours && native ? `${ratioText(ours, native)}<br>${each(us(ours), us(native))} µs` : NONE;
            },
          ]),
      );
      return byServer(figures, `pipeline ${depth ?? ''}`, rows);
    })
    .join('\n\n');
}

const PAGE_TITLES: Record<Page, string> = {
  untouched: 'does not touch the session',
  read: 'reads the session',
  change: 'changes a property of it',
};
const SITE_TITLES: [name: keyof SiteTiming, title: string, text: (value: number) => string][] = [
  ['perSecond', 'requests in a second', (value) => value.toFixed(0)],
  ['site_cpu_ns', "the site's CPU, µs", (value) => (value / NS_PER_US).toFixed(0)],
  ['server_cpu_ns', "the server's CPU, µs", (value) => (value / NS_PER_US).toFixed(1)],
  ['p99_ns', 'p99, ms', (value) => (value / 1e6).toFixed(1)],
];

function siteTable(figures: Figure[]): string {
  const rows = PAGES.flatMap((page) =>
    SITE_TITLES.map(([name, title, text]): [string, (server: string) => string] => [
      `${PAGE_TITLES[page]}: ${title}`,
      (server) => {
        const timings = own(figures, server, 'http')[0]?.result[page];
        if (timings === undefined) return NONE;
        const [ours, peer] = [timings.ours[name], timings['connect-redis'][name]];
        return `${ratioText(ours, peer)}<br>${each(text(median(ours)), text(median(peer)))}`;
      },
    ]),
  );
  return byServer(figures, 'a request · SessionStore / connect-redis', rows);
}

function linkTable(figures: Figure[]): string {
  const calls = (server: string) => own(figures, server, 'calls')[0]?.result;
  const deepest = (server: string) => last(own(figures, server, 'sessions'))?.result;
  const create = (operation: 'create' | 'existing') => (server: string) => {
    const sides = deepest(server)?.[operation];
    const [command, direct] = [sides?.command?.cpu_ns, sides?.direct?.cpu_ns];
    return command && direct ? `${ratioText(command, direct)}<br>${each(us(command), us(direct))} µs` : NONE;
  };
  const call = (side: 'direct' | 'command', digits: number) => (server: string) => {
    const times = calls(server);
    return times === undefined ? NONE : `${spread(alone(times[side], times), digits)} ns`;
  };
  return byServer(figures, 'by command / linked directly', [
    ['SESSION.CREATE, new user', create('create')],
    ['SESSION.CREATE, user has a session', create('existing')],
    ['a look-up by an import, with the look-up', (server) => ratioText(calls(server)?.command, calls(server)?.direct)],
    ['an import call alone, linked directly, over a local call', call('direct', 1)],
    ['an import call alone, by command, over a local call', call('command', 0)],
  ]);
}

const both = (found: Record<'ours' | 'native', number[]> | undefined, text: (value: number) => string) =>
  found === undefined
    ? NONE
    : `${ratioOf(found.ours, found.native).toFixed(2)}<br>${each(text(median(found.ours)), text(median(found.native)))}`;

function memoryTable(figures: Figure[]): string {
  const sizes = [...new Set(ofKind(figures, 'memory').map(({ parameters }) => parameters['value bytes']))];
  return byServer(figures, 'value, bytes', [
    ...sizes.map((size): [string, (server: string) => string] => [
      shortNumber(Number(size)),
      (server) =>
        both(own(figures, server, 'memory').find(({ parameters }) => parameters['value bytes'] === size)?.result, (value) =>
          value.toFixed(0),
        ),
    ]),
    ['a session', (server) => both(own(figures, server, 'session-memory')[0]?.result, (value) => value.toFixed(0))],
  ]);
}

function growthTable(figures: Figure[]): string {
  const filled = (server: string, name: 'SET' | 'CUSTOM.SET') => own(figures, server, 'growth')[0]?.result[name] ?? [];
  const pair = (text: (server: string, name: 'SET' | 'CUSTOM.SET') => string) => (server: string) =>
    each(text(server, 'CUSTOM.SET'), text(server, 'SET'));
  return byServer(figures, 'CUSTOM.SET · SET', [
    ...PERCENTILES.map((percentile, index): [string, (server: string) => string] => [
      percentile === '100' ? 'longest, µs' : `p${percentile}, µs`,
      pair((server, name) => (percentiles(own(figures, server, 'growth'), name)[index] ?? Number.NaN).toLocaleString('en')),
    ]),
    [
      'CPU of the longest batch of 16, µs',
      pair((server, name) => (median(filled(server, name).map(({ longestBatch_ns }) => longestBatch_ns)) / NS_PER_US).toFixed(0)),
    ],
    ['batches over 1 ms of CPU', pair((server, name) => median(filled(server, name).map(({ stalls }) => stalls)).toFixed(0))],
    ['resident bytes per entry', pair((server, name) => median(filled(server, name).map(({ bytesPerEntry }) => bytesPerEntry)).toFixed(1))],
  ]);
}

function savingTable(figures: Figure[]): string {
  const rows = [...new Set(ofKind(figures, 'saving').map(({ parameters }) => parameters.data))].flatMap((data) => {
    const found = (server: string) => own(figures, server, 'saving').find(({ parameters }) => parameters.data === data)?.result;
    const row = (
      title: string,
      name: 'save_ms' | 'load_ms' | 'bytes',
      text: (value: number) => string,
    ): [string, (server: string) => string] => [
      `${String(data)}: ${title}`,
      (server) => {
        const result = found(server);
        if (result === undefined) return NONE;
        const [ours, native] = [result.ours[name], result.native[name]];
        return `${ratioText(ours, native)}<br>${each(text(median(ours)), text(median(native)))}`;
      },
    ];
    return [
      row('BGSAVE, ms by the clock', 'save_ms', (value) => value.toFixed(0)),
      row('load, ms of CPU', 'load_ms', (value) => value.toFixed(0)),
      row('file, MB', 'bytes', (value) => (value / MB).toFixed(1)),
    ];
  });
  return byServer(figures, 'modules / native keys', [
    ...rows,
    [
      'start: both modules compiled and instantiated, two cores, ms',
      (server) => {
        const times = own(figures, server, 'start')[0]?.result.load_ms;
        return times === undefined ? NONE : spread(times, 0);
      },
    ],
  ]);
}

/** The figures that a reader looks for first; README.md has them too. */
export function headline(figures: Figure[]): string {
  const middle = (server: string) => {
    const cells = own(figures, server, 'commands');
    return last(Object.values((cells[1] ?? cells[0])?.result.byDepth ?? {}));
  };
  const command = (name: 'SET' | 'GET') => (server: string) => {
    const timings = middle(server);
    return timings === undefined ? NONE : ratioText(timings[`CUSTOM.${name}`].cpu_ns, timings[name].cpu_ns);
  };
  const session = (operation: SessionOperation) => (server: string) => {
    const sides = last(own(figures, server, 'sessions'))?.result[operation];
    return ratioText(sides?.direct?.cpu_ns, sides?.lua?.cpu_ns);
  };
  const site = (name: 'site_cpu_ns' | 'server_cpu_ns') => (server: string) => {
    const timings = own(figures, server, 'http')[0]?.result.read;
    return ratioText(timings?.ours[name], timings?.['connect-redis'][name]);
  };
  const link = (server: string) => {
    const sides = last(own(figures, server, 'sessions'))?.result.create;
    return ratioText(sides?.direct?.cpu_ns, sides?.command?.cpu_ns);
  };
  const bytes = (found: Record<'ours' | 'native', number[]> | undefined) =>
    found === undefined
      ? NONE
      : `${ratioOf(found.ours, found.native).toFixed(2)} (${each(median(found.ours).toFixed(0), median(found.native).toFixed(0))})`;
  const saved = (name: 'save_ms' | 'load_ms') => (server: string) => {
    const result = own(figures, server, 'saving')[0]?.result;
    return ratioText(result?.ours[name], result?.native[name]);
  };
  const memory = (server: string) => own(figures, server, 'memory').find(({ parameters }) => parameters['value bytes'] === 32)?.result;
  const [entry] = ofKind(figures, 'commands').slice(1);
  return byServer(figures, 'ours / native', [
    [`CUSTOM.SET / SET, server CPU, ${Number(entry?.parameters.keys ?? 0).toLocaleString('en')} keys, pipelined`, command('SET')],
    ['CUSTOM.GET / GET', command('GET')],
    ['SESSION.CREATE of a new user / Lua script over native keys, server CPU', session('create')],
    ['SESSION.GET_DATA / the same', session('get')],
    ['SESSION.ADD_DATA / the same', session('add')],
    ['a request to an Express site that reads its session / with connect-redis, CPU of the site', site('site_cpu_ns')],
    ['the same, CPU of the server', site('server_cpu_ns')],
    ['SESSION.CREATE of a new user, linked directly / by command', link],
    ['resident bytes of an entry of 16 + 32 bytes', (server) => bytes(memory(server))],
    [
      'resident bytes of a session with a field, limits of time and its place in the index',
      (server) => bytes(own(figures, server, 'session-memory')[0]?.result),
    ],
    ['BGSAVE of entries with random values', saved('save_ms')],
    ['loading them', saved('load_ms')],
  ]);
}

/** What was measured, where and when. */
function provenance(figures: Figure[]): string {
  const machines = [
    ...new Set(
      figures.map(
        ({ setting: { machine } }) =>
          `${machine.cpu}, ${machine.cores} cores, ${machine.memory_gib} GiB, ${machine.kernel}, Node.js ${machine.node}`,
      ),
    ),
  ];
  const dates = [...new Set(figures.map(({ date }) => date.slice(0, 10)))].sort();
  const commits = [...new Set(figures.map(({ commit }) => commit))];
  const builds = [...new Set(figures.map(({ setting }) => setting.build.slice(0, 16)))];
  const minutes = figures.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
  return [
    `- Machine: ${machines.join('; ')}`,
    `- Date: ${dates.length > 1 ? `${dates[0] ?? ''} to ${last(dates) ?? ''}` : (dates[0] ?? '')}`,
    `- Built from ${commits.join(', ')}; SHA-256 of host.so, hashmap.wasm and session.wasm together: ${builds.join(', ')}…`,
    `- Servers: ${serversOf(figures).map(label).join(', ')}`,
    `- ${figures.length} cells, measured in ${minutes.toFixed(1)} minutes`,
  ].join('\n');
}

const COMMANDS_TEXT = `16-byte keys in random order, 32-byte values that are written over by values as long, 50 connections. CPU is that of the server's main thread per
command, in µs, ours · native; at pipeline 1 most of it is the server's reading and writing. *: the server waited for the client, whose limit the throughput is.`;
const SESSIONS_TEXT = `Sessions with an idle limit and 5 fields of 32 bytes; a user with one session. Native keys: a hash with a time to live for each session, a set of ids for each
user, and a string that names the user's session. Reading and writing a field renews the time to live and the time of the last access. The Lua script is one step with the checks that the command
has; MULTI changes as much and checks nothing. The ids of the native side are minted by the client, those of the modules by the server.`;
const SITE_TEXT = `The same site on express and express-session, with SessionStore on the modules and with connect-redis on native keys. A session has 1 KB in four properties, 16 browsers ask at the same time. The
site has a core; its server and the browsers share the other. Each side has a server of its own. Above 1 is in favour of the modules for requests in a second, below 1 for the rest.`;
const LINKS_TEXT = `What it gives that one module's imports are the other's functions, and not commands of the server. Commands are pipelined.`;
const MEMORY_TEXT = `16-byte keys, each side in a server of its own; growth of the resident memory per entry in bytes, ours · native. The session has a field of 32 bytes, IDLE and TTL, its place
in the index and the mapping; the native one is a hash with a time to live, a set and a string.`;
const GROWTH_TEXT = `Single inserts of 16 + 32 bytes into an empty server, 16 commands at a time over one connection; medians of the rounds. Latency is by the server's clock, in whole µs, and holds the waiting for the processor;
how much of the longest was work is told by the CPU of each batch of 16.`;
const SAVING_TEXT = `Entries are 16 + 32 bytes with random values; a session has 5 fields of 20 random bytes. Both sides hold the same, each in a server of its own. BGSAVE runs until the file is in place; a load is the CPU of a
start with the file less that of a start without one.`;

/** The page. `charts` are in files beside it. */
export function page(figures: Figure[], charts: Chart[]): string {
  const chart = (name: string) => charts.filter((each) => each.name === name).map(({ title }) => `![${title}](${name}.svg)`);
  const count = (kind: Kind, parameter: string) =>
    [...new Set(ofKind(figures, kind).map(({ parameters }) => Number(parameters[parameter])))]
      .map((value) => value.toLocaleString('en'))
      .join(', ');
  return [
    '# Benchmark report',
    'Made by `npm run bench -- --report`, and not edited by hand. [BENCHMARKS.md](../BENCHMARKS.md) has the method, further measures, and why the figures are as they are.',
    provenance(figures),
    `Every figure stands beside its native peer, measured in the same run on the same server. Server and client are pinned to a core each. What is told is the median of rounds that take turns; a ratio is the median
of the rounds' ratios, with the least and the greatest in brackets, and with ~ before it where they differ by more than a third. Below 1 is in favour of the modules.`,
    '## At a glance',
    headline(figures),
    `## ${COMMAND_NAMES.join(', ')}`,
    COMMANDS_TEXT,
    ...chart('ratio'),
    ...chart('depth'),
    ...chart('keys'),
    commandTables(figures),
    '## Sessions',
    SESSIONS_TEXT,
    ...chart('sessions'),
    sessionTables(figures),
    '## A site on express-session',
    SITE_TEXT,
    siteTable(figures),
    '## Linked directly and by command',
    LINKS_TEXT,
    ...chart('links'),
    linkTable(figures),
    '## Memory',
    `${MEMORY_TEXT} ${count('memory', 'entries')} entries, ${count('session-memory', 'sessions')} sessions.`,
    ...chart('memory'),
    memoryTable(figures),
    `## Growing to ${count('growth', 'entries')} entries`,
    GROWTH_TEXT,
    ...chart('growth'),
    growthTable(figures),
    '## Saving and loading',
    SAVING_TEXT,
    ...chart('saving'),
    savingTable(figures),
  ]
    .join('\n\n')
    .concat('\n');
}

/**
 * What the operator's page shows, ready to be shown: by the server's HTML, and by its script, which asks for
 * it every second.
 */
import { durationText } from '../time.ts';
import { callsOf, type Latency, type Memory, type ModuleInfo } from './info.ts';
import type { Figures, Sample, Sampler } from './sampler.ts';

export type Level = 'good' | 'fair' | 'bad';

/** Something that is well, or is not; what to do in `text`. */
export interface State {
  title: string;
  value: string;
  level: Level;
  text: string;
}

export interface View {
  /** What keeps the figures from being those of now. */
  trouble?: { title: string; text: string };
  states: State[];
  /** The figures of the charts in words. */
  rows: { label: string; value: string }[];
  /** What the chart of commands has lines for: the modules that serve them, and the calls between modules. */
  commands: { lines: string[]; text: string };
  memories: Memory[];
  latencies: Latency[];
  /** Of the last minutes, or those that the page does not have yet. */
  samples: Sample[];
}

/** @param after - the number of the last sample that is known already */
export function viewOf(sampler: Sampler, after = 0): View {
  const { figures, trouble } = sampler;
  return {
    ...(trouble === undefined ? {} : { trouble: { title: trouble.title, text: `${trouble.text} Since ${CLOCK.format(trouble.since)}.` } }),
    states: figures === undefined || trouble !== undefined ? [] : statesOf(figures),
    rows: figures === undefined ? [] : rowsOf(figures, sampler.samples.at(-1)),
    commands: commandsOf(figures?.modules ?? []),
    memories: figures?.memories ?? [],
    latencies: figures?.latencies ?? [],
    samples: sampler.after(after),
  };
}

const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const NUMBER = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 1 });

/** How the server, its modules and their links are. */
export function statesOf({ modules, server, settingsUndone }: Figures): State[] {
  const damaged = modules.filter((module) => module.damaged).map(({ name }) => name);
  const sum = (field: 'traps' | 'timeouts') => modules.reduce((total, module) => total + module[field], 0);
  return [
    { title: 'Server', value: `${server.name} ${server.version}`, level: 'good', text: `up for ${durationText(server.uptime_s * 1000)}` },
    ...modules.flatMap(({ name, links }) =>
      links.map(({ namespace, way, reason }) => ({
        title: `${name} → ${namespace}.*`,
        value: way === 'direct' ? 'direct' : 'by command',
        level: way === 'direct' ? ('good' as const) : ('fair' as const),
        text: reason,
      })),
    ),
    damaged.length === 0
      ? { title: 'Data', value: 'sound', level: 'good', text: 'no fault has struck a change of it' }
      : {
          title: 'Data',
          value: 'damaged',
          level: 'bad',
          text: `${damaged.join(', ')}: writes and saves are refused. Restart the server from its last good file, or load from a primary, or FLUSHALL`,
        },
    counted('Traps', sum('traps'), 'faults in a module, each ended its command with an error; the server’s log names the functions'),
    counted('Time-outs', sum('timeouts'), 'calls that took longer than wasm.time-limit; the server’s log names the functions'),
    ...(settingsUndone === 0
      ? []
      : [counted('Settings undone', settingsUndone, 'CONFIG SETs that would have lost data were taken back; the server’s log says which')]),
  ];
}

/**
 * Calls that go directly are no commands; those by command are counted as commands of the module that is
 * called, too.
 */
export function commandsOf(modules: readonly ModuleInfo[]): View['commands'] {
  const links = modules.flatMap(({ name, links: each }) => each.map(({ namespace, way }) => ({ name, namespace, way })));
  const texts = links.map(({ name, namespace, way }) =>
    way === 'direct'
      ? `${name} calls ${namespace}.* directly: its calls are no commands`
      : `${name} calls ${namespace}.* by command: each call is counted among those of its provider`,
  );
  return {
    lines: [...modules.map(({ name }) => name), ...callsOf(modules).map(({ title }) => title)],
    text: ['Served per second', ...texts].join('. '),
  };
}

function counted(title: string, count: number, text: string): State {
  return {
    title,
    value: count === 0 ? 'none' : NUMBER.format(count),
    level: count === 0 ? 'good' : 'fair',
    text: count === 0 ? 'since the start' : text,
  };
}

/** "12", "< 1": the server counts whole microseconds, and rounds down. */
export function microsecondsText(us: number): string {
  return us < 1 ? '< 1' : NUMBER.format(Math.round(us));
}

function rowsOf({ counters, memories, modules }: Figures, sample: Sample | undefined): View['rows'] {
  const rate = (value: number | null | undefined) => (value === null || value === undefined ? 'not known' : NUMBER.format(value));
  return [
    { label: 'Sessions', value: NUMBER.format(counters.sessions) },
    { label: 'Created per second', value: rate(sample?.created) },
    { label: 'Expired per second', value: rate(sample?.expired) },
    { label: 'Evicted per second', value: rate(sample?.evicted) },
    { label: 'Created since the start', value: NUMBER.format(counters.created) },
    { label: 'Expired since the start', value: NUMBER.format(counters.expired) },
    { label: 'Evicted since the start', value: NUMBER.format(counters.evicted) },
    ...memories.flatMap(({ title, reserved, parts }) => [
      { label: `Memory of ${title}, reserved`, value: bytesText(reserved) },
      ...parts.map(({ label, bytes }) => ({ label: `– ${label}`, value: bytesText(bytes) })),
    ]),
    ...modules.flatMap(({ name, commands }, index) => [
      { label: `Commands of ${name} per second`, value: rate(sample?.commands?.[index]) },
      { label: `Commands of ${name} since the start`, value: NUMBER.format(commands) },
    ]),
    ...callsOf(modules).flatMap(({ title, count }, index) => [
      { label: `Calls ${title}, per second`, value: rate(sample?.commands?.[modules.length + index]) },
      { label: `Calls ${title}, since the start`, value: NUMBER.format(count) },
    ]),
  ];
}

/** "1.5 MiB" */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${NUMBER.format(value)} ${units[unit]}`;
}

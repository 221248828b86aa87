/** What INFO says, in the shape of the operator's page. */

/** Sections of INFO, each with its fields. */
export type Info = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Reads the text of INFO. O(text). */
export function parseInfo(text: string): Info {
  const sections = new Map<string, Map<string, string>>();
  let section = new Map<string, string>();
  for (const line of text.split('\r\n')) {
    const title = /^# (.*)$/.exec(line)?.[1];
    if (title !== undefined) {
      section = new Map();
      sections.set(title.toLowerCase(), section);
      continue;
    }
    const colon = line.indexOf(':');
    if (colon > 0) section.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return sections;
}

/** Calls from one module to another since the server's start, and which way they go. */
export interface Calls {
  title: string;
  count: number;
}

/** One for each module that counts its calls. */
export function callsOf(modules: readonly ModuleInfo[]): Calls[] {
  return modules.flatMap(({ name, links: [link], calls }) => {
    if (link === undefined || calls === undefined) return [];
    return [{ title: `${name} → ${link.namespace}.*, ${link.way === 'direct' ? 'direct' : 'by command'}`, count: calls }];
  });
}

export interface Link {
  namespace: string;
  way: string;
  reason: string;
}

/** One loaded module. Bytes, and counts since the server's start. */
export interface ModuleInfo {
  name: string;
  links: Link[];
  reserved: number;
  used: number;
  free: number;
  /** Live bytes of its own data. */
  heapUsed: number;
  commands: number;
  /** Its calls of the module that it is linked to; undefined where it does not count them. */
  calls?: number;
  traps: number;
  timeouts: number;
  damaged: boolean;
}

const MODULE_SECTION = /^wasm_(.+)$/;

export function modulesOf(info: Info): ModuleInfo[] {
  return [...info].flatMap(([title, fields]) => {
    const name = MODULE_SECTION.exec(title)?.[1];
    return name === undefined ? [] : [moduleOf(name, fields)];
  });
}

function moduleOf(name: string, fields: ReadonlyMap<string, string>): ModuleInfo {
  const number = (field: string) => Number(fields.get(`wasm_${name}_${field}`) ?? 0);
  const link = `wasm_${name}_link_`;
  const links = [...fields].flatMap(([field, way]) => {
    if (!field.startsWith(link) || field.endsWith('_reason')) return [];
    return [{ namespace: field.slice(link.length), way, reason: fields.get(`${field}_reason`) ?? '' }];
  });
  return {
    name,
    links,
    reserved: number('memory_reserved'),
    used: number('memory_used'),
    free: number('memory_free'),
    heapUsed: number('heap_used'),
    commands: number('commands'),
    ...(fields.has(`wasm_${name}_storage_calls`) ? { calls: number('storage_calls') } : {}),
    traps: number('traps'),
    timeouts: number('timeouts'),
    damaged: number('damaged') !== 0,
  };
}

/**
 * One linear memory: its modules' data, what else is in use, and what is free. The parts add up to what is
 * reserved. Bytes.
 */
export interface Memory {
  title: string;
  reserved: number;
  parts: { label: string; kind: 'data' | 'other' | 'free'; bytes: number }[];
}

/** The linear memories: modules that are linked directly share one. */
export function memoriesOf(modules: readonly ModuleInfo[]): Memory[] {
  const groups: ModuleInfo[][] = [];
  for (const module of modules) {
    const providers = module.links.filter(({ way }) => way === 'direct').map(({ reason }) => /^linked to (.+)$/.exec(reason)?.[1]);
    const shared = groups.filter((group) => group.some(({ name }) => providers.includes(name)));
    const [first] = shared;
    if (first === undefined) groups.push([module]);
    else first.push(module);
  }
  return groups.map(memoryOf);
}

function memoryOf(group: readonly ModuleInfo[]): Memory {
  const { reserved = 0, used = 0, free = 0 } = group[0] ?? {};
  const data = group.map(({ name, heapUsed }) => ({ label: `data of ${name}`, kind: 'data' as const, bytes: heapUsed }));
  const other = Math.max(0, used - data.reduce((sum, { bytes }) => sum + bytes, 0));
  return {
    title: group.map(({ name }) => name).join(' and '),
    reserved,
    parts: [...data, { label: 'other use', kind: 'other', bytes: other }, { label: 'free pages', kind: 'free', bytes: free }],
  };
}

/** How long a command took, µs, by percentile, since the server's start. */
export interface Latency {
  command: string;
  p50: number;
  p99: number;
  p999: number;
}

/**
 * The latencies of custom.* and session.*, by name. Empty where none has run, or the server does not track
 * them.
 */
export function latenciesOf(info: Info): Latency[] {
  const found = [...(info.get('latencystats') ?? [])].flatMap(([field, text]) => {
    const command = /^latency_percentiles_usec_((?:custom|session)\..+)$/.exec(field)?.[1];
    if (command === undefined) return [];
    const at = (percentile: string) => Number(new RegExp(`\\b${percentile}=([\\d.]+)`).exec(text)?.[1] ?? NaN);
    return [{ command, p50: at('p50'), p99: at('p99'), p999: at('p99\\.9') }];
  });
  return found
    .filter(({ p50, p99, p999 }) => [p50, p99, p999].every(Number.isFinite))
    .sort((one, other) => (one.command < other.command ? -1 : 1));
}

/** Counters of the session module since the server's start, and how many sessions there are. */
export interface Counters {
  sessions: number;
  created: number;
  expired: number;
  evicted: number;
}

/** undefined where no module counts sessions. */
export function countersOf(info: Info): Counters | undefined {
  for (const [title, fields] of info) {
    if (!MODULE_SECTION.test(title) || !fields.has(`${title}_sessions`)) continue;
    const number = (field: string) => Number(fields.get(`${title}_${field}`) ?? 0);
    return { sessions: number('sessions'), created: number('created'), expired: number('expired'), evicted: number('evicted') };
  }
  return undefined;
}

/**
 * Asks the server for its figures every second and keeps those of the last minutes, so that the page opens
 * with a past.
 */
import { SERVER_GONE } from '../problems.ts';
import type { Redis } from '../redis.ts';
import {
  callsOf,
  countersOf,
  latenciesOf,
  memoriesOf,
  modulesOf,
  parseInfo,
  type Counters,
  type Info,
  type Latency,
  type Memory,
  type ModuleInfo,
} from './info.ts';

/**
 * What is drawn for one moment; null where it is not known: the server did not answer, or has begun to count
 * anew.
 */
export interface Sample {
  /** Its number, from 1. */
  n: number;
  /** Unix seconds */
  at: number;
  sessions: number | null;
  /** Per second, since the sample before. */
  created: number | null;
  expired: number | null;
  evicted: number | null;
  /**
   * Commands per second, by module as in `modules`, then calls between them, as in `callsOf`; null as above.
   */
  commands: number[] | null;
  /** Bytes, by memory and part as in `memories`; null as above. */
  memories: number[][] | null;
}

/** What the server said last. */
export interface Figures {
  server: { name: string; version: string; uptime_s: number };
  modules: ModuleInfo[];
  memories: Memory[];
  latencies: Latency[];
  counters: Counters;
  settingsUndone: number;
}

export interface Trouble {
  title: string;
  text: string;
  /** since when */
  since: Date;
}

const SAMPLES_MAX = 300;

export class Sampler {
  readonly #redis: Redis;
  readonly #timer: NodeJS.Timeout;
  readonly samples: Sample[] = [];
  figures: Figures | undefined;
  trouble: Trouble | undefined;
  #before: { counters: Counters; commands: Map<string, number>; at_ms: number } | undefined;
  #isAsking = false;
  #count = 0;

  constructor(redis: Redis, interval_ms = 1000) {
    this.#redis = redis;
    this.#timer = setInterval(() => void this.sample(), interval_ms);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Those after the one with this number; all, where that is a number of before a restart of the site. */
  after(n: number): Sample[] {
    return n > this.#count ? this.samples : this.samples.filter((sample) => sample.n > n);
  }

  /** Takes one sample. Does not reject: what goes wrong is `trouble`. */
  async sample(): Promise<void> {
    if (this.#isAsking) {
      this.#fail(
        'The session server does not answer',
        'It has not answered for a second or more: it is busy, or it hangs. Look at its log, and at its host’s load.',
      );
      return;
    }
    this.#isAsking = true;
    try {
      const text: unknown = await this.#redis.sendCommand(['INFO', 'server', 'wasm', 'latencystats']);
      this.#take(parseInfo(text as string));
    } catch {
      this.#fail(SERVER_GONE.title, SERVER_GONE.message);
    } finally {
      this.#isAsking = false;
    }
  }

  #take(info: Info): void {
    const counters = countersOf(info);
    if (counters === undefined) {
      this.#fail(
        'The server has no session module',
        'It runs, but without SESSION.*: load build/host.so, with --loadmodule or MODULE LOAD.',
      );
      return;
    }
    const modules = modulesOf(info);
    const memories = memoriesOf(modules);
    this.figures = {
      server: serverOf(info),
      modules,
      memories,
      latencies: latenciesOf(info),
      counters,
      settingsUndone: Number(info.get('wasm')?.get('wasm_settings_undone') ?? 0),
    };
    this.trouble = undefined;
    this.#push({
      sessions: counters.sessions,
      ...this.#rates(counters, servedOf(modules)),
      memories: memories.map(({ parts }) => parts.map(({ bytes }) => bytes)),
    });
  }

  #rates(counters: Counters, commands: Map<string, number>): Pick<Sample, 'created' | 'expired' | 'evicted' | 'commands'> {
    const before = this.#before;
    const at_ms = performance.now();
    this.#before = { counters, commands, at_ms };
    const rate = (now: number, then: number | undefined) => {
      if (before === undefined || then === undefined || now < then) return null;
      return ((now - then) * 1000) / (at_ms - before.at_ms);
    };
    const rateOf = (name: 'created' | 'expired' | 'evicted') => rate(counters[name], before?.counters[name]);
    const served = [...commands].map(([name, count]) => rate(count, before?.commands.get(name)));
    return {
      created: rateOf('created'),
      expired: rateOf('expired'),
      evicted: rateOf('evicted'),
      commands: served.every((each) => each !== null) ? served : null,
    };
  }

  #fail(title: string, text: string): void {
    this.trouble = { title, text, since: this.trouble?.since ?? new Date() };
    this.#before = undefined;
    this.#push({ sessions: null, created: null, expired: null, evicted: null, commands: null, memories: null });
  }

  #push(sample: Omit<Sample, 'n' | 'at'>): void {
    this.samples.push({ n: ++this.#count, at: Date.now() / 1000, ...sample });
    if (this.samples.length > SAMPLES_MAX) this.samples.shift();
  }
}

/** What is counted of commands, and of calls between modules, by name. */
function servedOf(modules: readonly ModuleInfo[]): Map<string, number> {
  const commands = modules.map(({ name, commands }): [string, number] => [name, commands]);
  return new Map([...commands, ...callsOf(modules).map(({ title, count }): [string, number] => [title, count])]);
}

function serverOf(info: Info): Figures['server'] {
  const fields = info.get('server');
  const valkey = fields?.get('valkey_version');
  return {
    name: valkey === undefined ? 'Redis' : 'Valkey',
    version: valkey ?? fields?.get('redis_version') ?? '',
    uptime_s: Number(fields?.get('uptime_in_seconds') ?? 0),
  };
}

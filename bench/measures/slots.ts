/**
 * What it costs to move slots of a cluster with the entries in them, and what a cluster costs when none
 * moves. Native keys are moved by the same commands, in clusters of their own without the modules.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../../scripts/lib/process.ts';
import type { Server } from '../../scripts/lib/servers.ts';
import {
  closeSlot,
  holding,
  keysOf,
  migrateSlots,
  openSlot,
  SLOT_LAST,
  tagsOf,
  until,
  withPair,
  type Held,
  type Pair,
} from '../lib/cluster.ts';
import type { Context, Measure } from '../lib/measure.ts';
import { ahead } from '../lib/server.ts';
import { COMMANDS, countOf, fill, VALUE, type Side } from '../lib/sides.ts';
import { median, ratio, show, spread } from '../lib/statistics.ts';
import { measureStill } from './slots-still.ts';

const ENTRIES = 1_000_000;
const SLOT_ENTRIES = 1000;
/** How many slots move one by one; an index may be built for the first. */
const SLOTS_MOVED = 21;
const PAUSE_MAX_MS = 20;
const SLOT_MAX_MS = 3;
/** Time between two of the commands by which it is seen how long others wait. */
const PROBE_EVERY_MS = 1;
const PROBED_KEYS = 1000;
/** A write that is sent from node to node as often was not going to be served. */
const MOVED_MAX = 10_000;
const MIGRATE_TIMEOUT_MS = '60000';

const SIDES = ['native', 'ours'] as const;
const optionsOf = (side: Side) => ({ modules: side === 'ours' });

/** Does `once` for each side in every round, in an order that changes with the round. */
async function eachRound<T>(rounds: number, once: (side: Side) => Promise<T>): Promise<Record<Side, T[]>> {
  const results: Record<Side, T[]> = { native: [], ours: [] };
  for (let round = 0; round < rounds; round++) {
    for (const side of round % 2 === 0 ? SIDES : SIDES.toReversed()) results[side].push(await once(side));
  }
  return results;
}

/** What a goal of so many ms at most is to these figures, by their median. */
function goal(values_ms: number[], most_ms: number): string {
  return `goal ${most_ms} ms: ${median(values_ms) <= most_ms ? 'met' : 'missed'}`;
}

// ── All slots at once ──────────────────────────────────────────────────────────────────────────────────────

/**
 * What a client waited at most: for PING at the source, and for a write to where its slot was.
 * And how long the source ran at most from a PING until its reply, whatever else the machine did.
 */
const LONGEST = { ping: 'longest PING', running: 'most CPU of the source in a PING', write: 'longest wait of a write' };
type Longest = keyof typeof LONGEST;

/** What a time was like for others. */
interface Watched {
  took_ms: number;
  /** CPU of the source's main thread */
  cpu_ms: number;
  longest_ms: Record<Longest, number>;
}

/** Writes a key again and again wherever its slot is; begins at the source. */
async function writer({ source, target }: Pair, side: Side): Promise<(number: number) => Promise<void>> {
  let [owner, other] = [await source.measured.connection(), await target.measured.connection()];
  return async (number) => {
    const words = [COMMANDS[side].set, `written:${number % PROBED_KEYS}`, VALUE];
    let reply = await owner.ask(words);
    for (let moves = 0; reply.startsWith('-MOVED ') && moves < MOVED_MAX; moves++) {
      [owner, other] = [other, owner];
      reply = await owner.ask(words);
    }
    if (reply !== '+OK\r\n') throw new Problem(`a write answered ${reply}`);
  };
}

/** Sends PING to the source, and writes, about once a millisecond each, until `during` is over. */
async function watch(pair: Pair, side: Side, during: () => Promise<unknown>): Promise<Watched> {
  const { measured } = pair.source;
  const [write, pinging] = [await writer(pair, side), await measured.connection()];
  let isOver = false;
  const longest = async (once: (number: number) => Promise<unknown>) => {
    let most = 0;
    for (let number = 0; !isOver; number++) {
      const begun = performance.now();
      await once(number);
      most = Math.max(most, performance.now() - begun);
      await sleep(PROBE_EVERY_MS);
    }
    return most;
  };
  let running_ns = 0;
  const ping = async () => {
    const before = measured.cpuNs();
    await pinging.ask(['PING']);
    running_ns = Math.max(running_ns, measured.cpuNs() - before);
  };
  const [cpu, begun] = [measured.cpuNs(), performance.now()];
  const [pinged, written] = await ahead(() => Promise.all([longest(ping), longest(write), during().finally(() => (isOver = true))]));
  const longest_ms = { ping: pinged, running: running_ns / 1e6, write: written };
  return { took_ms: performance.now() - begun, cpu_ms: (measured.cpuNs() - cpu) / 1e6, longest_ms };
}

interface Moved {
  /** until the source has dropped what it had */
  moving: Watched;
  /** as long a time without a move */
  quiet: Watched;
  /** until the slots were the target's */
  moved_ms: number;
}

/** Moves all slots, in servers of their own. */
function moveAll(server: Server, side: Side, entries: number): Promise<Moved> {
  return withPair(server, optionsOf(side), async (pair) => {
    const [source, target] = [pair.source.connection, pair.target.connection];
    await fill(source, side, entries);
    let moved_ms = Number.NaN;
    const moving = await watch(pair, side, async () => {
      const begun = performance.now();
      await migrateSlots(pair, [[0, SLOT_LAST]]);
      moved_ms = performance.now() - begun;
      await until('the source has dropped all', async () => (await countOf(source, side)) === 0);
    });
    const arrived = await countOf(target, side);
    if (arrived < entries) throw new Problem(`${entries - arrived} entries did not arrive`);
    return { moving, quiet: await watch(pair, side, () => sleep(moving.took_ms)), moved_ms };
  });
}

async function measureAtOnce({ server, rounds, entries = ENTRIES, print }: Context): Promise<void> {
  const { ours, native } = await eachRound(rounds, (side) => moveAll(server, side, entries));
  const compare = (what: string, value: (move: Moved) => number) => {
    const [own, peer] = [ours.map(value), native.map(value)];
    print(
      `MIGRATESLOTS of all: ${what} / native keys`,
      show(ratio(own, peer)),
      `${median(own).toFixed(0)} and ${median(peer).toFixed(0)} ms`,
    );
  };
  compare('time', ({ moved_ms }) => moved_ms);
  compare('time until all is dropped', ({ moving }) => moving.took_ms);
  compare("CPU of the source's thread", ({ moving }) => moving.cpu_ms);
  for (const [name, title] of Object.entries(LONGEST) as [Longest, string][]) {
    const pick = (moves: Moved[], when: 'moving' | 'quiet') => moves.map((move) => move[when].longest_ms[name]);
    const own = pick(ours, 'moving');
    const peers = `native keys ${spread(pick(native, 'moving'), 1)}, no move ${spread(pick(ours, 'quiet'), 1)}`;
    print(`MIGRATESLOTS of all: ${title}`, `${spread(own, 1)} ms`, `${goal(own, PAUSE_MAX_MS)}; ${peers}`);
  }
}

// ── Slot by slot ───────────────────────────────────────────────────────────────────────────────────────────

/** Moves some slots of 1,000 entries out of all; answers what each of them took the source. */
function moveSome(server: Server, side: Side, entries: number): Promise<Held[]> {
  return withPair(server, optionsOf(side), async (pair) => {
    const { source, target } = pair;
    const tags = await tagsOf(source.connection, Math.max(SLOTS_MOVED, Math.round(entries / SLOT_ENTRIES)));
    const key = keysOf(tags);
    await fill(source.connection, side, tags.length * SLOT_ENTRIES, key);
    const all: Held[] = [];
    for (const [place, { slot }] of tags.slice(0, SLOTS_MOVED).entries()) {
      const opened = await openSlot(pair, slot);
      const keys = Array.from({ length: SLOT_ENTRIES }, (_, number) => key(place + number * tags.length));
      const words = ['MIGRATE', '127.0.0.1', String(target.port), '', '0', MIGRATE_TIMEOUT_MS, 'KEYS', ...keys];
      all.push(side === 'ours' ? opened : await holding(source, ...words));
      await closeSlot(pair, slot);
    }
    const arrived = await countOf(target.connection, side);
    if (arrived !== SLOTS_MOVED * SLOT_ENTRIES) throw new Problem(`${arrived} entries have arrived`);
    return all;
  });
}

async function measureOneByOne({ server, rounds, entries = ENTRIES, print }: Context): Promise<void> {
  const { ours, native } = await eachRound(rounds, (side) => moveSome(server, side, entries));
  const slots: Record<string, (times: number[]) => number> = {
    'the first': ([first = Number.NaN]) => first,
    'the later, median': ([, ...later]) => median(later),
    'the later, most': ([, ...later]) => Math.max(...later),
  };
  for (const [which, pick] of Object.entries(slots)) {
    for (const [unit, name] of [['CPU', 'cpu_ms'] as const, ['by the clock', 'wall_ms'] as const]) {
      const of = (rounds: Held[][]) => rounds.map((times) => pick(times.map((held) => held[name])));
      const note = `${which === 'the first' ? '' : `${goal(of(ours), SLOT_MAX_MS)}; `}MIGRATE of native keys ${spread(of(native), 2)}`;
      print(`a slot of ${SLOT_ENTRIES.toLocaleString('en')} by SETSLOT: ${which}, ${unit}`, `${spread(of(ours), 2)} ms`, note);
    }
  }
}

export const slots: Measure = {
  name: 'slots',
  summary: 'what it costs to move slots of a cluster, over native keys, and what a cluster costs when none moves (only when named)',
  onlyWhenNamed: true,
  async run(context) {
    context.print(
      'entries that the moved ones are among',
      (context.entries ?? ENTRIES).toLocaleString('en'),
      `values of ${VALUE.length} bytes`,
    );
    if (context.server.name === 'Valkey') await measureAtOnce(context);
    await measureOneByOne(context);
    await measureStill(context);
  },
};

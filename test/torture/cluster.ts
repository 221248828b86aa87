/**
 * Slots of a cluster that move under its writers, while nodes are killed, fail over, hang, are full or lack a
 * module. Whatever was acknowledged is there afterwards, once, on the node that has its slot.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { random } from '../../bench/lib/random.ts';
import { joined, seenBy } from '../support/cluster.ts';
import { APPEND_ONLY, Folder } from '../support/live.ts';
import { parseReply } from '../support/reply.ts';
import { eventually, HASHMAP_FILE, HOST_FILE, SESSION_FILE, TestServer, type ServerOptions } from '../support/server.ts';
import { slotOf } from '../support/slots.ts';
import { ClusterLoad, HOT_SLOTS } from './cluster-load.ts';
import { checkCluster } from './cluster-state.ts';
import { Violation } from './history.ts';
import { crashNow, type Options, type Outcome, type Scenario } from './scenarios.ts';
import {
  cli,
  finish,
  isUnderWay,
  migrations,
  migrationsOver,
  movesAtOnce,
  moveSlot,
  nameSlot,
  OPEN,
  owns,
  primaries,
  replicasKnow,
  tellAll,
  type Primary,
} from './slot-moves.ts';
import { shopModule } from './things.ts';

const SHARDS = 4;
const SLOTS = 16_384;
const FIXES_MAX = 3;
const NEAR = 100;
const STEPS_PER_ROUND = 6;
const STILL_PER_TAG = 150;
const TIMEOUT_MS = 90_000;
const HOLD_MS = 300;
const DELAY_MS = 400;
/** No failover by itself: what was acknowledged and has not reached a replica would be lost. */
const ARGUMENTS = ['--cluster-replica-no-failover', 'yes', '--cluster-allow-replica-migration', 'no', '--cluster-node-timeout', '15000'];

const counts = {
  moves: 0,
  'by redis-cli': 0,
  'at once': 0,
  refused: 0,
  finished: 0,
  'moved once more': 0,
  kills: 0,
  failovers: 0,
  hangs: 0,
};

/** Something that happens beside a move, by its name. */
type Disturbance = [name: string, run: () => Promise<void>];
const BEHIND_REWRITE = 'kill of the source behind a rewrite';
const BEHIND_SYNC = 'failover of the source behind a synchronisation';

/** A cluster under torture. */
class Torture {
  readonly outcome = { ...counts, acknowledged: 0, 'of these lost answers': 0 };
  /** Nodes that are down because they were killed. */
  readonly #down = new Set<TestServer>();

  constructor(
    readonly nodes: TestServer[],
    readonly load: ClusterLoad,
    readonly draw: () => number,
    readonly tell: (line: string) => void,
  ) {}

  choose(count: number): number {
    return Math.floor(this.draw() * count);
  }

  pick<T>(from: T[]): T {
    return from[this.choose(from.length)]!;
  }

  /** The primary of the shard that this node belongs to, at this moment. */
  async primaryOf(node: TestServer): Promise<Primary> {
    const index = this.nodes.indexOf(node) % SHARDS;
    const shard = this.nodes.filter((_, place) => place % SHARDS === index);
    return (await primaries(shard))[0]!;
  }

  replicaOf({ node }: Primary): TestServer {
    return this.nodes[(this.nodes.indexOf(node) + SHARDS) % (2 * SHARDS)]!;
  }

  // ── What is done to nodes ────────────────────────────────────────────────────────────────────────────────

  async kill(node: TestServer): Promise<void> {
    await this.pause(DELAY_MS);
    this.#down.add(node);
    await crashNow(node, { kills: 0, 'during a save': 0 });
    this.outcome.kills++;
    await this.pause(DELAY_MS);
    await node.start();
    this.#down.delete(node);
  }

  async failover(primary: Primary): Promise<void> {
    await this.pause(DELAY_MS);
    const replica = this.replicaOf(primary);
    const begun = await replica.send('CLUSTER', 'FAILOVER');
    if (begun !== '+OK\r\n') {
      this.tell(`no failover: ${begun.trim()}`);
      return;
    }
    const role = await eventually(
      () => replica.send('ROLE'),
      (reply) => reply.includes('master'),
      5000,
    );
    // It gives up where the primary does not answer in time.
    if (role.includes('master')) this.outcome.failovers++;
    else this.tell(`no failover: ${replica.log.slice(-600)}`);
  }

  /** What is known of open slots is in the new base of the append-only file. */
  async killRewritten({ node }: Primary): Promise<void> {
    await node.send('BGREWRITEAOF');
    await eventually(
      () => node.info('persistence'),
      (info) => info.aof_rewrite_in_progress === '0' && info.aof_rewrite_scheduled === '0',
    );
    await this.kill(node);
  }

  /** … or has come to the replica with all else. */
  async failoverSynchronised(primary: Primary): Promise<void> {
    const replica = this.replicaOf(primary);
    await this.kill(replica);
    await eventually(
      () => replica.info('replication'),
      (info) => info.master_link_status === 'up',
    );
    await this.failover(primary);
  }

  async hang({ node }: Primary): Promise<void> {
    process.kill(node.pid, 'SIGSTOP');
    this.outcome.hangs++;
    await this.pause(7000);
    process.kill(node.pid, 'SIGCONT');
  }

  /** The node is short of memory, or lacks the kit's module, while a slot is to come to it. */
  async spoil({ node }: Primary, begin: string[], end: string[]): Promise<void> {
    await node.send(...begin);
    await this.pause(DELAY_MS);
    const restored = await eventually(
      () => node.send(...end),
      (reply) => reply === '+OK\r\n' || reply.includes('loaded already'),
    );
    if (restored.startsWith('-') && !restored.includes('loaded already')) throw new Violation(`${end.join(' ')} answers ${restored}`);
  }

  pause(most_ms: number): Promise<void> {
    const ms = this.choose(most_ms);
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** Something that happens beside a move, and its name. */
  disturbance(source: Primary, target: Primary, mayFailOver: boolean): Disturbance {
    const all: Disturbance[] = [
      ['kill of the source', () => this.kill(source.node)],
      ['kill of the target', () => this.kill(target.node)],
      ["kill of the source's replica", () => this.kill(this.replicaOf(source))],
      ["kill of the target's replica", () => this.kill(this.replicaOf(target))],
      ['hang of the target', () => this.hang(target)],
      ['rewrite at the source', () => source.node.send('BGREWRITEAOF').then(() => undefined)],
      ['save at the target', () => target.node.send('BGSAVE').then(() => undefined)],
    ];
    all.push([BEHIND_REWRITE, () => this.killRewritten(source)]);
    if (mayFailOver) {
      all.push([BEHIND_SYNC, () => this.failoverSynchronised(source)]);
      all.push(['failover of the source', () => this.failover(source)], ['failover of the target', () => this.failover(target)]);
    }
    const setting = (name: string, value: string) => ['CONFIG', 'SET', name, value];
    all.push(
      ['module full at the target', () => this.spoil(target, setting('wasm.max-memory', '1mb'), setting('wasm.max-memory', '4gb'))],
      ['target full', () => this.spoil(target, setting('maxmemory', '1mb'), setting('maxmemory', '0'))],
      ['target without a module', () => this.spoil(target, ['WASM.UNLOAD', 'shop'], ['WASM.LOAD', 'shop'])],
    );
    return this.pick(all);
  }

  // ── Moves ────────────────────────────────────────────────────────────────────────────────────────────────

  async step(): Promise<void> {
    const all = await primaries(this.nodes);
    const hot = slotOf(this.pick(this.load.things).key);
    const source = all.find((one) => owns(one, hot));
    if (source === undefined) throw new Violation(`nobody has slot ${hot}`);
    const target = this.pick(all.filter((one) => one !== source));
    const kind = this.choose(10);
    if (movesAtOnce() && kind < 4) await this.atOnce(source, target, hot);
    else if (kind > 7) await this.byCli(source, target);
    else {
      const slots = new Set(
        [hot, ...this.load.things.map(({ key }) => slotOf(key)).filter((slot) => owns(source, slot))].slice(0, 1 + this.choose(8)),
      );
      await this.byHand(source, target, [...slots]);
    }
    await this.atRest();
  }

  async byHand(source: Primary, target: Primary, slots: number[]): Promise<void> {
    const disturbed = this.draw() < 0.8 ? this.choose(slots.length) : -1;
    let [from, to] = [source, target];
    for (const [index, slot] of slots.entries()) {
      const [name, run] = this.disturbance(from, to, true);
      // Some are of use in an open slot alone.
      const isLong = name === BEHIND_REWRITE || name === BEHIND_SYNC;
      const step = isLong ? OPEN : this.draw() < 0.8 ? 1 + this.choose(3) : this.choose(7);
      const beside = index === disturbed ? { step, isLong, run } : undefined;
      if (beside !== undefined) this.tell(`slot ${slot}: ${name} at step ${beside.step}`);
      const failure = await moveSlot(slot, [from, to], this.nodes, this.choose(HOLD_MS), beside);
      if (failure === undefined && beside === undefined) {
        this.outcome.moves++;
        continue;
      }
      await this.atRest(true);
      [from, to] = [await this.primaryOf(source.node), await this.primaryOf(target.node)];
      if (failure === undefined) {
        this.outcome.moves++;
        // Who failed over meanwhile may not have heard.
        await tellAll(slot, to.id, this.nodes);
      } else await this.finish(slot, from, to, failure);
      await this.atRest();
    }
  }

  async finish(slot: number, source: Primary, target: Primary, failure: string): Promise<void> {
    this.tell(`slot ${slot}: ${failure}`);
    // Nodes that have just started refuse at first.
    const wasHanded = await eventually(
      () =>
        finish(slot, source, target, this.nodes).catch((error: unknown) => {
          if (error instanceof Violation) throw error;
          return String(error);
        }),
      (outcome) => typeof outcome === 'boolean',
    );
    if (typeof wasHanded === 'string') throw new Violation(`slot ${slot} cannot be finished: ${wasHanded}`);
    this.outcome[wasHanded ? 'finished' : 'refused']++;
  }

  async byCli(source: Primary, target: Primary): Promise<void> {
    const [name, run] = this.disturbance(source, target, replicasKnow());
    const isDisturbed = this.draw() < 0.5;
    const at = `127.0.0.1:${target.node.port}`;
    const reshard = [
      'reshard',
      at,
      '--cluster-from',
      source.id,
      '--cluster-to',
      target.id,
      '--cluster-slots',
      String(5 + this.choose(40)),
      '--cluster-yes',
    ];
    const rebalance = ['rebalance', at, '--cluster-threshold', '0.1', '--cluster-weight', `${target.id}=${1.01 + this.draw() / 100}`];
    // From far off the balance it takes minutes.
    const sizes = (await primaries(this.nodes)).map(sizeOf);
    const isFar = sizes.some((size) => Math.abs(size - SLOTS / SHARDS) > NEAR);
    const words = !isFar && this.choose(3) === 0 ? rebalance : reshard;
    if (isDisturbed) this.tell(`${words[0]}: ${name}`);
    const beside = isDisturbed ? this.pause(DELAY_MS).then(run) : undefined;
    beside?.catch(() => undefined);
    const failure = await cli(words);
    await beside;
    if (failure === undefined) this.outcome['by redis-cli']++;
    else this.tell(failure);
    if (failure === undefined && !isDisturbed) return;
    await this.atRest(true);
    if (await this.hasOpen()) {
      // It gives up where a node that has just started answers late: it is called again, as by an operator.
      for (let turn = 0; turn < FIXES_MAX && (await this.hasOpen()); turn++) {
        this.tell(`fix: ${(await cli(['fix', at, '--cluster-yes'])) ?? 'done'}`);
        await this.atRest();
      }
      if (await this.hasOpen()) throw new Violation('redis-cli --cluster fix leaves slots open');
      this.outcome.finished++;
    }
  }

  async hasOpen(): Promise<boolean> {
    return (await primaries(this.nodes)).some(({ open }) => open.length > 0);
  }

  /** Ranges of the source at once, to one node or several; sometimes a third of it, sometimes cancelled. */
  async atOnce(source: Primary, target: Primary, hot: number): Promise<void> {
    const [name, run] = this.disturbance(source, target, true);
    const others = (await primaries(this.nodes)).filter(({ id }) => id !== source.id);
    const parts = this.draw() < 0.3 ? third(source) : this.around(source, hot);
    const words = parts.flatMap(([first, last], index) => [
      ...['SLOTSRANGE', String(first), String(last), 'NODE', (index === 0 ? target : this.pick(others)).id],
    ]);
    const before = await migrationsOver(source.node);
    const isDisturbed = this.draw() < 0.6;
    const isCancelled = this.draw() < 0.15;
    this.tell(`at once ${words.join(' ').toLowerCase()}${isDisturbed ? `: ${name}` : ''}${isCancelled ? ', cancelled' : ''}`);
    const beside = isDisturbed ? this.pause(DELAY_MS / 4).then(run) : undefined;
    beside?.catch(() => undefined);
    try {
      const begun = await source.node.send('CLUSTER', 'MIGRATESLOTS', ...words);
      if (begun.startsWith('-')) this.tell(begun.trim());
      if (isCancelled) {
        await this.pause(DELAY_MS / 2);
        await source.node.send('CLUSTER', 'CANCELSLOTMIGRATIONS');
      }
      const ended = await migrationsOver(source.node);
      this.outcome['at once'] += Math.max(0, ended - before);
    } catch (error) {
      if (error instanceof Violation || !isDisturbed) throw error;
    }
    await beside;
  }

  /** Some ranges of the source, the first of them around this slot. */
  around(source: Primary, hot: number): [number, number][] {
    const [first, last] = source.ranges.find(([from, to]) => from <= hot && hot <= to)!;
    const middle: [number, number] = [Math.max(first, hot - this.choose(HOT_SLOTS)), Math.min(last, hot + this.choose(HOT_SLOTS))];
    const others = source.ranges.filter(([from]) => from !== first).filter(() => this.draw() < 0.5);
    return [middle, ...others.slice(0, 3)];
  }

  // ── Rest ─────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Waits until all nodes are there and replicas follow; and, but where a move has broken off, until all
   * agree on who has which slots.
   */
  async atRest(isBroken = false): Promise<void> {
    this.load.rethrow();
    const unrest = await eventually(
      () =>
        this.#unrest(isBroken).catch((error: unknown) => {
          if (error instanceof Violation) throw error;
          return String(error);
        }),
      (reason) => reason === undefined,
      TIMEOUT_MS,
    );
    if (unrest !== undefined) throw new Violation(`the cluster does not come to rest: ${unrest}`);
    this.load.rethrow();
  }

  async #unrest(isBroken: boolean): Promise<string | undefined> {
    for (const node of this.nodes) {
      if (node.isRunning || this.#down.has(node)) continue;
      const last = /ASSERTION FAILED[^]{0,300}/.exec(node.log)?.[0] ?? node.log.slice(-1000);
      throw new Violation(`the node on port ${node.port} ended by itself: ${last}`);
    }
    const count = (await primaries(this.nodes)).length;
    if (count !== SHARDS) return `${count} nodes are primaries`;
    const views = new Set<string>();
    for (const node of this.nodes) {
      const info = await node.send('CLUSTER', 'INFO');
      if (!isBroken && !info.includes('cluster_state:ok')) return `port ${node.port} says ${info.split('\r\n').slice(1, 4).join(' ')}`;
      const replication = await node.info('replication');
      if (replication.role === 'slave' && replication.master_link_status !== 'up') return `port ${node.port} does not follow`;
      const open = (await migrations(node)).filter(isUnderWay);
      if (open.length > 0) return `port ${node.port} still moves slots: ${open.join(', ')}`;
      const seen = await seenBy(node);
      views.add(
        seen
          .filter(({ ranges }) => ranges.length > 0)
          .map(({ id, ranges }) => `${id} ${ranges.join(' ')}`)
          .sort()
          .join('\n'),
      );
    }
    return isBroken || views.size === 1 ? undefined : `there are ${views.size} views of who has which slots`;
  }

  /**
   * Moves slots once more whose data has come to a node without them, as its log asks for: where the source
   * waited for the answer in vain, it goes on with what it has, and so the node has what is old.
   */
  async moveAgain(): Promise<void> {
    const all = await primaries(this.nodes);
    for (const primary of all) {
      const keys = parseReply(await primary.node.send('CUSTOM.KEYS')) as string[];
      const foreign = new Set(keys.map(slotOf).filter((slot) => !owns(primary, slot)));
      for (const slot of foreign) {
        if (!(await this.#isTold(primary.node, slot))) continue;
        const owner = (await primaries(this.nodes)).find((one) => owns(one, slot))!;
        const failure = await moveSlot(slot, [owner, primary], this.nodes, 0);
        if (failure !== undefined) throw new Violation(`slot ${slot} does not move once more: ${failure}`);
        this.outcome['moved once more']++;
      }
    }
    await this.atRest();
  }

  /** Whether the log says that this slot's data came without the slot. */
  #isTold(node: TestServer, slot: number): Promise<boolean> {
    const told = () =>
      [...node.log.matchAll(/what modules held in the slots (\S+) came here/g)].flatMap(([, slots = '']) => slots.split(','));
    const isIn = (range: string) => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return first <= slot && slot <= last;
    };
    return eventually(
      () => told().some(isIn),
      (isTold) => isTold,
      3000,
    );
  }

  /** Has all nodes start from their append-only files. */
  async restartAll(): Promise<void> {
    await Promise.all(
      this.nodes.map(async (node) => {
        await node.kill();
        await node.start();
      }),
    );
    await this.atRest();
  }
}

/** How many slots it has. */
function sizeOf({ ranges }: Primary): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

/** The first ranges of a node that are a third of it. */
function third(primary: Primary): [number, number][] {
  const { ranges } = primary;
  let left = Math.ceil(sizeOf(primary) / 3);
  const found: [number, number][] = [];
  for (const [first, last] of ranges) {
    if (left <= 0) break;
    found.push([first, Math.min(last, first + left - 1)]);
    left -= last - first + 1;
  }
  return found;
}

/** Rounds of moves; after the last one all nodes restart from their files. */
export async function moveSlots({ seed, link, rounds, tell = () => undefined }: Options): Promise<Outcome> {
  const file = await shopModule();
  const folders: string[] = [];
  const nodes: TestServer[] = [];
  const start = async (options: ServerOptions) => {
    const folder = new Folder(mkdtempSync(path.join(tmpdir(), 'wasm-dir-')));
    folders.push(folder.path);
    folder.put('shop', file);
    const node = new TestServer({ ...options, arguments: [...(options.arguments ?? []), ...folder.arguments] });
    nodes.push(node);
    await node.start();
    return node;
  };
  let load: ClusterLoad | undefined;
  try {
    const module = [HOST_FILE, HASHMAP_FILE, SESSION_FILE];
    await joined(start, { link, module, arguments: [...APPEND_ONLY, ...ARGUMENTS] }, 2 * SHARDS, SHARDS);
    load = await ClusterLoad.of(nodes, seed);
    const torture = new Torture(nodes, load, random(seed), tell);
    await torture.atRest();
    const still = { natives: await addNatives(torture), entries: await addEntries(torture) };
    for (let round = 1; round <= rounds; round++) {
      load.start();
      for (let step = 0; step < STEPS_PER_ROUND; step++) await torture.step();
      await load.stop(TIMEOUT_MS);
      await torture.moveAgain();
      if (round === rounds) await torture.restartAll();
      await checkCluster(nodes, load.things, still);
      torture.outcome.acknowledged = load.sum('acknowledged');
      torture.outcome['of these lost answers'] = load.sum('lost');
      tell(
        `round ${round}: ${Object.entries(torture.outcome)
          .map(([what, count]) => `${count} ${what}`)
          .join(', ')}`,
      );
    }
    return torture.outcome;
  } catch (error) {
    tell(`logs: ${keepLogs(nodes, seed)}`);
    throw error;
  } finally {
    load?.close();
    await Promise.all(nodes.map((node) => node.stop()));
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes what the nodes have logged to a folder, whose name it answers. */
function keepLogs(nodes: TestServer[], seed: number): string {
  const folder = mkdtempSync(path.join(tmpdir(), `torture-${seed}-`));
  for (const { port, log } of nodes) writeFileSync(path.join(folder, `${port}.log`), log);
  return folder;
}

/** Keys of the server's own, in the slots of the writers. */
async function addNatives({ nodes, load }: Torture): Promise<string[]> {
  const keys: string[] = [];
  const all = await primaries(nodes);
  for (const { key } of load.things.filter(({ key }) => key.endsWith(':entry'))) {
    const native = key.replace(/:entry$/, ':native');
    nameSlot(slotOf(key), key.replace(/:entry$/, ':nobody'));
    await all.find((one) => owns(one, slotOf(key)))!.node.send('SET', native, native);
    keys.push(native);
  }
  return keys;
}

/** Entries of the hashmap, in the slots of the writers. */
async function addEntries({ nodes, load }: Torture): Promise<string[]> {
  const keys: string[] = [];
  const all = await primaries(nodes);
  for (const { key } of load.things.filter(({ key }) => key.endsWith(':entry'))) {
    const { node } = all.find((one) => owns(one, slotOf(key)))!;
    const own = Array.from({ length: STILL_PER_TAG }, (_, index) => key.replace(/:entry$/, `:still ${index}`));
    await Promise.all(own.map((still) => node.send('CUSTOM.SET', still, still)));
    keys.push(...own);
  }
  return keys;
}

export const CLUSTER_SCENARIOS: Scenario[] = [{ name: 'move-slots', run: moveSlots }];

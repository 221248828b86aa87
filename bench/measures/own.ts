/**
 * The server's own keys, as modules of the kit and as Lua scripts change them.
 * A lock is given back, by compare and delete, in three ways of the kit.
 * It is taken by SET, outside of what is measured.
 * A hit is put into a sliding window, which is a sorted set: the example `slide` and its twin.
 */
import path from 'node:path';
import { ROOT } from '../../scripts/lib/process.ts';
import { canCount, whileCounting } from '../lib/counting.ts';
import { kitModules } from '../lib/fixture.ts';
import { batches, command, commands, type Operation, type Words } from '../lib/load.ts';
import type { Context, Measure } from '../lib/measure.ts';
import { keyName } from '../lib/random.ts';
import { takeTurns, type Contender } from '../lib/rounds.ts';
import { withServer, type StartOptions } from '../lib/server.ts';
import { CONNECTIONS, OK_BYTES, PIPELINE } from '../lib/sizes.ts';
import { ratio, show } from '../lib/statistics.ts';
import { EXAMPLES, loadScript, luaTwin } from '../lib/twin.ts';
import { TAKERS } from '../lib/writes.ts';

const TOKEN = 'a-token-of-22-letters.';
const RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";
const RELEASED = ':1\r\n';
/** What is left of the limit has nine digits throughout. */
const LIMIT = '1000000000';
const WINDOW_MS = '3600000';
const HIT_BYTES = '*3\r\n:1\r\n:999999999\r\n:0\r\n'.length;

/** Ways of the kit, by the way of Lua that each is compared with. */
const PEERS = {
  'compare and delete by EVALSHA': ['keys.deleteIf', 'keys.get and keys.delete', 'redis.call of GET and DEL'],
  'sliding window by EVALSHA': ['redis.call of four commands'],
};

type Digests = Record<'release' | 'slide', string>;

const lock = (kind: string, index: number) => `${kind}:${keyName(index)}`;
const taking = (kind: string, index: number): Words => ['SET', lock(kind, index), TOKEN];

/** Ways to give a lock back, each with locks of its own. */
function releases({ release }: Digests): Record<string, (index: number) => Words> {
  return {
    'compare and delete by EVALSHA': (index) => ['EVALSHA', release, '1', lock('script', index), TOKEN],
    'keys.deleteIf': (index) => ['OWN.DELETEIF', lock('if', index), TOKEN],
    'keys.get and keys.delete': (index) => ['OWN.COMPARE', lock('compare', index), TOKEN],
    'redis.call of GET and DEL': (index) => ['OWN.CALL', lock('call', index), TOKEN],
  };
}

/** Ways to put a hit into a window, each with windows of its own. */
function hits({ slide }: Digests): Record<string, Operation> {
  const each = (words: (key: string) => Words, kind: string) => command((index) => words(lock(kind, index)), HIT_BYTES);
  return {
    'sliding window by EVALSHA': each((key) => ['EVALSHA', slide, '1', key, LIMIT, WINDOW_MS], 'script-window'),
    'redis.call of four commands': each((key) => ['SLIDE.HIT', key, LIMIT, WINDOW_MS], 'window'),
  };
}

async function load(ask: (words: string[]) => Promise<string>): Promise<Digests> {
  return { release: await loadScript(ask, RELEASE), slide: await loadScript(ask, luaTwin('slide').script) };
}

const kindOf = (words: Words): string => String(words.find((word) => String(word).includes(':'))).split(':')[0] ?? '';

function compare({ server, rounds, keys, print }: Context, taker: string, options: StartOptions): Promise<void> {
  return withServer(server, options, async (measured) => {
    const connections = await measured.connections(CONNECTIONS);
    const asking = await measured.connection();
    const digests = await load((words) => asking.ask(words));
    const all = (operation: Operation) => [...batches(operation, 0, keys, PIPELINE)];
    const locks = Object.entries(releases(digests)).map(([name, words]): Contender => {
      const taken = all(command((index) => taking(kindOf(words(0)), index), OK_BYTES));
      const released = all(command(words, RELEASED.length));
      return { name, measured, connections, prepare: () => taken, load: () => released };
    });
    const windows = Object.entries(hits(digests)).map(([name, operation]): Contender => {
      const hit = all(operation);
      return { name, measured, connections, load: () => hit };
    });
    for (const [peer, ways] of Object.entries(PEERS)) {
      const contenders = [...locks, ...windows].filter(({ name }) => name === peer || ways.includes(name));
      const timings = await takeTurns(contenders, rounds);
      for (const way of ways) {
        const [ours, theirs] = [timings[way]?.cpu_ns ?? [], timings[peer]?.cpu_ns ?? []];
        const best = `${Math.round(Math.min(...ours))} and ${Math.round(Math.min(...theirs))} ns at best`;
        print(`${way} / ${peer}, ${taker}`, show(ratio(ours, theirs)), best);
      }
    }
  });
}

/** Counts the instructions of each, without those of taking the lock. */
function countInstructions({ server, print }: Context, taker: string, options: StartOptions): Promise<void> {
  return whileCounting(server, options, async (counting) => {
    const digests = await load((words) => counting.ask(words));
    const taken = await counting.count(command((index) => taking('taken', index), OK_BYTES));
    const perCommand = new Map<string, number>();
    for (const [name, words] of Object.entries(releases(digests))) {
      const pair = commands((index) => [taking(kindOf(words(0)), index), words(index)], ['+OK\r\n', RELEASED]);
      perCommand.set(name, (await counting.count(pair)) - taken);
    }
    for (const [name, operation] of Object.entries(hits(digests))) perCommand.set(name, await counting.count(operation));
    for (const [peer, ways] of Object.entries(PEERS)) {
      for (const way of ways) {
        const [ours, theirs] = [perCommand.get(way) ?? Number.NaN, perCommand.get(peer) ?? Number.NaN];
        print(`instructions of ${way} / ${peer}, ${taker}`, (ours / theirs).toFixed(2), `${ours.toFixed(0)} and ${theirs.toFixed(0)}`);
      }
    }
  });
}

export const own: Measure = {
  name: 'own',
  summary: "the server's own keys by the kit over EVALSHA: compare and delete, a sliding window; server CPU, and instructions by callgrind",
  async run(context) {
    const modules = await kitModules([path.join(EXAMPLES, 'slide.ts'), path.join(ROOT, 'test/fixtures/kit/own.ts')]);
    for (const [taker, settings] of Object.entries(TAKERS)) await compare(context, taker, { modules, settings });
    if (!canCount()) return;
    for (const [taker, settings] of Object.entries(TAKERS)) await countInstructions(context, taker, { modules, settings });
  },
};

/**
 * Modules of the kit, which their authors wrote without a word about bytes.
 * The token bucket is compared with its twin in Lua, the kit's tables with the table of CUSTOM.
 * A SortedTable is compared with a sorted set of the same members, and an empty command with a raw module's.
 * Each pair is on one server, with an append-only file, which takes the effects, and without.
 */
import path from 'node:path';
import { ROOT } from '../../scripts/lib/process.ts';
import type { Server } from '../../scripts/lib/servers.ts';
import { drive, type Connection } from '../lib/connection.ts';
import { canCount, whileCounting } from '../lib/counting.ts';
import { fixture, kitModules } from '../lib/fixture.ts';
import { batches, bulkBytes, command, commands, reading, storing, type Operation } from '../lib/load.ts';
import type { Context, Measure } from '../lib/measure.ts';
import { keyName, valueOf } from '../lib/random.ts';
import { takeTurns, type Contender } from '../lib/rounds.ts';
import { withServer, type MeasuredServer, type StartOptions } from '../lib/server.ts';
import { CONNECTIONS, OK_BYTES, PIPELINE, VALUE_BYTES } from '../lib/sizes.ts';
import { ratio, show } from '../lib/statistics.ts';
import { EXAMPLES, loadScript, luaTwin } from '../lib/twin.ts';
import { TAKERS } from '../lib/writes.ts';

/** A step that meets every key once before it meets one twice. */
const STRIDE = 7919;
/** Members of the sorted set and of the SortedTable that ranges are read of, and of those whose memory is. */
const MEMBERS = 10_000;
const MEMBERS_OF_MEMORY = 200_000;
const RANGE = 100;
/** Keys where instructions are counted. */
const COUNTED_KEYS = 2000;
const MIXED = 1_000_000;
/** Commands of one mixed operation, and operations before the memory is read first. */
const MIXED_COMMANDS = 8;
const MIXED_BEFORE = 250_000;

/** A bucket never is so full again that a digit more is replied, and lasts longer than the measure. */
const CAPACITY = '1000000000';
const REFILL = '0.001';
const TAKEN_BYTES = '*2\r\n:1\r\n:999999999\r\n'.length;

/** The server's own pairs: by ours, its peer. */
const KIT_PEERS = {
  'LIMIT.TAKE': ['EVALSHA', 'FCALL'],
  'PACE.TAKE, a string in the class': ['LIMIT.TAKE'],
  'PACE.SET': ['CUSTOM.SET'],
  'PACE.GET': ['CUSTOM.GET'],
  'PACE.RANGE of 100': ['ZRANGEBYSCORE of 100'],
  'PACE.NONE': ['NOOP.OK'],
};

/** Both modules of the kit, the shipped hashmap and a raw module. */
async function kitOptions(settings: string[]): Promise<StartOptions> {
  const kit = await kitModules([path.join(EXAMPLES, 'limit.ts'), path.join(ROOT, 'test/fixtures/kit/pace.ts')]);
  return { modules: [path.join(ROOT, 'build/hashmap.wasm'), await fixture('noop'), ...kit], settings };
}

const member = keyName;
const score = (index: number) => String(index * 10);

/** Members `from` to `to` of the board, into the sorted set and into the SortedTable. */
function adding(): { native: Operation; ours: Operation } {
  return {
    native: command((index) => ['ZADD', 'set', score(index), member(index)], ':1\r\n'.length),
    ours: command((index) => ['PACE.ADD', 'board', score(index), member(index)], OK_BYTES),
  };
}

/** What is sent once before anything is measured: operations, and how often each. */
function stored(keys: number): [Operation, number][] {
  const values = ['CUSTOM.SET', 'PACE.SET'].map((name) => storing(name, valueOf(VALUE_BYTES)));
  return [...values.map((each): [Operation, number] => [each, keys]), [adding().native, MEMBERS], [adding().ours, MEMBERS]];
}

/** Loads the twin; the digest of the script. */
async function loadTwin(ask: (words: string[]) => Promise<string>): Promise<string> {
  const { library, script } = luaTwin('limit');
  await ask(['FUNCTION', 'LOAD', library]);
  return loadScript(ask, script);
}

/**
 * What is compared, of the keys that `place` gives for an operation's number.
 * @param digest of the script
 */
function kitOperations(digest: string, place: (index: number) => number): Record<string, Operation> {
  const bucket = (kind: string, index: number) => `${kind}:${keyName(place(index))}`;
  const key = (index: number) => keyName(place(index));
  const from = (index: number) => score(place(index) % (MEMBERS - RANGE));
  const rangeBytes = `*${RANGE}\r\n`.length + RANGE * bulkBytes(member(0).length);
  return {
    EVALSHA: command((index) => ['EVALSHA', digest, '1', bucket('script', index), CAPACITY, REFILL], TAKEN_BYTES),
    FCALL: command((index) => ['FCALL', 'limit_take', '1', bucket('function', index), CAPACITY, REFILL], TAKEN_BYTES),
    'LIMIT.TAKE': command((index) => ['LIMIT.TAKE', bucket('b', index), CAPACITY, REFILL], TAKEN_BYTES),
    'PACE.TAKE, a string in the class': command((index) => ['PACE.TAKE', bucket('b', index), CAPACITY, REFILL, key(index)], TAKEN_BYTES),
    'CUSTOM.SET': storing('CUSTOM.SET', valueOf(VALUE_BYTES), key),
    'PACE.SET': storing('PACE.SET', valueOf(VALUE_BYTES), key),
    'CUSTOM.GET': reading('CUSTOM.GET', VALUE_BYTES, key),
    'PACE.GET': reading('PACE.GET', VALUE_BYTES, key),
    'ZRANGEBYSCORE of 100': command((index) => ['ZRANGEBYSCORE', 'set', from(index), '+inf', 'LIMIT', '0', String(RANGE)], rangeBytes),
    'PACE.RANGE of 100': command((index) => ['PACE.RANGE', 'board', from(index), score(MEMBERS), String(RANGE)], rangeBytes),
    'NOOP.OK': command(() => ['NOOP.OK'], OK_BYTES),
    'PACE.NONE': command(() => ['PACE.NONE'], OK_BYTES),
  };
}

/** Commands of a round: those of the long ones are fewer. */
function perRound(name: string, keys: number): number {
  return name.endsWith('of 100') ? Math.ceil(keys / 20) : keys;
}

function compare({ server, rounds, keys, print }: Context, taker: string, options: StartOptions): Promise<void> {
  return withServer(server, options, async (measured) => {
    const connections = await measured.connections(CONNECTIONS);
    for (const [each, count] of stored(keys)) await drive(connections, batches(each, 0, count, PIPELINE));
    const asking = await measured.connection();
    const digest = await loadTwin((words) => asking.ask(words));
    const contenders: Contender[] = Object.entries(kitOperations(digest, (index) => (index * STRIDE) % keys)).map(([name, operation]) => {
      const count = perRound(name, keys);
      const load = (round: number) => [...batches(operation, round * count, (round + 1) * count, PIPELINE)];
      return { name, measured, connections, load };
    });
    const timings = await takeTurns(contenders, rounds);
    for (const [name, peers] of Object.entries(KIT_PEERS)) {
      for (const peer of peers) {
        const [ours, theirs] = [timings[name]?.cpu_ns ?? [], timings[peer]?.cpu_ns ?? []];
        const best = `${Math.round(Math.min(...ours))} and ${Math.round(Math.min(...theirs))} ns at best`;
        print(`${name} / ${peer}, ${taker}`, show(ratio(ours, theirs)), best);
      }
    }
  });
}

/** Counts the instructions of each, and prints them over those of its peers. */
function countInstructions({ server, print }: Context, taker: string, options: StartOptions): Promise<void> {
  return whileCounting(server, options, async (counting) => {
    for (const [each, count] of stored(COUNTED_KEYS)) await counting.send(each, 0, count);
    const digest = await loadTwin((words) => counting.ask(words));
    const perCommand = new Map<string, number>();
    for (const [name, operation] of Object.entries(kitOperations(digest, (index) => (index * STRIDE) % COUNTED_KEYS))) {
      perCommand.set(name, await counting.count(operation));
    }
    for (const [name, peers] of Object.entries(KIT_PEERS)) {
      for (const peer of peers) {
        const [ours, theirs] = [perCommand.get(name) ?? Number.NaN, perCommand.get(peer) ?? Number.NaN];
        print(`instructions of ${name} / ${peer}, ${taker}`, (ours / theirs).toFixed(2), `${ours.toFixed(0)} and ${theirs.toFixed(0)}`);
      }
    }
  });
}

/** A number in a reply, or in INFO's line of this name. */
async function numberOf(connection: Connection, words: string[], pattern: RegExp): Promise<number> {
  return Number(pattern.exec(await connection.ask(words))?.[1]);
}

const heapUsed = (connection: Connection) => numberOf(connection, ['INFO', 'everything'], /^wasm_pace_heap_used:(\d+)/m);

/** Bytes of a SortedTable over those of a sorted set of the same members, in the server's count of either. */
function compareMemory({ server, print }: Context, options: StartOptions): Promise<void> {
  return withServer(server, options, async (measured) => {
    const connections = await measured.connections(CONNECTIONS);
    const asking = await measured.connection();
    const before = await heapUsed(asking);
    const { native, ours } = adding();
    await drive(connections, batches(ours, 0, MEMBERS_OF_MEMORY, PIPELINE));
    const table = (await heapUsed(asking)) - before;
    await drive(connections, batches(native, 0, MEMBERS_OF_MEMORY, PIPELINE));
    const set = await numberOf(asking, ['MEMORY', 'USAGE', 'set', 'SAMPLES', '0'], /^:(\d+)/);
    const each = [table, set].map((bytes) => (bytes / MEMBERS_OF_MEMORY).toFixed(1)).join(' and ');
    print(`SortedTable / sorted set of ${MEMBERS_OF_MEMORY.toLocaleString('en')}, bytes`, (table / set).toFixed(2), `${each} bytes each`);
  });
}

/** Reads and writes of every kind, of `keys` keys that are all there when it has ended. */
function mixed(keys: number): Operation {
  const words = (index: number) => {
    const at = (index * STRIDE) % keys;
    const key = keyName(at);
    return [
      ['PACE.SET', key, valueOf(VALUE_BYTES + (index % 64))],
      ['PACE.SET', `gone:${key}`, valueOf(VALUE_BYTES)],
      ['PACE.DEL', `gone:${key}`],
      ['PACE.TAKE', key, CAPACITY, REFILL, `user:${key}`],
      ['LIMIT.TAKE', key, CAPACITY, REFILL],
      ['PACE.ADD', 'board', score(at), member(at)],
      ['PACE.MOVE', 'board', score(at), `${at}.5`, member(at)],
      ['PACE.MOVE', 'board', `${at}.5`, score(at), member(at)],
    ];
  };
  const [ok, taken] = ['+OK\r\n', '*2\r\n:1\r\n:999999999\r\n'];
  return commands(words, [ok, ok, ok, taken, taken, ok, ok, ok]);
}

/** Resident bytes of the server after 1,000,000 commands more, over those before. */
function growthOfMemory(server: Server, options: StartOptions, keys: number): Promise<{ resident: number; used: number }> {
  const sizes = async (measured: MeasuredServer, asking: Connection) => [measured.residentBytes(), await heapUsed(asking)] as const;
  return withServer(server, options, async (measured) => {
    const connections = await measured.connections(CONNECTIONS);
    const asking = await measured.connection();
    const [first, last] = [MIXED_BEFORE, MIXED_BEFORE + MIXED].map((count) => Math.ceil(count / MIXED_COMMANDS));
    await drive(connections, batches(mixed(keys), 0, first ?? 0, PIPELINE));
    const before = await sizes(measured, asking);
    await drive(connections, batches(mixed(keys), first ?? 0, last ?? 0, PIPELINE));
    const after = await sizes(measured, asking);
    return { resident: after[0] / before[0], used: after[1] / before[1] };
  });
}

export const kit: Measure = {
  name: 'kit',
  summary: 'modules of the kit over Lua, CUSTOM, a sorted set and a raw module: server CPU, memory, and instructions by callgrind',
  async run(context) {
    for (const [taker, settings] of Object.entries(TAKERS)) await compare(context, taker, await kitOptions(settings));
    if (canCount()) {
      for (const [taker, settings] of Object.entries(TAKERS)) await countInstructions(context, taker, await kitOptions(settings));
    }
    const options = await kitOptions([]);
    await compareMemory(context, options);
    const { resident, used } = await growthOfMemory(context.server, options, Math.min(context.keys, MIXED_BEFORE / MIXED_COMMANDS / 2));
    const note = `${used.toFixed(3)} × the bytes used in its heap`;
    context.print('resident bytes after 1,000,000 mixed commands more', `${resident.toFixed(3)} ×`, note);
  },
};

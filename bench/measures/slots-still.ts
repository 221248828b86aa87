/**
 * What a cluster costs when none of its slots moves: the host looks at every command there, by a filter.
 * Instructions are counted too, where callgrind is there: they do not depend on what else the machine does.
 */
import type { Server } from '../../scripts/lib/servers.ts';
import { closeSlot, keysOf, migrateSlots, onlyNode, openSlot, tagsOf, takeSlots, until, withPair, type Pair } from '../lib/cluster.ts';
import { canCount, whileCounting } from '../lib/counting.ts';
import { reading, storing, type Operation } from '../lib/load.ts';
import type { Context } from '../lib/measure.ts';
import { random } from '../lib/random.ts';
import { steady, takeTurns, type Contender } from '../lib/rounds.ts';
import { SERVER_CORE, withServers, type MeasuredServer, type StartOptions } from '../lib/server.ts';
import { COMMANDS, countOf, fill, VALUE, type Side } from '../lib/sides.ts';
import { CONNECTIONS, PIPELINE, VALUE_BYTES } from '../lib/sizes.ts';
import { ratio, show, type Ratio } from '../lib/statistics.ts';

const COMMANDS_PER_ROUND = 200_000;
/** How many slots have entries on each node; as many have moved. */
const SLOTS_HELD = 50;
const SEED = 1;
const NAMES = ['set', 'get'] as const;
type Key = (index: number) => string;

/** A server that commands are sent to: the native ones, the module's, or both. */
interface Place {
  measured: MeasuredServer;
  key: Key;
  sides: Side[];
}

function operation(name: (typeof NAMES)[number], side: Side, key: Key): Operation {
  const command = COMMANDS[side][name];
  return name === 'set' ? storing(command, VALUE, key) : reading(command, VALUE_BYTES, key);
}

/** Names one of `keys` keys, another one each time. */
function anyOf(keys: number, key: Key): Key {
  const next = random(SEED);
  return () => key(Math.floor(next() * keys));
}

/**
 * Servers of a cluster's only node with the modules, of one without them, and of one that is in no cluster.
 */
async function stillOptions() {
  return { clustered: { settings: await onlyNode() }, bare: { modules: false, settings: await onlyNode() }, alone: {} };
}

/** Moves these slots, of which there is nothing left at the source then, but `keys` entries in others. */
async function moveAway(server: Server, pair: Pair, moving: number[], keys: number): Promise<void> {
  if (server.name === 'Valkey') {
    const ranges = moving.map((slot): [number, number] => [slot, slot]);
    await migrateSlots(pair, ranges);
  } else {
    for (const slot of moving) {
      await openSlot(pair, slot);
      await closeSlot(pair, slot);
    }
  }
  await until('the source has dropped them', async () => (await countOf(pair.source.connection, 'ours')) === keys);
}

/** Has the command take its turn everywhere, and prints what it costs. */
async function measure(name: (typeof NAMES)[number], places: Record<string, Place>, { rounds, keys, print }: Context): Promise<void> {
  const contenders: Contender[] = [];
  for (const [place, { measured, key, sides }] of Object.entries(places)) {
    const connections = await measured.connections(CONNECTIONS);
    for (const side of sides) {
      const what = { operation: operation(name, side, anyOf(keys, key)), count: COMMANDS_PER_ROUND, pipeline: PIPELINE };
      contenders.push(steady(`${place} ${side}`, measured, connections, what));
    }
  }
  const timings = await takeTurns(contenders, rounds);
  const best = (contender: string) => `${Math.min(...(timings[contender]?.cpu_ns ?? [])).toFixed(0)} ns at best`;
  const over = (one: string, other: string) => ratio(timings[one]?.cpu_ns ?? [], timings[other]?.cpu_ns ?? []);
  const [native, ours] = [COMMANDS.native[name], COMMANDS.ours[name]];
  const filtered = over('clustered native', 'bare native');
  print(`${native} in a cluster, with the modules / without`, show(filtered), `${goal(filtered)}; ${best('bare native')}`);
  const server = `${native} without the modules ${show(over('bare native', 'alone native'))}`;
  print(`${ours} in a cluster / out of one`, show(over('clustered ours', 'alone ours')), server);
  for (const node of ['source', 'target']) {
    const after = over(`${node} ours`, 'clustered ours');
    print(`${ours} at the ${node} of a move / where none was`, show(after), `${goal(after)}; ${best('clustered ours')}`);
  }
}

/** Whether a cost can be seen at all, which is not to be. */
function goal({ min }: Ratio): string {
  return `goal nothing measurable: ${min <= 1 ? 'met' : 'missed'}`;
}

/** Instructions of each command in a server of these options, by the command. */
function count(server: Server, options: StartOptions, sides: Side[]): Promise<Record<string, number>> {
  return whileCounting(server, options, async (counting) => {
    if (options.settings !== undefined) await takeSlots(counting);
    const counts: Record<string, number> = {};
    for (const side of sides) {
      for (const name of NAMES) counts[COMMANDS[side][name]] = await counting.count(operation(name, side, keysOf([{ tag: '{tag}' }])));
    }
    return counts;
  });
}

async function countInstructions({ server, print }: Context): Promise<void> {
  const options = await stillOptions();
  const clustered = await count(server, options.clustered, ['native', 'ours']);
  const bare = await count(server, options.bare, ['native']);
  const alone = await count(server, options.alone, ['native', 'ours']);
  for (const name of NAMES) {
    const [native, ours] = [COMMANDS.native[name], COMMANDS.ours[name]];
    const more = (command: string, one: Record<string, number>, other: Record<string, number>) =>
      ((one[command] ?? Number.NaN) - (other[command] ?? Number.NaN)).toFixed(0);
    const peer = `${bare[native]?.toFixed(0) ?? ''} without them`;
    print(`instructions of ${native} in a cluster, more with the modules`, more(native, clustered, bare), peer);
    const server = `${native} without the modules ${more(native, bare, alone)} more`;
    print(`instructions of ${ours} in a cluster, more than out of one`, more(ours, clustered, alone), server);
  }
}

export async function measureStill(context: Context): Promise<void> {
  const { server, keys } = context;
  await withPair(server, { core: SERVER_CORE }, async (pair) => {
    const { source, target } = pair;
    const tags = await tagsOf(source.connection, 2 * SLOTS_HELD);
    const [moving, staying] = [tags.slice(0, SLOTS_HELD), tags.slice(SLOTS_HELD)];
    const [moved, stayed] = [keysOf(moving), keysOf(staying)];
    for (const key of [moved, stayed]) await fill(source.connection, 'ours', keys, key);
    const numbers = moving.map(({ slot }) => slot);
    await moveAway(server, pair, numbers, keys);
    await withServers(server, await stillOptions(), async ({ clustered, bare, alone }) => {
      for (const each of [clustered, bare]) await takeSlots(await each.connection());
      // Native keys are everywhere: some servers look keys up ahead for modules too, and find none sooner.
      const places: Record<string, Place> = {
        clustered: { measured: clustered, key: stayed, sides: ['native', 'ours'] },
        bare: { measured: bare, key: stayed, sides: ['native'] },
        alone: { measured: alone, key: stayed, sides: ['native', 'ours'] },
        source: { measured: source.measured, key: stayed, sides: ['native', 'ours'] },
        target: { measured: target.measured, key: moved, sides: ['native', 'ours'] },
      };
      for (const { measured, key, sides } of Object.values(places)) {
        const connection = await measured.connection();
        for (const side of sides) await fill(connection, side, keys, key);
      }
      for (const name of NAMES) await measure(name, places, context);
    });
  });
  if (canCount()) await countInstructions(context);
}

/**
 * What `wasm.time-limit` costs: server CPU per operation with the limit, over that with the limit set to 0.
 * A third server's modules were compiled without the checks that a limit needs.
 * That takes an environment variable of the host, for developers.
 * Instructions are counted too, where callgrind is there: they do not depend on what else the machine does.
 */
import type { Server } from '../../scripts/lib/servers.ts';
import { drive } from '../lib/connection.ts';
import { canCount, whileCounting } from '../lib/counting.ts';
import { batches, creating, reading, storing, type Operation, type Words } from '../lib/load.ts';
import type { Context, Measure } from '../lib/measure.ts';
import { keyName, valueOf } from '../lib/random.ts';
import { steady, takeTurns } from '../lib/rounds.ts';
import { withServers, type StartOptions } from '../lib/server.ts';
import { CONNECTIONS, PIPELINE, VALUE_BYTES } from '../lib/sizes.ts';
import { ratio, show } from '../lib/statistics.ts';

const KEYS = 20_000;
const COMMANDS_PER_ROUND = 200_000;

const SIDES = {
  limited: {},
  unlimited: { settings: ['--wasm.time-limit', '0'] },
  unchecked: { environment: { WASM_NO_TIME_LIMIT: '1' } },
} satisfies Record<string, StartOptions>;
type Side = keyof typeof SIDES;

const key = (index: number) => keyName(index % KEYS);
const user = (index: number): Words => [`user:${index % KEYS}`];
const SET = storing('CUSTOM.SET', valueOf(VALUE_BYTES), key);
/** What the operations find. */
const STORED = [SET, creating('Session created', user)];
const OPERATIONS: Record<string, Operation> = {
  'CUSTOM.SET': SET,
  'CUSTOM.GET': reading('CUSTOM.GET', VALUE_BYTES, key),
  'SESSION.CREATE of an existing user': creating('Session exists', user),
};

function measureCpu({ server, rounds, print }: Context): Promise<void> {
  return withServers(server, SIDES, async (servers) => {
    const sides = await Promise.all(
      (Object.keys(SIDES) as Side[]).map(async (name) => ({ name, connections: await servers[name].connections(CONNECTIONS) })),
    );
    for (const { connections } of sides) for (const each of STORED) await drive(connections, batches(each, 0, KEYS, PIPELINE));
    for (const [title, operation] of Object.entries(OPERATIONS)) {
      const what = { operation, count: COMMANDS_PER_ROUND, pipeline: PIPELINE };
      const contenders = sides.map(({ name, connections }) => steady(name, servers[name], connections, what));
      const { limited, unlimited, unchecked } = await takeTurns(contenders, rounds);
      print(`${title}, with the limit / without checks`, show(ratio(limited.cpu_ns, unchecked.cpu_ns)), 'server CPU');
      print(`${title}, with the limit / with 0`, show(ratio(limited.cpu_ns, unlimited.cpu_ns)), 'server CPU');
    }
  });
}

/** Instructions of each operation on one side. */
function count(server: Server, side: Side): Promise<number[]> {
  return whileCounting(server, SIDES[side], async (counting) => {
    for (const each of STORED) await counting.send(each, 0, KEYS);
    const counts: number[] = [];
    for (const operation of Object.values(OPERATIONS)) counts.push(await counting.count(operation));
    return counts;
  });
}

export const limit: Measure = {
  name: 'limit',
  summary: 'what wasm.time-limit costs: server CPU, and instructions where callgrind is there; only when named',
  onlyWhenNamed: true,
  async run(context) {
    await measureCpu(context);
    if (!canCount()) return;
    const limited = await count(context.server, 'limited');
    const unchecked = await count(context.server, 'unchecked');
    for (const [index, title] of Object.keys(OPERATIONS).entries()) {
      const [own, peer] = [limited[index] ?? Number.NaN, unchecked[index] ?? Number.NaN];
      const both = `${own.toFixed(0)} and ${peer.toFixed(0)} instructions`;
      context.print(`${title}, with the limit / without checks`, (own / peer).toFixed(3), both);
    }
  },
};

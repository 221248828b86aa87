/**
 * What a call from one module into another costs.
 * A loop in a module looks a key up through the import CUSTOM.exists, linked directly and by command.
 * Its peer looks the key up in a table of its own, by a local call.
 */
import path from 'node:path';
import { ROOT } from '../../scripts/lib/process.ts';
import type { Server } from '../../scripts/lib/servers.ts';
import { fixture, trusted } from '../lib/fixture.ts';
import { encode } from '../lib/load.ts';
import type { Measure } from '../lib/measure.ts';
import { keyName, valueOf } from '../lib/random.ts';
import { takeTurns, type Contender } from '../lib/rounds.ts';
import { bothLinks, withServers, type MeasuredServer } from '../lib/server.ts';
import { VALUE_BYTES } from '../lib/sizes.ts';
import { median, ratio, show, spread } from '../lib/statistics.ts';

const KEY = keyName(1);
const CALLS = 1_000_000;
const CALLS_BY_COMMAND = 50_000;

/** Server CPU per call, in ns, one for each round. */
export interface CallTimes {
  direct: number[];
  local: number[];
  command: number[];
}

/** One command that makes `count` calls. */
async function calling<Name extends string>(
  name: Name,
  measured: MeasuredServer,
  command: string,
  count: number,
): Promise<Contender<Name>> {
  const connection = await measured.connection();
  await connection.ask(['CUSTOM.SET', KEY, valueOf(VALUE_BYTES)]);
  await connection.ask(['CALLS.STORE', KEY]);
  const load = [{ request: encode([command, KEY, String(count)]), replyBytes: `:${count}\r\n`.length, operations: count }];
  return { name, measured, connections: [connection], load: () => load };
}

export async function callTimes(server: Server, rounds: number): Promise<CallTimes> {
  const caller = await fixture('calls');
  const modules = [path.join(ROOT, 'build/hashmap.wasm'), caller];
  const settings = ['--wasm.trusted', await trusted(caller)];
  return withServers(server, bothLinks({ modules, settings }), async (servers) => {
    const { direct, local, command } = await takeTurns(
      [
        await calling('local', servers.direct, 'CALLS.LOCAL', CALLS),
        await calling('direct', servers.direct, 'CALLS.IMPORTED', CALLS),
        await calling('command', servers.command, 'CALLS.IMPORTED', CALLS_BY_COMMAND),
      ],
      rounds,
    );
    return { direct: direct.cpu_ns, local: local.cpu_ns, command: command.cpu_ns };
  });
}

/** What the call costs beyond its body in each round: its time less that of a local call of the same body. */
export function alone(times: number[], { local }: CallTimes): number[] {
  return times.map((time, round) => time - (local[round] ?? Number.NaN));
}

export const calls: Measure = {
  name: 'calls',
  summary: 'a call into another module, linked directly, over a local call of the same body and over one by command',
  async run({ server, rounds, print }) {
    const times = await callTimes(server, rounds);
    const [over, command] = [alone(times.direct, times), alone(times.command, times)];
    const note = `${median(times.direct).toFixed(1)} ns direct, ${median(times.local).toFixed(1)} ns local`;
    print('an import call, direct, over a local call', `${spread(over, 1)} ns`, note);
    const byCommand = (ns: number[]) => `${median(ns).toFixed(0)} ns by command`;
    print('the call alone, without its body, by command / direct', (median(command) / median(over)).toFixed(0), byCommand(command));
    const whole = show(ratio(times.command, times.direct));
    print('the call with its body, by command / direct', whole, byCommand(times.command));
  },
};

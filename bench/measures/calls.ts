/**
 * What a call from one module into another costs: a loop in a module that looks a key up through the import CUSTOM.exists, linked directly
 * and by command, and in a table of its own by a local call.
 */
import path from 'node:path';
import { ROOT } from '../../scripts/lib/process.ts';
import type { Server } from '../../scripts/lib/servers.ts';
import { fixture } from '../lib/fixture.ts';
import { batches, drive, type Connection } from '../lib/connection.ts';
import { keyName, valueOf } from '../lib/random.ts';
import { MeasuredServer } from '../lib/server.ts';
import { median, ratio, show, spread } from '../lib/statistics.ts';
import type { Measure } from '../lib/measure.ts';

const KEY = keyName(1);
const CALLS = 1_000_000;
const CALLS_BY_COMMAND = 50_000;

interface Side {
  measured: MeasuredServer;
  connection: Connection;
}

async function side(measured: MeasuredServer): Promise<Side> {
  const connection = await measured.connection();
  await connection.ask(['CUSTOM.SET', KEY, valueOf(32)]);
  await connection.ask(['CALLS.STORE', KEY]);
  return { measured, connection };
}

/** Server CPU per call of one command that makes `count` of them, in ns. */
async function perCall({ measured, connection }: Side, command: string, count: number): Promise<number> {
  const before = measured.cpuNs();
  await drive([connection], batches([[command, KEY, String(count)]], 1, `:${count}\r\n`.length));
  return (measured.cpuNs() - before) / count;
}

/** Server CPU per call, in ns, one for each round. */
export interface CallTimes {
  direct: number[];
  local: number[];
  command: number[];
}

export async function callTimes(server: Server, rounds: number): Promise<CallTimes> {
  const modules = [path.join(ROOT, 'build/hashmap.wasm'), await fixture('calls')];
  const servers: MeasuredServer[] = [];
  try {
    servers.push(await MeasuredServer.start(server, { modules }));
    servers.push(await MeasuredServer.start(server, { modules, settings: ['--wasm.link', 'command'] }));
    const [direct, byCommand] = (await Promise.all(servers.map(side))) as [Side, Side];
    const times: CallTimes = { direct: [], local: [], command: [] };
    for (let round = 0; round <= rounds; round++) {
      const local = await perCall(direct, 'CALLS.LOCAL', CALLS);
      const imported = await perCall(direct, 'CALLS.IMPORTED', CALLS);
      const called = await perCall(byCommand, 'CALLS.IMPORTED', CALLS_BY_COMMAND);
      // The first round warms up.
      if (round === 0) continue;
      times.local.push(local);
      times.direct.push(imported);
      times.command.push(called);
    }
    return times;
  } finally {
    for (const measured of servers) await measured.stop();
  }
}

/** What the call costs beyond its body, in each round: the time less that of a local call of the same body. */
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
    print(
      'the call alone, without its body, by command / direct',
      (median(command) / median(over)).toFixed(0),
      `${median(command).toFixed(0)} ns by command`,
    );
    print(
      'the call with its body, by command / direct',
      show(ratio(times.command, times.direct)),
      `${median(times.command).toFixed(0)} ns by command`,
    );
  },
};

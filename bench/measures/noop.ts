/**
 * What wasm costs where a command does nothing: server CPU and instructions of an empty command of a module.
 * They are compared with those of the same empty command of a native Redis module in the same server.
 */
import path from 'node:path';
import { ensureBuilt, NATIVE_FIXTURE } from '../../scripts/lib/build.ts';
import { ROOT } from '../../scripts/lib/process.ts';
import { canCount, whileCounting } from '../lib/counting.ts';
import { fixture } from '../lib/fixture.ts';
import { command } from '../lib/load.ts';
import type { Context, Measure } from '../lib/measure.ts';
import { steady, takeTurns } from '../lib/rounds.ts';
import { withServer, type StartOptions } from '../lib/server.ts';
import { CONNECTIONS, OK_BYTES, PIPELINE } from '../lib/sizes.ts';
import { median, spread } from '../lib/statistics.ts';

const COMMANDS_PER_ROUND = 200_000;
const NULL_BYTES = '$-1\r\n'.length;

const PAIRS = [
  { reply: '+OK', ours: command(() => ['NOOP.OK'], OK_BYTES), native: command(() => ['NATIVE.OK'], OK_BYTES) },
  { reply: 'null', ours: command(() => ['NOOP.NULL'], NULL_BYTES), native: command(() => ['NATIVE.NOOP'], NULL_BYTES) },
];

function measureCpu({ server, rounds, print }: Context, options: StartOptions): Promise<void> {
  return withServer(server, options, async (measured) => {
    const connections = await measured.connections(CONNECTIONS);
    for (const { reply, ...sides } of PAIRS) {
      const contenders = (['native', 'ours'] as const).map((side) =>
        steady(side, measured, connections, { operation: sides[side], count: COMMANDS_PER_ROUND, pipeline: PIPELINE }),
      );
      const { ours, native } = await takeTurns(contenders, rounds);
      const over = ours.cpu_ns.map((own, round) => own - (native.cpu_ns[round] ?? Number.NaN));
      const peer = `${median(native.cpu_ns).toFixed(0)} ns native`;
      print(`an empty command that answers ${reply}, over native`, `${spread(over, 0)} ns`, peer);
    }
  });
}

export const noop: Measure = {
  name: 'noop',
  summary: 'an empty command of a wasm module over that of a native module: server CPU, and instructions where callgrind is there',
  async run(context) {
    ensureBuilt(NATIVE_FIXTURE);
    const options: StartOptions = {
      modules: [await fixture('noop')],
      settings: ['--loadmodule', path.join(ROOT, 'build/test/native.so')],
    };
    await measureCpu(context, options);
    if (!canCount()) return;
    await whileCounting(context.server, options, async (counting) => {
      for (const { reply, ours, native } of PAIRS) {
        const peer = await counting.count(native);
        const own = await counting.count(ours);
        context.print(`instructions of one that answers ${reply}, over native`, (own - peer).toFixed(0), `${peer.toFixed(0)} native`);
      }
    });
  },
};

/**
 * What wasm costs where a command does nothing: server CPU and instructions of an empty command of a module, over those of the same empty
 * command of a native Redis module in the same server.
 */
import path from 'node:path';
import { ensureBuilt, NATIVE_FIXTURE } from '../../scripts/lib/build.ts';
import { findOnPath, ROOT, say } from '../../scripts/lib/process.ts';
import { fixture } from '../lib/fixture.ts';
import { batches, drive } from '../lib/connection.ts';
import { CountingServer } from '../lib/counting.ts';
import { OK_BYTES } from '../lib/replies.ts';
import { MeasuredServer, type StartOptions } from '../lib/server.ts';
import { median, spread } from '../lib/statistics.ts';
import type { Measure } from '../lib/measure.ts';

const CONNECTIONS = 50;
const PIPELINE = 64;
const COMMANDS_PER_ROUND = 200_000;
const NULL_BYTES = '$-1\r\n'.length;

const PAIRS = [
  { reply: '+OK', ours: 'NOOP.OK', native: 'NATIVE.OK', replyBytes: OK_BYTES },
  { reply: 'null', ours: 'NOOP.NULL', native: 'NATIVE.NOOP', replyBytes: NULL_BYTES },
];

export const noop: Measure = {
  name: 'noop',
  summary: 'an empty command of a wasm module over that of a native module: server CPU, and instructions where callgrind is there',
  async run({ server, rounds, print }) {
    ensureBuilt(NATIVE_FIXTURE);
    const options: StartOptions = {
      modules: [await fixture('noop')],
      settings: ['--loadmodule', path.join(ROOT, 'build/test/native.so')],
    };
    const measured = await MeasuredServer.start(server, options);
    try {
      const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => measured.connection()));
      const perCommand = async (name: string, replyBytes: number): Promise<number> => {
        const load = batches(
          Array.from({ length: COMMANDS_PER_ROUND }, () => [name]),
          PIPELINE,
          replyBytes,
        );
        const before = measured.cpuNs();
        await drive(connections, load);
        return (measured.cpuNs() - before) / COMMANDS_PER_ROUND;
      };
      for (const { reply, ours, native, replyBytes } of PAIRS) {
        const times: number[] = [];
        const over: number[] = [];
        for (let round = 0; round <= rounds; round++) {
          const peer = await perCommand(native, replyBytes);
          const own = await perCommand(ours, replyBytes);
          // The first round warms up.
          if (round === 0) continue;
          times.push(peer);
          over.push(own - peer);
        }
        print(`an empty command that answers ${reply}, over native`, `${spread(over, 0)} ns`, `${median(times).toFixed(0)} ns native`);
      }
    } finally {
      await measured.stop();
    }
    if (findOnPath('valgrind') === undefined) {
      say('instructions are not counted: there is no valgrind');
      return;
    }
    const counting = await CountingServer.start(server, options);
    try {
      for (const { reply, ours, native, replyBytes } of PAIRS) {
        const peer = await counting.count(() => [native], replyBytes);
        const own = await counting.count(() => [ours], replyBytes);
        print(`instructions of one that answers ${reply}, over native`, (own - peer).toFixed(0), `${peer.toFixed(0)} native`);
      }
    } finally {
      await counting.stop();
    }
  },
};

/**
 * What native keys get by prefetching, where the server looks ahead in a pipeline (Valkey 8.1 and later), and
 * a module's table does not: CUSTOM.GET over GET with it and without it, and over a native module's.
 * Each has a server to itself, since keys in the server's own table are looked up ahead for modules too.
 */
import path from 'node:path';
import { ensureBuilt, NATIVE_FIXTURE } from '../../scripts/lib/build.ts';
import { ROOT } from '../../scripts/lib/process.ts';
import { drive } from '../lib/connection.ts';
import { batches, reading, storing } from '../lib/load.ts';
import type { Measure } from '../lib/measure.ts';
import { valueOf } from '../lib/random.ts';
import { steady, takeTurns, type Contender } from '../lib/rounds.ts';
import { withServers, type StartOptions } from '../lib/server.ts';
import { CONNECTIONS, PIPELINE, VALUE_BYTES } from '../lib/sizes.ts';
import { median, ratio, show } from '../lib/statistics.ts';
import { randomKey } from './storage.ts';

const COMMANDS_PER_ROUND = 200_000;

export const prefetching: Measure = {
  name: 'prefetching',
  summary: 'CUSTOM.GET over GET in deep pipelines, with prefetching by the server and without it (Valkey; only when named)',
  onlyWhenNamed: true,
  async run({ server, rounds, keys, print }) {
    if (server.name !== 'Valkey') {
      print('prefetching', 'none', 'this server does not look ahead');
      return;
    }
    ensureBuilt(NATIVE_FIXTURE);
    const options = {
      GET: { modules: false },
      'GET without prefetching': { modules: false, settings: ['--prefetch-batch-max-size', '0'] },
      'CUSTOM.GET': {},
      "CUSTOM.GET of a native module's table": { modules: false, settings: ['--loadmodule', path.join(ROOT, 'build/test/native.so')] },
    } satisfies Record<string, StartOptions>;
    await withServers(server, options, async (servers) => {
      const contenders: Contender<keyof typeof options>[] = [];
      for (const name of Object.keys(options) as (keyof typeof options)[]) {
        const family = name.startsWith('CUSTOM.') ? 'CUSTOM.' : '';
        const connections = await servers[name].connections(CONNECTIONS);
        await drive(connections, batches(storing(`${family}SET`, valueOf(VALUE_BYTES)), 0, keys, PIPELINE));
        const operation = reading(`${family}GET`, VALUE_BYTES, randomKey(keys));
        contenders.push(steady(name, servers[name], connections, { operation, count: COMMANDS_PER_ROUND, pipeline: PIPELINE }));
      }
      const timings = await takeTurns(contenders, rounds);
      const row = (one: keyof typeof options, other: keyof typeof options): void => {
        const [ours, peers] = [timings[one].cpu_ns, timings[other].cpu_ns];
        print(`${one} / ${other}`, show(ratio(ours, peers)), `${median(ours).toFixed(0)} and ${median(peers).toFixed(0)} ns`);
      };
      row('CUSTOM.GET', 'GET');
      row('GET without prefetching', 'GET');
      row('CUSTOM.GET', 'GET without prefetching');
      row('CUSTOM.GET', "CUSTOM.GET of a native module's table");
    });
  },
};

/** How long the server takes to compile and instantiate both modules, on all cores. */
import type { Server } from '../../scripts/lib/servers.ts';
import type { Measure } from '../lib/measure.ts';
import { withServer } from '../lib/server.ts';
import { median } from '../lib/statistics.ts';

/** Milliseconds of each of `rounds` starts. */
export async function loadTimes(server: Server, rounds: number): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const log = await withServer(server, { pinned: false }, (measured) => Promise.resolve(measured.logText()));
    times.push(Number(/modules loaded in (\d+) ms/.exec(log)?.[1]));
  }
  return times;
}

export const load: Measure = {
  name: 'load',
  summary: 'time to compile and instantiate both modules, as the server logs it',
  async run({ server, rounds, print }) {
    const times = await loadTimes(server, rounds);
    print('both modules compiled and instantiated', `${median(times)} ms`, `${Math.min(...times)}–${Math.max(...times)} ms`);
  },
};

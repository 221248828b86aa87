/** How long the server takes to compile and instantiate both modules, on all cores. */
import { median } from '../lib/statistics.ts';
import { MeasuredServer } from '../lib/server.ts';
import type { Measure } from '../main.ts';

export const load: Measure = {
  name: 'load',
  summary: 'time to compile and instantiate both modules, as the server logs it',
  async run({ server, rounds, print }) {
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const measured = await MeasuredServer.start(server, { pinned: false });
      times.push(Number(/modules loaded in (\d+) ms/.exec(measured.logText())?.[1]));
      await measured.stop();
    }
    print('both modules compiled and instantiated', `${median(times)} ms`, `${Math.min(...times)}–${Math.max(...times)} ms`);
  },
};

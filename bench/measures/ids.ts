/**
 * How many ids can be minted in a second, and how often that asks the server for random bytes.
 * It is the module's own code, in Node.
 */
import { randomFillSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fixture } from '../lib/fixture.ts';
import { median } from '../lib/statistics.ts';
import type { Measure } from '../lib/measure.ts';

const IDS = 2_000_000;
const PAGES = 4;

export const ids: Measure = {
  name: 'ids',
  summary: 'ids minted in a second, anywhere and in the cluster slot of their user',
  async run({ rounds, print }) {
    const memory = new WebAssembly.Memory({ initial: PAGES });
    let drawn = 0;
    const GetRandomBytes = (pointer: number, length: number) => {
      drawn++;
      randomFillSync(new Uint8Array(memory.buffer, pointer, length));
    };
    const file = readFileSync(await fixture('ids'));
    const { instance } = await WebAssembly.instantiate(file, { env: { memory }, redis: { GetRandomBytes } });
    const mintMany = instance.exports.mintMany as (count: number, slots: number) => bigint;
    for (const [slots, where] of ['anywhere', 'in a cluster slot'].entries()) {
      const times_ns: number[] = [];
      drawn = 0;
      for (let round = 0; round <= rounds; round++) {
        const begun = process.hrtime.bigint();
        mintMany(IDS, slots);
        times_ns.push(Number(process.hrtime.bigint() - begun) / IDS);
      }
      const perSecond = 1e9 / median(times_ns.slice(1));
      const each = (IDS * times_ns.length) / drawn;
      print(
        `ids minted ${where}, each second`,
        `${(perSecond / 1e6).toFixed(1)} million`,
        `one draw of random bytes for ${each.toFixed(0)} ids`,
      );
    }
  },
};

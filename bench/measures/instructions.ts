/**
 * Instructions that the server executes per command, counted by callgrind.
 * This figure repeats on a machine with other work.
 * Each command is counted as the difference of two runs of different length.
 * So what does not belong to it cancels out.
 */
import { whileCounting } from '../lib/counting.ts';
import { creating, reading, storing, type Operation } from '../lib/load.ts';
import type { Measure } from '../lib/measure.ts';
import { keyName, valueOf } from '../lib/random.ts';
import { VALUE_BYTES } from '../lib/sizes.ts';

const KEYS = 2000;

interface Counted {
  name: string;
  operation: Operation;
  /** the command of this name that it is compared with, if any */
  peer?: string;
  /** sent once for each key before */
  before?: Operation;
}

const key = (index: number) => keyName(index % KEYS);
const set = (name: string) => storing(name, valueOf(VALUE_BYTES), key);
const get = (name: string) => reading(name, VALUE_BYTES, key);
const again = (index: number) => [`again:${key(index)}`];

const COUNTED: Counted[] = [
  { name: 'SET', operation: set('SET'), before: set('SET') },
  { name: 'CUSTOM.SET', operation: set('CUSTOM.SET'), peer: 'SET', before: set('CUSTOM.SET') },
  { name: 'GET', operation: get('GET'), before: set('SET') },
  { name: 'CUSTOM.GET', operation: get('CUSTOM.GET'), peer: 'GET', before: set('CUSTOM.SET') },
  { name: 'SESSION.CREATE (new)', operation: creating('Session created', (index) => [`new:${keyName(index)}`]), peer: 'SET' },
  {
    name: 'SESSION.CREATE (exists)',
    operation: creating('Session exists', again),
    peer: 'SET',
    before: creating('Session created', again),
  },
];

export const instructions: Measure = {
  name: 'instructions',
  summary: 'instructions per command by callgrind, 2,000 keys, over the native command (only when named)',
  onlyWhenNamed: true,
  run({ server, print }) {
    return whileCounting(server, {}, async (counting) => {
      const perCommand = new Map<string, number>();
      for (const { name, operation, before, peer = '' } of COUNTED) {
        if (before !== undefined) await counting.send(before, 0, KEYS);
        const each = await counting.count(operation);
        perCommand.set(name, each);
        const compared = perCommand.get(peer);
        print(name, `${Math.round(each)}`, compared === undefined ? '' : `${(each / compared).toFixed(2)} × ${peer}`);
      }
    });
  },
};

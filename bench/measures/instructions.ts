/**
 * Instructions that the server executes per command, counted by callgrind.
 * This figure repeats on a machine with other work.
 * Each command is counted as the difference of two runs of different length.
 * So what does not belong to it cancels out.
 */
import { whileCounting, type CountingServer } from '../lib/counting.ts';
import { creating, reading, type Operation } from '../lib/load.ts';
import type { Context, Measure } from '../lib/measure.ts';
import { loadScripts } from '../lib/native-sessions.ts';
import { keyName } from '../lib/random.ts';
import { VALUE_BYTES } from '../lib/sizes.ts';
import { PEERS, stored, TAKERS, writes } from '../lib/writes.ts';

const KEYS = 2000;

const key = (index: number) => keyName(index % KEYS);
const again = (index: number) => [`again:${key(index)}`];

/** Reads, and writes that change nothing but a time: what nobody takes an effect of. */
const READS: Record<string, Operation> = {
  GET: reading('GET', VALUE_BYTES, key),
  'CUSTOM.GET': reading('CUSTOM.GET', VALUE_BYTES, key),
  'SESSION.CREATE (exists)': creating('Session exists', again),
};
const READ_PEERS = { 'CUSTOM.GET': 'GET', 'SESSION.CREATE (exists)': 'SET' };

/** Counts each of the operations, and prints it over its peer. */
async function count(
  counting: CountingServer,
  operations: Record<string, Operation>,
  taker: string,
  print: Context['print'],
): Promise<void> {
  const peers: Record<string, string> = { ...PEERS, ...READ_PEERS };
  const perCommand = new Map<string, number>();
  for (const [name, operation] of Object.entries(operations)) perCommand.set(name, await counting.count(operation));
  for (const [name, each] of perCommand) {
    const peer = peers[name] ?? '';
    const compared = perCommand.get(peer);
    print(`${name}, ${taker}`, `${Math.round(each)}`, compared === undefined ? '' : `${(each / compared).toFixed(2)} × ${peer}`);
  }
}

export const instructions: Measure = {
  name: 'instructions',
  summary: 'instructions per command by callgrind, 2,000 keys, over the native command (only when named)',
  onlyWhenNamed: true,
  async run({ server, print }) {
    for (const [taker, settings] of Object.entries(TAKERS)) {
      await whileCounting(server, { settings }, async (counting) => {
        for (const each of stored()) await counting.send(each, 0, KEYS);
        await counting.send(creating('Session created', again), 0, KEYS);
        const changing = writes(await loadScripts((words) => counting.ask(words)), (index) => index % KEYS);
        await count(counting, settings.length === 0 ? { ...changing, ...READS } : changing, taker, print);
      });
    }
  },
};

/**
 * Instructions that the server executes per command, counted by callgrind: the figure that repeats on a machine with other work.
 *
 * Each command is counted as the difference of two runs of different length, so that what does not belong to it cancels out.
 */
import type { Words } from '../lib/connection.ts';
import { CountingServer } from '../lib/counting.ts';
import { keyName, valueOf } from '../lib/random.ts';
import { bulkBytes, createBytes, OK_BYTES } from '../lib/replies.ts';
import type { Measure } from '../lib/measure.ts';

const KEYS = 2000;
const VALUE_BYTES = 32;

interface Counted {
  name: string;
  /** the command number `index` */
  command: (index: number) => Words;
  replyBytes: number;
  /** the command of this name that it is compared with, if any */
  peer?: string;
  /** sent once for each key before */
  before?: (key: number) => Words;
  beforeReplyBytes?: number;
}

const set = (name: string) => (index: number) => [name, keyName(index % KEYS), valueOf(VALUE_BYTES)];
const get = (name: string) => (index: number) => [name, keyName(index % KEYS)];
const BULK_BYTES = bulkBytes(VALUE_BYTES);
const CREATED_BYTES = createBytes('Session created');
const EXISTS_BYTES = createBytes('Session exists');

const COUNTED: Counted[] = [
  { name: 'SET', command: set('SET'), replyBytes: OK_BYTES, before: set('SET'), beforeReplyBytes: OK_BYTES },
  {
    name: 'CUSTOM.SET',
    command: set('CUSTOM.SET'),
    replyBytes: OK_BYTES,
    peer: 'SET',
    before: set('CUSTOM.SET'),
    beforeReplyBytes: OK_BYTES,
  },
  { name: 'GET', command: get('GET'), replyBytes: BULK_BYTES, before: set('SET'), beforeReplyBytes: OK_BYTES },
  {
    name: 'CUSTOM.GET',
    command: get('CUSTOM.GET'),
    replyBytes: BULK_BYTES,
    peer: 'GET',
    before: set('CUSTOM.SET'),
    beforeReplyBytes: OK_BYTES,
  },
  { name: 'SESSION.CREATE (new)', command: (index) => ['SESSION.CREATE', `new:${keyName(index)}`], replyBytes: CREATED_BYTES, peer: 'SET' },
  {
    name: 'SESSION.CREATE (exists)',
    command: (index) => ['SESSION.CREATE', `again:${keyName(index % KEYS)}`],
    replyBytes: EXISTS_BYTES,
    peer: 'SET',
    before: (key) => ['SESSION.CREATE', `again:${keyName(key)}`],
    beforeReplyBytes: CREATED_BYTES,
  },
];

/** Instructions per command. */
async function count(server: CountingServer, { before, beforeReplyBytes, command, replyBytes }: Counted): Promise<number> {
  if (before && beforeReplyBytes !== undefined) await server.send(KEYS, before, beforeReplyBytes);
  return server.count(command, replyBytes);
}

export const instructions: Measure = {
  name: 'instructions',
  summary: 'instructions per command by callgrind, 2,000 keys, over the native command (only when named)',
  onlyWhenNamed: true,
  async run({ server, print }) {
    const counting = await CountingServer.start(server);
    try {
      const perCommand = new Map<string, number>();
      for (const counted of COUNTED) {
        const each = await count(counting, counted);
        perCommand.set(counted.name, each);
        const peer = perCommand.get(counted.peer ?? '');
        print(counted.name, `${Math.round(each)}`, peer === undefined ? '' : `${(each / peer).toFixed(2)} × ${counted.peer ?? ''}`);
      }
    } finally {
      await counting.stop();
    }
  },
};

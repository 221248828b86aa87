/**
 * Instructions that the server executes per command, counted by callgrind: the figure that repeats on a machine with other work.
 *
 * Each command is counted as the difference of two runs of different length, so that starting, compiling and filling cancel out. What
 * Wasmtime compiled is counted too.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findOnPath, Problem } from '../../scripts/lib/process.ts';
import { batches, drive, type Words } from '../lib/connection.ts';
import { keyName, valueOf } from '../lib/random.ts';
import { MeasuredServer } from '../lib/server.ts';
import type { Context, Measure } from '../main.ts';

const KEYS = 2000;
const PIPELINE = 50;
const VALUE_BYTES = 32;
const SHORT = 10_000;
const LONG = 40_000;
const OK_BYTES = 5;
const ID_BYTES = 36;

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
const BULK_BYTES = `$${VALUE_BYTES}\r\n`.length + VALUE_BYTES + 2;
const CREATED_BYTES = '+Session created: \r\n'.length + ID_BYTES;
const EXISTS_BYTES = '+Session exists: \r\n'.length + ID_BYTES;

const COUNTED: Counted[] = [
  { name: 'SET', command: set('SET'), replyBytes: OK_BYTES, before: set('SET'), beforeReplyBytes: OK_BYTES },
  { name: 'CUSTOM.SET', command: set('CUSTOM.SET'), replyBytes: OK_BYTES, peer: 'SET', before: set('CUSTOM.SET'), beforeReplyBytes: OK_BYTES },
  { name: 'GET', command: get('GET'), replyBytes: BULK_BYTES, before: set('SET'), beforeReplyBytes: OK_BYTES },
  { name: 'CUSTOM.GET', command: get('CUSTOM.GET'), replyBytes: BULK_BYTES, peer: 'GET', before: set('CUSTOM.SET'), beforeReplyBytes: OK_BYTES },
  { name: 'SESSION.CREATE (new)', command: (index) => ['SESSION.CREATE', keyName(index)], replyBytes: CREATED_BYTES, peer: 'SET' },
  {
    name: 'SESSION.CREATE (exists)',
    command: (index) => ['SESSION.CREATE', keyName(index % KEYS)],
    replyBytes: EXISTS_BYTES,
    peer: 'SET',
    before: (key) => ['SESSION.CREATE', keyName(key)],
    beforeReplyBytes: CREATED_BYTES,
  },
];

/** Instructions of one whole life of a server that answers `count` commands. */
async function count({ server }: Context, counted: Counted, commands: number): Promise<number> {
  const folder = mkdtempSync(path.join(tmpdir(), 'callgrind-'));
  const file = path.join(folder, 'out');
  try {
    const measured = await MeasuredServer.start(server, { under: ['valgrind', '--tool=callgrind', `--callgrind-out-file=${file}`] });
    const connection = await measured.connection();
    const send = (words: Words[], replyBytes: number) => drive([connection], batches(words, PIPELINE, replyBytes));
    const { before, beforeReplyBytes } = counted;
    if (before && beforeReplyBytes !== undefined) {
      await send(
        Array.from({ length: KEYS }, (_, key) => before(key)),
        beforeReplyBytes,
      );
    }
    await send(
      Array.from({ length: commands }, (_, index) => counted.command(index)),
      counted.replyBytes,
    );
    await measured.stop(true);
    const total = /^(?:totals|summary): (\d+)/m.exec(readFileSync(file, 'utf8'))?.[1];
    if (total === undefined) throw new Problem('callgrind wrote no total');
    return Number(total);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const instructions: Measure = {
  name: 'instructions',
  summary: 'instructions per command by callgrind, 2,000 keys, over the native command (slow; only when named)',
  onlyWhenNamed: true,
  async run(context) {
    if (findOnPath('valgrind') === undefined) throw new Problem('valgrind is needed (Debian: sudo apt-get install valgrind)');
    const perCommand = new Map<string, number>();
    for (const counted of COUNTED) {
      const instructions = ((await count(context, counted, LONG)) - (await count(context, counted, SHORT))) / (LONG - SHORT);
      perCommand.set(counted.name, instructions);
      const peer = perCommand.get(counted.peer ?? '');
      context.print(counted.name, `${Math.round(instructions)}`, peer === undefined ? '' : `${(instructions / peer).toFixed(2)} × ${counted.peer ?? ''}`);
    }
  },
};

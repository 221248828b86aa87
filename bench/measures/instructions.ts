/**
 * Instructions that the server executes per command, counted by callgrind: the figure that repeats on a machine with other work.
 *
 * Each command is counted as the difference of two runs of different length, so that what does not belong to it cancels out. What
 * Wasmtime compiled is counted too.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findOnPath, mustRun, Problem } from '../../scripts/lib/process.ts';
import { batches, drive, type Connection, type Words } from '../lib/connection.ts';
import { keyName, valueOf } from '../lib/random.ts';
import { bulkBytes, createBytes, OK_BYTES } from '../lib/replies.ts';
import { MeasuredServer } from '../lib/server.ts';
import type { Server } from '../../scripts/lib/servers.ts';
import type { Measure } from '../main.ts';

const KEYS = 2000;
const PIPELINE = 50;
const VALUE_BYTES = 32;
const WARM_UP = 1000;
const SHORT = 2000;
const LONG = 8000;

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

/** A server under callgrind, whose counters are read between commands. */
class CountingServer {
  private dumps = 0;

  private constructor(
    private readonly measured: MeasuredServer,
    private readonly connection: Connection,
    private readonly folder: string,
  ) {}

  static async start(server: Server): Promise<CountingServer> {
    const folder = mkdtempSync(path.join(tmpdir(), 'callgrind-'));
    const under = ['valgrind', '--tool=callgrind', `--callgrind-out-file=${path.join(folder, 'out')}`];
    const measured = await MeasuredServer.start(server, { under });
    return new CountingServer(measured, await measured.connection(), folder);
  }

  async send(count: number, command: (index: number) => Words, replyBytes: number): Promise<void> {
    const words = Array.from({ length: count }, (_, index) => command(index));
    await drive([this.connection], batches(words, PIPELINE, replyBytes));
  }

  /** Instructions since the last call. */
  take(): number {
    mustRun('callgrind_control', ['--dump', String(this.measured.pid)], { quiet: true });
    this.dumps++;
    const file = path.join(this.folder, `out.${this.dumps}`);
    const total = /^(?:totals|summary): (\d+)/m.exec(readFileSync(file, 'utf8'))?.[1];
    if (total === undefined) throw new Problem('callgrind wrote no total');
    return Number(total);
  }

  async stop(): Promise<void> {
    await this.measured.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Instructions per command. */
async function count(server: CountingServer, counted: Counted): Promise<number> {
  const { before, beforeReplyBytes, command, replyBytes } = counted;
  if (before && beforeReplyBytes !== undefined) await server.send(KEYS, before, beforeReplyBytes);
  const lengths = [WARM_UP, SHORT, LONG];
  let sent = 0;
  const totals: number[] = [];
  for (const length of lengths) {
    server.take();
    const from = sent;
    await server.send(length, (index) => command(from + index), replyBytes);
    sent += length;
    totals.push(server.take());
  }
  return ((totals[2] ?? Number.NaN) - (totals[1] ?? Number.NaN)) / (LONG - SHORT);
}

export const instructions: Measure = {
  name: 'instructions',
  summary: 'instructions per command by callgrind, 2,000 keys, over the native command (only when named)',
  onlyWhenNamed: true,
  async run({ server, print }) {
    for (const tool of ['valgrind', 'callgrind_control']) {
      if (findOnPath(tool) === undefined) throw new Problem(`${tool} is needed (Debian: sudo apt-get install valgrind)`);
    }
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

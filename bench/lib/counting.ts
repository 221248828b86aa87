/** Counting what a server executes, by callgrind. What Wasmtime compiled is counted too. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findOnPath, mustRun, Problem, say } from '../../scripts/lib/process.ts';
import type { Server } from '../../scripts/lib/servers.ts';
import { drive, type Connection } from './connection.ts';
import { batches, type Operation, type Words } from './load.ts';
import { MeasuredServer, stopAfter, type StartOptions } from './server.ts';

const PIPELINE = 50;
const WARM_UP = 1000;
const SHORT = 2000;
const LONG = 8000;

/** A server under callgrind, whose counters are read between commands. */
export class CountingServer {
  private dumps = 0;

  private constructor(
    private readonly measured: MeasuredServer,
    private readonly connection: Connection,
    private readonly folder: string,
  ) {}

  static async start(server: Server, options: StartOptions = {}): Promise<CountingServer> {
    for (const tool of ['valgrind', 'callgrind_control']) {
      if (findOnPath(tool) === undefined) throw new Problem(`${tool} is needed (Debian: sudo apt-get install valgrind)`);
    }
    const folder = mkdtempSync(path.join(tmpdir(), 'callgrind-'));
    // Under valgrind the compiler takes longer than its own process may.
    const under = ['env', 'WASM_NO_PROCESS=1', 'valgrind', '--tool=callgrind', `--callgrind-out-file=${path.join(folder, 'out')}`];
    // The server's own timer, which runs by the clock and not by the commands, as seldom as it can.
    const settings = [...(options.settings ?? []), '--hz', '1', '--dynamic-hz', 'no'];
    const measured = await MeasuredServer.start(server, { ...options, settings, under });
    return new CountingServer(measured, await measured.connection(), folder);
  }

  /** Sends one command and answers its reply. */
  ask(words: Words): Promise<string> {
    return this.connection.ask(words);
  }

  /** Sends the operation for each number in [from, to) over one connection. */
  async send(operation: Operation, from: number, to: number): Promise<void> {
    await drive([this.connection], batches(operation, from, to, PIPELINE));
  }

  /**
   * Instructions per operation: the difference of two runs of different length, after one that warms up.
   * The numbers of the operations go on from one run to the next.
   */
  async count(operation: Operation): Promise<number> {
    let sent = 0;
    const totals: number[] = [];
    for (const length of [WARM_UP, SHORT, LONG]) {
      this.take();
      await this.send(operation, sent, sent + length);
      sent += length;
      totals.push(this.take());
    }
    return ((totals[2] ?? Number.NaN) - (totals[1] ?? Number.NaN)) / (LONG - SHORT);
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

/** Starts a server under callgrind, gives it to `use`, and stops it. */
export async function whileCounting<T>(server: Server, options: StartOptions, use: (counting: CountingServer) => Promise<T>): Promise<T> {
  return stopAfter(await CountingServer.start(server, options), use);
}

/** Whether instructions can be counted here; where they cannot, that is told. */
export function canCount(): boolean {
  const found = findOnPath('valgrind') !== undefined;
  if (!found) say('instructions are not counted: there is no valgrind');
  return found;
}

/** Counting what a server executes, by callgrind. What Wasmtime compiled is counted too. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findOnPath, mustRun, Problem } from '../../scripts/lib/process.ts';
import type { Server } from '../../scripts/lib/servers.ts';
import { batches, drive, type Connection, type Words } from './connection.ts';
import { MeasuredServer, type StartOptions } from './server.ts';

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

  /** Sends `count` commands over one connection. */
  async send(count: number, command: (index: number) => Words, replyBytes: number): Promise<void> {
    const words = Array.from({ length: count }, (_, index) => command(index));
    await drive([this.connection], batches(words, PIPELINE, replyBytes));
  }

  /**
   * Instructions per command: of runs of three lengths the first warms up, and the difference of the other two tells.
   * @param command the command number `index`, which goes on counting from one run to the next
   */
  async count(command: (index: number) => Words, replyBytes: number): Promise<number> {
    let sent = 0;
    const totals: number[] = [];
    for (const length of [WARM_UP, SHORT, LONG]) {
      this.take();
      const from = sent;
      await this.send(length, (index) => command(from + index), replyBytes);
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

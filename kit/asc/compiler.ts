/** Runs AssemblyScript's compiler in a process of its own, with a limit of time. */
import { fork, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Job, Outcome } from './job.ts';

const FILE = fileURLToPath(new URL('./child.js', import.meta.url));

/** How often it is looked how long it has run. */
const LOOK_MS = 50;
/** Of a clock tick, as Linux counts what a process has run. */
const TICK_MS = 10;

/**
 * Milliseconds that a process has run on a processor: what else the machine does is not counted. Where the
 * system does not tell, the time that has passed.
 */
function running_ms({ pid }: ChildProcess): number {
  try {
    const fields =
      readFileSync(`/proc/${pid ?? 0}/stat`, 'latin1')
        .split(') ')[1]
        ?.split(' ') ?? [];
    return TICK_MS * (Number(fields[11]) + Number(fields[12]));
  } catch {
    return performance.now();
  }
}

/** A compiler that is kept for the next file. Starting it takes half a second, so that begins at once. */
export class Compiler {
  private child: ChildProcess | undefined = start();

  /**
   * Compiles, one job after the other.
   * @param limit_ms how long it may run on a processor; undefined: as long as it takes
   * @returns undefined when it took longer
   */
  async run(job: Job, limit_ms = Infinity): Promise<Outcome | undefined> {
    const child = (this.child ??= start());
    const begun_ms = running_ms(child);
    let timer: NodeJS.Timeout | undefined;
    try {
      const outcome = await new Promise<Outcome | undefined>((resolve, reject) => {
        // It also keeps this program from ending meanwhile.
        timer = setInterval(() => {
          if (running_ms(child) - begun_ms > limit_ms) resolve(undefined);
        }, LOOK_MS);
        child.once('message', resolve);
        child.once('error', reject);
        // The compiler ends its process where it fails by itself, having said why.
        child.once('exit', () => {
          this.child = undefined;
          resolve({ diagnostics: [{ message: 'The compiler has failed; what it printed says where.', start: 0 }] });
        });
        child.send(job);
      });
      if (outcome === undefined) this.end();
      return outcome;
    } finally {
      clearInterval(timer);
      for (const event of ['message', 'error', 'exit']) child.removeAllListeners(event);
    }
  }

  /** Ends the process, whatever it does. */
  end(): void {
    this.child?.removeAllListeners('exit');
    this.child?.kill('SIGKILL');
    this.child = undefined;
  }
}

function start(): ChildProcess {
  // Without what this process was started with: it needs no loader, and no other process is to be debugged.
  const child = fork(FILE, [], { serialization: 'advanced', execArgv: [] });
  child.unref();
  child.channel?.unref();
  return child;
}

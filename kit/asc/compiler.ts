/** Runs AssemblyScript's compiler in a process of its own, with a limit of time. */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Job, Outcome } from './job.ts';

const FILE = fileURLToPath(new URL('./child.js', import.meta.url));

/** A compiler that is kept for the next file: starting it takes half a second. */
export class Compiler {
  private child: ChildProcess | undefined;

  /**
   * Compiles, one job after the other.
   * @param limit_ms what it may take; undefined: as long as it takes
   * @returns undefined when it took longer
   */
  async run(job: Job, limit_ms?: number): Promise<Outcome | undefined> {
    const child = (this.child ??= start());
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Outcome | undefined>((resolve, reject) => {
        // It also keeps this program from ending meanwhile.
        timer = setTimeout(
          () => {
            resolve(undefined);
          },
          limit_ms ?? 2 ** 31 - 1,
        );
        child.once('message', resolve);
        child.once('error', reject);
        // The compiler ends its process where it fails by itself, having said why.
        child.once('exit', () => {
          this.child = undefined;
          resolve({ diagnostics: [{ message: 'The compiler has failed; what it printed says where.', start: 0 }] });
        });
        child.send(job);
      }).then((outcome) => {
        if (outcome === undefined) this.end();
        return outcome;
      });
    } finally {
      clearTimeout(timer);
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

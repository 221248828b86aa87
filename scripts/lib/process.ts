/** Running other programs, and telling the person in front of the terminal what is going on. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { Problem, ROOT } from '../../bin/process.ts';

export { findOnPath, isExecutable, main, Problem, ROOT, say } from '../../bin/process.ts';

export interface RunOptions {
  /** Set on top of this process's environment. */
  environment?: Record<string, string>;
  /** Where it runs; by default the project's folder. */
  folder?: string;
  /** Collect the output instead of showing it. */
  quiet?: boolean;
}

export interface Run {
  /** 127 when it could not be started: `stderr` says why */
  status: number;
  /** empty unless `quiet` */
  stdout: string;
  /**
   * Apart from what is read of a program: cargo, rustup, npm, git and pip tell of progress and warn there.
   * Empty unless `quiet`.
   */
  stderr: string;
}

/** Runs a program until it ends. */
export function run(command: string, programArguments: string[], options: RunOptions = {}): Run {
  const { status, stdout, stderr, error } = spawnSync(command, programArguments, {
    cwd: options.folder ?? ROOT,
    env: { ...process.env, ...options.environment },
    stdio: options.quiet ? 'pipe' : 'inherit',
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (error) return { status: 127, stdout: '', stderr: error.message };
  return options.quiet ? { status: status ?? 1, stdout, stderr } : { status: status ?? 1, stdout: '', stderr: '' };
}

/**
 * As `run`, and answers its standard output; throws a Problem that names the command, and has all that it
 * said, when it fails.
 */
export function mustRun(command: string, programArguments: string[], options: RunOptions = {}): string {
  const { status, stdout, stderr } = run(command, programArguments, options);
  if (status !== 0) {
    const shown = [command, ...programArguments].join(' ');
    throw new Problem(`This command failed (status ${status}):\n  ${shown}\n${stdout}${stderr}`.trimEnd());
  }
  return stdout;
}

/** Runs a program of node_modules/.bin. */
export function mustRunTool(name: string, programArguments: string[], options: RunOptions = {}): string {
  return mustRun(path.join(ROOT, 'node_modules/.bin', name), programArguments, options);
}

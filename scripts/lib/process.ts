/** Running other programs, and telling the person in front of the terminal what is going on. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { Problem, ROOT } from '../../bin/process.ts';

export { findOnPath, isExecutable, main, Problem, ROOT, say } from '../../bin/process.ts';

export interface RunOptions {
  /** Set on top of this process's environment. */
  environment?: Record<string, string>;
  /** Collect the output instead of showing it. */
  quiet?: boolean;
}

/** Runs a program in the project's folder until it ends; `status` is 127 when it could not be started. */
export function run(command: string, programArguments: string[], options: RunOptions = {}): { status: number; output: string } {
  const { status, stdout, stderr, error } = spawnSync(command, programArguments, {
    cwd: ROOT,
    env: { ...process.env, ...options.environment },
    stdio: options.quiet ? 'pipe' : 'inherit',
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (error) return { status: 127, output: error.message };
  return { status: status ?? 1, output: options.quiet ? stdout + stderr : '' };
}

/** As `run`; throws a Problem that names the command when it fails. */
export function mustRun(command: string, programArguments: string[], options: RunOptions = {}): string {
  const { status, output } = run(command, programArguments, options);
  if (status !== 0) {
    const shown = [command, ...programArguments].join(' ');
    throw new Problem(`This command failed (status ${status}):\n  ${shown}${output ? `\n${output.trimEnd()}` : ''}`);
  }
  return output;
}

/** Runs a program of node_modules/.bin. */
export function mustRunTool(name: string, programArguments: string[], options: RunOptions = {}): string {
  return mustRun(path.join(ROOT, 'node_modules/.bin', name), programArguments, options);
}

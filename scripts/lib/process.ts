/** Running other programs, and telling the person in front of the terminal what is going on. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder, absolute. */
export const ROOT = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));

/** An error whose message alone is for the person: what is wrong, and what to run. No stack trace is shown. */
export class Problem extends Error {}

/** A progress line. */
export function say(line: string): void {
  console.log(`• ${line}`);
}

/** Runs `body` and turns a Problem into its message and exit status 1. */
export async function main(body: () => Promise<number | undefined> | number | undefined): Promise<void> {
  try {
    process.exitCode = (await body()) ?? 0;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    console.error(`\n${error.message}\n`);
    process.exitCode = 1;
  }
}

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

/** Where `name` is on PATH, or undefined. */
export function findOnPath(name: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(path.delimiter)
    .map((folder) => path.join(folder, name))
    .find(isExecutable);
}

export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** What every program of this project says and asks of the machine. Uses Node alone. */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of package.json, absolute: of the project, or of the installed package, where this file is build/bin/process.js. */
export const ROOT = folderOfPackage(path.dirname(fileURLToPath(import.meta.url)));

function folderOfPackage(folder: string): string {
  return existsSync(path.join(folder, 'package.json')) ? folder : folderOfPackage(path.dirname(folder));
}

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

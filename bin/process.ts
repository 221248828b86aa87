/** What every program of this project says and asks of the machine. Uses Node alone. */
import { accessSync, closeSync, constants, existsSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The folder of package.json, absolute: of the project, or of the installed package, where this file is
 * build/bin/process.js.
 */
export const ROOT = folderOfPackage(path.dirname(fileURLToPath(import.meta.url)));

function folderOfPackage(folder: string): string {
  return existsSync(path.join(folder, 'package.json')) ? folder : folderOfPackage(path.dirname(folder));
}

/**
 * An error whose message alone is for the person: what is wrong, and what to run. No stack trace is shown.
 */
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

/** Why a file or a folder could not be made, in words. Throws what is no error of the system. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  return ['EEXIST', 'ENOTDIR'].includes(code) ? 'there is a file where a folder would be' : message;
}

/**
 * Throws a Problem with this advice unless data can be written to the folder. It is tried: permissions do not
 * tell of a file system that is read-only or full.
 */
export function requireWritable(folder: string, advice: string): void {
  const probe = path.join(folder, `.writable-${process.pid}`);
  try {
    const descriptor = openSync(probe, 'w');
    try {
      writeSync(descriptor, 'x');
    } finally {
      closeSync(descriptor);
      rmSync(probe);
    }
  } catch (error) {
    throw new Problem(`No data can be written to ${folder}: ${reasonOf(error)}.\n${advice}`);
  }
}

/** As `requireWritable`, of a folder that is made where it is not there. */
export function prepareFolder(folder: string, advice: string, mode?: number): void {
  try {
    makeFolder(folder, mode);
  } catch (error) {
    throw new Problem(`The folder ${folder} cannot be made: ${reasonOf(error)}.\n${advice}`);
  }
  requireWritable(folder, advice);
}

/**
 * Makes a folder, and those above it that are not there.
 * @returns those that it made, the outermost first. Throws the system's error.
 */
export function makeFolder(folder: string, mode = 0o777): string[] {
  const missing: string[] = [];
  for (let at = path.resolve(folder); !existsSync(at); at = path.dirname(at)) missing.unshift(at);
  // Not by `recursive`: where the system says of a folder that it cannot be, as in /proc, Node 20 tries for
  // ever.
  return missing.filter((each) => {
    try {
      mkdirSync(each, { mode });
      return true;
    } catch (error) {
      // Made by another meanwhile.
      if (existsSync(each)) return false;
      throw error;
    }
  });
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

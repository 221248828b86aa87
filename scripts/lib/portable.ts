/** Whether a library that was built here is fit for other machines. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { GLIBC_MIN, isOlder } from '../../bin/platform.ts';
import { Problem, ROOT } from './process.ts';

/**
 * @returns the oldest glibc on which the library runs, "2.28"
 * @throws Problem when that is later than bin/platform.ts promises, or when the library names folders of this
 *   machine
 */
export function checkPortable(file: string): string {
  const bytes = readFileSync(file, 'latin1');
  // The names of the versions that it needs stand in its table of names.
  const versions = [...bytes.matchAll(/\0GLIBC_(\d+\.\d+)/g)].map(([, version = '']) => version);
  const newest = versions.reduce((a, b) => (isOlder(a, b) ? b : a), '0.0');
  if (isOlder(GLIBC_MIN, newest)) {
    throw new Problem(
      `${file} needs glibc ${newest}; ${GLIBC_MIN} is promised (bin/platform.ts). What needs it: objdump -T ${file} | grep ${newest}
host/build.rs and host/glibc/ have the functions that are linked as older ones; add it there.`,
    );
  }
  const folder = [ROOT, process.env.CARGO_HOME ?? path.join(homedir(), '.cargo')].find((name) => bytes.includes(`${name}/`));
  if (folder !== undefined) {
    throw new Problem(
      `${file} names ${folder}: some of it was compiled without .cargo/config.toml. Compile it anew: cargo clean, npm run build`,
    );
  }
  return newest;
}

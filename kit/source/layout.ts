/** How a module's data lies in memory: the files that say so, in one word. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ASSEMBLY } from './places.ts';

/**
 * A word that is the same for two files only if their data lies in memory in the same way: the SHA-256 of all
 * sources that have to do with it.
 * @param folders within `assembly/`
 * @param further what else tells two builds apart
 */
export function layoutOf(folders: string[], further = ''): string {
  const hash = createHash('sha256').update(further);
  for (const folder of folders) {
    const names = readdirSync(path.join(ASSEMBLY, folder), { recursive: true, encoding: 'utf8' });
    for (const name of names.filter((each) => each.endsWith('.ts')).sort()) {
      hash.update(`${folder}/${name}\n`).update(readFileSync(path.join(ASSEMBLY, folder, name)));
    }
  }
  return hash.digest('hex');
}

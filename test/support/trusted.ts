/** The words of `wasm.trusted`. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';

/** The word that names this file; none where it cannot be read, or no word can name it. */
export function trustedWord(file: string): string[] {
  if (path.basename(file).includes(' ')) return [];
  try {
    return [`${path.basename(file, '.wasm')}:${createHash('sha256').update(readFileSync(file)).digest('hex')}`];
  } catch {
    return [];
  }
}

/** The twins in Lua of the kit's examples: as the library that FCALL knows, and as a script for EVALSHA. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../../scripts/lib/process.ts';

export const EXAMPLES = path.join(ROOT, 'kit/examples');

/** The twin of an example that has one function: its library, and that function's body as a script. */
export function luaTwin(name: string): { library: string; script: string } {
  const library = readFileSync(path.join(EXAMPLES, `${name}.lua`), 'utf8');
  const [, body] = /function\(keys, args\)\n([^]*)\nend\)/.exec(library) ?? [];
  return { library, script: `local keys, args = KEYS, ARGV\n${body ?? ''}` };
}

/** Loads a script; its digest. */
export async function loadScript(ask: (words: string[]) => Promise<string>, script: string): Promise<string> {
  return (await ask(['SCRIPT', 'LOAD', script])).split('\r\n')[1] ?? '';
}

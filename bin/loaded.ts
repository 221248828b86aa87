/** What a server says of the modules that it has loaded. */
import type { Reply, Wire } from '../client/transfer/wire.ts';

/** A module of a server. */
export interface Loaded {
  /** why it is missing; undefined while it serves */
  missing?: string;
  /** of its file, in hexadecimal; empty while it is missing */
  sha256: string;
  /** where that came from, absolute; empty while it is missing */
  path: string;
}

const MISSING = 'missing: ';

/** The modules of a server, by their names. Rejects with the WireError of WASM.MODULES. */
export async function loadedModules(wire: Wire): Promise<Map<string, Loaded>> {
  const modules = (await wire.call(['WASM.MODULES'])) as Reply[][];
  return new Map(
    modules.map((pairs) => {
      const fields = new Map(pairs.flatMap((name, at) => (at % 2 === 0 ? [[String(name), String(pairs[at + 1])] as const] : [])));
      const { name = '', state = '', sha256 = '', path = '' } = Object.fromEntries(fields);
      return [name, { sha256, path, ...(state.startsWith(MISSING) ? { missing: state.slice(MISSING.length) } : {}) }];
    }),
  );
}

/** A server's error without the code that all have. */
export function wordsOf(reply: string): string {
  return reply.replace(/^ERR /, '');
}

/**
 * What `export` and `import` have in common: their options, their two servers, and what they tell meanwhile.
 */
import { PREFIX_DEFAULT } from '../client/transfer/layout.ts';
import { type Wire, WireError } from '../client/transfer/wire.ts';
import { advised, open, TLS_OPTIONS, tlsOf, type Tls } from './address.ts';
import { parsed } from './options.ts';
import { Problem } from './process.ts';

const SERVER_DEFAULT = 'redis://127.0.0.1:6379';
const TOLD_EACH_MS = 1000;

export interface Wanted {
  from: string;
  to: string;
  prefix: string;
  prune: boolean;
  tls: Tls;
}

/** The options that were given. Throws a UsageProblem. */
export function options(given: string[], mayPrune: boolean): Wanted {
  const { values } = parsed({
    args: given,
    options: {
      from: { type: 'string', default: SERVER_DEFAULT },
      to: { type: 'string' },
      prefix: { type: 'string', default: PREFIX_DEFAULT },
      ...TLS_OPTIONS,
      ...(mayPrune ? { prune: { type: 'boolean', default: false } as const } : {}),
    },
  });
  const { from, to = from, prefix, prune, ...files } = values;
  return { from, to, prefix, prune: prune === true, tls: tlsOf(files, [from, to]) };
}

/**
 * Runs `body` with both servers connected; a server's error becomes a Problem that says that it may be run
 * again.
 */
export async function withServers<T>({ from, to, tls }: Wanted, body: (from: Wire, to: Wire) => Promise<T>): Promise<T> {
  const wires: Wire[] = [];
  const opened = async (address: string): Promise<Wire> => {
    const wire = await open(address, tls);
    wires.push(wire);
    return wire;
  };
  try {
    return await body(await opened(from), await opened(to));
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    const began = wires.length === 2 ? '\nWhat was done until then is done, and it may be run again.' : '';
    throw new Problem(`${advised(error)}${began}`);
  } finally {
    for (const wire of wires) wire.close();
  }
}

/** Throws a Problem unless the server has the modules. */
export async function requireModules(wire: Wire): Promise<void> {
  for (const command of ['CUSTOM.LEN', 'SESSION.COUNT']) {
    await wire.call([command]).catch((error: unknown) => {
      if (!(error instanceof WireError) || !/unknown command/i.test(error.reply)) throw error;
      throw new Problem(`${error.message}\nThe modules are not loaded there: loadmodule <path>/host.so`);
    });
  }
}

/** Whether the server is a node of a cluster. */
export async function isClustered(wire: Wire): Promise<boolean> {
  return String(await wire.call(['INFO', 'cluster'])).includes('cluster_enabled:1');
}

/** Tells on the standard error output, at most each second, what `text` answers. */
export function teller(): (text: () => string) => void {
  let last = Date.now();
  return (text) => {
    if (Date.now() - last < TOLD_EACH_MS) return;
    last = Date.now();
    console.error(text());
  };
}

/** A number for people: 1,234,567. */
export const shown = (value: number): string => value.toLocaleString('en-GB');

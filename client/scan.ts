/** Walking through all keys or all sessions: the arguments of a SCAN, and the loop around it. */
import { ArgumentError, bytes, integer, knownOptions } from './arguments.ts';
import type { CommandParser, RedisArgument } from './command.ts';

/** Options of a scan. They have the names of node-redis' own. */
export interface ScanOptions {
  /** Only what matches this pattern of the server's `KEYS`: `user:*`. */
  MATCH?: RedisArgument;
  /** About how many elements to look at in one call; the server's default is 10. */
  COUNT?: number;
}

/** The options as arguments. */
function optionsOf(options: ScanOptions | undefined): RedisArgument[] {
  const { MATCH, COUNT } = knownOptions(options, ['MATCH', 'COUNT']);
  return [
    ...(MATCH === undefined ? [] : ['MATCH', bytes('options.MATCH', MATCH)]),
    ...(COUNT === undefined ? [] : ['COUNT', integer('options.COUNT', COUNT, 1)]),
  ];
}

/** Appends the arguments of a SCAN. */
export function pushScan(parser: CommandParser, cursor: RedisArgument, options?: ScanOptions): void {
  const position = bytes('cursor', cursor);
  if (!/^\d+$/.test(position.toString())) throw new ArgumentError('cursor', "'0', or the cursor of the reply before");
  parser.push(position, ...optionsOf(options));
}

/** What can be scanned: a client's namespace. */
export interface Scannable<Id> {
  scan(cursor: string, options?: ScanOptions): Promise<{ cursor: string | Buffer; keys: Id[] } | { cursor: string | Buffer; ids: Id[] }>;
}

/**
 * Walks through all keys (`scanIterator(client.custom)`) or all session ids (`scanIterator(client.session)`),
 * a list of them at a time, which may be empty. What is there from the beginning to the end is met at least
 * once; what comes or goes meanwhile, perhaps; a few may be met twice. It blocks the server no longer than
 * one SCAN does.
 *
 * In a cluster each node has its own: `clusterWide(cluster).session.scanIterator()` walks through all, also
 * while slots move. A list of namespaces is walked through one after the other.
 *
 * @example
 * for await (const ids of scanIterator(client.session, { MATCH: '*', COUNT: 100 })) console.log(ids);
 *
 * @param from - `client.custom` or `client.session`, or a list of such
 * @param options - as those of `scan`
 * @throws ArgumentError when `from` has no `scan`: the client was created without the modules of this
 *   package; or names the option
 */
export function scanIterator<Id>(from: Scannable<Id> | readonly Scannable<Id>[], options?: ScanOptions): AsyncGenerator<Id[], void, void> {
  const sources = (Array.isArray(from) ? from : [from]) as readonly Scannable<Id>[];
  for (const source of sources as readonly (Partial<Scannable<Id>> | null | undefined)[]) {
    if (typeof source?.scan !== 'function') {
      throw new ArgumentError('from', 'client.custom or client.session of a client created with { modules: { custom, session } }');
    }
  }
  optionsOf(options);
  return pages(sources, options);
}

async function* pages<Id>(sources: readonly Scannable<Id>[], options?: ScanOptions): AsyncGenerator<Id[], void, void> {
  for (const source of sources) {
    let cursor = '0';
    do {
      const page = await source.scan(cursor, options);
      yield 'keys' in page ? page.keys : page.ids;
      cursor = page.cursor.toString();
    } while (cursor !== '0');
  }
}

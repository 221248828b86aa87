/**
 * What is sent to a server: operations, encoded beforehand in batches.
 * Every reply to an operation has the same length, so that a client need only count bytes.
 */
import { keyName } from './random.ts';
import { ID_BYTES, OK_BYTES } from './sizes.ts';

/** So many operations are held encoded at a time; a multiple of every pipeline that is used with many. */
const SLICE = 96_000;

/** A command as its words. */
export type Words = (string | Buffer)[];

/** Something that is done again and again, by one command or by several. */
export interface Operation {
  /** its commands for the number `index`, as the server reads them */
  encoded: (index: number) => Buffer;
  /** length of the replies to it, in bytes */
  replyBytes: number;
}

/** Operations encoded for one write. */
export interface Batch {
  request: Buffer;
  /** length of all replies together */
  replyBytes: number;
  operations: number;
}

/** Encodes a command as the server reads it. */
export function encode(words: Words): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = Buffer.from(word);
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}

/** An operation that is one command. */
export function command(words: (index: number) => Words, replyBytes: number): Operation {
  return { encoded: (index) => encode(words(index)), replyBytes };
}

/** An operation that is several commands; `replies` are those to all of them, in their order. */
export function commands(words: (index: number) => Words[], replies: string[]): Operation {
  return { encoded: (index) => Buffer.concat(words(index).map(encode)), replyBytes: replies.join('').length };
}

/**
 * Stores values as long as `value`.
 * @param name SET, or a command like it
 */
export function storing(name: string, value: string | (() => string), key = keyName): Operation {
  return command((index) => [name, key(index), typeof value === 'string' ? value : value()], OK_BYTES);
}

/**
 * Reads values of `valueBytes`.
 * @param name GET, or a command like it
 */
export function reading(name: string, valueBytes: number, key = keyName): Operation {
  return command((index) => [name, key(index)], bulkBytes(valueBytes));
}

/** SESSION.CREATE, `words` being what follows the name. */
export function creating(status: 'Session created' | 'Session exists', words: (index: number) => Words): Operation {
  return command((index) => ['SESSION.CREATE', ...words(index)], `+${status}: \r\n`.length + ID_BYTES);
}

/** Length of a bulk string of `length` bytes, as a reply. */
export function bulkBytes(length: number): number {
  return `$${length}\r\n`.length + length + '\r\n'.length;
}

/**
 * The operation for each number in [from, to), `pipeline` at a time.
 * They are encoded in slices, so that those of millions need not all be held.
 * Where encoding must not take time, collect them in a list beforehand.
 */
export function* batches({ encoded, replyBytes }: Operation, from: number, to: number, pipeline: number): Generator<Batch, undefined> {
  for (let slice = from; slice < to; slice += SLICE) {
    const end = Math.min(to, slice + SLICE);
    const ready: Batch[] = [];
    for (let start = slice; start < end; start += pipeline) {
      const operations = Math.min(pipeline, end - start);
      const requests = Array.from({ length: operations }, (_, index) => encoded(start + index));
      ready.push({ request: Buffer.concat(requests), replyBytes: operations * replyBytes, operations });
    }
    yield* ready;
  }
}

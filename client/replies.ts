/** Replies into what methods answer, with node-redis' type mappings. */
import { RESP_TYPES } from '@redis/client';
import type { BlobStringReply, MapReply, NullReply, TypeMapping } from './command.ts';

const LINE_FEED = 0x0a;

/** A reply of pairs: flat as RESP2 has it, or as the decoder has made it of a RESP3 map. */
type Pairs = readonly unknown[] | ReadonlyMap<unknown, unknown> | Readonly<Record<string, unknown>>;

/** The pairs of a reply, whichever form it has. Names are text. */
export function* pairsOf(reply: Pairs): Generator<[name: string, value: unknown]> {
  if (Array.isArray(reply)) {
    for (let index = 0; index + 1 < reply.length; index += 2) yield [String(reply[index]), reply[index + 1]];
  } else if (reply instanceof Map) {
    for (const [name, value] of reply) yield [String(name), value];
  } else {
    yield* Object.entries(reply);
  }
}

/**
 * A reply of several elements that is whole. Where a command fails after the first of very many elements have
 * left the server, the error is an element of its own, and node-redis answers it among the others.
 *
 * @throws the first error in it
 */
export function whole<T>(reply: T): T {
  if (reply instanceof Map) for (const name of reply.keys()) throwIfError(name);
  const elements: Iterable<unknown> = Array.isArray(reply) || reply instanceof Map ? reply.values() : Object.values(reply ?? {});
  for (const element of elements) throwIfError(element);
  return reply;
}

function throwIfError(element: unknown): void {
  if (element instanceof Error) throw element;
}

/**
 * An object without a prototype: a field named like one of Object's own properties is a field as any other.
 */
export function bareObject<T>(pairs: Iterable<readonly [string, T]>): Record<string, T> {
  const object = Object.create(null) as Record<string, T>;
  for (const [name, value] of pairs) object[name] = value;
  return object;
}

/**
 * The reply of SESSION.GETALL LINES in both protocols, as lines or as a map: fields and raw values, as the
 * client's mapping of maps asks: an object without a prototype, a Map, or a flat array.
 */
export function transformLines(
  reply: unknown,
  _preserve?: unknown,
  typeMapping?: TypeMapping,
): MapReply<BlobStringReply, BlobStringReply> | NullReply {
  if (reply === null) return null as unknown as NullReply;
  const isLines = typeof reply === 'string' || Buffer.isBuffer(reply);
  const pairs = isLines ? linesOf(reply) : whole(reply as Pairs);
  return fieldsAs(pairs, typeMapping?.[RESP_TYPES.MAP]) as MapReply<BlobStringReply, BlobStringReply>;
}

/** The lines of a text, each with a line feed behind it. */
function linesOf(text: string | Buffer): (string | Buffer)[] {
  if (typeof text === 'string') {
    const lines = text.split('\n');
    lines.pop();
    return lines;
  }
  const lines: Buffer[] = [];
  for (let start = 0; start < text.length;) {
    const end = text.indexOf(LINE_FEED, start);
    lines.push(text.subarray(start, end));
    start = end + 1;
  }
  return lines;
}

function fieldsAs(reply: Pairs, form: unknown): unknown {
  if (form === Array) return reply;
  if (form === Map) return reply instanceof Map ? reply : new Map(pairsOf(reply));
  return bareObject(pairsOf(reply));
}

/** The moment of an RFC 3339 text. */
export function dateOf(text: unknown): Date {
  return new Date(String(text));
}

/** A duration in ms, null where the server says -1 for none. */
export function durationOf(reply: unknown): number | null {
  const ms = Number(reply);
  return ms < 0 ? null : ms;
}

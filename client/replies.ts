/** Replies into what methods answer, with node-redis' type mappings. */
import { RESP_TYPES } from '@redis/client';
import type { BlobStringReply, MapReply, NullReply, TypeMapping } from './command.ts';

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
  const elements: Iterable<unknown> = Array.isArray(reply) ? reply : reply instanceof Map ? [...reply].flat() : Object.values(reply ?? {});
  for (const element of elements) if (element instanceof Error) throw element;
  return reply;
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
 * The reply of SESSION.GETALL in both protocols: fields and raw values, as the client's mapping of maps asks:
 * an object without a prototype, a Map, or a flat array.
 */
export function transformFields(
  reply: unknown,
  _preserve?: unknown,
  typeMapping?: TypeMapping,
): MapReply<BlobStringReply, BlobStringReply> | NullReply {
  return (reply === null ? null : fieldsAs(whole(reply) as Pairs, typeMapping?.[RESP_TYPES.MAP])) as NullReply;
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

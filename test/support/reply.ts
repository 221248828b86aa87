/**
 * Replies as values: for tests that look into nested ones. Bytes are strings of the characters 0 … 255, as in
 * raw.ts.
 */

/**
 * A bulk or simple string as its bytes, an integer as a number, null, an array, a map as an array of pairs;
 * an error as an Error.
 */
export type Reply = string | number | null | Error | Reply[];

/** The reply that these bytes are, all of them. Throws where they are no whole reply. */
export function parseReply(bytes: string): Reply {
  const [reply, end] = replyAt(bytes, 0);
  if (end !== bytes.length) throw new Error(`bytes follow a reply: ${JSON.stringify(bytes.slice(end, end + 100))}`);
  return reply;
}

function replyAt(bytes: string, start: number): [reply: Reply, end: number] {
  const lineEnd = bytes.indexOf('\r\n', start);
  if (lineEnd === -1) throw new Error(`no reply: ${JSON.stringify(bytes.slice(start, start + 100))}`);
  const type = bytes[start] ?? '';
  const line = bytes.slice(start + 1, lineEnd);
  const next = lineEnd + 2;
  if (type === '+') return [line, next];
  if (type === '-') return [new Error(line), next];
  if (type === ':') return [Number(line), next];
  if (type === '_' || line === '-1') return [null, next];
  const count = Number(line);
  if (type === '$') return [bytes.slice(next, next + count), next + count + 2];
  if (type === '*' || type === '~') return elementsAt(bytes, next, count);
  if (type !== '%') throw new Error(`a reply of type ${JSON.stringify(type)}`);
  const [flat, end] = elementsAt(bytes, next, 2 * count);
  return [pairs(flat), end];
}

function elementsAt(bytes: string, start: number, count: number): [elements: Reply[], end: number] {
  const elements: Reply[] = [];
  let position = start;
  while (elements.length < count) {
    const [element, end] = replyAt(bytes, position);
    elements.push(element);
    position = end;
  }
  return [elements, position];
}

/** A flat array, as RESP2 has for a map, as pairs. */
export function pairs(flat: Reply[]): Reply[] {
  return flat.flatMap((key, index) => (index % 2 === 0 ? [[key, flat[index + 1] ?? null]] : []));
}

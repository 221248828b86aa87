/** Transcripts of the documentation: replies as redis-cli shows them. */

/**
 * The lines that redis-cli shows for the bytes of a reply of RESP2.
 */
export function shown(bytes: string): string[] {
  const [lines, end] = linesAt(bytes, 0);
  if (end !== bytes.length) throw new Error(`bytes follow a reply: ${JSON.stringify(bytes.slice(end))}`);
  return lines;
}

function linesAt(bytes: string, start: number): [lines: string[], end: number] {
  const lineEnd = bytes.indexOf('\r\n', start);
  const [type, line, next] = [bytes[start], bytes.slice(start + 1, lineEnd), lineEnd + 2];
  if (type === '+') return [[line], next];
  if (type === '-') return [[`(error) ${line}`], next];
  if (type === ':') return [[`(integer) ${line}`], next];
  const count = Number(line);
  if (count === -1) return [['(nil)'], next];
  if (type === '$') return [[JSON.stringify(bytes.slice(next, next + count))], next + count + 2];
  if (type !== '*') throw new Error(`no reply begins with ${JSON.stringify(bytes.slice(start, start + 20))}`);
  if (count === 0) return [['(empty array)'], next];
  const lines: string[] = [];
  let end = next;
  for (let index = 1; index <= count; index++) {
    const [inner, after] = linesAt(bytes, end);
    const label = `${String(index).padStart(String(count).length)}) `;
    lines.push(...inner.map((text, at) => (at === 0 ? label : ' '.repeat(label.length)) + text));
    end = after;
  }
  return [lines, end];
}

/** The words of a line that is typed into redis-cli, where quotes keep blanks. */
export function words(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
}

export interface Exchange {
  /** what is sent */
  line: string;
  /** lines of the reply, of which `…` stands for anything */
  reply: string[];
}

/** The exchanges of a block: `> ` before what is sent, the reply in the lines below. */
export function exchangesOf(block: string): Exchange[] {
  const exchanges: Exchange[] = [];
  for (const line of block.trimEnd().split('\n')) {
    if (line.startsWith('> ')) exchanges.push({ line: line.slice(2), reply: [] });
    else exchanges.at(-1).reply.push(line);
  }
  return exchanges;
}

/** What fits a line of a transcript. */
export function pattern(lines: string[]): RegExp {
  const parts = lines.join('\n').split('…');
  return new RegExp(`^${parts.map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('.*')}$`);
}

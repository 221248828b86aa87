/** A session's object as fields: one for each top-level property, its value as JSON. */
import { ArgumentError, bytes } from '../arguments.ts';
import { COOKIE } from './cookie.ts';
import { MARK } from './mark.ts';

/** Fields that another program may have written, which no object shows and no save deletes. */
const HIDDEN: ReadonlySet<string> = new Set(['__proto__', MARK]);

/**
 * The JSON of each property but the cookie and the mark. What JSON leaves out, like undefined and functions,
 * is no field.
 */
export function textsOf(session: object): Map<string, string> {
  const texts = new Map<string, string>();
  for (const [field, value] of Object.entries(session)) {
    if (field === COOKIE || field === MARK) continue;
    const text = textOf(field, value);
    if (text === undefined) continue;
    bytes(`session.${field}`, field);
    texts.set(field, text);
  }
  return texts;
}

function textOf(field: string, value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw new ArgumentError(`session.${field}`, `cannot be written as JSON: ${(error as Error).message}`);
  }
}

/**
 * The object of the fields, with this cookie. A field that is no JSON, as another program may have set it, is
 * its text.
 */
export function dataOf(texts: ReadonlyMap<string, string>, cookie: object): Record<string, unknown> {
  const data: Record<string, unknown> = { [COOKIE]: cookie };
  for (const [field, text] of texts) {
    if (!HIDDEN.has(field)) data[field] = valueOf(text);
  }
  return data;
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** What has changed: fields to write, with their JSON, and fields to delete. */
export function difference(
  before: ReadonlyMap<string, string>,
  now: ReadonlyMap<string, string>,
): { changed: Map<string, string>; removed: string[] } {
  const changed = new Map([...now].filter(([field, text]) => !isSame(before.get(field), text)));
  return { changed, removed: [...before.keys()].filter((field) => !now.has(field) && !HIDDEN.has(field)) };
}

/**
 * Whether the text on the server stands for the same value: another program may have written it with other
 * blanks.
 */
function isSame(before: string | undefined, now: string): boolean {
  return before !== undefined && (before === now || JSON.stringify(valueOf(before)) === now);
}

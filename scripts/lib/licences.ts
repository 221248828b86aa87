/** What licences allow, by their SPDX expressions, and which ones this project takes. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './process.ts';

/**
 * For what is in the package: those that deny.toml allows for crates, each of which a work under MIT may
 * contain.
 */
export const SHIPPED: ReadonlySet<string> = new Set(
  [...(/^allow = \[(.*)\]$/m.exec(readFileSync(path.join(ROOT, 'deny.toml'), 'utf8'))?.[1] ?? '').matchAll(/"([^"]+)"/g)].map(
    ([, name = '']) => name,
  ),
);

/**
 * For tools, of which nothing goes into the package: also such as ask for something when they themselves are
 * passed on.
 */
export const TOOLS: ReadonlySet<string> = new Set([
  ...SHIPPED,
  ...['ISC', '0BSD', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', 'Python-2.0', 'MPL-2.0'],
]);

/**
 * Whether the expression can be met with these licences: "MIT OR Apache-2.0", "(MIT OR Zlib) AND
 * Unicode-3.0"; a "/" is an OR, as crates wrote it once. What is no such expression, or empty, cannot.
 */
export function isMet(expression: string, allowed: ReadonlySet<string>): boolean {
  const words = expression.replaceAll('/', ' OR ').match(/[()]|[^\s()]+(?: WITH [^\s()]+)?/g) ?? [];
  let next = 0;

  function term(): boolean {
    const word = words[next++] ?? '';
    if (word !== '(') return allowed.has(word);
    const met = either();
    return words[next++] === ')' && met;
  }
  function all(): boolean {
    let met = term();
    for (; words[next] === 'AND';) {
      next++;
      met = term() && met;
    }
    return met;
  }
  function either(): boolean {
    let met = all();
    for (; words[next] === 'OR';) {
      next++;
      met = all() || met;
    }
    return met;
  }

  const met = either();
  return met && next === words.length;
}

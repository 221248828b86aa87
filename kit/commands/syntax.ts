/** The arguments of a command, from its syntax: the grammar of docs/ABI.md, as the host reads it. */

export const KINDS = ['string', 'integer', 'double', 'key', 'pattern', 'unix-time'] as const;
export type Kind = (typeof KINDS)[number];

interface Common {
  name: string;
  /** the word before it; of what repeats, once before all */
  token?: string;
  isOptional: boolean;
  isMultiple: boolean;
}
export interface Argument extends Common {
  is: 'argument';
  kind: Kind;
}
/** A word alone. */
export interface Token extends Common {
  is: 'token';
  token: string;
}
export interface Group extends Common {
  /** all of the items, or one of them */
  is: 'block' | 'oneOf';
  items: Item[];
}
export type Item = Argument | Token | Group;

/** A syntax that breaks the grammar; the message says how. */
export class SyntaxFault extends Error {}

const ENDS = new Set([']', ')', '|']);
const WORD = /\s*(\.\.\.|[[\]()|]|[\w:-]+|.)/gy;
const TOKEN = /^[A-Z][A-Z0-9_-]*$/;
const NAME = /^[a-z][a-z0-9_-]*(?::[a-z-]*)?$/;

/** The items of a syntax. Throws a SyntaxFault. */
export function parseSyntax(text: string): Item[] {
  const parser = new Parser([...text.trim().matchAll(WORD)].map(([, word = '']) => word));
  const items = parser.sequence(0);
  if (parser.peek() !== undefined) throw new SyntaxFault(`\`${parser.peek() ?? ''}\` stands outside of a group`);
  return items;
}

class Parser {
  private at = 0;

  constructor(private readonly words: string[]) {}

  peek(): string | undefined {
    return this.words[this.at];
  }

  sequence(depth: number): Item[] {
    const items: Item[] = [];
    for (let word = this.peek(); word !== undefined && !ENDS.has(word); word = this.peek()) {
      this.at++;
      if (word === '...') this.repeat(items, depth);
      else if (word === '[') items.push({ ...this.group(']'), isOptional: true });
      else if (word === '(') items.push(this.group(')'));
      else items.push(this.item(word));
    }
    return items;
  }

  private repeat(items: Item[], depth: number): void {
    const next = this.peek();
    if (depth > 0 && next !== undefined && !ENDS.has(next)) throw new SyntaxFault('`...` does not end its group');
    const repeated = depth > 0 ? single(items.splice(0)) : items.pop();
    if (repeated === undefined) throw new SyntaxFault('nothing comes before `...`');
    if (repeated.is === 'block' && repeated.token === undefined) {
      // DATA field value ...: the word comes once, before all of them.
      const first = repeated.items[0];
      if (first?.is === 'argument' && first.token !== undefined) {
        repeated.token = first.token;
        repeated.items[0] = { ...first, token: undefined };
      }
    }
    items.push({ ...repeated, isMultiple: true });
  }

  private group(end: string): Item {
    const alternatives: Item[] = [];
    for (;;) {
      const alternative = single(this.sequence(1));
      if (alternative === undefined) throw new SyntaxFault('a group, or a part of one, is empty');
      alternatives.push(alternative);
      const word = this.words[this.at++];
      if (word === end) break;
      if (word === undefined) throw new SyntaxFault(`a group is not ended by \`${end}\``);
      if (word !== '|') throw new SyntaxFault(`\`${word}\` ends a group that another bracket began`);
    }
    const [only] = alternatives;
    if (alternatives.length === 1 && only !== undefined) return only;
    const name = alternatives.map((alternative) => alternative.name).join('-');
    return { is: 'oneOf', name, items: alternatives, isOptional: false, isMultiple: false };
  }

  private item(word: string): Item {
    if (NAME.test(word)) return argument(word);
    if (!TOKEN.test(word)) throw new SyntaxFault(`\`${word}\` is neither a TOKEN nor a name`);
    const next = this.peek();
    if (next !== undefined && NAME.test(next)) {
      this.at++;
      return { ...argument(next), token: word };
    }
    return { is: 'token', name: word.toLowerCase(), token: word, isOptional: false, isMultiple: false };
  }
}

function single(items: Item[]): Item | undefined {
  const [first] = items;
  if (first === undefined || items.length === 1) return first;
  return { is: 'block', name: first.name, items, isOptional: false, isMultiple: false };
}

function argument(word: string): Argument {
  const [name = '', kind = 'string'] = word.split(':');
  const known = KINDS.find((each) => each === kind);
  if (known === undefined) throw new SyntaxFault(`\`${kind}\` is no type of an argument: ${KINDS.join(', ')}`);
  return { is: 'argument', name, kind: known, isOptional: false, isMultiple: false };
}

/** The words that an item takes at least. */
export function leastOf(item: Item): number {
  if (item.isOptional) return 0;
  const inside = () => (item.is === 'block' || item.is === 'oneOf' ? item.items.map(leastOf) : []);
  if (item.is === 'token') return 1;
  const least = item.is === 'argument' ? 1 : item.is === 'oneOf' ? Math.min(...inside()) : inside().reduce((sum, one) => sum + one, 0);
  return least + (item.token === undefined ? 0 : 1);
}

/** Whether it always takes the same number of words. */
export function isFixed(item: Item): boolean {
  if (item.isOptional || item.isMultiple) return false;
  if (item.is === 'argument' || item.is === 'token') return true;
  return item.items.every(isFixed) && (item.is === 'block' || new Set(item.items.map(leastOf)).size === 1);
}

/** The words that an item may begin with; undefined where it may begin with something else. */
export function firstTokens(item: Item): string[] | undefined {
  if (item.token !== undefined) return [item.token];
  if (item.is === 'oneOf') {
    const each = item.items.map(firstTokens);
    return each.some((tokens) => tokens === undefined) ? undefined : each.flatMap((tokens) => tokens ?? []);
  }
  const [first] = item.is === 'block' ? item.items : [];
  return first === undefined || first.isOptional ? undefined : firstTokens(first);
}

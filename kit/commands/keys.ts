/** Where a command's keys are: the lines `keys` of its description, and the places of those at fixed ones. */
import { firstTokens, isFixed, leastOf, SyntaxFault, type Item } from './syntax.ts';

export interface Keys {
  /** `1 RW UPDATE`, one for each specification */
  lines: string[];
  /** places of the first and the last key at fixed ones, and the step between them; all 0: there are none */
  first: number;
  last: number;
  step: number;
}

/** A place of keys: from the first to the last, -1 being the end, every so many. */
interface Range {
  first: number;
  last: number;
  step: number;
  name: string;
}

/**
 * @param isReadOnly whether the command only reads this key
 * Throws a SyntaxFault for a key that is nowhere to be found.
 */
export function keysOf(items: Item[], isReadOnly: (name: string) => boolean): Keys {
  const finder = new Finder();
  finder.sequence(items, 1);
  const access = (name: string) => (isReadOnly(name) ? 'RO ACCESS' : 'RW UPDATE');
  const place = ({ first, last, step }: Range) => (first === last ? `${first}` : `${first}..${last}${step === 1 ? '' : `/${step}`}`);
  const lines = finder.found.map((each) =>
    'token' in each ? `${each.token}@${each.from} ${access(each.name)}` : `${place(each)} ${access(each.name)}`,
  );
  return { lines, ...covering(finder.found.flatMap((each) => ('token' in each ? [] : [each]))) };
}

/** One range for all: the keys themselves where they stand at even distances, else the first ones that do. */
function covering(ranges: Range[]): { first: number; last: number; step: number } {
  const [head, ...others] = ranges;
  if (head === undefined) return { first: 0, last: 0, step: 0 };
  const all = { first: head.first, last: head.last, step: head.step };
  for (const { first, last, step } of others) {
    const gap = first - all.last;
    if (all.last < 0 || gap <= 0) break;
    if (all.first !== all.last && gap !== all.step) break;
    if (first !== last && step !== gap) break;
    all.step = gap;
    all.last = last;
  }
  return all;
}

class Finder {
  readonly found: (Range | { token: string; from: number; name: string })[] = [];

  /**
   * Looks through items that stand at a place, the command's name being 0.
   * @param at undefined: it depends on what is given
   * @returns the place behind them
   */
  sequence(items: Item[], start: number | undefined): number | undefined {
    let at = start;
    let least = start ?? 1;
    items.forEach((item, index) => {
      this.item(item, at, least, index === items.length - 1);
      if (at !== undefined && isFixed(item)) at += leastOf(item);
      else at = undefined;
      least += leastOf(item);
    });
    return at;
  }

  private item(item: Item, at: number | undefined, least: number, isLast: boolean): void {
    if (item.is === 'token') return;
    const behind = at === undefined ? undefined : at + (item.token === undefined ? 0 : 1);
    if (item.is === 'argument') {
      if (item.kind !== 'key') return;
      const { name, token } = item;
      if (token !== undefined && (item.isOptional || behind === undefined)) {
        if (item.isMultiple) throw nowhere(name);
        this.found.push({ token, from: least, name });
      } else if (behind === undefined || (item.isMultiple && !isLast)) throw nowhere(name);
      else if (item.isMultiple) this.found.push({ first: behind, last: -1, step: 1, name });
      // Left out, it is not there: nothing else can be at its place, as it is the last.
      else if (item.isOptional && !isLast) throw nowhere(name);
      else this.found.push({ first: behind, last: behind, step: 1, name });
      return;
    }
    if (!holdsKey(item)) return;
    if (item.is === 'block' && item.isMultiple) this.repeated(item.items, behind, isLast);
    else if (item.is === 'block' && !item.isOptional) this.sequence(item.items, behind);
    else if (item.is === 'block') this.option(item.items, behind, least, isLast);
    else for (const each of item.items) this.item({ ...each, isOptional: true }, undefined, least, false);
  }

  /** A key within `[…]`: behind a word that can be searched for, or at the end. */
  private option(items: Item[], at: number | undefined, least: number, isLast: boolean): void {
    if (isLast && items.every((each) => firstTokens(each) === undefined)) this.sequence(items, at);
    else for (const each of items) this.item({ ...each, isOptional: true }, undefined, least, false);
  }

  private repeated(items: Item[], at: number | undefined, isLast: boolean): void {
    if (at === undefined || !isLast || !items.every(isFixed)) throw nowhere(items.find(holdsKey)?.name ?? '');
    const step = items.reduce((sum, item) => sum + leastOf(item), 0);
    let first = at;
    for (const item of items) {
      if (holdsKey(item)) this.found.push({ first, last: -1, step, name: item.name });
      first += leastOf(item);
    }
  }
}

function holdsKey(item: Item): boolean {
  if (item.is === 'argument') return item.kind === 'key';
  return item.is !== 'token' && item.items.some(holdsKey);
}

function nowhere(name: string): SyntaxFault {
  return new SyntaxFault(
    `servers cannot find the key ${name}: what comes before it has no fixed length. Keys come first, or behind a TOKEN of their own`,
  );
}

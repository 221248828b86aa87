/**
 * What a writer did, and the question that every check of the torture asks: after which of these operations
 * does the state that is there stand?
 *
 * State is written as a flat map of one writer's own names, so that two states compare name by name:
 *
 *     key <key>              its value
 *     limit <key>            yes, where it has a deadline
 *     sessions <user>        the labels of the user's sessions, newest first: the field `label` of each
 *     id <label>             the session's id
 *     field <label> <name>   the value of another field
 */

/** One writer's names and their values. */
export type State = Map<string, string>;

/** The id of a session whose creation or rotation was never acknowledged: any will do. */
export const UNKNOWN = '?';

export interface Operation {
  words: string[];
  /** What it does to the writer's state; null: the name is gone. */
  changes: [name: string, value: string | null][];
  /** When it was sent and acknowledged, in events of all writers (see Load.clock); Infinity: not yet. */
  sent: number;
  acknowledged: number;
  /** When it was acknowledged, in Unix ms; Infinity: not yet. */
  acknowledged_ms: number;
}

/** A promise that the server did not keep. */
export class Violation extends Error {}

/**
 * What one writer left behind: the state before its operations, and these in the order in which it sent them.
 */
export interface History {
  name: string;
  base: State;
  operations: Operation[];
}

/** Applies an operation's changes. */
export function apply(state: State, { changes }: Operation): void {
  for (const [name, value] of changes) {
    if (value === null) state.delete(name);
    else state.set(name, value);
  }
}

/** The state after the first `count` operations of a history. O(operations). */
export function stateAfter({ base, operations }: History, count: number): State {
  const state = new Map(base);
  for (const operation of operations.slice(0, count)) apply(state, operation);
  return state;
}

/** Every count of operations after which a history's state is `actual`, ascending. O(names + changes). */
export function prefixes(history: History, actual: State): number[] {
  const state = new Map(history.base);
  const differing = new Set([...state.keys(), ...actual.keys()].filter((name) => !isEqual(state.get(name), actual.get(name))));
  const found = differing.size === 0 ? [0] : [];
  for (const [index, operation] of history.operations.entries()) {
    apply(state, operation);
    for (const [name] of operation.changes) {
      if (isEqual(state.get(name), actual.get(name))) differing.delete(name);
      else differing.add(name);
    }
    if (differing.size === 0) found.push(index + 1);
  }
  return found;
}

function isEqual(expected: string | undefined, actual: string | undefined): boolean {
  return expected === actual || (expected === UNKNOWN && actual !== undefined);
}

/**
 * Checks what is there against what was done: each writer's state is that after a prefix of its operations
 * which holds all that `mustBeThere`, and the prefixes make one point in time together.
 * @param mustBeThere true for the operations that may not be missing
 * @returns how many acknowledged operations of all writers are missing
 * @throws Violation that names what is lost
 */
export function check(histories: History[], actual: Map<string, State>, mustBeThere: (operation: Operation) => boolean): number {
  const ranges = histories.map((history) => {
    const { name, operations } = history;
    const state = actual.get(name) ?? new Map<string, string>();
    const required = operations.findLastIndex(mustBeThere) + 1;
    const found = prefixes(history, state);
    const first = found.find((count) => count >= required);
    if (first === undefined) throw new Violation(explain(history, state, found.at(-1), required));
    return { name, operations, first, last: found.at(-1) };
  });
  for (const one of ranges) {
    // What is surely missing here, and surely there elsewhere although it was sent only after the missing one
    // was acknowledged.
    const missing = one.operations[one.last];
    if (missing === undefined) continue;
    for (const other of ranges) {
      const present = other.operations[other.first - 1];
      if (present === undefined || present.sent < missing.acknowledged) continue;
      throw new Violation(`${other.name} has ${show(present)}, but ${one.name} has lost the earlier ${show(missing)}`);
    }
  }
  const missing = ranges.flatMap(({ operations, last }) => operations.slice(last));
  return missing.filter(({ acknowledged }) => acknowledged !== Infinity).length;
}

const SHOWN_MAX = 5;

function explain(history: History, actual: State, found: number | undefined, required: number): string {
  const { name, operations } = history;
  if (found !== undefined) {
    const lost = operations.slice(found, required);
    const more = lost.length > SHOWN_MAX ? ` and ${lost.length - SHOWN_MAX} more` : '';
    return `${name} lost ${lost.length} operations that must be there: ${lost.slice(0, SHOWN_MAX).map(show).join(', ')}${more}`;
  }
  const wanted = stateAfter(history, operations.length);
  const names = [...new Set([...wanted.keys(), ...actual.keys()])].filter((key) => !isEqual(wanted.get(key), actual.get(key)));
  const differences = names.slice(0, SHOWN_MAX).map((key) => `${key}: ${shorten(actual.get(key))} instead of ${shorten(wanted.get(key))}`);
  return `the state of ${name} is that after none of its ${operations.length} operations; after the last, ${names.length} names differ: ${differences.join('; ')}`;
}

function show({ words }: Operation): string {
  return words.map(shorten).join(' ');
}

function shorten(text: string | undefined): string {
  if (text === undefined) return 'nothing';
  return text.length > 40 ? `${text.slice(0, 20)}… (${text.length} bytes)` : text;
}

/**
 * What test/native/benches/tables.rs does, in JavaScript: `<engine|map> <entries>` prints ns per operation.
 * The output is JSON. `engine` is the storage engine in Node, `map` a Map of strings.
 * The strings of a Map are made outside of the time, and anew for each pass, so that none has its hash yet.
 */
import { loadEngine } from '../../test/storage/engine.ts';
import { median } from './statistics.ts';

/** Numbers from here on are not in a table. */
const ABSENT = 1 << 30;
const OPERATIONS = ['insert', 'hit', 'miss', 'iterate', 'delete'] as const;
/** Passes of small tables are repeated until about as many operations were measured. */
const OPERATIONS_MIN = 2_000_000;
const VALUE_BYTES = 32;
/** Strings that are held beside the Map at a time. */
const SLICE = 100_000;

type Operation = (typeof OPERATIONS)[number];
/** ns that an operation took for all entries. */
type Pass = (operation: Operation, entries: number, step: number) => number;

function timed(action: () => number, expected: number): number {
  const start = process.hrtime.bigint();
  const done = action();
  const time_ns = Number(process.hrtime.bigint() - start);
  if (done !== expected) throw new Error(`${done} instead of ${expected}`);
  return time_ns;
}

async function engine(): Promise<Pass> {
  const { x, table } = await loadEngine();
  return (operation, entries, step) => {
    switch (operation) {
      case 'insert':
        return timed(() => x.passInsert(table, entries, step), entries);
      case 'hit':
        return timed(() => x.passFind(table, 0, entries, step), entries);
      case 'miss':
        return timed(() => x.passFind(table, ABSENT, entries, step), 0);
      case 'iterate':
        return timed(() => x.passIterate(table), entries);
      case 'delete':
        return timed(() => x.passDelete(table, entries, step), entries);
    }
  };
}

/** 16 bytes, made anew: a string that was built by concatenation is flattened by its conversion. */
function keyText(number: number): string {
  return Buffer.from(`key:${String(number).padStart(12, '0')}`, 'latin1').toString('latin1');
}

function map(): Pass {
  const table = new Map<string, string>();
  const action: Record<Operation, (keys: string[], values: string[]) => number> = {
    insert: (keys, values) => {
      for (let at = 0; at < keys.length; at++) table.set(keys[at] ?? '', values[at] ?? '');
      return keys.length;
    },
    hit: (keys) => keys.reduce((found, key) => found + (table.get(key)?.charCodeAt(0) === 118 ? 1 : 0), 0),
    miss: (keys) => keys.reduce((found, key) => found + (table.get(key)?.charCodeAt(0) === 118 ? 1 : 0), 0),
    iterate: () => {
      let met = 0;
      for (const value of table.values()) if (value.charCodeAt(0) === 118) met++;
      return met;
    },
    delete: (keys) => keys.reduce((deleted, key) => deleted + (table.delete(key) ? 1 : 0), 0),
  };
  return (operation, entries, step) => {
    if (operation === 'iterate') return timed(() => action.iterate([], []), entries);
    let time_ns = 0;
    let number = 0;
    for (let start = 0; start < entries; start += SLICE) {
      const keys: string[] = [];
      const values: string[] = [];
      for (let rest = Math.min(SLICE, entries - start); rest; rest--) {
        keys.push(keyText(operation === 'miss' ? ABSENT + number : number));
        if (operation === 'insert') values.push(Buffer.alloc(VALUE_BYTES, 'v').toString('latin1'));
        number = (number + step) % entries;
      }
      time_ns += timed(() => action[operation](keys, values), operation === 'miss' ? 0 : keys.length);
    }
    return time_ns;
  };
}

function commonDivisor(one: number, other: number): number {
  return other === 0 ? one : commonDivisor(other, one % other);
}

const [name, count] = process.argv.slice(2);
const entries = Number(count);
const pass = name === 'engine' ? await engine() : map();
// A step that reaches every number once, in an order that jumps about.
let step = Math.floor(entries * 0.618) | 1;
while (commonDivisor(entries, step) !== 1) step += 2;
const times = new Map<Operation, number[]>(OPERATIONS.map((operation) => [operation, []]));
for (let passes = Math.max(1, Math.floor(OPERATIONS_MIN / entries)); passes; passes--) {
  for (const operation of OPERATIONS) times.get(operation)?.push(pass(operation, entries, step) / entries);
}
console.log(JSON.stringify(Object.fromEntries([...times].map(([operation, each]) => [operation, Number(median(each).toFixed(2))]))));

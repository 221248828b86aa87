/**
 * Modules that are small as files, and large for who compiles them or asks them what they declare: written
 * byte by byte, many times the same.
 */

/** A part of a module: bytes, and how often in a row. */
type Bytes = Uint8Array | number[];

/** An unsigned number in LEB128. */
export function number(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...number(Math.floor(value / 128))];
}

const concatenated = (parts: Bytes[]): Buffer => Buffer.concat(parts.map((part) => Uint8Array.from(part)));
const join = (...parts: Bytes[]): Buffer => concatenated(parts);
const sized = (bytes: Bytes): Buffer => join(number(bytes.length), bytes);
const vector = (entries: Bytes[]): Buffer => join(number(entries.length), concatenated(entries));
const name = (text: string): Buffer => sized(Buffer.from(text));
/** The same entry, so many times. */
export const many = <T>(count: number, entry: T): T[] => Array.from({ length: count }, () => entry);
/** The same bytes, so many times. */
export const repeated = (count: number, ...bytes: number[]): Buffer => Buffer.alloc(count * bytes.length, Uint8Array.from(bytes));

export const [I32, I64, FUNCREF] = [0x7f, 0x7e, 0x70];
const [FUNCTION, END] = [0x60, 0x0b];

/**
 * Instructions that leave nothing behind: a call through the table, a look at it, a load whose address is
 * what was loaded before.
 */
export const CALL_INDIRECT = [0x41, 0, 0x11, 1, 0];
export const TABLE_GET = [0x41, 0, 0x25, 0, 0x1a];
export const LOAD = [0x20, 0, 0x28, 0, 4, 0x21, 0];
export const UNREACHABLE = [0];

/** A type of functions with so many i64 as parameters and results. */
export const ofValues = (parameters: number, results: number): Buffer =>
  join([FUNCTION], number(parameters), repeated(parameters, I64), number(results), repeated(results, I64));
/** A function of this code and so many variables. */
export const body = (code: Bytes = [], variables = 0): Buffer =>
  sized(join(variables === 0 ? [0] : [1, ...number(variables), I32], code, [END]));
/** An export of the function `index`, which counts from 1. */
export const exported = (index: number): Buffer => join(name(`export${index}`), [0], number(index));
/** Data at byte 0, of no bytes, which is written when the module begins. */
export const NO_DATA = [0, 0x41, 0, END, 0];
/** A segment of so many elements that is written by nothing. */
export const passiveElements = (count: number): Buffer => join([1, 0], number(count), repeated(count, 0));
/** A global whose value is made of so many additions. */
export const sumGlobal = (count: number): Buffer => join([I32, 1, 0x41, 0], repeated(count, 0x41, 1, 0x6a), [END]);
/** A global that holds a function. */
export const functionGlobal = [FUNCREF, 1, 0xd2, 0, END];
/** A name of so many bytes, given to the module's own function. */
export const longExport = (length: number): Buffer => join(name('x'.repeat(length)), [0, 0]);

/**
 * What a module has beside what every one must export: onLoad(), which is function 0 and of type 0, and a
 * table and a memory. Type 1 is () → ().
 */
export interface Parts {
  types?: Bytes[];
  /** The types of its functions, and their bodies. */
  functions?: number[];
  /** Functions of type 1 that it imports; no index counts them where there are none. */
  imports?: number;
  bodies?: Bytes[];
  tables?: number;
  /** Elements that each table has at first. */
  tableSize?: number;
  globals?: Bytes[];
  exports?: Bytes[];
  elements?: Bytes[];
  data?: Bytes[];
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);
/** So many types of functions, no two the same, of 16 values each. */
export const types = (count: number): Buffer[] =>
  upTo(count).map((index) =>
    join(
      [FUNCTION, 16],
      Array.from({ length: 16 }, (_, bit) => ((index >> bit) & 1 ? I32 : I64)),
      [0],
    ),
  );
/** So many exported functions, each of a type of its own with some 1800 parameters and results. */
export function exportedFunctions(count: number): Parts {
  const each = upTo(count);
  return {
    types: each.map((index) => ofValues(900 - index, 900)),
    functions: each.map((index) => 2 + index),
    bodies: many(count, body(UNREACHABLE)),
    exports: each.map((index) => exported(1 + index)),
  };
}
/** So many functions of type 1 with this body. */
export const functions = (count: number, each: Bytes): Parts => ({ functions: many(count, 1), bodies: many(count, each) });

/** The bytes of a module of these parts. */
export function heavy({
  types = [],
  functions = [],
  imports = 0,
  bodies = [],
  tables = 1,
  tableSize = 1,
  globals = [],
  exports = [],
  elements = [],
  data = [],
}: Parts) {
  const sections: [number, Bytes[]][] = [
    [1, [[FUNCTION, 0, 1, I32], [FUNCTION, 0, 0], ...types]],
    [2, many(imports, join(name('provider'), name('function'), [0, 1]))],
    [3, [[0], ...functions.map(number)]],
    [4, many(tables, join([FUNCREF, 0], number(tableSize)))],
    [5, [[0, 1]]],
    [6, globals],
    [7, [join(name('onLoad'), [0], number(imports)), join(name('table'), [1, 0]), join(name('memory'), [2, 0]), ...exports]],
    [9, elements],
    [10, [body([0x41, 0]), ...bodies]],
    [11, data],
  ];
  const written = sections.filter(([, entries]) => entries.length > 0).map(([id, entries]) => join([id], sized(vector(entries))));
  return join([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], ...written);
}

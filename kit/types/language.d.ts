/// <reference no-default-lib="true"/>
/// <reference path="./sequences.d.ts" />
/**
 * What the language of modules has: TypeScript's syntax with AssemblyScript's types, for editors. Only what
 * the build takes is here, so an editor offers nothing else.
 */

/** A whole number of 8 bits, −128 to 127. */
type i8 = number;
/** A whole number of 16 bits, −32768 to 32767. */
type i16 = number;
/** A whole number of 32 bits, −2147483648 to 2147483647. What a literal without a point is. */
type i32 = number;
/** A whole number of 64 bits: counts, amounts, times in ms. */
type i64 = number;
/** A whole number of 8 bits, 0 to 255. */
type u8 = number;
/** A whole number of 16 bits, 0 to 65535. */
type u16 = number;
/** A whole number of 32 bits, 0 to 4294967295. */
type u32 = number;
/** A whole number of 64 bits, from 0 on. */
type u64 = number;
/** The size of a thing in memory, of 32 bits. */
type usize = number;
/** A whole number of 32 bits. */
type isize = number;
/** A floating-point number of 32 bits. */
type f32 = number;
/** A floating-point number of 64 bits: what JavaScript's `number` is. */
type f64 = number;
/** `true` or `false`. */
type bool = boolean | number;

/** What an array, a typed array or a string holds at an index. */
type valueof<T extends ArrayLike<unknown>> = T[0];
type ReturnType<T extends (...args: any) => any> = T extends (...args: any) => infer R ? R : any;
type NonNullable<T> = T extends null | undefined ? never : T;
type nonnull<T> = NonNullable<T>;

interface IntegerFunction {
  /** Converts a number: `i64(seconds) * 1000`. What does not fit is cut. */
  (value: number | boolean): number;
  readonly MIN_VALUE: number;
  readonly MAX_VALUE: number;
  parse(value: string, radix?: i32): number;
}
interface FloatFunction {
  /** Converts a number: `f64(count) / 2`. */
  (value: number | boolean): number;
  parse(value: string): number;
  readonly EPSILON: number;
  readonly MIN_VALUE: number;
  readonly MAX_VALUE: number;
  readonly MIN_SAFE_INTEGER: number;
  readonly MAX_SAFE_INTEGER: number;
  readonly POSITIVE_INFINITY: number;
  readonly NEGATIVE_INFINITY: number;
  readonly NaN: number;
}
declare const i8: IntegerFunction;
declare const i16: IntegerFunction;
declare const i32: IntegerFunction;
declare const i64: IntegerFunction;
declare const u8: IntegerFunction;
declare const u16: IntegerFunction;
declare const u32: IntegerFunction;
declare const u64: IntegerFunction;
declare const usize: IntegerFunction;
declare const isize: IntegerFunction;
declare const f32: FloatFunction;
declare const f64: FloatFunction;
declare function bool(value: number | boolean): bool;

declare const NaN: f64;
declare const Infinity: f64;
declare function isNaN(value: number): bool;
declare function isFinite(value: number): bool;
/** Whole numbers of 64 bits from text: `I64.parseInt("12")`; 0 where there is none. */
declare namespace I64 {
  function parseInt(text: string, radix?: i32): i64;
  const MAX_VALUE: i64;
  const MIN_VALUE: i64;
}
/** As I64, of 32 bits. */
declare namespace I32 {
  function parseInt(text: string, radix?: i32): i32;
  const MAX_VALUE: i32;
  const MIN_VALUE: i32;
}
declare namespace F64 {
  function parseFloat(text: string): f64;
}
/** The number at the beginning of a text, NaN where there is none. */
declare function parseInt(text: string, radix?: i32): f64;
/** The number at the beginning of a text, NaN where there is none. */
declare function parseFloat(text: string): f64;
declare function encodeURI(text: string): string;
declare function encodeURIComponent(text: string): string;
declare function decodeURI(text: string): string;
declare function decodeURIComponent(text: string): string;
/** Fails with the message unless the condition holds; else the value, known to be not null. */
declare function assert<T>(condition: T, message?: string): NonNullable<T>;

/** The smaller of two numbers of one type, whole ones too. */
declare function min<T extends number>(left: T, right: T): T;
/** The larger of two numbers of one type, whole ones too. */
declare function max<T extends number>(left: T, right: T): T;
/** The value without its sign, of whole numbers too. */
declare function abs<T extends number>(value: T): T;
/** Zero bits before the first one. */
declare function clz<T extends number>(value: T): T;
/** Zero bits behind the last one. */
declare function ctz<T extends number>(value: T): T;
/** How many bits are one. */
declare function popcnt<T extends number>(value: T): T;
declare function rotl<T extends number>(value: T, shift: T): T;
declare function rotr<T extends number>(value: T, shift: T): T;
declare function bswap<T extends number>(value: T): T;
/** The bits of a number, read as another type of the same size. */
declare function reinterpret<T extends number>(value: number): T;
declare function select<T>(ifTrue: T, ifFalse: T, condition: bool): T;

interface ArrayLike<T> {
  [index: number]: T;
  readonly length: i32;
}

interface String extends Iterable<string> {
  readonly [index: number]: string;
  readonly length: i32;
  at(index: i32): string;
  charAt(index: i32): string;
  charCodeAt(index: i32): i32;
  codePointAt(index: i32): i32;
  concat(other: string): string;
  endsWith(other: string): bool;
  includes(other: string): bool;
  indexOf(other: string, from?: i32): i32;
  lastIndexOf(other: string, from?: i32): i32;
  localeCompare(other: string): i32;
  padEnd(length: i32, pad?: string): string;
  padStart(length: i32, pad?: string): string;
  repeat(count?: i32): string;
  /** The first place alone. There are no regular expressions. */
  replace(search: string, replacement: string): string;
  replaceAll(search: string, replacement: string): string;
  slice(begin: i32, end?: i32): string;
  split(separator?: string, limit?: i32): string[];
  startsWith(other: string): bool;
  substr(start: i32, length?: i32): string;
  substring(start: i32, end?: i32): string;
  toLowerCase(): string;
  toString(): string;
  toUpperCase(): string;
  trim(): string;
  trimEnd(): string;
  trimStart(): string;
}
interface StringConstructor {
  fromCharCode(unit: i32, second?: i32): string;
  fromCharCodes(units: i32[]): string;
  fromCodePoint(point: i32): string;
  fromCodePoints(points: i32[]): string;
  readonly UTF8: {
    byteLength(text: string): i32;
    encode(text: string): ArrayBuffer;
    decode(bytes: ArrayBuffer): string;
  };
}
declare const String: StringConstructor;
interface TemplateStringsArray extends Array<string> {
  readonly raw: string[];
}

interface Number {
  toString(radix?: i32): string;
}
interface Boolean {
  toString(): string;
}
interface Object {}
interface Function {}
interface CallableFunction extends Function {}
interface NewableFunction extends Function {}
interface IArguments {}
interface RegExp {}

declare class Map<K, V> {
  readonly size: i32;
  has(key: K): bool;
  /** The value of a key; ends the command with an error where there is none: ask `has` first. */
  get(key: K): V;
  set(key: K, value: V): this;
  delete(key: K): bool;
  clear(): void;
  /** The keys, an array: `for (const key of map.keys())`. */
  keys(): K[];
  /** The values, an array. */
  values(): V[];
}
declare class Set<T> implements Iterable<T> {
  readonly size: i32;
  has(value: T): bool;
  add(value: T): this;
  delete(value: T): bool;
  clear(): void;
  values(): T[];
  [Symbol.iterator](): IterableIterator<T>;
}

/** A moment: `new Date(now())`. All in UTC. */
declare class Date {
  static UTC(year: i32, month?: i32, day?: i32, hour?: i32, minute?: i32, second?: i32, millisecond?: i32): i64;
  static fromString(text: string): Date;
  static parse(text: string): Date;
  constructor(ms: i64);
  getTime(): i64;
  getUTCDate(): i32;
  getUTCDay(): i32;
  getUTCFullYear(): i32;
  getUTCHours(): i32;
  getUTCMilliseconds(): i32;
  getUTCMinutes(): i32;
  getUTCMonth(): i32;
  getUTCSeconds(): i32;
  setTime(ms: i64): i64;
  setUTCDate(value: i32): void;
  setUTCFullYear(value: i32): void;
  setUTCHours(value: i32): void;
  setUTCMilliseconds(value: i32): void;
  setUTCMinutes(value: i32): void;
  setUTCMonth(value: i32, day?: i32): void;
  setUTCSeconds(value: i32): void;
  toISOString(): string;
}

/**
 * What is thrown becomes the reply. A code at the beginning is the error's: `throw new Error("NOTNOW come
 * back later")`; else it is `ERR`.
 */
declare class Error {
  message: string;
  name: string;
  constructor(message?: string);
}
declare class RangeError extends Error {}
declare class TypeError extends Error {}
declare class SyntaxError extends Error {}

declare const Math: {
  readonly E: f64;
  readonly LN2: f64;
  readonly LN10: f64;
  readonly LOG2E: f64;
  readonly LOG10E: f64;
  readonly PI: f64;
  readonly SQRT1_2: f64;
  readonly SQRT2: f64;
  abs(x: f64): f64;
  acos(x: f64): f64;
  acosh(x: f64): f64;
  asin(x: f64): f64;
  asinh(x: f64): f64;
  atan(x: f64): f64;
  atan2(y: f64, x: f64): f64;
  atanh(x: f64): f64;
  cbrt(x: f64): f64;
  ceil(x: f64): f64;
  clz32(x: f64): f64;
  cos(x: f64): f64;
  cosh(x: f64): f64;
  exp(x: f64): f64;
  expm1(x: f64): f64;
  floor(x: f64): f64;
  fround(x: f64): f64;
  hypot(x: f64, y: f64): f64;
  imul(x: f64, y: f64): f64;
  log(x: f64): f64;
  log10(x: f64): f64;
  log1p(x: f64): f64;
  log2(x: f64): f64;
  max(x: f64, y: f64): f64;
  min(x: f64, y: f64): f64;
  pow(base: f64, exponent: f64): f64;
  /** From 0 to 1, another one in each call. Not for secrets: `randomBytes`. */
  random(): f64;
  round(x: f64): f64;
  sign(x: f64): f64;
  sin(x: f64): f64;
  sinh(x: f64): f64;
  sqrt(x: f64): f64;
  tan(x: f64): f64;
  tanh(x: f64): f64;
  trunc(x: f64): f64;
};

/** Into the server's log, as the module's line. */
declare const console: {
  log(text: string): void;
  debug(text: string): void;
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
};

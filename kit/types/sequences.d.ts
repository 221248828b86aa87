/// <reference no-default-lib="true"/>
/** Arrays, typed arrays, and what is walked through. */

interface SymbolConstructor {
  readonly iterator: unique symbol;
}
declare const Symbol: SymbolConstructor;
interface IteratorYieldResult<T> {
  done?: false;
  value: T;
}
interface IteratorReturnResult<T> {
  done: true;
  value: T;
}
type IteratorResult<T, R = any> = IteratorYieldResult<T> | IteratorReturnResult<R>;
interface Iterator<T, R = any, N = any> {
  next(...args: [] | [N]): IteratorResult<T, R>;
}
interface Iterable<T, R = any, N = any> {
  [Symbol.iterator](): Iterator<T, R, N>;
}
interface IterableIterator<T, R = any, N = any> extends Iterator<T, R, N> {
  [Symbol.iterator](): IterableIterator<T, R, N>;
}

/** What every sequence of values can do. */
interface Sequence<T, Self> extends Iterable<T> {
  [index: number]: T;
  /** The value at an index; a negative one counts from the end. One beyond ends the command with an error. */
  at(index: i32): T;
  fill(value: T, start?: i32, end?: i32): this;
  /** The first index where the function says yes, else −1. There is no `find`: `list[list.findIndex(…)]`. */
  findIndex(test: (value: T, index: i32, self: Self) => bool): i32;
  findLastIndex(test: (value: T, index: i32, self: Self) => bool): i32;
  includes(value: T, from?: i32): bool;
  indexOf(value: T, from?: i32): i32;
  lastIndexOf(value: T, from?: i32): i32;
  copyWithin(target: i32, start: i32, end?: i32): this;
  /** Calls a function for each value. It sees no local variables; `for (const value of list)` does. */
  forEach(each: (value: T, index: i32, self: Self) => void): void;
  reduce<U>(step: (before: U, value: T, index: i32, self: Self) => U, initial: U): U;
  reduceRight<U>(step: (before: U, value: T, index: i32, self: Self) => U, initial: U): U;
  every(test: (value: T, index: i32, self: Self) => bool): bool;
  some(test: (value: T, index: i32, self: Self) => bool): bool;
  /** Sorts in place: `list.sort((a, b) => i32(a > b) - i32(a < b))`. */
  sort(compare?: (a: T, b: T) => i32): this;
  reverse(): this;
  join(separator?: string): string;
  toString(): string;
}

interface Array<T> extends Sequence<T, T[]> {
  length: i32;
  /** Adds one value at the end, and answers the new length. */
  push(value: T): i32;
  pop(): T;
  shift(): T;
  unshift(value: T): i32;
  concat(values: T[]): T[];
  map<U>(each: (value: T, index: i32, self: T[]) => U): U[];
  filter(test: (value: T, index: i32, self: T[]) => bool): T[];
  slice(from?: i32, to?: i32): T[];
  splice(start: i32, count?: i32): T[];
  flat(): T extends unknown[] ? T : never;
}
interface ArrayConstructor {
  new <T>(length?: i32): T[];
  isArray(value: any): bool;
}
declare const Array: ArrayConstructor;
interface ReadonlyArray<T> extends Array<T> {}

/** An array of a fixed length. */
interface StaticArray<T> extends Sequence<T, StaticArray<T>> {
  readonly length: i32;
  map<U>(each: (value: T, index: i32, self: StaticArray<T>) => U): U[];
  filter(test: (value: T, index: i32, self: StaticArray<T>) => bool): T[];
  slice(from?: i32, to?: i32): T[];
  concat(values: T[]): T[];
}
interface StaticArrayConstructor {
  new <T>(length?: i32): StaticArray<T>;
  fromArray<T>(source: T[]): StaticArray<T>;
}
declare const StaticArray: StaticArrayConstructor;

declare class ArrayBuffer {
  readonly byteLength: i32;
  constructor(length: i32);
  slice(begin?: i32, end?: i32): ArrayBuffer;
}

interface TypedArray<T, Self> extends Sequence<T, Self> {
  readonly buffer: ArrayBuffer;
  readonly byteOffset: i32;
  readonly byteLength: i32;
  readonly length: i32;
  /** A copy of a part. */
  slice(begin?: i32, end?: i32): Self;
  /** A part, on the same bytes. */
  subarray(begin?: i32, end?: i32): Self;
  map(each: (value: T, index: i32, self: Self) => T): Self;
  filter(test: (value: T, index: i32, self: Self) => bool): Self;
  set(source: ArrayLike<number>, offset?: i32): void;
}
interface TypedArrayConstructor<Self> {
  new (length: i32): Self;
  readonly BYTES_PER_ELEMENT: i32;
  /** On the bytes of a buffer, without a copy. */
  wrap(buffer: ArrayBuffer, byteOffset?: i32, length?: i32): Self;
}
interface Int8Array extends TypedArray<i8, Int8Array> {}
interface Uint8Array extends TypedArray<u8, Uint8Array> {}
interface Uint8ClampedArray extends TypedArray<u8, Uint8ClampedArray> {}
interface Int16Array extends TypedArray<i16, Int16Array> {}
interface Uint16Array extends TypedArray<u16, Uint16Array> {}
interface Int32Array extends TypedArray<i32, Int32Array> {}
interface Uint32Array extends TypedArray<u32, Uint32Array> {}
interface Int64Array extends TypedArray<i64, Int64Array> {}
interface Uint64Array extends TypedArray<u64, Uint64Array> {}
interface Float32Array extends TypedArray<f32, Float32Array> {}
interface Float64Array extends TypedArray<f64, Float64Array> {}
declare const Int8Array: TypedArrayConstructor<Int8Array>;
declare const Uint8Array: TypedArrayConstructor<Uint8Array>;
declare const Uint8ClampedArray: TypedArrayConstructor<Uint8ClampedArray>;
declare const Int16Array: TypedArrayConstructor<Int16Array>;
declare const Uint16Array: TypedArrayConstructor<Uint16Array>;
declare const Int32Array: TypedArrayConstructor<Int32Array>;
declare const Uint32Array: TypedArrayConstructor<Uint32Array>;
declare const Int64Array: TypedArrayConstructor<Int64Array>;
declare const Uint64Array: TypedArrayConstructor<Uint64Array>;
declare const Float32Array: TypedArrayConstructor<Float32Array>;
declare const Float64Array: TypedArrayConstructor<Float64Array>;

/** Numbers of any kind in the bytes of a buffer. */
declare class DataView {
  readonly buffer: ArrayBuffer;
  readonly byteLength: i32;
  readonly byteOffset: i32;
  constructor(buffer: ArrayBuffer, byteOffset?: i32, byteLength?: i32);
  getFloat32(byteOffset: i32, littleEndian?: bool): f32;
  getFloat64(byteOffset: i32, littleEndian?: bool): f64;
  getInt8(byteOffset: i32): i8;
  getInt16(byteOffset: i32, littleEndian?: bool): i16;
  getInt32(byteOffset: i32, littleEndian?: bool): i32;
  getInt64(byteOffset: i32, littleEndian?: bool): i64;
  getUint8(byteOffset: i32): u8;
  getUint16(byteOffset: i32, littleEndian?: bool): u16;
  getUint32(byteOffset: i32, littleEndian?: bool): u32;
  getUint64(byteOffset: i32, littleEndian?: bool): u64;
  setFloat32(byteOffset: i32, value: f32, littleEndian?: bool): void;
  setFloat64(byteOffset: i32, value: f64, littleEndian?: bool): void;
  setInt8(byteOffset: i32, value: i8): void;
  setInt16(byteOffset: i32, value: i16, littleEndian?: bool): void;
  setInt32(byteOffset: i32, value: i32, littleEndian?: bool): void;
  setInt64(byteOffset: i32, value: i64, littleEndian?: bool): void;
  setUint8(byteOffset: i32, value: u8): void;
  setUint16(byteOffset: i32, value: u16, littleEndian?: bool): void;
  setUint32(byteOffset: i32, value: u32, littleEndian?: bool): void;
  setUint64(byteOffset: i32, value: u64, littleEndian?: bool): void;
}

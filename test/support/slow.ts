/**
 * Modules of one function that is small as a file and large for a compiler: written byte by byte, since the
 * tools that make modules out of text would take their time for it too.
 */

/**
 * A function without parameters and results, and the type that its blocks, and function 2, may have: as many
 * i32 in as out.
 */
export interface Slow {
  locals?: number;
  arity?: number;
  /** Its instructions, but for its last `end`. */
  body: number[];
}

/** An unsigned number in LEB128. */
function number(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...number(value >>> 7)];
}

const sized = (bytes: number[]): number[] => number(bytes.length).concat(bytes);
const section = (id: number, bytes: number[]): number[] => [id].concat(sized(bytes));
const list = (entries: number[][]): number[] => number(entries.length).concat(...entries);
const name = (text: string): number[] => sized([...Buffer.from(text)]);

const [I32, FUNCTION] = [0x7f, 0x60];
/** Instructions by name, as far as the tests need them. */
export const LOOP = 0x03;
export const BLOCK = 0x02;
export const CALL = 0x10;
export const END = 0x0b;
export const NOP = 0x01;
export const I32_CONST = 0x41;
export const DROP = 0x1a;
const LOCAL_GET = 0x20;
/** Of a block: no values; and the type of {@link Slow.arity}. */
export const NO_VALUES = 0x40;
export const OF_TYPE = 0x02;

/** These bytes, so many times. */
export const times = (count: number, ...bytes: number[]): number[] => Array.from({ length: count }, () => bytes).flat();
/** Blocks of this kind in a row, or within each other. */
export const inRow = (count: number, kind: number): number[] => times(count, kind, NO_VALUES, END);
export const nested = (count: number, kind: number): number[] => [...times(count, kind, NO_VALUES), ...times(count, END)];

/** The bytes of a module that exports what every module must, with this function. */
export function slow({ locals = 0, arity = 0, body }: Slow): Uint8Array {
  const values = list(times(arity, I32).map((type) => [type]));
  const types = list([[FUNCTION, 0, 1, I32], [FUNCTION, 0, 0], [FUNCTION].concat(values, values)]);
  const exported = list([name('onLoad').concat(0, 0), name('table').concat(1, 0), name('memory').concat(2, 0)]);
  const function_ = sized((locals === 0 ? [0] : [1].concat(number(locals), I32)).concat(body, END));
  const through = [0].concat(...times(arity, 0).map((_, index) => [LOCAL_GET].concat(number(index))), END);
  const code = list([sized([0, I32_CONST, 0, END]), function_, sized(through)]);
  const sections: [number, number[]][] = [
    [1, types],
    [3, list([[0], [1], [2]])],
    [4, list([[0x70, 0, 1]])],
    [5, list([[0, 1]])],
    [7, exported],
    [10, code],
  ];
  return Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0].concat(...sections.map(([id, bytes]) => section(id, bytes))));
}

/// <reference lib="dom" />
/**
 * The shipped files export and import exactly what docs/ABI.md lists, and hold nothing that the design
 * forbids.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const DOCUMENT = readFileSync(new URL('../../docs/ABI.md', import.meta.url), 'utf8');

const TYPE = 1;
const IMPORT = 2;
const FUNCTION = 3;
const GLOBAL = 6;
const EXPORT = 7;
const START = 8;
const DATA = 11;
const CUSTOM_SECTION = 0;
const NAMES: Record<number, string> = { 0x7f: 'i32', 0x7e: 'i64', 0x7d: 'f32', 0x7c: 'f64', 0x7b: 'v128' };

/** The few sections of the binary format that tell the interface. */
class Reader {
  readonly file: Buffer;
  at = 0;
  constructor(file: Buffer) {
    this.file = file;
  }
  byte(): number {
    return this.file[this.at++] ?? 0;
  }
  number(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }
  text(): string {
    const length = this.number();
    this.at += length;
    return this.file.toString('utf8', this.at - length, this.at);
  }
  list<Item>(read: () => Item): Item[] {
    return Array.from({ length: this.number() }, read);
  }
  limits(): void {
    const flags = this.byte();
    this.number();
    if (flags & 1) this.number();
  }
}

interface Interface {
  imports: string[];
  exports: string[];
  starts: boolean;
  /** Offsets of the data segments and their ends. */
  data: [number, number][];
}

function readImports(reader: Reader, types: string[], functions: string[], found: Interface): void {
  reader.list(() => {
    const label = `${reader.text()}.${reader.text()}`;
    const kind = reader.byte();
    if (kind === 0) {
      const type = types[reader.number()] ?? '?';
      functions.push(type);
      found.imports.push(`${label}${type}`);
    } else {
      expect(kind).toBe(2);
      reader.limits();
      found.imports.push(`${label}: memory`);
    }
  });
}

function readExports(reader: Reader, functions: string[], globals: string[], found: Interface): void {
  reader.list(() => {
    const label = reader.text();
    const kind = reader.byte();
    const index = reader.number();
    if (kind === 0) found.exports.push(`${label}${functions[index] ?? '?'}`);
    else found.exports.push(`${label}: ${kind === 1 ? 'table' : kind === 3 ? (globals[index] ?? '?') : '?'}`);
  });
}

function interfaceOf(name: string): Interface {
  const reader = new Reader(readFileSync(new URL(`../../build/${name}.wasm`, import.meta.url)));
  reader.at = 8;
  let types: string[] = [];
  const functions: string[] = [];
  const globals: string[] = [];
  const found: Interface = { imports: [], exports: [], starts: false, data: [] };
  while (reader.at < reader.file.length) {
    const section = reader.byte();
    const end = reader.number() + reader.at;
    if (section === TYPE) {
      types = reader.list(() => {
        reader.byte();
        const [from, to] = [reader.list(() => NAMES[reader.byte()] ?? '?'), reader.list(() => NAMES[reader.byte()] ?? '?')];
        return `(${from.join(', ')})${to.length > 0 ? ` -> ${to.join(', ')}` : ''}`;
      });
    } else if (section === IMPORT) {
      readImports(reader, types, functions, found);
    } else if (section === FUNCTION) {
      functions.push(...reader.list(() => types[reader.number()] ?? '?'));
    } else if (section === GLOBAL) {
      reader.list(() => {
        const type = NAMES[reader.byte()] ?? '?';
        globals.push(`${reader.byte() ? 'mutable ' : ''}global ${type}`);
        // A constant and `end`: nothing else initialises a global here.
        const opcode = reader.byte();
        expect([0x41, 0x42]).toContain(opcode);
        while (reader.byte() & 0x80);
        expect(reader.byte()).toBe(0x0b);
      });
    } else if (section === EXPORT) {
      readExports(reader, functions, globals, found);
    } else if (section === START) {
      found.starts = true;
    } else if (section === DATA) {
      reader.list(() => {
        // Active, memory 0, constant offset: all that the host's overlap check can read.
        expect(reader.number()).toBe(0);
        expect(reader.byte()).toBe(0x41);
        const offset = reader.number();
        expect(reader.byte()).toBe(0x0b);
        const length = reader.number();
        found.data.push([offset, offset + length]);
        reader.at += length;
      });
    } else if (section === CUSTOM_SECTION) {
      expect(reader.file.toString('latin1', reader.at, end)).not.toContain('stack_pointer');
    }
    reader.at = end;
  }
  return found;
}

function documented(title: string): string[] {
  const [, list] = new RegExp(`<!-- ${title} -->\n\`\`\`\n([^\`]*)\n\`\`\``).exec(DOCUMENT) ?? [];
  return list?.split('\n') ?? [];
}

describe.each([
  ['hashmap', 1024, 65536],
  ['session', 65536, 196608],
])('%s.wasm', (name, start, end) => {
  const { imports, exports, starts, data } = interfaceOf(name);

  test('exports what docs/ABI.md lists', () => {
    expect([...exports].sort()).toEqual([...documented(`${name} exports`)].sort());
  });

  test('imports what docs/ABI.md lists', () => {
    expect([...imports].sort()).toEqual([...documented(`${name} imports`)].sort());
  });

  test('has no start function', () => {
    expect(starts).toBe(false);
  });

  test('keeps its static data in its own pages', () => {
    expect(Math.min(...data.map(([from]) => from))).toBeGreaterThanOrEqual(start);
    expect(Math.max(...data.map(([, to]) => to))).toBeLessThanOrEqual(end);
  });
});

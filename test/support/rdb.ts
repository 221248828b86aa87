/**
 * The auxiliary data of modules in an RDB file, taken apart and put together again, to make files that no
 * server writes. For files that were written with `rdbcompression no` and `rdbchecksum no`: strings as they
 * are, and a checksum that is not looked at.
 *
 *     "REDIS" version, 0xFA key value …, 0xF7 <module type id> 2 <when>, { opcode, value } …, 0, …
 */
import { readFileSync, writeFileSync } from 'node:fs';

const AUX = 0xfa;
const MODULE_AUX = 0xf7;
const MODULE_VALUE = 7;
const OPCODE_END = 0;
const OPCODE_UNSIGNED = 2;
const OPCODE_STRING = 5;

/** What a module saved, in the order of saving. */
export type Saved = bigint | Buffer;

export interface Section {
  /** The module type: nine characters of six bits and the encoding's version in ten. */
  type: bigint;
  saved: Saved[];
}

/** A file in parts: what is before the modules' sections, these, and what follows. */
export interface RdbFile {
  head: Buffer;
  sections: Section[];
  tail: Buffer;
}

class Reader {
  position = 0;
  readonly bytes: Buffer;
  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  length(): bigint {
    const first = this.bytes.readUInt8(this.position++);
    switch (first >> 6) {
      case 0:
        return BigInt(first);
      case 1:
        return BigInt(((first & 0x3f) << 8) | this.bytes.readUInt8(this.position++));
      case 2:
        this.position += first === 0x80 ? 4 : 8;
        return first === 0x80 ? BigInt(this.bytes.readUInt32BE(this.position - 4)) : this.bytes.readBigUInt64BE(this.position - 8);
      default:
        // An integer instead of a string: 1, 2 or 4 bytes.
        this.position += 1 << (first & 3);
        return -1n;
    }
  }

  string(): Buffer {
    const length = Number(this.length());
    if (length < 0) return Buffer.alloc(0);
    this.position += length;
    return this.bytes.subarray(this.position - length, this.position);
  }

  section(): Section {
    const type = this.length();
    this.length();
    this.length();
    const saved: Saved[] = [];
    for (;;) {
      const opcode = Number(this.length());
      if (opcode === OPCODE_END) return { type, saved };
      if (opcode === OPCODE_UNSIGNED) saved.push(this.length());
      else if (opcode === OPCODE_STRING) saved.push(Buffer.from(this.string()));
      else throw new Error(`no module here saves opcode ${opcode}`);
    }
  }
}

/** Takes a file apart. */
export function readRdb(file: string): RdbFile {
  const reader = new Reader(readFileSync(file));
  reader.position = 'REDIS0000'.length;
  while (reader.bytes[reader.position] === AUX) {
    reader.position++;
    reader.string();
    reader.string();
  }
  const head = reader.bytes.subarray(0, reader.position);
  const sections: Section[] = [];
  while (reader.bytes[reader.position] === MODULE_AUX) {
    reader.position++;
    sections.push(reader.section());
  }
  return { head, sections, tail: reader.bytes.subarray(reader.position) };
}

/** Puts a file together. */
export function writeRdb(file: string, { head, sections, tail }: RdbFile): void {
  writeFileSync(file, Buffer.concat([head, ...sections.map(sectionBytes), tail]));
}

function sectionBytes({ type, saved }: Section): Buffer {
  // Opcode 2, and 1 for "before the keys".
  const parts = [Buffer.from([MODULE_AUX]), lengthBytes(type), lengthBytes(BigInt(OPCODE_UNSIGNED)), lengthBytes(1n)];
  for (const value of saved) {
    if (typeof value === 'bigint') parts.push(lengthBytes(BigInt(OPCODE_UNSIGNED)), lengthBytes(value));
    else parts.push(lengthBytes(BigInt(OPCODE_STRING)), lengthBytes(BigInt(value.length)), value);
  }
  return Buffer.concat([...parts, Buffer.from([OPCODE_END])]);
}

/** What DUMP answers of a key of this module type, without the ten bytes behind that. */
export function moduleValue(type: bigint, saved: Saved[]): Buffer {
  const { length } = lengthBytes(type);
  const section = sectionBytes({ type, saved });
  return Buffer.concat([Buffer.from([MODULE_VALUE]), section.subarray(1, 1 + length), section.subarray(1 + length + 2)]);
}

/** A length in its longest form, which is as good as any. */
function lengthBytes(value: bigint): Buffer {
  if (value < 64n) return Buffer.from([Number(value)]);
  const bytes = Buffer.alloc(9, 0x81);
  bytes.writeBigUInt64BE(value, 1);
  return bytes;
}

/** What six bits of a module type's name stand for. */
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** The nine characters of a module type's name. */
export function typeName(type: bigint): string {
  return Array.from({ length: 9 }, (_, index) => LETTERS[Number((type >> BigInt(10 + 6 * (8 - index))) & 63n)]).join('');
}

/** The module type of this name and encoding. */
export function typeId(name: string, encoding: bigint): bigint {
  let id = 0n;
  for (let index = 0; index < name.length; index++) id = (id << 6n) | BigInt(LETTERS.indexOf(name.charAt(index)));
  return (id << 10n) | encoding;
}

const KITS = 'wasm-kits';
const PART_END = 0n;
const PART_STRING = 1n;
const PART_UNSIGNED = 2n;

/**
 * The parts of modules that registered a type, as sections of these types, as earlier releases wrote them.
 */
export function earlier(file: RdbFile): RdbFile {
  return {
    ...file,
    sections: file.sections.flatMap((section) => (typeName(section.type) === KITS ? parted(section) : [section])),
  };
}

function parted({ type, saved }: Section): Section[] {
  const sections: Section[] = [];
  const rest: Saved[] = [];
  for (let at = 0; at < saved.length; at++) {
    const name = String(saved[at]);
    const from = at++;
    const values: Saved[] = [];
    for (; saved[at] !== PART_END && at < saved.length; at += 2) values.push(saved[at + 1]!);
    // A kit module's name has no hyphen.
    if (name.includes('-')) sections.push({ type: typeId(name, values[0] as bigint), saved: values.slice(1) });
    else rest.push(...saved.slice(from, at + 1));
  }
  return rest.length > 1 ? [{ type, saved: rest }, ...sections] : sections;
}

/** The sections of modules' own types as parts of the host's, as they are written now. */
export function present(file: RdbFile): RdbFile {
  const encoding = (type: bigint): bigint => type & 1023n;
  const parts = file.sections.flatMap(({ type, saved }) => [
    Buffer.from(typeName(type)),
    PART_UNSIGNED,
    encoding(type),
    ...saved.flatMap((value) => [typeof value === 'bigint' ? PART_UNSIGNED : PART_STRING, value]),
    PART_END,
  ]);
  return { ...file, sections: [{ type: typeId(KITS, 1n), saved: [...parts, Buffer.alloc(0)] }] };
}

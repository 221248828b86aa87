/**
 * The corpus: what modules of released versions wrote into RDB files, one file for each encoding of each
 * module, which must load for ever. Files here are added, and never changed.
 *
 *     <module>-<encoding>.txt    the auxiliary payload as text: a line for each value, `#` begins a comment
 *     <module>-<encoding>.json   the state that it stands for, byte strings as characters 0 … 255
 *
 *     type wasm-hmap             the data type's name and the encoding's number
 *     version 1
 *     unsigned 2
 *     string 01 03 05 6b*70000   bytes in hexadecimal; b*n is n times the byte b
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** What a module wrote, in order: numbers and strings. */
export type Payload = (bigint | Uint8Array)[];

export interface Sample {
  type: string;
  version: number;
  payload: Payload;
}

/**
 * What must be there once a sample is loaded; byte strings are strings of one character per byte, long ones
 * their `digest`.
 */
export interface Expected {
  /** Key and value. */
  entries: [string, string][];
  /** Keys that have a deadline, and its day, counted from 1970 on; since encoding 2. */
  deadlines?: [key: string, day: number][];
  /** Each session as SESSION.GET tells it, and its data as SESSION.GET_DATA does. */
  sessions: { id: string; user: string; created: string; accessed: string; data: [field: string, value: string][] }[];
  /** Further commands, and their replies. */
  replies?: [argv: string[], reply: string][];
}

/** Keys, values, users and fields of the samples: empty, no text, and longer than a block of the file. */
export const DIFFICULT = ['', '\0', 'x\r\n+y', '\xff\xfe', 'text', 'L'.repeat(70_000)];
/** The fields that the samples' sessions have. */
export const FIELDS = [...DIFFICULT, 'field'];

/** The day, in the year 4969, of the deadline of the `index`-th entry of the samples, which is at noon. */
export const dayOf = (index: number): number => 1_095_500 + index;
const DAY_MS = 86_400_000;

/** The moment of a deadline, and the day of a moment, in Unix ms. */
export const noonOf = (day: number): number => day * DAY_MS + DAY_MS / 2;
export const dayAt = (ms: number): number => Math.floor(ms / DAY_MS);

/**
 * A session of the expected state, out of the text of SESSION.GET and the values of all FIELDS; undefined: it
 * has none of that name.
 */
export function sessionOf(json: string, values: (string | undefined)[]): Expected['sessions'][number] {
  const { id, user_key, created_at, last_accessed } = JSON.parse(json) as Record<string, string>;
  const data = FIELDS.flatMap((field, index): [string, string][] => {
    const value = values[index];
    return value === undefined ? [] : [[digest(field), digest(value)]];
  });
  return { id: id ?? '', user: digest(user_key ?? ''), created: created_at ?? '', accessed: last_accessed ?? '', data };
}

/** Byte strings longer than this are told by their digest. */
const SHOWN_MAX = 200;

/** A byte string as the expected state tells it. */
export function digest(bytes: string): string {
  if (bytes.length <= SHOWN_MAX) return bytes;
  return `${bytes.length} bytes, sha256 ${createHash('sha256').update(bytes, 'latin1').digest('hex')}`;
}

/** How the names of samples of kit modules begin: their state is the lines of `KINDS.DUMP`. */
export const KIT = 'kit-';

const FOLDER = import.meta.dirname;
/** A run of one byte that is as long as this is written as b*n. */
const RUN_MIN = 8;

/** The names of all samples of the two modules, `<module>-<encoding>`. */
export function sampleNames(): string[] {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.txt') && !name.startsWith(KIT));
  return files.map((name) => path.basename(name, '.txt')).sort();
}

export function fileOf(name: string, extension: 'txt' | 'json'): string {
  return path.join(FOLDER, `${name}.${extension}`);
}

/** The sample of a kit module, and the lines that it stands for. */
export function readKitSample(name: string): { sample: Sample; lines: string[] } {
  const lines = JSON.parse(readFileSync(fileOf(name, 'json'), 'utf8')) as string[];
  return { sample: parse(readFileSync(fileOf(name, 'txt'), 'utf8')), lines };
}

export function readSample(name: string): { sample: Sample; expected: Expected } {
  const expected = JSON.parse(readFileSync(fileOf(name, 'json'), 'utf8')) as Expected;
  return { sample: parse(readFileSync(fileOf(name, 'txt'), 'utf8')), expected };
}

/** A sample as text, without comments. */
export function format({ type, version, payload }: Sample): string {
  const lines = payload.map((value) => (typeof value === 'bigint' ? `unsigned ${value}` : `string ${formatBytes(value)}`.trimEnd()));
  return [`type ${type}`, `version ${version}`, ...lines, ''].join('\n');
}

function formatBytes(bytes: Uint8Array): string {
  const words: string[] = [];
  for (let index = 0; index < bytes.length;) {
    const byte = bytes[index] ?? 0;
    let end = index;
    while (end < bytes.length && bytes[end] === byte) end++;
    const text = byte.toString(16).padStart(2, '0');
    if (end - index >= RUN_MIN) words.push(`${text}*${end - index}`);
    else words.push(...Array.from({ length: end - index }, () => text));
    index = end;
  }
  return words.join(' ');
}

/** Reads a sample's text. Throws where a line is of no known kind. */
export function parse(text: string): Sample {
  const sample: Sample = { type: '', version: 0, payload: [] };
  for (const line of text.split('\n').filter((one) => one !== '' && !one.startsWith('#'))) {
    const [kind, ...words] = line.split(' ');
    if (kind === 'type') sample.type = words[0] ?? '';
    else if (kind === 'version') sample.version = Number(words[0]);
    else if (kind === 'unsigned') sample.payload.push(BigInt(words[0] ?? ''));
    else if (kind === 'string') sample.payload.push(Buffer.concat(words.map(parseWord)));
    else throw new Error(`not a line of a sample: ${line}`);
  }
  return sample;
}

function parseWord(word: string): Buffer {
  const [byte, count = '1'] = word.split('*');
  return Buffer.alloc(Number(count), Number.parseInt(byte ?? '', 16));
}

/**
 * A whole RDB file that holds one module's auxiliary data and nothing else. Its checksum is 0: none.
 *
 *     "REDIS0009" | MODULE_AUX | type | UNSIGNED | before the keys | value … | END | EOF | checksum
 */
export function rdbFile({ type, version, payload }: Sample): Buffer {
  const [MODULE_AUX, EOF, END, UNSIGNED, STRING, BEFORE_KEYS] = [247, 255, 0, 2, 5, 1];
  const values = payload.flatMap((value) =>
    typeof value === 'bigint' ? [length(UNSIGNED), length(value)] : [length(STRING), length(value.length), value],
  );
  const head = [Buffer.from('REDIS0009'), Buffer.from([MODULE_AUX]), length(typeId(type, version)), length(UNSIGNED), length(BEFORE_KEYS)];
  return Buffer.concat([...head, ...values, length(END), Buffer.from([EOF]), Buffer.alloc(8)]);
}

/** A data type as the file names it: nine characters of six bits each, then ten bits of its encoding. */
function typeId(name: string, version: number): bigint {
  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const id = Array.from(name).reduce((sum, character) => (sum << 6n) | BigInt(ALPHABET.indexOf(character)), 0n);
  return (id << 10n) | BigInt(version);
}

/** A number as RDB files hold lengths: below 64 in one byte, else marked by the first one as of 64 bits. */
function length(value: number | bigint): Buffer {
  if (value < 64) return Buffer.from([Number(value)]);
  const bytes = Buffer.alloc(9, 0x81);
  bytes.writeBigUInt64BE(BigInt(value), 1);
  return bytes;
}

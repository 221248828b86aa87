/**
 * A kit module with a table of every type of key and value, sorted and not, written by a template.
 * `KINDS.RUN key step …` runs steps, `table place what …`, a place being `-` or the hexadecimal key that the
 * entries are in; `KINDS.DUMP key place …` tells all that there is. Tables, classes and what is shown of them
 * stay as they are: the corpus has data of this module.
 */
import { kitOf } from './kit.ts';

/** How a type's values are made of a text, `text`, or a number, `seed`, and how they are shown. */
interface Kind {
  /** of keys, from `text` */
  key: string;
  /** of values, from `seed` */
  value: string;
  shown: (it: string) => string;
}

const whole = (type: string): Kind => ({
  key: `${type}(I64.parseInt(text))`,
  value: `${type}(seed * 0x10001000107)`,
  shown: (it) => `${it}.toString()`,
});

export const KINDS: Record<string, Kind> = {
  string: { key: 'textOf(bytesOf(text))', value: 'textFrom(seed)', shown: (it) => `hex(Uint8Array.wrap(String.UTF8.encode(${it})))` },
  Bytes: { key: 'bytesOf(text)', value: 'bytesFrom(seed)', shown: (it) => `hex(${it})` },
  ...Object.fromEntries(['i8', 'i16', 'i32', 'i64', 'u8', 'u16', 'u32', 'u64'].map((type) => [type, whole(type)])),
  bool: { key: "text == '1'", value: 'bool(seed & 1)', shown: (it) => `(${it} ? '1' : '0')` },
  f32: { key: 'f32(F64.parseFloat(text))', value: 'f32(seed) / 3', shown: (it) => `f64(${it}).toString()` },
  f64: { key: 'F64.parseFloat(text)', value: 'f64(seed) / 3', shown: (it) => `${it}.toString()` },
  At: { key: 'atOf(text)', value: 'atOf(seed.toString())', shown: (it) => `shownAt(${it})` },
  Deep: { key: '', value: 'deepFrom(seed)', shown: (it) => `shownDeep(${it})` },
};

const NUMBERS = ['i8', 'i16', 'i32', 'i64', 'u8', 'u16', 'u32', 'u64'];
/** The type of values of each table, in turn. */
const VALUES = ['Deep', 'string', 'Bytes', 'i64', 'f64', 'bool', 'u8', 'f32', 'At', 'i16', 'u64'];

export interface TableOf {
  name: string;
  key: string;
  value: string;
  isSorted: boolean;
}
/** `word` and `z-word` for each type of key. */
export const TABLES: TableOf[] = [
  ...['string', 'Bytes', ...NUMBERS].map((key) => ({ name: `of-${key.toLowerCase()}`, key, isSorted: false })),
  ...['string', 'Bytes', 'bool', ...NUMBERS, 'f32', 'f64', 'At'].map((key) => ({ name: `by-${key.toLowerCase()}`, key, isSorted: true })),
].map((table, index) => ({ ...table, value: VALUES[index % VALUES.length]! }));

const variable = ({ name }: TableOf): string => name.replace('-', '_');

/** The functions of one table: a step, and its part of the dump. */
function functionsOf(table: TableOf): string {
  const { key, value, isSorted, name } = table;
  const it = variable(table);
  const made = `const key: ${key} = ${KINDS[key]!.key};`;
  const keyShown = KINDS[key]!.shown;
  const valueShown = KINDS[value]!.shown;
  const steps = (entries: string) => `
  if (what == 'set') { ${made} const seed = I64.parseInt(parts[4]); ${entries}.set(key, ${KINDS[value]!.value}, I64.parseInt(parts[5])); return 'ok'; }
  if (what == 'delete') { ${made} return yes(${entries}.delete(key)); }
  if (what == 'has') { ${made} return yes(${entries}.has(key)); }
  if (what == 'size') return ${entries}.size.toString();
  if (what == 'clear') { ${entries}.clear(); return 'ok'; }`;
  const entryOf = isSorted
    ? (entries: string, place: string) =>
        `{ const keys = ${entries}.keys(); for (let index = 0; index < keys.length; index++) { const at = ${entries}.range(keys[index], keys[index])[0];
      out.push('${name} ' + ${place} + ' ' + ${keyShown('at.key')} + '=' + ${valueShown('at.value')} + '@' + at.deadline.toString()); } }`
    : (entries: string, place: string) => `
    { const keys = ${entries}.keys(); for (let index = 0; index < keys.length; index++) { const key = keys[index]; const seed: i64 = 0;
      const deadline: i64 = ${place === "'-'" ? `${entries}.deadline(key)` : '0'};
      out.push('${name} ' + ${place} + ' ' + ${keyShown('key')} + '=' + ${valueShown(`${entries}.get(key, ${KINDS[value]!.value})`)} + '@' + deadline.toString()); } }`;
  return `
function step_${it}(parts: string[]): string {
  const place = parts[1]; const what = parts[2]; const text = parts.length > 3 ? parts[3] : '';
  if (place == '-') {
    if (what == 'expire') { ${made} return yes(${it}.expireAt(key, I64.parseInt(parts[4]))); }
    if (what == 'deadline') { ${made} return ${it}.deadline(key).toString(); }
    ${steps(it)}
  } else {
    const entries = ${it}.in(bytesOf(place));
    if (what == 'expire') return yes(entries.expireAt(I64.parseInt(text)));
    if (what == 'deadline') return entries.deadline.toString();
    ${steps('entries')}
  }
  throw new Error('no step');
}
function dump_${it}(out: string[], places: string[]): void {
  ${entryOf(it, "'-'")}
  for (let index = 0; index < places.length; index++) {
    const place = places[index]; const entries = ${it}.in(bytesOf(place));
    out.push('${name} ' + place + ' ' + entries.size.toString() + '@' + entries.deadline.toString());
    ${entryOf('entries', 'place')}
  }
}`;
}

const COMMON = `
class Inner { constructor(public id: u16, public names: string[], public more: string | null) {} }
class Deep {
  constructor(
    public on: bool, public small: i8, public wide: u64, public thin: f32, public real: f64, public text: string, public raw: Bytes,
    public list: i64[], public lists: string[][], public inner: Inner, public inners: Inner[], public maybe: Inner | null,
    public maybeList: f64[] | null, public maybeRaw: Bytes | null,
  ) {}
}
class At { constructor(public ms: i64, public id: string, public raw: Bytes, public real: f64, public on: bool) {} }

function yes(value: bool): string { return value ? 'yes' : 'no'; }
function bytesOf(text: string): Bytes {
  const bytes = new Uint8Array(text.length / 2);
  for (let index = 0; index < bytes.length; index++) bytes[index] = u8(I32.parseInt(text.slice(index * 2, index * 2 + 2), 16));
  return bytes;
}
function textOf(bytes: Bytes): string { return String.UTF8.decode(bytes.buffer); }
function hex(bytes: Bytes): string {
  const digits = '0123456789abcdef';
  let text = '';
  for (let index = 0; index < bytes.length; index++) text += digits.charAt(bytes[index] >> 4) + digits.charAt(bytes[index] & 15);
  return text;
}
function textFrom(seed: i64): string { return seed % 7 == 0 ? '' : ('t' + seed.toString() + '\\0é').repeat(i32(seed % 5 + 1)); }
function bytesFrom(seed: i64): Bytes {
  const bytes = new Uint8Array(i32(seed % 300));
  for (let index = 0; index < bytes.length; index++) bytes[index] = u8(seed * 31 + i64(index) * 7);
  return bytes;
}
function innerFrom(seed: i64): Inner {
  const names: string[] = [];
  for (let index: i64 = 0; index < seed % 4; index++) names.push(textFrom(seed + index));
  return new Inner(u16(seed * 257), names, seed & 1 ? textFrom(seed) : null);
}
function deepFrom(seed: i64): Deep {
  const list: i64[] = []; const lists: string[][] = []; const inners: Inner[] = [];
  for (let index: i64 = 0; index < seed % 5; index++) {
    list.push(i64.MIN_VALUE + seed * index); lists.push(innerFrom(seed + index).names); inners.push(innerFrom(seed * index));
  }
  return new Deep(bool(seed & 1), i8(seed), u64(-seed), f32(seed) / 7, -f64(seed) / 7, textFrom(seed), bytesFrom(seed), list, lists,
    innerFrom(seed), inners, seed & 2 ? innerFrom(seed) : null, seed & 4 ? [f64(seed), -0.0] : null, seed & 8 ? bytesFrom(seed) : null);
}
function shownInner(it: Inner | null): string {
  if (it == null) return '-';
  return it.id.toString() + '(' + shownTexts(it.names) + ')' + (it.more == null ? '-' : it.more!.length.toString());
}
function shownTexts(it: string[]): string { let text = ''; for (let index = 0; index < it.length; index++) text += it[index] + '|'; return text; }
function shownDeep(it: Deep): string {
  let text = yes(it.on) + it.small.toString() + ' ' + it.wide.toString() + ' ' + f64(it.thin).toString() + ' ' + it.real.toString() + ' ' + it.text
    + ' ' + hex(it.raw) + ' ' + it.list.join() + ' ' + shownInner(it.inner) + ' ' + shownInner(it.maybe);
  for (let index = 0; index < it.lists.length; index++) text += '[' + shownTexts(it.lists[index]) + ']';
  for (let index = 0; index < it.inners.length; index++) text += '{' + shownInner(it.inners[index]) + '}';
  const floats = it.maybeList; const raw = it.maybeRaw;
  return hex(sha256(Uint8Array.wrap(String.UTF8.encode(text + (floats == null ? '-' : floats.join()) + (raw == null ? '-' : hex(raw)))))).slice(0, 16);
}
function atOf(text: string): At {
  const ms = I64.parseInt(text);
  return new At(ms / 4, textFrom(ms % 3), bytesFrom(ms % 2), f64(ms % 5) - 2, bool(ms & 1));
}
function shownAt(it: At): string { return it.ms.toString() + ' ' + hex(Uint8Array.wrap(String.UTF8.encode(it.id))) + ' ' + hex(it.raw) + ' ' + it.real.toString() + ' ' + yes(it.on); }
`;

export const KINDS_TEXT = `import { command, query, sha256, SortedTable, Table, type Bytes } from 'redis-wasm/kit';
${COMMON}
${TABLES.map((table) => `const ${variable(table)} = new ${table.isSorted ? 'SortedTable' : 'Table'}<${table.key}, ${table.value}>('${table.name}');`).join('\n')}
${TABLES.map(functionsOf).join('\n')}

function step(parts: string[]): string {
  const table = parts[0];
${TABLES.map((table) => `  if (table == '${table.name}') return step_${variable(table)}(parts);`).join('\n')}
  if (table == 'fail') throw new Error('FAILED as asked');
  throw new Error('no table ' + table);
}
function run(key: string, steps: string[]): string[] {
  const answers: string[] = [];
  for (let index = 0; index < steps.length; index++) answers.push(step(steps[index].split(' ')));
  return answers;
}
command('KINDS.RUN', 'key:key step ...', run);
query('KINDS.ASK', 'key:key step ...', run);
query('KINDS.DUMP', 'key:key place ...', dump);
function dump(key: string, places: string[]): string[] {
  const out: string[] = [];
${TABLES.map((table) => `  dump_${variable(table)}(out, places);`).join('\n')}
  return out;
}
`;

export const kindsModule = (): Promise<string> => kitOf('kinds', KINDS_TEXT);

/** Keys that the entries of the corpus are in, in hexadecimal: a text, none, and bytes that are no text. */
export const KINDS_PLACES = ['6b6579', '00', 'ff00fe', '70'.repeat(200)];
/** Unix ms, in the year 4969. */
const FAR = 94_651_243_200_000;
const hex = (...texts: string[]): string[] => texts.map((text) => Buffer.from(text).toString('hex'));

/** Texts of some own keys of a type. */
function keyTexts(type: string): string[] {
  const bits = BigInt(/\d+/.exec(type)?.[0] ?? 0);
  if (type === 'string') return hex('', 'a', 'a\0b', '\0', 'é', 'z'.repeat(300));
  if (type === 'Bytes') return [...hex('', 'a\0'), 'ff', '00ff', '0001ff00'];
  if (type === 'bool') return ['0', '1'];
  if (type === 'At') return ['0', '1', '7', '400'];
  if (type.startsWith('f')) return ['0', '1.5', '-2.25', '-1e30', 'Infinity', '-Infinity'];
  const signed = [0n, 1n, -1n, 2n ** (bits - 1n) - 1n, -(2n ** (bits - 1n))];
  const values = type.startsWith('i') ? signed : [0n, 1n, 2n ** bits - 1n, 2n ** (bits - 1n)];
  return values.map((value) => String(BigInt.asIntN(64, value)));
}

/** Steps that fill every table, with and without deadlines, of its own and in keys. */
export function stepsOfKinds(): string[] {
  return TABLES.flatMap(({ name, key }, index) => {
    const keys = keyTexts(key);
    const own = keys.map((text, at) => `${name} - set ${text} ${index + at} ${at % 2 ? FAR + at : 0}`);
    const places = KINDS_PLACES.filter((_, at) => (at + index) % 3 !== 0);
    const inKeys = places.flatMap((place, at) => [
      ...keys.slice(0, 3).map((text, each) => `${name} ${place} set ${text} ${index + each + 10} ${each === 2 ? FAR + each : 0}`),
      ...(at === 0 ? [`${name} ${place} expire ${FAR + index}`] : []),
    ]);
    return [...own, ...inKeys];
  });
}

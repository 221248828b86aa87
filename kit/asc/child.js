// @ts-check
/**
 * A process that AssemblyScript's compiler runs in, so that one that does not end can be ended. It knows the
 * files that it is sent, the kit's own, and no others. Plain JavaScript: what runs TypeScript from its source
 * takes ten seconds for the compiler itself.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** @import { Diagnostic, Job, Outcome } from './job.ts' */
/** @typedef {(given: string[], api: object) => Promise<{ error: Error | null }>} Main */
/** @typedef {{ main: Main, libraryFiles: Record<string, string> }} Compiler */
/** @typedef {{ start: number, source: { normalizedPath: string } | null }} Range */
/** @typedef {{ message: string, category: number, range: Range | null }} Message */

/** By a name alone: what it declares for TypeScript would change what arrays are in this program. */
const COMPILER = 'assemblyscript/asc';
const OUTPUT = 'module.wasm';
/** The category of a message. */
const ERROR = 3;

/** Files of the kit, as the compiler asks for them: in whichever node_modules, or by their name alone. */
const OF_KIT = /^(?:.*\/)?(?:node_modules|~lib)\/redis-wasm\/((?:kit|base)\/.*)$/;

/** The shadow stack is for a collector: there is none, and a custom runtime gets one unasked. */
class WithoutShadowStack {
  afterParse() {
    const { program } = /** @type {{ program: { options: { stackSize: number }, module: { useShadowStack: boolean } } }} */ (
      /** @type {unknown} */ (this)
    );
    program.options.stackSize = 0;
    program.module.useShadowStack = false;
  }
}

const COUNT = 'let count = min(last - from, len - to);';
const COUNT_FROM_0 = 'let count = max(min(last - from, len - to), 0);';
const LENGTHS = 'import { boundedLength } from "~lib/redis-wasm/kit/memory/arena";\n';

/**
 * What the language's library has otherwise: numbers and texts become each other as in JavaScript, and not
 * about so. No sum of lengths wraps around, nor is a buffer shorter than what is written to it. A text with a
 * backslash is a regular expression.
 * @type {[file: string, from: string, to: string][]}
 */
const CHANGES = [
  ['util/string', 'export function strtod(', 'export { readFloat as strtod } from "~lib/redis-wasm/kit/values/floats";\nfunction unused('],
  ['util/number', '', 'import { shorten, shortenedPower } from "~lib/redis-wasm/kit/values/floats";\n'],
  [
    'util/number',
    'len = prettify(buffer + (sign << 1), len - sign, _K);',
    `let digits = len - sign, power = _K;
    if (!isSingle) { digits = shorten(value, buffer + (sign << 1), digits, power); power = shortenedPower(); }
    len = prettify(buffer + (sign << 1), digits, power);
    if (len > 2 && load<u32>(buffer + ((sign + len - 2) << 1)) == 0x30002e) len -= 2;`,
  ],
  ['util/number', 'if (value == 0) return "0.0";', 'if (value == 0) return "0";'],
  [
    'util/number',
    /store<u16>\(buffer, CharCode\._0\);\s*store<u16>\(buffer, CharCode\.DOT, 2\);[^}]*?return 3;/.source,
    'store<u16>(buffer, CharCode._0); return 1;',
  ],
  ['util/string', 'itoa64(<i32>value, 10)', 'itoa64(<i64>value, 10)'],
  ['util/string', '', LENGTHS],
  [
    'util/string',
    'let estLen = (valueLen + sepLen) * lastIndex + valueLen;',
    'let estLen = <i32>boundedLength((<u64>valueLen + sepLen) * lastIndex + valueLen);',
  ],
  ['util/string', 'let estLen = 0;', 'let estLen: u64 = 0;'],
  ['util/string', '(estLen + sepLen * lastIndex) << 1', 'boundedLength(estLen + <u64>sepLen * lastIndex) << 1'],
  ['string', '', LENGTHS],
  ['string', '(thisLen + (thisLen + 1) * replaceLen) << 1', 'boundedLength(thisLen + (<u64>thisLen + 1) * replaceLen) << 1'],
  [
    'string',
    'if (offset + chunk + replaceLen > outSize) {',
    'if (offset + chunk + replaceLen > outSize) { while (offset + chunk + replaceLen > outSize << 1) outSize <<= 1;',
  ],
  ['string', 'let intStart: isize = start;', 'let intStart: isize = min(start, this.length);'],
  ['string', 'if (targetSize < thisSize || !padSize)', 'if (length < 0 || targetSize < thisSize || !padSize)'],
  ['util/bytes', /max\(len \+ (start|end), +0\)/.source, 'max(<isize>len + $1, 0)'],
  ['util/sort', 'i32(a) - i32(b)', 'i32(a > b) - i32(a < b)'],
  ...['array', 'staticarray', 'typedarray'].map((file) => /** @type {[string, string, string]} */ ([file, COUNT, COUNT_FROM_0])),
  ['array', '', LENGTHS],
  [
    'array',
    'size += child == 0 ? 0 : load<i32>(child, offsetof<T>("length_"));',
    'if (child) size = <i32>boundedLength(<u64>size + load<u32>(child, offsetof<T>("length_")));',
  ],
  ['typedarray', 'byteOffset + byteLength > bufferByteLength', '<i64>byteOffset + (<i64>len << alignof<T>()) > <i64>bufferByteLength'],
  ['typedarray', 'sourceLen + offset > target.length', '<i64>sourceLen + <i64>offset > <i64>target.length'],
  ['dataview', 'i32(<u32>byteOffset + byteLength > <u32>buffer', 'i32(<u64><u32>byteOffset + <u64>byteLength > <u64>buffer'],
  ['dataview', /i32\(byteOffset \+ (\d) > this/.source, 'i32(<i64>byteOffset + $1 > <i64>this'],
];

/** @param {Record<string, string>} library */
function changeLibrary(library) {
  for (const [file, from, to] of CHANGES) {
    const before = library[file] ?? '';
    const after = from === '' ? to + before : before.replaceAll(from.includes('\\') ? new RegExp(from, 'g') : from, to);
    if (after === before) throw new Error(`the library of AssemblyScript has another ${file}`);
    library[file] = after;
  }
}

/**
 * @param {Job} job
 * @param {Compiler} asc
 * @returns {Promise<Outcome>}
 */
async function compile({ folder, files, options, library }, asc) {
  /** @type {Diagnostic[]} */
  const diagnostics = [];
  /** @type {Uint8Array | undefined} */
  let wasm;
  const readFile = (/** @type {string} */ name, /** @type {string} */ base) => {
    const [, own] = OF_KIT.exec(name.replaceAll('\\', '/')) ?? [];
    if (own === undefined) return files[path.resolve(base, name)] ?? null;
    const file = path.join(library, own);
    return existsSync(file) ? readFileSync(file, 'utf8') : null;
  };
  const { error } = await asc.main([...options, '--outFile', OUTPUT, '--baseDir', folder, '--noColors'], {
    stdout: { write: () => true },
    stderr: { write: () => true },
    readFile,
    writeFile: (/** @type {string} */ name, /** @type {Uint8Array} */ content) => {
      if (name === OUTPUT) wasm = content;
    },
    listFiles: () => [],
    transforms: [WithoutShadowStack],
    reportDiagnostic: (/** @type {Message} */ { message, category, range }) => {
      if (category === ERROR) diagnostics.push({ message, file: range?.source?.normalizedPath, start: range?.start ?? 0 });
    },
  });
  if (error !== null && diagnostics.length === 0) diagnostics.push({ message: error.message, start: 0 });
  return { wasm: error === null ? wasm : undefined, diagnostics };
}

const loading = /** @type {Promise<Compiler>} */ (/** @type {unknown} */ (import(COMPILER))).then((asc) => {
  changeLibrary(asc.libraryFiles);
  return asc;
});
process.on('message', (/** @type {Job} */ job) => {
  void loading
    .then((asc) => compile(job, asc))
    .catch((/** @type {unknown} */ error) => ({ diagnostics: [{ message: String(error), start: 0 }] }))
    .then((outcome) => process.send?.(outcome));
});
// Whoever started it has ended, however that was.
process.on('disconnect', () => {
  process.exit();
});

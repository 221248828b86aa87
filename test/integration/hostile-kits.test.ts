/**
 * Files whose part for modules with `apply` no server writes: refused as a whole, with the cause in the log,
 * or as good as any; never a crash, never a part.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { bulk } from '../support/raw.ts';
import { earlier, readRdb, typeName, writeRdb, type Saved, type Section } from '../support/rdb.ts';
import { WITH_NOTES, WITHOUT_NOTES } from '../support/notes.ts';
import { eventually, startServer, type TestServer } from '../support/server.ts';

const PLAIN = ['--rdbcompression', 'no', '--rdbchecksum', 'no'];
const FAILED = /^-ERR Error trying to load the RDB dump/;
const bytes = (text: string) => Buffer.from(text, 'latin1');

/** What stands behind the name: version, number of notes, key and text; and how a module's part ends. */
const NOTE: Saved[] = [2n, 7n, 2n, 1n, 1n, bytes('key'), 1n, bytes('text')];
const PART = [bytes('notes'), ...NOTE];
const END: Saved[] = [0n, bytes('')];
const effect = (format: string, ...texts: string[]): Saved[] => [
  3n,
  bytes('key'),
  bytes(format),
  BigInt(texts.length),
  ...texts.map(bytes),
];

/** What is saved instead, and the cause: with the module, and without it where that differs. */
const BAD: Record<string, [saved: Saved[], cause: string, without?: string | null]> = {
  'nothing at all': [[], 'it ends early'],
  'a kind that is not known': [[...PART, 9n, ...END], 'the kind 9 of a value is not known'],
  'a kind in the place of the first value': [[bytes('notes'), 4n, 1n, ...END], 'the module notes refuses its part', 'the kind 4'],
  'the same module twice': [[...PART, 0n, ...PART, ...END], 'the module notes is there twice'],
  'more than the module reads': [[...PART, 2n, 5n, ...END], 'the module notes has not read all of its part', null],
  'less than the module reads': [[bytes('notes'), ...NOTE.slice(0, 4), ...END], 'the module notes refuses its part', null],
  'a number in the place of a text': [
    [bytes('notes'), 2n, 7n, 2n, 1n, 2n, 5n, 1n, bytes('text'), ...END],
    'the module notes refuses its part',
    null,
  ],
  'a text in the place of a number': [[bytes('notes'), 1n, bytes('seven'), ...END], 'the module notes refuses its part', null],
  'no end of the part': [PART, 'it ends early'],
  'no end of all': [[...PART, 0n], 'it ends early'],
  'an effect whose format is no number': [[...PART, ...effect('one', 'key', 'text'), ...END], 'the format of an effect is no number'],
  'an effect with more arguments than there are': [
    [...PART, 3n, bytes('key'), bytes('1'), 2n ** 63n, bytes('key'), ...END],
    'it ends early',
  ],
  'an effect that is cut': [[...PART, 3n, bytes('key')], 'it ends early'],
  'a value behind an effect': [
    [...PART, ...effect('1', 'key', 'text'), 2n, 5n, ...END],
    'the module notes has not read all of its part',
    null,
  ],
};

interface Prepared {
  server: TestServer;
  file: string;
  /** The same file with this in the place of the section. */
  write: (saved: Saved[], version?: bigint) => void;
  /** The same file with several sections in its place. */
  writeAll: (parts: Saved[][]) => void;
  /** The file as it was. */
  reset: () => void;
}

/** A server with a file in which there is one note. */
async function prepared(module: string[]): Promise<Prepared> {
  const server = await startServer({ module: WITH_NOTES, arguments: PLAIN });
  expect(await server.send('NOTES.PUT', 'key', 'text')).toBe('+OK\r\n');
  await server.send('CUSTOM.SET', 'key', 'value');
  expect(await server.send('SAVE')).toBe('+OK\r\n');
  const file = path.join(server.folder, 'dump.rdb');
  const good = readFileSync(file);
  // What hashmap.wasm has stands by itself, so that the section holds one module.
  const rdb = earlier(readRdb(file));
  expect(rdb.sections.find(isKits)?.saved).toEqual([...PART, ...END]);
  server.change({ module });
  await server.restart();
  return {
    server,
    file,
    write: (saved, version = 1n) => {
      const sections = rdb.sections.map((section) => (isKits(section) ? { type: (section.type & ~1023n) | version, saved } : section));
      writeRdb(file, { ...rdb, sections });
    },
    writeAll: (parts) => {
      const sections = rdb.sections.flatMap((section) => (isKits(section) ? parts.map((saved) => ({ ...section, saved })) : [section]));
      writeRdb(file, { ...rdb, sections });
    },
    reset: () => {
      writeFileSync(file, good);
    },
  };
}

const isKits = ({ type }: Section): boolean => typeName(type) === 'wasm-kits';

async function expectLogged(server: TestServer, from: number, text: string): Promise<void> {
  const log = await eventually(
    () => server.log.slice(from),
    (lines) => lines.includes(text),
  );
  expect(log).toContain(text);
}

describe.each([
  ['with the module', WITH_NOTES],
  ['without it', WITHOUT_NOTES],
] as const)('%s', (_, module) => {
  const isMissing = module === WITHOUT_NOTES;

  test('a damaged part is refused, and the next file is loaded', async () => {
    const { server, write, reset } = await prepared([...module]);
    for (const [title, [saved, cause, without]] of Object.entries(BAD)) {
      const wanted = isMissing && without !== undefined ? without : cause;
      write(saved);
      const from = server.log.length;
      const reply = await server.send('DEBUG', 'RELOAD', 'NOSAVE');
      if (wanted === null) {
        expect(reply, title).toBe('+OK\r\n');
      } else {
        expect(reply, title).toMatch(FAILED);
        await expectLogged(server, from, wanted);
        expect((await server.info('wasm')).wasm_kept_modules, title).toBe('0');
        if (!isMissing) expect(await server.send('NOTES.COUNT'), title).toBe(':0\r\n');
        expect(await server.send('CUSTOM.LEN'), title).toBe(':0\r\n');
      }
      reset();
      expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE'), title).toBe('+OK\r\n');
      expect(await server.send('CUSTOM.GET', 'key')).toBe(bulk('value'));
    }
    if (!isMissing) expect(await server.send('NOTES.GET', 'key')).toBe(bulk('text'));
  });

  test('a second section for the same module is refused, and one for another is taken', async () => {
    const { server, writeAll, reset } = await prepared([...module]);
    const whole = [...PART, ...END];
    const onlyEffects = [bytes('notes'), ...effect('1', 'key', 'other'), ...END];
    for (const second of [whole, onlyEffects]) {
      writeAll([whole, second]);
      const from = server.log.length;
      expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE')).toMatch(FAILED);
      await expectLogged(server, from, 'the module notes is there twice');
      expect((await server.info('wasm')).wasm_kept_modules).toBe('0');
      expect(await server.send('CUSTOM.LEN')).toBe(':0\r\n');
      reset();
      expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE')).toBe('+OK\r\n');
    }
    writeAll([whole, [bytes('absent'), ...NOTE, ...END]]);
    expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE')).toBe('+OK\r\n');
    expect((await server.info('wasm')).wasm_kept_modules).toBe(isMissing ? '2' : '1');
  });

  test('a file that is loaded over the present data takes its place', async () => {
    const { server, file } = await prepared([...module]);
    expect(await server.send('DEBUG', 'RELOAD', 'NOFLUSH', 'MERGE')).toBe('+OK\r\n');
    expect(await server.send('SAVE')).toBe('+OK\r\n');
    expect(earlier(readRdb(file)).sections.find(isKits)?.saved).toEqual([...PART, ...END]);
  });

  test('a newer version of the type is refused', async () => {
    const { server, write } = await prepared([...module]);
    write([...PART, ...END], 2n);
    const from = server.log.length;
    expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE')).toMatch(FAILED);
    await expectLogged(server, from, 'the data of kit modules in this file cannot be loaded: it is of version 2');
  });

  test('a file that ends anywhere in it is refused', async () => {
    const { server, write, file } = await prepared([...module]);
    write([...PART, ...effect('1', 'key', 'other'), ...END]);
    const whole = readFileSync(file);
    const start = whole.indexOf('notes') - 1;
    const end = whole.indexOf('other') + 'other'.length;
    for (let length = start; length < end; length++) {
      writeFileSync(file, whole.subarray(0, length));
      expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE'), `${length - start} bytes`).toMatch(FAILED);
      expect(await server.send('PING')).toBe('+PONG\r\n');
    }
    writeFileSync(file, whole);
    expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE')).toBe('+OK\r\n');
    if (!isMissing) expect(await server.send('NOTES.GET', 'key')).toBe(bulk('other'));
  });
});

test('effects without any data before them are applied to an empty module', async () => {
  const { server, write } = await prepared(WITH_NOTES);
  write([bytes('notes'), ...effect('1', 'key', 'one'), ...effect('1', 'key', 'two'), ...END]);
  expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE')).toBe('+OK\r\n');
  expect(await server.send('NOTES.GET', 'key')).toBe(bulk('two'));
  expect(await server.send('NOTES.COUNT')).toBe(':1\r\n');
});

test('what is kept of a part comes back as it was, whatever it is', async () => {
  const { server, write, file } = await prepared(WITHOUT_NOTES);
  const strange = [
    bytes('no such \0 module'),
    2n,
    2n ** 64n - 1n,
    1n,
    bytes('\xff\0'),
    1n,
    bytes(''),
    ...effect('0042', ''),
    ...effect('07'),
  ];
  write([...PART, ...effect('01', 'key', 'new'), 0n, ...strange, ...END]);
  expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE')).toBe('+OK\r\n');
  expect((await server.info('wasm')).wasm_kept_modules).toBe('2');
  expect(await server.send('SAVE')).toBe('+OK\r\n');
  // By their names.
  expect(earlier(readRdb(file)).sections.find(isKits)?.saved).toEqual([...strange, 0n, ...PART, ...effect('01', 'key', 'new'), ...END]);
  server.change({ module: WITH_NOTES });
  await server.restart();
  expect(await server.send('NOTES.GET', 'key')).toBe(bulk('new'));
  expect((await server.info('wasm')).wasm_kept_modules).toBe('1');
});

test.each([
  ['fails', '2', 'wasm.apply of notes cannot be applied: ERR an effect of another format'],
  ['traps', '1', 'wasm.apply of notes cannot be applied: ERR module notes: wasm trap'],
])('a kept effect that %s ends the start, with the reason, and the file stays', async (_, format, reason) => {
  const { server, write, file } = await prepared(WITHOUT_NOTES);
  write([...PART, ...effect(format, 'key', 'trap'), ...END]);
  await server.kill();
  const before = readFileSync(file);
  server.change({ module: WITH_NOTES });
  await expect(server.start()).rejects.toThrow(reason);
  expect(readFileSync(file).equals(before)).toBe(true);
});

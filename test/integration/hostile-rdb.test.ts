/**
 * RDB files that no server writes: refused as a whole, with the cause in the log, or as good as any; never a
 * crash, never a part.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseBulk } from '../support/raw.ts';
import { earlier, present, readRdb, typeName, writeRdb, type RdbFile, type Saved } from '../support/rdb.ts';
import { eventually, startServer, useServer, type TestServer } from '../support/server.ts';
import { dump, fill } from '../support/state.ts';

const PLAIN = ['--rdbcompression', 'no', '--rdbchecksum', 'no'];
const TYPES = ['wasm-hmap', 'wasm-sess'] as const;
/** The encodings that the modules write now. */
const ENCODINGS = { 'wasm-hmap': 2, 'wasm-sess': 3 };
const FAILED = /^-ERR Error trying to load the RDB dump/;

/** How the modules' data stands in a file: in types of their own, or in the host's. */
const FORMATS = { earlier: (file: RdbFile) => file, present };

/** What becomes of one section; `random` answers an integer below its argument. */
type Change = (saved: Saved[], random: (below: number) => number) => Saved[];

function changeOne(saved: Saved[], index: number, change: (bytes: Buffer) => Buffer): Saved[] {
  return saved.map((value, at) => (at === index && typeof value !== 'bigint' ? change(Buffer.from(value)) : value));
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const strings = (saved: Saved[]): number[] => saved.flatMap((value, index) => (typeof value === 'bigint' ? [] : [index]));

function anyString(saved: Saved[], random: (below: number) => number): number {
  const all = strings(saved);
  return all[random(all.length)] ?? 0;
}

const CHANGES: Record<string, Change> = {
  'flipped bits': (saved, random) =>
    changeOne(saved, anyString(saved, random), (bytes) => {
      for (let count = 1 + random(4); count > 0; count--) bytes[random(bytes.length)]! ^= 1 << random(8);
      return bytes;
    }),
  'flipped bits at the beginning of a block': (saved, random) =>
    changeOne(saved, anyString(saved, random), (bytes) => {
      bytes[random(Math.min(4, bytes.length))]! ^= 1 << random(8);
      return bytes;
    }),
  'a string that is cut': (saved, random) => changeOne(saved, anyString(saved, random), (bytes) => bytes.subarray(0, random(bytes.length))),
  'a string that is longer': (saved, random) =>
    changeOne(saved, anyString(saved, random), (bytes) => Buffer.concat([bytes, Buffer.alloc(1 + random(300), random(256))])),
  'fewer strings': (saved, random) => saved.slice(0, random(saved.length)),
  'a string left out': (saved, random) => saved.toSpliced(anyString(saved, random), 1),
  'a string twice': (saved, random) => {
    const index = anyString(saved, random);
    return saved.toSpliced(index, 0, saved[index]!);
  },
  'another number of records': (saved, random) => [
    [0n, 1n, BigInt(random(5000)), 2n ** 32n, 2n ** 64n - 1n][random(5)]!,
    ...saved.slice(1),
  ],
  'an impossible length': (saved, random) =>
    changeOne(saved, anyString(saved, random), (bytes) => {
      const start = random(Math.min(bytes.length, 64));
      bytes.fill(0xff, start, Math.min(bytes.length, start + 16));
      return bytes;
    }),
  'nothing at all': () => [],
};

/** Numbers that are the same in every run. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** The file with one module's section changed. */
function changed(file: RdbFile, type: string, change: (saved: Saved[]) => Saved[]): RdbFile {
  const sections = file.sections.map((section) =>
    typeName(section.type) === type ? { ...section, saved: change(section.saved) } : section,
  );
  return { ...file, sections };
}

async function counts(server: TestServer): Promise<string> {
  const number = (reply: string): string => reply.slice(1, reply.indexOf('\r\n'));
  return `${number(await server.send('CUSTOM.LEN'))} keys, ${number(await server.send('SESSION.COUNT'))} sessions`;
}

/** How much has expired and was reclaimed: damage may put a deadline into the past. */
async function reclaimed(server: TestServer): Promise<string> {
  return [...(await server.send('INFO', 'wasm')).matchAll(/wasm_expired:\d+/g)].join();
}

async function saved(server: TestServer): Promise<{ file: string; rdb: RdbFile; state: string[]; counted: string }> {
  await fill(server);
  await server.send('SET', 'native', 'key');
  expect(await server.send('SAVE')).toBe('+OK\r\n');
  const file = path.join(server.folder, 'dump.rdb');
  return { file, rdb: earlier(readRdb(file)), state: await dump(server), counted: await counts(server) };
}

/** Waits for a text in the log, which comes beside the replies. */
async function logged(server: TestServer, text: string): Promise<void> {
  const log = await eventually(
    () => server.log,
    (lines) => lines.includes(text),
  );
  expect(log).toContain(text);
}

/** What DUMP would answer of a key of this module type, whose checksum is not looked at. */
async function dumpOf(server: TestServer, type: bigint): Promise<string> {
  await server.send('SET', 'native', 'key');
  const native = Buffer.from(parseBulk(await server.send('DUMP', 'native')), 'latin1');
  const bytes = Buffer.alloc(21);
  // A module's value, its type in eight bytes, no data, and the version of RDB files.
  bytes.set([7, 0x81]);
  bytes.writeBigUInt64BE(type, 2);
  native.copy(bytes, 11, native.length - 10, native.length - 8);
  return bytes.toString('latin1');
}

test('RESTORE of a key of a module’s type answers an error', async () => {
  const server = await startServer({ arguments: PLAIN });
  const { rdb, state } = await saved(server);
  expect(await server.send('DEBUG', 'SET-SKIP-CHECKSUM-VALIDATION', '1')).toBe('+OK\r\n');
  expect(rdb.sections.map(({ type }) => typeName(type))).toEqual(expect.arrayContaining([...TYPES]));
  for (const { type } of [...rdb.sections, ...present(rdb).sections]) {
    expect(await server.send('RESTORE', 'key', '0', await dumpOf(server, type))).toBe('-ERR Bad data format\r\n');
    await logged(server, 'a key with the data of a module is refused');
  }
  expect(await dump(server)).toEqual(state);
});

describe.each(Object.entries(FORMATS))('DEBUG RELOAD NOSAVE, %s format', (_, formatted) => {
  const server = useServer({ arguments: PLAIN });

  test('of a file that was only taken apart and put together loads it', async () => {
    const { file, rdb, state } = await saved(server);
    expect(readRdb(file).sections.map(({ type }) => typeName(type))).toEqual(['wasm-kits']);
    expect(rdb.sections.map(({ type }) => typeName(type)).sort()).toEqual(TYPES);
    writeRdb(file, formatted(rdb));
    await server.send('FLUSHALL');
    expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE')).toBe('+OK\r\n');
    expect(await dump(server)).toEqual(state);
  });

  describe.each(TYPES)('of a file whose section %s has', (type) => {
    test.each(Object.keys(CHANGES))('%s: all or nothing', async (kind) => {
      const { file, rdb, counted } = await saved(server);
      const random = randomOf(kind.length);
      let refused = 0;
      for (let round = 0; round < 8; round++) {
        const change = (values: Saved[]): Saved[] => CHANGES[kind]!(values, random);
        writeRdb(file, formatted(changed(rdb, type, change)));
        const bytes = readFileSync(file);
        const before = await reclaimed(server);
        const reply = await server.send('DEBUG', 'RELOAD', 'NOSAVE');
        expect(readFileSync(file).equals(bytes)).toBe(true);
        if (reply === '+OK\r\n') {
          const found = await counts(server);
          if ((await reclaimed(server)) === before) expect(found).toBe(counted);
          await dump(server);
        } else {
          refused++;
          expect(reply).toMatch(FAILED);
          expect(await counts(server)).toBe('0 keys, 0 sessions');
        }
        expect(await server.send('CUSTOM.SET', 'written', 'after it')).toBe('+OK\r\n');
        expect(await server.send('SESSION.CREATE', 'after it')).toMatch(/^\+Session created: /);
      }
      if (kind !== 'flipped bits') expect(refused).toBeGreaterThan(0);
      await logged(server, `its data in this file (encoding ${ENCODINGS[type]}) cannot be loaded`);
      expect(await server.send('INFO', 'wasm')).not.toMatch(/wasm_(traps|timeouts|damaged):[^0]/);
    });
  });

  test.each([false, true])(
    'of a file in which a text that is a UUID is kept as another id, in grace: %s, refuses it',
    async (isInGrace) => {
      const own = 'xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx';
      await server.send('SESSION.CREATE', 'user', 'NEW', 'ID', own);
      if (isInGrace) await server.send('SESSION.ROTATE', own, 'GRACE', '60000');
      const { file, rdb } = await saved(server);
      const uuid = (value: Saved) =>
        typeof value === 'bigint' ? value : latin1(value.toString('latin1').replace(own, own.replaceAll('x', '0')));
      const change = (values: Saved[]): Saved[] => values.map(uuid);
      writeRdb(file, formatted(changed(rdb, 'wasm-sess', change)));
      // Else nobody could come to that session, or end it, by the id that it is listed with.
      const from = server.log.length;
      expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE')).toMatch(FAILED);
      await eventually(
        () => server.log.slice(from),
        (log) => log.includes('refused the data of the RDB file: an id is not well-formed'),
      );
      expect(await counts(server)).toBe('0 keys, 0 sessions');
    },
  );

  test.each(TYPES)('of a file of a newer %s refuses it and says so', async (type) => {
    const { file, rdb } = await saved(server);
    const sections = rdb.sections.map((section) => (typeName(section.type) === type ? { ...section, type: section.type + 1n } : section));
    writeRdb(file, formatted({ ...rdb, sections }));
    expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE')).toMatch(FAILED);
    await logged(server, `its data in this file (encoding ${ENCODINGS[type] + 1}) cannot be loaded`);
    expect(await counts(server)).toBe('0 keys, 0 sessions');
  });
});

describe.each(Object.entries(FORMATS))('a start, %s format', (_, formatted) => {
  test.each(TYPES)('with a file whose section %s is not sound ends, says why, and leaves the file as it was', async (type) => {
    const server = await startServer({ arguments: PLAIN });
    const { file, rdb, state } = await saved(server);
    await server.kill();
    // Which entry is the first one, and so whether the first string is a block of many or the lengths of a
    // large one, is the hash key's choice.
    for (const [change, why] of [
      [
        (values: Saved[]) => values.slice(0, -1),
        /refused the data of the RDB file: it ends early: .*its data in this file \(encoding \d\) cannot be loaded/s,
      ],
      [(values: Saved[]) => values.slice(0, -2), /refused the data of the RDB file/],
      [(values: Saved[]) => changeOne(values, 1, (bytes) => bytes.fill(0xff, 1)), /refused the data of the RDB file/],
    ] as const) {
      writeRdb(file, formatted(changed(rdb, type, change)));
      const bytes = readFileSync(file);
      await expect(server.start()).rejects.toThrow(why);
      expect(readFileSync(file).equals(bytes)).toBe(true);
    }
    writeRdb(file, formatted(rdb));
    await server.start();
    expect(await dump(server)).toEqual(state);
  });

  test('with a file that is cut anywhere ends and leaves the file as it was', async () => {
    const server = await startServer({ arguments: PLAIN });
    const { file, rdb, state } = await saved(server);
    await server.kill();
    writeRdb(file, formatted(rdb));
    const whole = readFileSync(file);
    for (const part of [0.1, 0.5, 0.9, 0.999]) {
      const bytes = whole.subarray(0, Math.floor(whole.length * part));
      writeFileSync(file, bytes);
      await expect(server.start()).rejects.toThrow(/RDB/);
      expect(readFileSync(file).equals(bytes)).toBe(true);
    }
    writeFileSync(file, whole);
    await server.start();
    expect(await dump(server)).toEqual(state);
  });
});

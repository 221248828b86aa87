/**
 * Files that are damaged, that no compiler should get, and modules that never finish loading: each load is
 * refused with a reason, or what was loaded works; the server lives on with its data either way. The host
 * alone decides that, whatever the server.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { loading } from '../support/hostile.ts';
import { assemble, file } from '../support/modules.ts';
import { expectServing, load, refusal, startNative, witnessFile, WITNESSED } from '../support/native.ts';
import { BLOCK, CALL, DROP, END, I32_CONST, inRow, LOOP, nested, NOP, OF_TYPE, slow, times, type Slow } from '../support/slow.ts';
import { HASHMAP_FILE, HOST_FILE, SESSION_FILE, startServer, type TestServer } from '../support/server.ts';

describe.each(['asked', 'for good'] as const)('an onLoad() that, when it is %s,', (when) => {
  test.each<[string, string, RegExp, RegExp]>([
    ['traps', 'unreachable', /unreachable/, /unreachable/],
    ['never ends', '(loop $l (br $l))', /interrupt/, /ran longer than wasm\.time-limit/],
    ['recurses', '(call $down)', /call stack exhausted/, /call stack exhausted/],
    [
      'takes all memory',
      '(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (drop (i32.div_u (i32.const 1) (i32.gt_u (memory.size) (i32.const 1024)))) unreachable',
      /divide by zero/,
      // Four thousand MiB, a page at a time, may take longer than the limit on a busy machine.
      /unreachable|ran longer than wasm\.time-limit/,
    ],
  ])('%s is refused', async (_, body, whenAsked, forGood) => {
    const server = await startNative();
    const module = await loading(body, when);
    const reply = await server.send('MODULE', 'LOADEX', HOST_FILE, 'CONFIG', 'wasm.time-limit', '100', 'ARGS', witnessFile, module);
    expect(reply).toMatch(/^-ERR Error loading/);
    const log = await refusal(server);
    expect(log).toMatch(when === 'asked' ? whenAsked : forGood);
    expect(log).toMatch(/cannot load .*hostile\.wasm: .*; functions: (down|misdeed)/);
    expect(await load(server)).toBe('+OK\r\n');
    await expectServing(server);
  });
});

/** Small files that would take a compiler many seconds, or all memory. */
const SLOW: Record<string, Slow> = {
  'many loops': { body: inRow(12_000, LOOP) },
  'many loops and variables': { locals: 9000, body: nested(9000, LOOP) },
  'blocks of many values': { arity: 64, body: [...times(64, I32_CONST, 0), ...times(1000, BLOCK, OF_TYPE, END), ...times(64, DROP)] },
  'calls that pass many values': { arity: 1000, body: [...times(1000, I32_CONST, 0), ...times(1000, CALL, 2), ...times(1000, DROP)] },
  'a long body': { body: times(150_000, NOP) },
};

describe('a file', () => {
  test('of 60 MB is refused unread', async () => {
    const server = await startNative();
    const large = path.join(server.folder, 'large.wasm');
    writeFileSync(large, '');
    truncateSync(large, 60e6);
    expect(await load(server, large)).toMatch(/^-ERR Error loading/);
    expect(await refusal(server)).toContain(`cannot load ${large}: it has 60000000 bytes, more than 8388608`);
    expect(await load(server)).toBe('+OK\r\n');
    await expectServing(server);
  });

  test.each([
    ['a pipe', (target: string) => execFileSync('mkfifo', [target])],
    [
      'a device',
      (target: string) => {
        symlinkSync('/dev/null', target);
      },
    ],
  ])('that is %s is refused unread', async (_, make) => {
    const server = await startNative();
    const odd = path.join(server.folder, 'odd.wasm');
    make(odd);
    expect(await load(server, odd)).toMatch(/^-ERR Error loading/);
    expect(await refusal(server)).toContain(`cannot load ${odd}: it is no regular file`);
    expect(await load(server)).toBe('+OK\r\n');
    await expectServing(server);
  });

  test.each(Object.entries(SLOW))('with %s is refused before it is compiled', async (title, spec) => {
    const server = await startNative();
    const odd = await file('slow', slow(spec));
    const begun = server.process_ms;
    expect(await load(server, odd)).toMatch(/^-ERR Error loading/);
    expect(await refusal(server)).toMatch(
      /cannot load .*slow\.wasm: (compiling it would take too long: |it has a function of 150002 bytes, more than 65536)/,
    );
    expect(server.process_ms - begun, title).toBeLessThan(2000);
    await expectServing(server);
  });

  test('whose data type can be saved but not loaded is refused', async () => {
    const server = await startNative();
    for (const present of ['auxSave', 'auxLoad']) {
      const odd = await assemble(
        'odd',
        `(import "redis" "CreateDataType" (func $create (param i32 i32 i32) (result i32)))
         (memory (export "memory") 1) (data (i32.const 16) "wasm-oddd")
         (func (export "onLoad") (result i32) (call $create (i32.const 16) (i32.const 9) (i32.const 1)))
         (func (export "${present}") ${present === 'auxLoad' ? '(param i32) (result i32) (i32.const 0)' : ''})`,
      );
      const from = server.log.length;
      expect(await load(server, odd)).toMatch(/^-ERR Error loading/);
      expect(await refusal(server, from)).toMatch(
        /cannot load .*odd\.wasm: it declares a data type and does not export both auxSave and auxLoad/,
      );
    }
    expect(await load(server)).toBe('+OK\r\n');
    await expectServing(server);
  });

  test.each([
    ['with a second memory', '(memory 1)', /multi.?memor|multiple memor/i],
    ['with a memory of 64 bits', '(memory i64 1)', /memory64|multi|64-bit/i],
    ['with a shared memory', '(memory 1 1 shared)', /threads|multi|shared/i],
  ])('%s is refused', async (_, memory, reason) => {
    const server = await startNative();
    const shared = memory.includes('(memory 1)')
      ? '(memory (export "memory") 1) (memory $second 1)'
      : memory.replace('(memory', '(memory (export "memory")');
    const odd = await assemble('odd', `${shared} (table (export "table") 1 funcref) (func (export "onLoad") (result i32) (i32.const 0))`, {
      plain: true,
    });
    expect(await load(server, odd)).toMatch(/^-ERR Error loading/);
    expect(await refusal(server)).toMatch(reason);
    await expectServing(server);
  });

  test('whose results depend on the processor is refused', async () => {
    const server = await startNative();
    const splat = '(f32x4.splat (f32.const 1))';
    const odd = await assemble('odd', `(func (export "odd") (drop (f32x4.relaxed_madd ${splat} ${splat} ${splat})))`);
    expect(await load(server, odd)).toMatch(/^-ERR Error loading/);
    expect(await refusal(server)).toMatch(/cannot load .*odd\.wasm: .*relaxed/i);
    await expectServing(server);
  });
});

/** Seeded numbers: the same in each run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('a shipped module with one byte changed', () => {
  // Every ninth of 201 places: both modules and both links, refused and loaded. All of them with
  // DAMAGED_FILES=all.
  const places = Array.from({ length: 201 }, (_, index) => index);
  const chosen = process.env.DAMAGED_FILES === 'all' ? places : places.filter((index) => index % 9 === 0);
  const shipped = { hashmap: readFileSync(HASHMAP_FILE), session: readFileSync(SESSION_FILE) };

  /** Both files, one of them with one byte changed. */
  async function damaged(index: number): Promise<{ modules: string[]; link: 'auto' | 'command'; what: string; isValid: boolean }> {
    const next = numbers(index + 1);
    const name = index % 2 === 0 ? 'hashmap' : 'session';
    const bytes = Uint8Array.from(shipped[name]);
    const place = next(bytes.length);
    bytes[place] = (bytes[place] ?? 0) ^ (1 + next(255));
    const changed = await file(name, bytes);
    const modules = name === 'hashmap' ? [changed, SESSION_FILE] : [HASHMAP_FILE, changed];
    const link = Math.floor(index / 2) % 2 === 0 ? 'auto' : 'command';
    return { modules, link, what: `number ${index}: byte ${place} of ${name}, linked by ${link}`, isValid: WebAssembly.validate(bytes) };
  }

  /** Uses every command, whatever it answers, and everything that the server calls by itself. */
  async function use(server: TestServer): Promise<void> {
    const commands = [
      ['CUSTOM.SET', 'key', 'value'],
      ['CUSTOM.SET', 'key', 'x'.repeat(5000)],
      ...Array.from({ length: 300 }, (_, index) => ['CUSTOM.SET', `many:${index}`, 'y'.repeat(index)]),
      ...Array.from({ length: 100 }, (_, index) => ['CUSTOM.DEL', `many:${index * 3}`]),
      ...['CUSTOM.GET key', 'CUSTOM.EXISTS key', 'CUSTOM.KEYS'].map((line) => line.split(' ')),
    ];
    for (const argv of commands) await server.send(...argv);
    const id = /[0-9a-f-]{36}/.exec(await server.send('SESSION.CREATE', 'user'))?.[0] ?? 'none';
    for (const line of [
      `ADD_DATA ${id} field value`,
      `GET ${id}`,
      `GET_DATA ${id} field`,
      'LIST',
      'CREATE user',
      'CREATE other',
      `DELETE ${id}`,
    ]) {
      await server.send(...`SESSION.${line}`.split(' '));
    }
    for (const line of ['INFO wasm', 'SAVE', 'DEBUG RELOAD', 'CUSTOM.SET key again', 'SESSION.CREATE user', 'FLUSHALL', 'CUSTOM.SET a b']) {
      await server.send(...line.split(' '));
    }
  }

  async function attack(index: number): Promise<string> {
    const { modules, link, what, isValid } = await damaged(index);
    const server = await startServer({ module: false });
    const loadex = ['MODULE', 'LOADEX', HOST_FILE, 'CONFIG', 'wasm.link', link, 'CONFIG', 'wasm.time-limit', '100'];
    const reply = await server.send(...loadex, 'CONFIG', 'wasm.max-memory', '64mb', 'ARGS', witnessFile, ...modules);
    try {
      if (reply !== '+OK\r\n') {
        expect(await refusal(server), what).toMatch(/cannot load .*(hashmap|session)\.wasm: /);
        expect(await load(server), what).toBe('+OK\r\n');
        return 'refused';
      }
      expect(isValid, what).toBe(true);
      expect(await server.send('WITNESS.FILL', '77')).toBe('+OK\r\n');
      await use(server);
      expect(await server.send('WITNESS.SUM'), what).toBe(WITNESSED);
      expect(await server.send('PING'), what).toBe('+PONG\r\n');
      return 'loaded';
    } catch (error) {
      throw new Error(`${what}: ${String(error)}\n${server.log.slice(-3000)}`, { cause: error });
    } finally {
      await server.stop();
    }
  }

  test('is refused or contained, wherever it is', { timeout: 300_000 }, async () => {
    const outcomes: string[] = [];
    const queue = [...chosen];
    const worker = async () => {
      for (let index = queue.pop(); index !== undefined; index = queue.pop()) outcomes.push(await attack(index));
    };
    await Promise.all([worker(), worker(), worker()]);
    expect(outcomes).toHaveLength(chosen.length);
    expect(new Set(outcomes)).toEqual(new Set(['refused', 'loaded']));
  });
});

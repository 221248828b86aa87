/**
 * Modules that lie to the server about their commands and settings, never finish loading, or are damaged files: each load is refused with a
 * reason, or what was loaded works; the server lives on with its data either way.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { configured, loading, registered, witness, type Registration } from '../support/hostile.ts';
import { assemble, file } from '../support/modules.ts';
import { bulk } from '../support/raw.ts';
import { BLOCK, CALL, DROP, END, I32_CONST, inRow, LOOP, nested, NOP, OF_TYPE, slow, times, type Slow } from '../support/slow.ts';
import { eventually, HASHMAP_FILE, HOST_FILE, SESSION_FILE, startServer, tested, type TestServer } from '../support/server.ts';

const WITNESSED = `:${61440 * 77}\r\n`;
const witnessFile = await witness;

async function startNative(): Promise<TestServer> {
  const server = await startServer({ module: false });
  await server.send('SET', 'native', 'value');
  return server;
}

/** Loads the witness and these modules; answers the reply. */
const load = (server: TestServer, ...modules: string[]) => server.send('MODULE', 'LOAD', HOST_FILE, witnessFile, ...modules);

async function expectServing(server: TestServer): Promise<void> {
  expect(await server.send('PING')).toBe('+PONG\r\n');
  expect(await server.send('GET', 'native')).toBe(bulk('value'));
}

/** The warnings of the host, once there is one. */
const refusal = (server: TestServer, from = 0) =>
  eventually(
    () => server.log.slice(from),
    (log) => log.includes('cannot load '),
  );

/** The flags that docs/ABI.md permits, but that of effects, whose commands clients cannot run. */
const PERMITTED = /^Permitted flags: (.*)\.$/m
  .exec(readFileSync(path.join(import.meta.dirname, '../../docs/ABI.md'), 'utf8'))?.[1]
  ?.split(', ')
  .map((flag) => flag.replaceAll('`', ''))
  .filter((flag) => flag !== 'effect') ?? [''];
/** Flags with which the server calls a handler that a module does not have, or lets clients in that it would stop; and such as none has. */
const REFUSED = [
  'getkeys-api',
  'getchannels-api',
  'no-auth',
  'allow-loading',
  'allow-busy',
  'internal',
  'blocking',
  'stale',
  'readonly\0write',
];

const REGISTRATIONS: Registration[] = [
  { title: 'a step of 0', first: 1, last: 1, step: 0, arity: -1 },
  { title: 'a negative step', first: 1, last: -1, step: -1, arity: -1 },
  { title: 'a step of 2^31 - 1', first: 1, last: -1, step: 0x7fffffff, arity: -1 },
  { title: 'a first key of 2^31 - 1', first: 0x7fffffff, last: 0x7fffffff, step: 1, arity: -1 },
  { title: 'a negative first key', first: -1, last: -1, step: 1, arity: -1 },
  { title: 'the lowest numbers', first: -0x80000000, last: -0x80000000, step: -0x80000000, arity: -0x80000000 },
  { title: 'a last key before the first', first: 3, last: 1, step: 1, arity: -1 },
  { title: 'the lowest last key', first: 1, last: -0x80000000, step: 1, arity: -1 },
  { title: 'keys beyond its arguments', first: 5, last: 9, step: 1, arity: -1 },
  { title: 'an arity of 0', arity: 0 },
  { title: 'the lowest arity', arity: -0x80000000 },
  { title: 'an arity of 2^31 - 1', arity: 0x7fffffff },
  { title: 'no name', name: '' },
  { title: 'a name of blanks', name: ' \t ' },
  { title: 'a name with a line break', name: 'hostile\r\n.odd' },
  { title: 'a name with a NUL', name: 'hostile\0.odd' },
  { title: 'a name that is no text', name: 'hostile.\xff\xfe' },
  { title: 'a name of a subcommand', name: 'config|get' },
  { title: 'a name of 1 MiB', name: 'n'.repeat(1 << 20) },
  { title: 'flags of 1 MiB', flags: 'readonly '.repeat(1 << 17) },
  { title: 'no flags', flags: '' },
  {
    title: 'every flag that modules may use',
    flags: PERMITTED.join(' '),
    first: 1,
    last: -1,
    step: 1,
    arity: -1,
  },
  { title: 'flags with a NUL', flags: 'readonly\0write' },
];

describe('a command registered with', () => {
  test.each(REGISTRATIONS)('$title is refused, or works', async (registration) => {
    const server = await startNative();
    const reply = await load(server, await registered(registration));
    await expectServing(server);
    if (reply !== '+OK\r\n') {
      expect(await refusal(server)).toMatch(/cannot load .*hostile\.wasm: /);
      expect(await load(server)).toBe('+OK\r\n');
      return;
    }
    const { name = 'hostile.odd', arity = 1 } = registration;
    await server.send('WITNESS.FILL', '77');
    await server.send('COMMAND');
    await server.send('COMMAND', 'DOCS', name);
    for (const argv of [[name], [name, 'a'], [name, 'a', 'b', 'c'], Array.from({ length: 100 }, () => name)]) {
      await server.send('COMMAND', 'GETKEYS', ...argv);
      await server.send('COMMAND', 'GETKEYSANDFLAGS', ...argv);
      const answer = await server.send(...argv);
      expect(answer).toMatch(arity === 1 && argv.length === 1 ? /^[+]OK/ : /^([+]OK|-ERR)/);
    }
    // Permissions and tracking look at the keys.
    await server.send('ACL', 'SETUSER', 'someone', 'on', 'nopass', '+@all', '~app:*');
    await server.send('AUTH', 'someone', '');
    await server.send(name, 'app:1', 'b');
    await server.send('AUTH', 'default', '');
    await server.send('CLIENT', 'TRACKING', 'on', 'BCAST');
    expect(await server.send('WITNESS.SUM')).toBe(WITNESSED);
    await expectServing(server);
  });
});

test('a command that tries every permitted flag is one that works', async () => {
  expect(PERMITTED.length).toBeGreaterThan(8);
  const server = await startNative();
  for (const flag of PERMITTED) {
    expect(await load(server, await registered({ title: flag, flags: flag })), flag).toBe('+OK\r\n');
    expect(await server.send('HOSTILE.ODD'), flag).toBe('+OK\r\n');
    await server.send('MODULE', 'UNLOAD', 'wasm');
  }
});

describe('a command registered with the flag', () => {
  test.each(REFUSED)('%j is refused', async (flag) => {
    const server = await startNative();
    expect(await load(server, await registered({ title: flag, flags: `readonly ${flag}` }))).toMatch(/^-ERR Error loading/);
    const name = flag.replace('\0', ' ');
    expect(await refusal(server)).toContain(`: a command of a module cannot have the flag ${name}; functions: `);
    expect(await load(server)).toBe('+OK\r\n');
    await expectServing(server);
  });
});

describe('a setting declared with', () => {
  test.each<[string, Parameters<typeof configured>]>([
    ['a value outside its bounds', ['odd', 50, 0, 60, 100]],
    ['bounds that hold nothing', ['odd', 50, 0, 100, 10]],
    ['the lowest and the highest number', ['odd', '0x8000000000000000', 0, '0x8000000000000000', '0x7fffffffffffffff']],
    ['every flag', ['odd', 1, -1, 0, 10]],
    ['the flag of a size', ['odd', -1, 1 << 7, -5, 10]],
    ['no name', ['', 1, 0, 0, 10]],
    ['a blank in its name', ['o d', 1, 0, 0, 10]],
    ['a line break in its name', ['o\\0d\\0ad', 1, 0, 0, 10]],
    ['a name of the host', ['time-limit', 1, 0, 0, 10]],
  ])('%s is refused, or works', async (_, declaration) => {
    const server = await startNative();
    const reply = await load(server, await configured(...declaration));
    await expectServing(server);
    if (reply !== '+OK\r\n') {
      await eventually(
        () => server.log,
        (log) => log.includes(' # <wasm> '),
      );
      await expect.poll(() => server.log).toMatch(/ # <wasm> (cannot load|a setting has a value that it cannot take)/);
      expect(await load(server)).toBe('+OK\r\n');
    }
    await server.send('CONFIG', 'GET', 'wasm.*');
    await server.send('CONFIG', 'SET', 'wasm.odd', '-1');
    await server.send('CONFIG', 'REWRITE');
    expect(await server.send('WITNESS.FILL', '77')).toBe('+OK\r\n');
    expect(await server.send('WITNESS.SUM')).toBe(WITNESSED);
    await expectServing(server);
  });
});

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

  test('of more commands than there is room for with the others is refused', async () => {
    const server = await startNative();
    const names = (prefix: string) => Array.from({ length: 200 }, (_, index) => `${prefix}.c${index}`);
    const many = (prefix: string) => {
      const create = names(prefix).map(
        (name, index) =>
          `(drop (call $create (i32.const ${index * 16}) (i32.const ${name.length}) (i32.const 0) (i32.const 8000) (i32.const 8) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1)))`,
      );
      const data = names(prefix).map((name, index) => `(data (i32.const ${index * 16}) "${name}")`);
      return assemble(
        prefix,
        `(import "redis" "CreateCommand" (func $create (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
         (memory (export "memory") 1) (table (export "table") 1 funcref) (elem (i32.const 0) $h) (func $h (param i32 i32))
         ${data.join('')} (data (i32.const 8000) "readonly") (func (export "onLoad") (result i32) ${create.join('')} (i32.const 0))`,
        { plain: true },
      );
    };
    // It does not look at the answers: what was refused is not there.
    const reply = await load(server, await many('left'), await many('right'));
    await expectServing(server);
    if (reply === '+OK\r\n') {
      expect(await server.send('LEFT.C199')).toBe('-ERR the module sent no reply\r\n');
      expect(await server.send('RIGHT.C199')).toMatch(/^-ERR unknown command/);
    }
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

const SERVERS = ['Redis 7.', 'Redis 8.', 'Valkey'];

describe('a shipped module with one byte changed', () => {
  // 67 places on each of the three servers: 201 in all. All of them on this server with DAMAGED_FILES=all.
  const places = Array.from({ length: 201 }, (_, index) => index);
  const own = SERVERS.findIndex((name) => `${tested.name} ${tested.version}`.startsWith(name));
  const chosen = process.env.DAMAGED_FILES === 'all' ? places : places.filter((index) => index % SERVERS.length === Math.max(own, 0));
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

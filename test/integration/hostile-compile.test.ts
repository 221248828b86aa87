/**
 * Files that would take a compiler many seconds, or much memory, and modules that would take it while they
 * declare themselves: each is refused within a bound, and the server serves on with its data.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  body,
  CALL_INDIRECT,
  exportedFunctions,
  functionGlobal,
  functions,
  heavy,
  LOAD,
  longExport,
  many,
  NO_DATA,
  passiveElements,
  repeated,
  sumGlobal,
  TABLE_GET,
  type Parts,
  types,
} from '../support/heavy.ts';
import { hostile } from '../support/attacks.ts';
import { chained } from '../support/hostile.ts';
import { assemble, file } from '../support/modules.ts';
import { eventually, HASHMAP_FILE, HOST_FILE, SESSION_FILE, startServer, tested, type TestServer } from '../support/server.ts';

const MIB = 1 << 20;

/**
 * Seconds that the server and the processes that it has waited for, or these alone, have run on a processor.
 */
function seconds(server: TestServer, whose: 'all' | 'children' = 'all'): number {
  const fields = readFileSync(`/proc/${server.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  // utime, stime, cutime, cstime: fields 14 to 17 of all, in hundredths of a second.
  return fields.slice(whose === 'all' ? 11 : 13, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}

/** Bytes that the server has had resident at most. */
const peak = (server: TestServer) => 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]);

/**
 * Loads these files, which is to be refused, and answers the reason, the seconds that it took and by how many
 * bytes the server has grown.
 */
async function refused(server: TestServer, argv: string[]) {
  const [before, resident, from] = [seconds(server), peak(server), server.log.length];
  expect(await server.send('MODULE', 'LOADEX', HOST_FILE, ...argv)).toMatch(/^-ERR Error loading/);
  const log = await eventually(
    () => server.log.slice(from),
    (text) => text.includes('cannot load '),
  );
  return { reason: /cannot load \S+: (.*)/.exec(log)?.[1] ?? log, seconds: seconds(server) - before, grown: peak(server) - resident };
}

async function expectServing(server: TestServer): Promise<void> {
  expect(await server.send('PING')).toBe('+PONG\r\n');
  expect(await server.send('MODULE', 'LOAD', HOST_FILE)).toBe('+OK\r\n');
  expect(await server.send('CUSTOM.SET', 'key', 'value')).toBe('+OK\r\n');
}

/** As many of these instructions as one function may have. */
const full = (instructions: number[]) => body(repeated(65_000 / instructions.length, ...instructions));

/** Files, and what their compiler would have done most. */
const COUNTED: Record<string, [Parts, RegExp]> = {
  'functions of many variables': [functions(10_000, body([], 49_999)), /locals/],
  'many functions': [functions(400_000, body()), /functions/],
  'many elements that nothing writes': [{ elements: [passiveElements(2_000_000)] }, /elements of tables/],
  'functions full of indirect calls': [functions(4, full(CALL_INDIRECT)), /many branches and checks/],
  'functions full of looks at a table': [functions(4, full(TABLE_GET)), /many branches and checks/],
  'many small functions of indirect calls': [functions(2000, body(repeated(100, ...CALL_INDIRECT))), /instructions/],
  'exports of many parameters and results': [exportedFunctions(150), /functions that others may call|types/],
  'many types': [{ types: types(50_000) }, /types/],
  'many segments of data': [{ data: many(100_000, NO_DATA) }, /data segments/],
  'many globals of functions': [{ globals: many(150_000, functionGlobal) }, /constants/],
  'a long constant': [{ globals: [sumGlobal(1_000_000)] }, /constants/],
};

/** Milliseconds that both shipped modules take by the rule. */
const SHIPPED_MS = 350;
/** Files that the rule lets pass, and milliseconds that they take by it: docs/ABI.md has the sums. */
const PASSING: Record<string, [Parts, number]> = {
  'functions of many variables': [functions(200, body([], 49_999)), 1018],
  'many functions': [functions(10_000, body()), 910],
  'many elements that nothing writes': [{ elements: [passiveElements(66_000)] }, 990],
  'functions full of indirect calls': [functions(3, body(repeated(1200, ...CALL_INDIRECT))), 823],
  'functions full of looks at a table': [functions(5, body(repeated(2000, ...TABLE_GET))), 830],
  'functions full of loads': [functions(6, body(repeated(3000, ...LOAD), 1)), 1386],
  'many small functions of indirect calls': [functions(600, body(repeated(20, ...CALL_INDIRECT))), 1000],
  'exports of many parameters and results': [exportedFunctions(22), 948],
  'many types': [{ types: types(3000) }, 936],
  'many segments of data': [{ data: many(4000, NO_DATA) }, 1028],
  'many globals of functions': [{ globals: many(15_000, functionGlobal) }, 900],
  'a long constant': [{ globals: [sumGlobal(100_000)] }, 1000],
};

/** Files of which a part is without measure. */
const UNMEASURED: Record<string, [Parts, RegExp]> = {
  'many tables': [{ tables: 100 }, /^it has 100 tables, more than 16$/],
  'a large table': [{ tableSize: 10_000_000 }, /^it has a table of 10000000 elements, more than 65536$/],
  'many imports': [{ imports: 2000 }, /^it has 2000 imports, more than 1024$/],
  'an export of a long name': [{ exports: [longExport(90_000)] }, /^it imports or exports a name of 90000 bytes, more than 512$/],
};

describe('a file with', () => {
  test.each(Object.entries(COUNTED))('%s is refused before it is compiled', async (_, [parts, most]) => {
    const server = await startServer({ module: false });
    const load = await refused(server, ['ARGS', await file('heavy', heavy(parts))]);
    expect(load.reason).toMatch(/^compiling it would take too long: some \d+ ms, more than 6000, \d+ of them for /);
    expect(load.reason).toMatch(most);
    expect(load.seconds).toBeLessThan(1);
    expect(load.grown).toBeLessThan(64 * MIB);
    await expectServing(server);
  });

  test.each(Object.entries(UNMEASURED))('%s is refused', async (_, [parts, reason]) => {
    const server = await startServer({ module: false });
    expect((await refused(server, ['ARGS', await file('heavy', heavy(parts))])).reason).toMatch(reason);
    await expectServing(server);
  });

  test('a function that cannot be read is refused before the others are compiled', async () => {
    const server = await startServer({ module: false });
    const bodies = [...many(10_000, body([], 49_999)), body([0xff])];
    const load = await refused(server, ['ARGS', await file('heavy', heavy({ functions: many(10_001, 1), bodies }))]);
    expect(load.reason).toMatch(/opcode/);
    expect(load.seconds).toBeLessThan(1);
    await expectServing(server);
  });
});

describe('by the rule that refuses files', () => {
  /** Milliseconds of a processor for each that the rule counts. */
  async function ratio(counted_ms: number, ...argv: string[]): Promise<number> {
    const server = await startServer({ module: false });
    expect(await server.send('MODULE', 'LOAD', HOST_FILE, ...argv)).toBe('+OK\r\n');
    return (1000 * seconds(server, 'children')) / counted_ms;
  }

  // What a machine takes is compared with what it takes for modules as they are ordinarily.
  test.skipIf(tested.link === 'command')('what is compiled takes as long as it counts', { timeout: 240_000 }, async () => {
    const ordinary = Math.max(await ratio(SHIPPED_MS), await ratio(SHIPPED_MS));
    const ratios: Record<string, number> = {};
    for (const [what, [parts, counted_ms]] of Object.entries(PASSING)) {
      ratios[what] = (await ratio(counted_ms, await file('passing', heavy(parts)))) / ordinary;
    }
    // It was 0.4 to 1.1: some weigh more for the memory that they take.
    // What else runs on the machine changes it, too.
    for (const [what, each] of Object.entries(ratios)) {
      expect(each, what).toBeGreaterThan(0.08);
      expect(each, what).toBeLessThan(4);
    }
  });
});

// What is weighed by itself may come in several files; the limits hold for all of them.
describe.skipIf(tested.link === 'command')('the process that compiles', () => {
  test('is ended when it takes more time than it may', { timeout: 120_000 }, async () => {
    const server = await startServer({ module: false });
    const files = await Promise.all(['one', 'two', 'three'].map((name) => file(name, heavy(exportedFunctions(130)))));
    const load = await refused(server, ['ARGS', ...files]);
    expect(load.reason).toMatch(/^compiling it (with (one|two|three)(, (two|three))* )?takes more than 10 s of a processor$/);
    expect(load.seconds).toBeLessThan(12);
    expect(load.grown).toBeLessThan(64 * MIB);
    await expectServing(server);
  });

  test('is ended when it takes more memory than it may', { timeout: 60_000 }, async () => {
    const server = await startServer({ module: false });
    const load = await refused(server, ['ARGS', await file('large', heavy({ data: many(22_000, NO_DATA) }))]);
    expect(load.reason).toBe('compiling it takes more than 512 MiB of memory');
    expect(load.seconds).toBeLessThan(12);
    expect(load.grown).toBeLessThan(64 * MIB);
    await expectServing(server);
    expect(server.log).not.toMatch(/crashed|memory allocation|panicked|unmatched|CRASH/i);
  });
});

test('where no process can be had, the server compiles by itself, and says so', async () => {
  const server = await startServer({ module: false, under: ['env', 'WASM_NO_PROCESS=1'] });
  const load = await refused(server, ['ARGS', await file('heavy', heavy(COUNTED['many functions']![0]))]);
  expect(load.reason).toMatch(/^compiling it would take too long/);
  expect(server.log).toMatch(/no process to compile in \(unsupported\): the server does it itself/);
  await expectServing(server);
});

/**
 * What a module of the text format begins with: its memory, of which it touches all, or a text of most of it.
 */
const touching = (pages: number) =>
  assemble(
    'touching',
    `(memory (export "memory") ${pages}) (table (export "table") 1 funcref) (global (export "abi") i32 (i32.const 1))
     (func (export "onLoad") (result i32)
       (memory.fill (i32.const 0) (i32.const 97) (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 1))) (i32.const 0))`,
    { plain: true },
  );
const declaring = (text: string, pages = 1, locals = '') =>
  hostile(
    `(table (export "table") 1 funcref) (elem (i32.const 0) $handler) (func $handler (param i32 i32))
     (func (export "onLoad") (result i32) ${locals} ${text} (i32.const 0))`,
    'declaring',
    pages,
  );
/** Does something with each number from 16 bytes of text on. */
const forEach = (action: string) =>
  `(loop $next (i64.store (i32.const 1024) (i64.add (i64.load (i32.const 1024)) (i64.const 1))) ${action} (br $next))`;

describe('while it declares itself under wasm.max-memory 1mb, a module', () => {
  test.each<[string, () => Promise<string>, RegExp]>([
    ['of 4 GiB of memory is refused', () => touching(65_536), /its memory has 4096 MiB from the start, more than 64/],
    [
      'of 60 MiB of memory is refused before it runs for good',
      () => touching(960),
      /memory minimum size of 960 pages exceeds memory limits/,
    ],
    [
      'that registers a name of 60 MiB is refused',
      () =>
        declaring(
          '(drop (call $CreateCommand (i32.const 0) (i32.const 62000000) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1)))',
          960,
        ),
      /a declaration with a text of 62000000 bytes, more than 65536/,
    ],
    [
      'that names files without end is refused',
      () => declaring(forEach('(call $ServedBy (i32.const 1024) (i32.const 8) (i32.const 2048) (i32.const 50000))')),
      /more than 256 namespaces that are served by files/,
    ],
  ])('%s', async (_, make, reason) => {
    const server = await startServer({ module: false });
    const load = await refused(server, ['CONFIG', 'wasm.max-memory', '1mb', 'ARGS', await make()]);
    expect(load.reason).toMatch(reason);
    expect(load.seconds).toBeLessThan(3);
    expect(load.grown).toBeLessThan(192 * MIB);
    await expectServing(server);
  });

  test('that declares settings without end is refused', async () => {
    const server = await startServer({ module: false });
    // The number that is counted up, a letter for each of its last three digits of four bits.
    const letter = (digit: number) =>
      `(i64.shl (i64.and (i64.shr_u (i64.load (i32.const 1024)) (i64.const ${4 * digit})) (i64.const 15)) (i64.const ${8 * digit}))`;
    const name = [0, 1, 2].map(letter).reduce((sum, each) => `(i64.add ${sum} ${each})`, '(i64.const 0x616161)');
    const declare =
      '(drop (call $RegisterNumericConfig (i32.const 1040) (i32.const 3) (i64.const 0) (i32.const 0) (i64.const 0) (i64.const 1) (i32.const 0)))';
    const settings = `(func (export "settings") ${forEach(`(i64.store (i32.const 1040) ${name}) ${declare}`)})`;
    const odd = await hostile(
      `(table (export "table") 1 funcref) ${settings} (func (export "onLoad") (result i32) (i32.const 0))`,
      'declaring',
    );
    expect((await refused(server, ['ARGS', odd])).reason).toContain('more than 256 settings');
    await expectServing(server);
  });

  test('whose start function never ends is refused', async () => {
    const server = await startServer({ module: false });
    const odd = await assemble('starting', '(func $start (loop $next (br $next))) (start $start)');
    const load = await refused(server, ['ARGS', odd]);
    expect(load.reason).toMatch(/interrupt/);
    expect(load.seconds).toBeLessThan(5);
    await expectServing(server);
  });
});

describe('a stack', () => {
  const limited = (kilobytes: number) => ['sh', '-c', `ulimit -s ${kilobytes}; exec "$0" "$@"`];

  test('that is too small for recursions is refused when the server loads', async () => {
    const server = await startServer({ module: false, under: limited(400) });
    expect(await server.send('MODULE', 'LOAD', HOST_FILE)).toMatch(/^-ERR Error loading/);
    await expect
      .poll(() => server.log)
      .toMatch(/the server has \d+ KiB of stack left, and modules need 5120: start it under ulimit -s 8192/);
    expect(await server.send('PING')).toBe('+PONG\r\n');
    server.change({ module: [HOST_FILE], under: limited(400) });
    await server.end();
    await expect(server.start()).rejects.toThrow(/ended at its start/);
  });

  test('that is hardly large enough holds all commands that may run within each other', async () => {
    const modules = await Promise.all(Array.from({ length: 30 }, (_, index) => chained(index)));
    const server = await startServer({ module: [HOST_FILE, HASHMAP_FILE, SESSION_FILE, ...modules], under: limited(5300) });
    const script = "return redis.pcall('CHAIN0.GO')";
    expect(await server.send('EVAL', script, '0')).toMatch(/^-ERR module chain8: commands call each other more than 8 deep/);
    expect(await server.send('PING')).toBe('+PONG\r\n');
  });
});

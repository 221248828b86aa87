/**
 * A module that fails, or never ends, in what the host calls by itself: to save and load, to flush, to count
 * memory, for INFO. The error is logged with the module and the function, the last good file stays, and the
 * other modules' data is unharmed.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { misdeedOf, MISDEEDS, unreliable, witness, type Misdeed } from '../support/hostile.ts';
import { eventually, HASHMAP_FILE, HOST_FILE, SESSION_FILE, startServer, tested, useServer, type TestServer } from '../support/server.ts';
import { bulk } from '../support/raw.ts';
import { dump, fill } from '../support/state.ts';

const MODULES = [HASHMAP_FILE, SESSION_FILE, await witness, await unreliable];
const LIMITS = ['--wasm.time-limit', '100', '--wasm.max-memory', '64mb'];
const WITNESSED = `:${61440 * 77}\r\n`;
const DISARMED = '0';
/** What runs on in any export, and what only in those that write or read a file. */
const ANYWHERE: Misdeed[] = ['trap', 'loop', 'recursion'];
const REASONS: Record<Misdeed, RegExp> = {
  trap: /unreachable/,
  loop: /ran longer than (wasm\.time-limit|the 50 ms that it may take here)/,
  recursion: /call stack exhausted/,
  blocks: /hands the server more/,
  bytes: /ran longer/,
  nothings: /ran longer/,
  numbers: /hands the server more|ran longer/,
  reads: /ran longer/,
  readNumbers: /ran longer/,
  memory: /unreachable/,
  fields: /hands the server more|ran longer/,
  commit: /ran longer/,
};

const options = { module: [HOST_FILE, ...MODULES], arguments: LIMITS };

async function filled(server: TestServer): Promise<{ server: TestServer; before: string[] }> {
  await fill(server);
  await server.send('WITNESS.FILL', '77');
  return { server, before: await dump(server) };
}

/** A server of the running test's own: for what leaves a module alone for a while. */
const start = async () => filled(await startServer(options));

/** One for a describe block, whose modules do no misdeed when a test begins; answers what `start` does. */
function useFilled(): () => Promise<{ server: TestServer; before: string[] }> {
  const server = useServer(options);
  beforeEach(async () => {
    expect(await server.send('HOSTILE.ARM', DISARMED)).toBe('+OK\r\n');
    expect(await server.send('CONFIG', 'SET', 'wasm.time-limit', '100')).toBe('+OK\r\n');
    expect(await server.send('FLUSHALL')).toBe('+OK\r\n');
  });
  return () => filled(server);
}

/** The log from its `from`-th character on, once it tells of this misdeed. */
async function expectLogged(server: TestServer, from: number, name: string, misdeed: Misdeed): Promise<void> {
  const fault = new RegExp(`module hostile: .*(${REASONS[misdeed].source}).*; running: ${name}; functions: (deed|down|function)`);
  const log = await eventually(
    () => server.log.slice(from),
    (text) => fault.test(text),
  );
  expect(log).toMatch(fault);
}

async function expectUnharmed(server: TestServer, before: string[]): Promise<void> {
  expect(await server.send('PING')).toBe('+PONG\r\n');
  expect(await server.send('WITNESS.SUM')).toBe(WITNESSED);
  expect(await dump(server)).toEqual(before);
}

const arm = async (server: TestServer, name: Parameters<typeof misdeedOf>[0], misdeed: Misdeed) => {
  expect(await server.send('HOSTILE.ARM', misdeedOf(name, misdeed))).toBe('+OK\r\n');
};

test('every misdeed is done somewhere', () => {
  expect(Object.keys(REASONS)).toEqual(Object.keys(MISDEEDS));
});

describe('a save', () => {
  const begin = useFilled();
  const saving: Misdeed[] = [...ANYWHERE, 'blocks', 'bytes', 'nothings', 'numbers'];
  const persisted = async (server: TestServer, field: string) => (await server.info('persistence'))[field];

  /** BGSAVE, until its child has ended; answers how. */
  async function saveInChild(server: TestServer): Promise<string | undefined> {
    expect(await server.send('BGSAVE')).toMatch(/^\+Background saving started/);
    await eventually(
      () => persisted(server, 'rdb_bgsave_in_progress'),
      (value) => value === '0',
      30_000,
    );
    return persisted(server, 'rdb_last_bgsave_status');
  }

  test.each(saving)(
    'that does %s fails in a child and in the server; the last good file stays, and the next save succeeds',
    async (misdeed) => {
      const { server, before } = await begin();
      expect(await server.send('SAVE')).toBe('+OK\r\n');
      const file = path.join(server.folder, 'dump.rdb');
      const good = readFileSync(file);
      await server.send('CUSTOM.SET', 'key', 'another');

      await arm(server, 'auxSave', misdeed);
      let from = server.log.length;
      expect(await saveInChild(server)).toBe('err');
      await expectLogged(server, from, 'auxSave', misdeed);
      from = server.log.length;
      expect(await server.send('SAVE')).toMatch(/^-ERR/);
      await expectLogged(server, from, 'auxSave', misdeed);
      expect(readFileSync(file).equals(good)).toBe(true);
      expect(await server.send('CUSTOM.DEL', 'key')).toBe(':1\r\n');
      await expectUnharmed(server, before);

      await server.send('HOSTILE.ARM', DISARMED);
      expect(await saveInChild(server)).toBe('ok');
      expect(await server.send('SAVE')).toBe('+OK\r\n');
      expect(await server.send('DEBUG', 'RELOAD')).toBe('+OK\r\n');
      await expectUnharmed(server, before);
    },
  );

  test('that saves numbers without end fails without a time limit too', async () => {
    const { server, before } = await begin();
    await server.send('CONFIG', 'SET', 'wasm.time-limit', '0');
    await arm(server, 'auxSave', 'numbers');
    const from = server.log.length;
    expect(await server.send('SAVE')).toMatch(/^-ERR/);
    await expectLogged(server, from, 'auxSave', 'numbers');
    await expectUnharmed(server, before);
  });

  // 7.0 writes every module's section, and so asks none whether it is empty.
  test.skipIf(tested.version.startsWith('7.0.')).each(ANYWHERE)(
    'whose isEmpty() does %s fails, and the next one succeeds',
    async (misdeed) => {
      const { server, before } = await begin();
      await arm(server, 'isEmpty', misdeed);
      const from = server.log.length;
      expect(await saveInChild(server)).toBe('err');
      await expectLogged(server, from, 'auxSave', misdeed);
      await server.send('HOSTILE.ARM', DISARMED);
      expect(await saveInChild(server)).toBe('ok');
      await expectUnharmed(server, before);
    },
  );
});

describe('a load', () => {
  const begin = useFilled();
  test.each<Misdeed>([...ANYWHERE, 'reads', 'readNumbers'])(
    'whose auxLoad() does %s is refused, and the next one succeeds',
    async (misdeed) => {
      const { server, before } = await begin();
      expect(await server.send('SAVE')).toBe('+OK\r\n');
      await arm(server, 'auxLoad', misdeed);
      const from = server.log.length;
      expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE')).toMatch(/^-/);
      await expectLogged(server, from, 'auxLoad', misdeed);
      await expect.poll(() => server.log.slice(from)).toContain('module hostile: its data in this file (encoding 1) cannot be loaded');
      expect(await server.send('WITNESS.SUM')).toBe(WITNESSED);
      await server.send('HOSTILE.ARM', DISARMED);
      expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE')).toBe('+OK\r\n');
      await expectUnharmed(server, before);
    },
  );

  test('that takes all memory gets little more than a command does', async () => {
    const { server, before } = await start();
    expect(await server.send('SAVE')).toBe('+OK\r\n');
    await arm(server, 'auxLoad', 'memory');
    const from = server.log.length;
    expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE')).toMatch(/^-/);
    await expectLogged(server, from, 'auxLoad', 'memory');
    const reserved = Number((await server.info('wasm_hostile')).wasm_memory_reserved);
    expect(reserved).toBeGreaterThan(64 << 20);
    expect(reserved).toBeLessThan(72 << 20);
    await server.send('HOSTILE.ARM', DISARMED);
    expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE')).toBe('+OK\r\n');
    await expectUnharmed(server, before);
  });

  test.each(ANYWHERE)('whose flush() does %s is refused, and the next one succeeds', async (misdeed) => {
    const { server, before } = await begin();
    expect(await server.send('SAVE')).toBe('+OK\r\n');
    await arm(server, 'flush', misdeed);
    const from = server.log.length;
    expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE')).toMatch(/^-/);
    await expectLogged(server, from, 'flush', misdeed);
    // Its data is in doubt until it has been flushed.
    expect((await server.info('wasm_hostile')).wasm_damaged).toBe('1');
    expect(await server.send('HOSTILE.WRITE')).toMatch(/^-MISCONF /);
    await server.send('HOSTILE.ARM', DISARMED);
    expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE')).toBe('+OK\r\n');
    expect(await server.send('HOSTILE.WRITE')).toBe('+OK\r\n');
    await expectUnharmed(server, before);
  });
});

describe('FLUSHALL', () => {
  const begin = useFilled();

  test.each(ANYWHERE)('with a flush() that does %s empties all others', async (misdeed) => {
    const { server } = await begin();
    await arm(server, 'flush', misdeed);
    expect(await server.send('FLUSHALL')).toBe('+OK\r\n');
    expect(await server.send('CUSTOM.KEYS')).toBe('*0\r\n');
    expect(await server.send('SESSION.LIST')).toBe('*0\r\n');
    expect((await server.info('wasm_hostile')).wasm_damaged).toBe('1');
    expect((await server.info('wasm_session')).wasm_damaged).toBe('0');
    expect(await server.send('SESSION.CREATE', 'user')).toMatch(/^\+Session created/);
    await server.send('HOSTILE.ARM', DISARMED);
    expect(await server.send('FLUSHALL')).toBe('+OK\r\n');
    expect((await server.info('wasm_hostile')).wasm_damaged).toBe('0');
    expect(await server.send('HOSTILE.WRITE')).toBe('+OK\r\n');
  });
});

test.each<Misdeed>([...ANYWHERE, 'memory'])(
  'a sweep() that does %s is ended, and left alone for a while; others are served',
  async (misdeed) => {
    const { server, before } = await start();
    const from = server.log.length;
    await arm(server, 'sweep', misdeed);
    await expectLogged(server, from, 'sweep', misdeed);
    const first = server.log.length;
    await expectUnharmed(server, before);
    expect(await server.send('CUSTOM.SET', 'key', 'value')).toBe('+OK\r\n');
    expect(await server.send('CUSTOM.DEL', 'key')).toBe(':1\r\n');
    // It is asked again, and again it fails.
    await expectLogged(server, first, 'sweep', misdeed);
    await expectUnharmed(server, before);
  },
);

test.each<Misdeed>([...ANYWHERE, 'fields'])('INFO with an info() that does %s lacks its fields alone', async (misdeed) => {
  const { server, before } = await start();
  await arm(server, 'info', misdeed);
  const from = server.log.length;
  const info = await server.info('wasm');
  expect(info.wasm_sessions).toBeDefined();
  await expectLogged(server, from, 'info', misdeed);
  await expectUnharmed(server, before);
});

test.each(ANYWHERE)('a freeBytes() that does %s is taken to have what it last had: writes go on', async (misdeed) => {
  const { server, before } = await start();
  await arm(server, 'freeBytes', misdeed);
  await server.send('CONFIG', 'SET', 'maxmemory', '2gb');
  const from = server.log.length;
  expect(await server.send('HOSTILE.WRITE')).toBe('+OK\r\n');
  expect(await server.send('CUSTOM.SET', 'key', 'value')).toBe('+OK\r\n');
  await expectLogged(server, from, 'freeBytes', misdeed);
  expect(await server.send('CUSTOM.DEL', 'key')).toBe(':1\r\n');
  await expectUnharmed(server, before);
});

test.each(['freeBytes', 'info'] as const)(
  'a %s() that never ends is left alone for a while, so that it costs others no time',
  async (name) => {
    const { server, before } = await start();
    await server.send('CONFIG', 'SET', 'maxmemory', '2gb');
    await arm(server, name, 'loop');
    const begun = Date.now();
    for (let index = 0; index < 10; index++) {
      expect(await server.send('CUSTOM.SET', 'key', 'value')).toBe('+OK\r\n');
      expect((await server.info('wasm_hashmap')).wasm_damaged).toBe('0');
      expect((await server.info('wasm_hostile')).wasm_damaged).toBe('0');
    }
    const timeouts = Number((await server.info('wasm_hostile')).wasm_timeouts);
    expect(timeouts).toBeGreaterThan(0);
    // Left alone for one second, then two, then four, …: twenty commands and INFO meet it so often at most.
    expect(timeouts).toBeLessThanOrEqual(2 + Math.log2(1 + (Date.now() - begun) / 1000));
    expect(await server.send('CUSTOM.DEL', 'key')).toBe(':1\r\n');
    await expectUnharmed(server, before);
  },
);

test.each(['sweep', 'info', 'freeBytes'] as const)('a commit in %s() that never ends is ended', async (name) => {
  const { server, before } = await start();
  await server.send('CONFIG', 'SET', 'maxmemory', '2gb');
  const [from, begun] = [server.log.length, server.running_ms];
  await arm(server, name, 'commit');
  expect(await server.send('CUSTOM.SET', 'key', 'value')).toBe('+OK\r\n');
  await server.info('wasm');
  await expectLogged(server, from, name, 'commit');
  // A command's commit may go on for 5 s.
  expect(server.running_ms - begun).toBeLessThan(2500);
  expect((await server.info('wasm_hostile')).wasm_damaged).toBe('1');
  expect((await server.info('wasm_hashmap')).wasm_damaged).toBe('0');
  expect(await server.send('CUSTOM.DEL', 'key')).toBe(':1\r\n');
  await expectUnharmed(server, before);
});

test('free memory that no module could have makes no room', async () => {
  const { server } = await start();
  await server.send('CONFIG', 'SET', 'maxmemory', '1');
  expect(await server.send('CUSTOM.SET', 'key', 'value')).toMatch(/^-OOM/);
  expect(await server.send('HOSTILE.WRITE')).toMatch(/^-OOM/);
});

test('a server that starts without modules keeps the data that its file has of them, and saves it again', async () => {
  const { server } = await start();
  const created = await server.send('SESSION.CREATE', 'somebody');
  expect(created).toMatch(/^\+Session created: /);
  expect(await server.send('SAVE')).toBe('+OK\r\n');
  server.change({ module: [HOST_FILE, HASHMAP_FILE] });
  await server.restart();
  expect(await server.send('CUSTOM.EXISTS', 'key:5:text')).toBe(':1\r\n');
  expect(Number((await server.info('wasm')).wasm_kept_modules)).toBeGreaterThan(0);
  expect(await server.send('SESSION.COUNT')).toMatch(/^-ERR unknown command/);
  await server.send('CUSTOM.SET', 'meanwhile', 'value');
  expect(await server.send('SAVE')).toBe('+OK\r\n');
  server.change({ module: [HOST_FILE, ...MODULES] });
  await server.restart();
  expect(await server.send('CUSTOM.GET', 'meanwhile')).toBe(bulk('value'));
  expect(await server.send('SESSION.CREATE', 'somebody')).toMatch(/^\+Session exists: /);
  expect(await server.send('SESSION.USER', 'somebody')).toContain(created.trim().slice(-36));
  expect((await server.info('wasm')).wasm_kept_modules).toBe('0');
});

/**
 * Commands of a kit module that fail, in whatever way, after two writes, a delete, a write of another module
 * and a message: nothing has changed here, on a replica, in the append-only file and in the next RDB file.
 */
import { describe, expect, test } from 'vitest';
import { usePair, caughtUp, follow } from '../support/replication.ts';
import { kitOf } from '../support/kit.ts';
import { HASHMAP_FILE, HOST_FILE, SESSION_FILE, startServer, type TestServer } from '../support/server.ts';
import { ReplicationStream } from '../support/stream.ts';
import { APPEND_ONLY, ask, infoOf, NIL, OK, state, WITH_TRIAL } from '../support/trial.ts';

/** Writes of sessions and of the hashmap. */
const MAKER = `import { command, custom, query, Reply, session, Table } from "redis-wasm/kit";
const ids = new Table<string, string>("ids");
command("MAKER.MAKE", "key:key user how", make);
function make(key: string, user: string, how: string): Reply {
  const id = session.create(user);
  session.addData(id, "field", how);
  ids.set(key, id);
  if (how == "throw") throw new Error("as it was asked");
  const none = session.getData(id, "none");
  const reply = new Reply().array(3).string(id).string(session.getData(id, "field")!);
  return none === null ? reply.null() : reply.string(none);
}
command("MAKER.END", "key:key id", (key: string, id: string): bool => session.delete(id));
query("MAKER.LAST", "key:key", (key: string): string | null => ids.find(key));
command("MAKER.ALL", "key:key id other how", all);
function all(key: string, id: string, other: string, how: string): void {
  session.delete(id);
  const made = session.create("ann");
  ids.set(key, made);
  session.addData(made, "field", "new");
  custom.set("set", "x");
  custom.set("set", "y");
  custom.del("deleted");
  custom.set("plain", "x");
  custom.set("new", "x");
  session.addData(other, "field", "after");
  session.addData(other, "new", "after");
  if (how == "throw") throw new Error("as it was asked");
  session.create("eve");
}
`;
const WITH_MAKER = [HOST_FILE, HASHMAP_FILE, SESSION_FILE, await kitOf('maker', MAKER)];

const KEYS = ['key', 'key:old', 'other'];

/** Something of each kind. */
async function fill(server: TestServer): Promise<void> {
  for (const command of [
    ['TRIAL.SET', 'key', 'before'],
    ['TRIAL.SET', 'key:old', 'to be deleted', 'UNTIL', '32503680000000'],
    ['TRIAL.PUT', 'key', 'old', '1'],
    ['TRIAL.EXPIREALL', 'key', '32503680000000'],
    ['TRIAL.STORE', 'key', '\0\xff'],
    ['TRIAL.NOTE', 'key', 'text', '1.5'],
    ['TRIAL.COUNT', '-7'],
    ['CUSTOM.SET', 'key', 'before', 'PX', '100000000'],
  ]) {
    expect(await server.send(...command), command.join(' ')).not.toMatch(/^-/);
  }
}

const traps = async (server: TestServer) => [
  await infoOf(server, 'traps'),
  await infoOf(server, 'timeouts'),
  await infoOf(server, 'damaged'),
];

/** How a command fails, what it answers, and by how many that raises the counts of traps and time-outs. */
const FAILURES: [how: string, error: RegExp, traps?: number, timeouts?: number][] = [
  ['throw', /^-BROKEN as it was asked\r\n$/],
  ['trap', /^-ERR module trial: wasm trap: integer divide by zero\r\n$/, 1],
  ['index', /^-ERR Index out of range \(~lib\/array\.ts:\d+\)\r\n$/],
  ['loop', /^-ERR module trial: it ran longer than wasm\.time-limit\r\n$/, 0, 1],
  ['loop of nothing', /^-ERR module trial: it ran longer than wasm\.time-limit\r\n$/, 0, 1],
  ['stack', /^-ERR module trial: wasm trap: call stack exhausted\r\n$/, 1],
  ['stack of writes', /^-ERR module trial: wasm trap: call stack exhausted\r\n$/, 1],
  ['memory', /^-ERR the command takes more than 64 MiB of memory\r\n$/],
  ['one object', /^-ERR /],
  ['entries', /^-ERR the command takes more than 64 MiB of memory\r\n$/],
  ['deadline', /^-ERR a deadline is a Unix time in milliseconds, from 0 to 2\^53\r\n$/],
  ['infinite deadline', /^-ERR a deadline is a Unix time in milliseconds, from 0 to 2\^53\r\n$/],
  ['deadline below 0', /^-ERR a deadline is a Unix time in milliseconds, from 0 to 2\^53\r\n$/],
  ['null', /^-ERR /],
  ['reply too short', /^-ERR a Reply holds less than its arrays and maps say\r\n$/],
  ['reply too long', /^-ERR a Reply holds more than its arrays and maps say\r\n$/],
  ['reply of no length', /^-ERR a Reply has a length below 0\r\n$/],
  ['reply too deep', /^-ERR module trial: more than 32 arrays within each other\r\n$/, 1],
  ['reply that is too large', /^-ERR the command takes more than 64 MiB of memory\r\n$/],
];

describe('a command that fails', () => {
  const { primary, replica } = usePair({ module: WITH_TRIAL }, { module: WITH_TRIAL, arguments: APPEND_ONLY });
  /** Runs it in the time that it needs to fail as it is to. */
  const failBy = async (how: string, ...command: string[]) => {
    await primary.send('CONFIG', 'SET', 'wasm.time-limit', how.startsWith('loop') ? '50' : '5000');
    return primary.send(...(command.length > 0 ? command : ['TRIAL.FAIL', 'key', how]));
  };

  test.each(FAILURES)('by %s has changed nothing anywhere, and the module serves on', async (how, error, trapped = 0, late = 0) => {
    await fill(primary);
    const before = await state(primary, ...KEYS);
    const [trapsBefore = 0, timeoutsBefore = 0] = await traps(primary);
    const stream = await ReplicationStream.of(primary);
    const subscriber = await primary.connect();
    await subscriber.send('SUBSCRIBE', 'news');

    expect(await failBy(how)).toMatch(error);
    expect(await traps(primary)).toEqual([trapsBefore + trapped, timeoutsBefore + late, 0]);
    expect(await state(primary, ...KEYS)).toEqual(before);
    expect(await stream.commands()).toEqual([]);

    expect(await primary.send('DEBUG', 'RELOAD')).toBe(OK);
    expect(await state(primary, ...KEYS)).toEqual(before);
    const told = subscriber.next();
    expect(await primary.send('TRIAL.FAIL', 'key', 'not')).toBe(':2\r\n');
    expect(await told).toContain('not');
    expect((await stream.commands()).map(([name]) => name)).toContain('wasm.apply');
    expect(await ask(primary, 'TRIAL.GET', 'key')).toBe('changed');
    expect(await ask(primary, 'TRIAL.GET', 'key:old')).toBeNull();
    expect(await ask(primary, 'CUSTOM.GET', 'key')).toBe('changed');
  });

  test('in whatever way leaves replica and append-only file as they were', async () => {
    await fill(primary);
    await follow(replica, primary);
    const before = await state(primary, ...KEYS);
    for (const [how, error] of FAILURES) {
      expect(await failBy(how)).toMatch(error);
      expect(await failBy(how, 'EVAL', "return redis.pcall('TRIAL.FAIL', KEYS[1], ARGV[1]).err ~= nil", '1', 'key', how)).toBe(':1\r\n');
    }
    expect(await primary.send('TRIAL.SET', 'other', 'written behind them')).toBe(OK);
    await caughtUp(primary, replica);
    const after = await state(primary, ...KEYS);
    expect(after.slice(1)).toEqual(before.slice(1));
    expect(await state(replica, ...KEYS)).toEqual(after);
    expect(await infoOf(replica, 'traps')).toBe(0);
    await primary.restart();
    expect(await state(primary, ...KEYS)).toEqual(after);
  });

  test('within MULTI leaves what stands beside it', async () => {
    await fill(primary);
    const stream = await ReplicationStream.of(primary);
    await primary.send('CONFIG', 'SET', 'wasm.time-limit', '50');
    await primary.send('MULTI');
    await primary.send('TRIAL.SET', 'one', '1');
    await primary.send('TRIAL.FAIL', 'key', 'throw');
    await primary.send('TRIAL.FAIL', 'key', 'loop');
    await primary.send('TRIAL.SET', 'two', '2');
    expect(await primary.send('EXEC')).toBe(
      '*4\r\n+OK\r\n-BROKEN as it was asked\r\n-ERR module trial: it ran longer than wasm.time-limit\r\n+OK\r\n',
    );
    expect((await stream.commands()).map(([name, key]) => [name?.toLowerCase(), key])).toEqual([
      ['multi', undefined],
      ['wasm.apply', 'one'],
      ['wasm.apply', 'two'],
      ['exec', undefined],
    ]);
    expect(await ask(primary, 'TRIAL.GET', 'key')).toBe('before');
  });
});

describe('wasm.max-memory', () => {
  test('reached in whatever part of a command has changed nothing', async () => {
    const server = await startServer({ module: WITH_TRIAL, arguments: [...APPEND_ONLY, '--wasm.max-memory', '8mb'] });
    await fill(server);
    const before = await state(server, ...KEYS);
    const stream = await ReplicationStream.of(server);
    const full = new Set<string>();
    for (let count = 100; count <= 100_000; count = Math.ceil(count * 2.1)) {
      for (const length of ['10', '700', '9000']) {
        const reply = await server.send('TRIAL.PUTALL', 'key', String(count), length);
        if (reply.startsWith(':')) {
          expect(reply).toBe(`:${count}\r\n`);
          await server.send('FLUSHALL');
          await fill(server);
          await stream.commands();
          continue;
        }
        full.add(reply);
        expect(await state(server, ...KEYS)).toEqual(before);
        expect(await stream.commands()).toEqual([]);
      }
    }
    for (const reply of full) expect(reply).toMatch(/^-OOM |^-ERR the command takes more than 64 MiB/);
    expect([...full].some((reply) => reply.startsWith('-OOM '))).toBe(true);
    expect(await infoOf(server, 'traps')).toBe(0);
    expect(await server.send('TRIAL.SET', 'key', 'after')).toBe(OK);
    await server.restart();
    expect(await ask(server, 'TRIAL.GET', 'key')).toBe('after');
    expect((await state(server, ...KEYS)).slice(1)).toEqual(before.slice(1));
  });

  test('reached lets values become shorter and entries go, which makes room', async () => {
    const server = await startServer({ module: WITH_TRIAL, arguments: ['--wasm.max-memory', '4mb'] });
    const keys: string[] = [];
    for (let refused = 0, index = 0; refused < 3; index++) {
      const reply = await server.send('TRIAL.STORE', `key ${index}`, 'v'.repeat(2000 + (index % 17)));
      if (reply === OK) keys.push(`key ${index}`);
      else {
        expect(reply).toMatch(/^-OOM /);
        refused++;
      }
    }
    expect(keys.length).toBeGreaterThan(500);
    for (const key of keys) expect(await server.send('TRIAL.STORE', key, 'shorter')).toBe(OK);
    for (const key of keys) expect(await server.send('TRIAL.LOAD', key)).toBe('$7\r\nshorter\r\n');
    for (const key of keys) expect(await server.send('TRIAL.STORE', key, 'v'.repeat(1800))).toBe(OK);
    expect(await server.send('TRIAL.CHECK')).toBe(OK);
  });
});

test('a large command costs those after it nothing', async () => {
  // Were each of its records searched for one by one, it would take minutes.
  const server = await startServer({ module: WITH_TRIAL });
  for (const key of ['one', 'two']) expect(await server.send('TRIAL.PUTALL', key, '60000', '10')).toBe(':60000\r\n');
});

test('the time limit strikes before the commit, or not at all', async () => {
  const server = await startServer({ module: WITH_TRIAL });
  const stream = await ReplicationStream.of(server);
  await server.send('CONFIG', 'SET', 'wasm.time-limit', '10');
  const outcomes = new Set<string>();
  for (let count = 1000; count < 2_000_000; count = Math.ceil(count * 1.3)) {
    await server.send('FLUSHALL');
    await stream.commands();
    const reply = await server.send('TRIAL.ROWS', 'key', String(count));
    const isDone = reply.startsWith(`*${count}\r\n`);
    outcomes.add(isDone ? 'done' : reply);
    expect(await server.send('TRIAL.GET', 'key'), reply.slice(0, 80)).toBe(isDone ? '$7\r\nchanged\r\n' : NIL);
    expect((await stream.commands()).length).toBe(isDone ? 1 : 0);
  }
  expect(outcomes).toContain('done');
  expect(outcomes).toContain('-ERR module trial: it ran longer than wasm.time-limit\r\n');
  expect(await infoOf(server, 'damaged')).toBe(0);
});

describe.each(['auto', 'command'] as const)('a write of another module, linked by %s,', (link) => {
  const long = 'v'.repeat(100_000);

  test('is a part of the command: undone with it, replicated within it', async () => {
    const primary = await startServer({ module: WITH_TRIAL, link, tcp: true, arguments: APPEND_ONLY });
    const replica = await startServer({ module: WITH_TRIAL, link });
    await follow(replica, primary);
    const stream = await ReplicationStream.of(primary);
    expect(await primary.send('TRIAL.CUSTOM', 'key', 'throw', 'MORE', 'a', 'b')).toBe('-THROWN behind a write of another module\r\n');
    expect(await primary.send('CUSTOM.LEN')).toBe(':0\r\n');
    expect(await stream.commands()).toEqual([]);
    expect(await primary.send('TRIAL.CUSTOM', 'key', 'value', 'MORE', 'a', 'b')).toBe('$5\r\nvalue\r\n');
    expect((await stream.commands()).map(([name, key]) => `${name} ${key}`)).toEqual(['wasm.apply key']);
    expect(await primary.send('TRIAL.WRITE', 'custom')).toBe('-ERR a query cannot write: a command() can\r\n');
    expect(await primary.send('TRIAL.WRITE', 'key')).toBe('-ERR a query cannot write: a command() can\r\n');
    await caughtUp(primary, replica);
    const keys = ['key', 'key:0', 'key:1', 'custom'];
    const after = await state(primary, ...keys);
    expect(await state(replica, ...keys)).toEqual(after);
    expect(after.slice(1).map((each) => (each as unknown[])[5])).toEqual(['value', 'a', 'b', null]);
    await primary.restart();
    expect(await state(primary, ...keys)).toEqual(after);
  });

  test('that fails at the commit leaves nothing of it', async () => {
    const server = await startServer({ module: WITH_TRIAL, link, arguments: [...APPEND_ONLY, '--wasm.max-memory', '4mb'] });
    await fill(server);
    for (let count = 0, refused = 0; refused < 2; count++) {
      const reply = await server.send('CUSTOM.SET', `fill ${count}`, long);
      refused = reply === OK ? 0 : refused + 1;
    }
    for (let count = 0; count < 3; count++) await server.send('CUSTOM.DEL', `fill ${count}`);
    expect(await server.send('CUSTOM.SET', 'key:0', 'with a deadline', 'PX', '100000000')).toBe(OK);
    const keys = ['key', 'key:0', 'key:1', 'key:2', 'key:8'];
    const before = await state(server, ...keys);
    const stream = await ReplicationStream.of(server);
    const more = Array.from({ length: 9 }, (_, index) => (index === 8 ? 'v'.repeat(900_000) : `v${index}`));
    expect(await server.send('TRIAL.CUSTOM', 'key', 'value', 'MORE', ...more)).toMatch(/^-(OOM|ERR) /);
    expect(await stream.commands()).toEqual([]);
    expect(await state(server, ...keys)).toEqual(before);
    expect(await server.send('TRIAL.CUSTOM', 'key', 'value', 'MORE', 'short')).toBe('$5\r\nvalue\r\n');
    const after = await state(server, ...keys);
    await server.restart();
    expect(await state(server, ...keys)).toEqual(after);
  });

  test('that is a session is made with its own effect, and taken back with one', async () => {
    const times = ['--wasm.session-idle', '500', '--wasm.session-ttl', '1000'];
    const primary = await startServer({ module: WITH_MAKER, link, tcp: true, arguments: [...APPEND_ONLY, ...times] });
    const replica = await startServer({ module: WITH_MAKER, link });
    await follow(replica, primary);
    const stream = await ReplicationStream.of(primary);
    const sessions = (of: TestServer) => ask(of, 'SESSION.LIST').catch(() => []);
    expect(await primary.send('MAKER.MAKE', 'key', 'ann', 'throw')).toBe('-ERR as it was asked\r\n');
    expect(await primary.send('SESSION.COUNT')).toBe(':0\r\n');
    expect(await stream.commands()).toEqual([]);
    const reply = await ask(primary, 'MAKER.MAKE', 'key', 'ann', 'value');
    const [id = '', field, none] = reply as string[];
    expect([field, none]).toEqual(['value', null]);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
    const effects = await stream.commands();
    expect(effects.map(([name, ...rest]) => [name?.toLowerCase(), ...rest.slice(0, name === 'wasm.apply' ? 2 : 3)])).toEqual([
      ['multi'],
      ['session.apply', '1', 'create', id],
      ['session.apply', '1', 'set', id],
      ['wasm.apply', 'key', 'maker'],
      ['exec'],
    ]);
    await caughtUp(primary, replica);
    const shown = async (of: TestServer) => [
      await ask(of, 'SESSION.GET', id),
      await ask(of, 'CUSTOM.GET', 'ann'),
      await ask(of, 'MAKER.LAST', 'key'),
      Number(await ask(of, 'SESSION.TTL', id)) > 400_000,
    ];
    const before = await shown(primary);
    expect(before.slice(1)).toEqual([id, id, true]);
    expect(await shown(replica)).toEqual(before);
    await primary.restart();
    expect(await shown(primary)).toEqual(before);
    expect(await sessions(primary)).toEqual(await sessions(replica));
    expect(await primary.send('MAKER.END', 'key', id)).toBe(':1\r\n');
    expect(await primary.send('SESSION.COUNT')).toBe(':0\r\n');
  });

  test('that fails behind others has them taken back, with their deadlines', async () => {
    const server = await startServer({ module: WITH_MAKER, link, arguments: APPEND_ONLY });
    const [id, other] = ['an-id-of-more-than-16-characters', 'another-id-of-a-session'];
    const prepare = async () => {
      await server.send('FLUSHALL');
      await server.send('SESSION.CREATE', 'bob', 'ID', id);
      await server.send('SESSION.CREATE', 'carl', 'ID', other, 'DATA', 'field', 'before');
      for (const key of ['set', 'deleted']) await server.send('CUSTOM.SET', key, 'with a deadline', 'PX', '100000000');
      await server.send('CUSTOM.SET', 'plain', 'without');
    };
    await prepare();
    const hoursLeft = async (key: string) => Math.ceil(Number(await ask(server, 'CUSTOM.PTTL', key)) / 3_600_000) || 0;
    const shown = async () => [
      await Promise.all([id, other].map((each) => ask(server, 'SESSION.GET', each))).then((all) =>
        all.map((text) => /"data":.*/.exec(String(text))?.[0]),
      ),
      await ask(server, 'SESSION.COUNT'),
      await ask(server, 'CUSTOM.MGET', 'set', 'deleted', 'plain', 'new', 'ann', 'bob', 'carl', 'eve'),
      await Promise.all(['set', 'deleted', 'plain'].map(hoursLeft)),
      await ask(server, 'MAKER.LAST', 'key'),
    ];
    const before = await shown();
    expect(before).toEqual([
      ['"data":{}}', '"data":{"field":"before"}}'],
      2,
      ['with a deadline', 'with a deadline', 'without', null, null, id, other, null],
      [28, 28, 0],
      null,
    ]);
    expect(await server.send('MAKER.ALL', 'key', id, other, 'throw')).toBe('-ERR as it was asked\r\n');
    expect(await shown()).toEqual(before);
    // A user that may use every second id: the first session may be made, and the second refused.
    await server.send('ACL', 'SETUSER', 'half', 'on', 'nopass', '+@all', '~key', '~[0-7]*');
    const client = await server.connect();
    await client.send('AUTH', 'half', 'x');
    const created = async () => Number((await server.info('wasm')).wasm_session_created);
    const refused = '-ERR another module has refused a write of the command: nothing has changed\r\n';
    const made = new Set<number>();
    for (let attempts = 0; attempts < 200 && !(made.has(0) && made.has(1)); attempts++) {
      const soFar = await created();
      const reply = await client.send('MAKER.ALL', 'key', id, other, 'not');
      if (reply === OK) {
        expect((await shown()).slice(1, 4)).toEqual([
          3,
          ['y', null, 'x', 'x', expect.any(String), null, other, expect.any(String)],
          [0, 0, 0],
        ]);
        await prepare();
        continue;
      }
      expect(reply).toBe(refused);
      made.add((await created()) - soFar);
      expect(await shown()).toEqual(before);
    }
    expect([...made].sort()).toEqual([0, 1]);
    await server.restart();
    expect(await shown()).toEqual(before);
    expect(await server.send('SESSION.CHECK')).toBe(OK);
    expect(await server.send('CUSTOM.CHECK')).toBe(OK);
  });
});

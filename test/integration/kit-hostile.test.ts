/**
 * Kit modules on a server whose append-only file, memory, users or other modules are against them: nothing is
 * taken in part, and nobody reaches what is another's.
 */
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { kitOf } from '../support/kit.ts';
import { bulk, bulks } from '../support/raw.ts';
import { caughtUp, follow } from '../support/replication.ts';
import { HASHMAP_FILE, HOST_FILE, SESSION_FILE, startServer, useServer, type TestServer } from '../support/server.ts';
import { APPEND_ONLY, infoOf, OK, state, WITH_TRIAL } from '../support/trial.ts';

/** The file that a server's append-only commands are in. */
function appendFile(server: TestServer): string {
  const folder = path.join(server.folder, 'appendonlydir');
  return path.join(
    folder,
    readdirSync(folder).find((name) => name.endsWith('.incr.aof'))!,
  );
}

const command = (...words: (string | Buffer)[]): Buffer =>
  Buffer.concat([
    Buffer.from(`*${words.length}\r\n`),
    ...words.map((word) => Buffer.concat([Buffer.from(`$${Buffer.byteLength(word)}\r\n`), Buffer.from(word), Buffer.from('\r\n')])),
  ]);

const WORDS = 'table words string string';
/** FNV-1a of a schema's text. */
function idOf(schema: string): number[] {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(schema)) hash = Math.imul(hash ^ byte, 0x01000193);
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(hash | 0);
  return [...bytes];
}
type Bytes = number[] | string;
const payload = (...parts: Bytes[]): Buffer =>
  Buffer.concat([[1, 0x65], ...parts].map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))));
const apply = (...words: (string | Buffer)[]): Buffer => command('wasm.apply', 'key', 'trial', ...words);
/** Puts a word. */
const put = (key: string, value: string): Bytes[] => [[1], idOf(WORDS), [key.length + 1, 0], key, [value.length + 1, value.length], value];

describe('an append-only file with an effect that no module wrote', () => {
  const EFFECTS: Record<string, [file: Buffer, reason: string]> = {
    'without an argument': [command('wasm.apply'), 'wasm.apply cannot be applied: it came with another number of arguments'],
    'without a payload': [apply('1'), 'wasm.apply of trial cannot be applied: ERR wasm.apply: the effect is of a format'],
    'of a format that is no number': [apply('one', 'x'), 'wasm.apply cannot be applied: its format is no number'],
    'of another format': [apply('2', payload(...put('new', 'x')), WORDS), 'is of a format that this version does not know'],
    'of another kind': [apply('1', payload([9]), WORDS), 'the effect '],
    'that is cut': [apply('1', payload(...put('new', 'x').slice(0, 4)), WORDS), 'the effect is cut short'],
    'of a schema that is none': [apply('1', payload(...put('new', 'x')), 'table words'), 'a schema is none'],
    'of another type': [
      apply('1', payload(...put('new', 'x')), 'table words string i64'),
      'table words: its values were i64, and are string',
    ],
    'of a schema that is not known': [
      apply('1', payload([1], idOf('table a string i64'), [2, 0, 0x6b], [1, 1])),
      'a schema that is not known',
    ],
    'that puts, and is no more than half sound': [
      apply('1', payload(...put('new', 'x'), [3], idOf(WORDS), [200, 1, 0]), WORDS),
      'the effect is cut short',
    ],
    'of the same key twice': [apply('1', payload(...put('new', 'x'), ...put('new', 'y')), WORDS), 'changes the same twice'],
    'in a transaction': [
      Buffer.concat([command('MULTI'), command('SET', 'a', 'b'), apply('1', payload([9]), WORDS), command('EXEC')]),
      'wasm.apply of trial cannot be applied',
    ],
  };

  test('ends the start with the reason, whatever it is, and stays as it is; without it all is there', async () => {
    const server = await startServer({ module: WITH_TRIAL, arguments: APPEND_ONLY });
    await server.send('TRIAL.SET', 'key', 'text');
    await server.end();
    const file = appendFile(server);
    const good = readFileSync(file);
    for (const [title, [bad, reason]] of Object.entries(EFFECTS)) {
      appendFileSync(file, bad);
      const from = server.log.length;
      await expect(server.start(), title).rejects.toThrow('the server ended at its start');
      expect(server.log.slice(from), title).toContain(reason);
      expect(server.log.slice(from), title).not.toContain('crashed by signal');
      expect(readFileSync(file).equals(Buffer.concat([good, bad])), title).toBe(true);
      writeFileSync(file, good);
    }
    appendFileSync(file, apply('1', payload(...put('new', 'x')), WORDS));
    await server.start();
    expect(await server.send('TRIAL.GET', 'key')).toBe(bulk('text'));
    expect(await server.send('TRIAL.GET', 'new')).toBe(bulk('x'));
    expect(await server.send('TRIAL.CHECK')).toBe(OK);
  });
});

describe('memory that ends within the writes of a command', () => {
  test('leaves all as it was, here and on a replica with less; what was written is there on both', async () => {
    const primary = await startServer({ module: WITH_TRIAL, tcp: true, arguments: [...APPEND_ONLY, '--wasm.max-memory', '6mb'] });
    const replica = await startServer({ module: WITH_TRIAL, arguments: ['--wasm.max-memory', '2mb'] });
    await follow(replica, primary);
    let count = 1000;
    for (let key = 0; key < 200 && count >= 10; key++) {
      const before = await state(primary, 'key', `k${key}`);
      const reply = await primary.send('TRIAL.PUTALL', `k${key}`, String(count), '300');
      if (reply === `:${count}\r\n`) continue;
      expect(reply).toMatch(/^-OOM /);
      expect(await state(primary, 'key', `k${key}`)).toEqual(before);
      count = Math.floor(count / 3);
    }
    expect(count).toBeLessThan(10);
    const entries = await infoOf(primary, 'entries');
    expect(entries).toBeGreaterThan(5000);
    // Half of what it writes is another module's.
    const long = 'v'.repeat(20_000);
    let refused = '';
    for (let key = 0; key < 300 && refused === ''; key++) {
      const before = await state(primary, `c${key}`);
      const reply = await primary.send('TRIAL.CUSTOM', `c${key}`, long, 'MORE', long, long);
      if (!reply.startsWith('-')) continue;
      refused = reply;
      expect(await state(primary, `c${key}`)).toEqual(before);
    }
    expect(refused).toMatch(/^-(?:OOM|ERR another module has refused)/);
    await caughtUp(primary, replica);
    expect(await state(replica, 'key')).toEqual(await state(primary, 'key'));
    expect(await infoOf(replica, 'entries')).toBe(await infoOf(primary, 'entries'));
    const before = await state(primary, 'key');
    await primary.restart();
    expect(await state(primary, 'key')).toEqual(before);
    expect(await infoOf(primary, 'entries')).toBe(await infoOf(replica, 'entries'));
  });
});

const twin = (name: string) => `import { command, query, Table } from "redis-wasm/kit";
const words = new Table<string, string>("words");
const counts = new Table<i64, i64>("counts");
command("${name}.SET", "key:key value", (key: string, value: string): void => { words.in(key).set("a", value); words.set(key, value); });
command("${name}.COUNT", "key:key", (key: string): i64 => counts.in(key).add(1, 1));
command("${name}.COPY", "source:key target:key", copy, { summary: "Copies", readKeys: "source" });
function copy(source: string, target: string): void { words.set(target, words.get(source, "none")); }
query("${name}.GET", "key:key", (key: string): string => words.get(key, "none") + " " + words.in(key).get("a", "none"));
command("${name}.CLEAR", "", (): void => words.clear());
`;
const [ONE, OTHER] = [await kitOf('one', twin('ONE')), await kitOf('other', twin('OTHER'))];
const BOTH = [HOST_FILE, HASHMAP_FILE, SESSION_FILE, ONE, OTHER];

test('two modules with the same tables have each its own, in files, on replicas, and while one is missing', async () => {
  const server = await startServer({ module: BOTH, tcp: true, arguments: APPEND_ONLY });
  const replica = await startServer({ module: [HOST_FILE, HASHMAP_FILE, SESSION_FILE, OTHER] });
  const expectBoth = async (of: TestServer, one: string, other: string) => {
    expect(await of.send('ONE.GET', 'key')).toBe(bulk(`${one} ${one}`));
    expect(await of.send('OTHER.GET', 'key')).toBe(bulk(`${other} ${other}`));
  };
  await server.send('ONE.SET', 'key', 'mine');
  await server.send('OTHER.SET', 'key', 'yours');
  await follow(replica, server);
  await server.send('OTHER.SET', 'key', 'theirs');
  for (const result of [1, 2]) expect(await server.send('ONE.COUNT', 'key')).toBe(`:${result}\r\n`);
  await expectBoth(server, 'mine', 'theirs');
  await server.restart();
  await expectBoth(server, 'mine', 'theirs');
  await caughtUp(server, replica);
  expect(await replica.send('OTHER.GET', 'key')).toBe(bulk('theirs theirs'));
  expect((await replica.info('wasm')).wasm_kept_modules).toBe('1');
  replica.change({ module: BOTH });
  await replica.send('REPLICAOF', 'NO', 'ONE');
  expect(await replica.send('SAVE')).toBe(OK);
  await replica.restart();
  await expectBoth(replica, 'mine', 'theirs');
  expect(await replica.send('ONE.COUNT', 'key')).toBe(':3\r\n');
  expect(await replica.send('OTHER.COUNT', 'key')).toBe(':1\r\n');
  await replica.send('ONE.CLEAR');
  expect(await replica.send('ONE.GET', 'key')).toBe(bulk('none mine'));
  expect(await replica.send('OTHER.GET', 'key')).toBe(bulk('theirs theirs'));
});

describe('users and caches', () => {
  const server = useServer({ module: BOTH });
  const login = async (...rules: string[]) => {
    expect(await server.send('ACL', 'SETUSER', 'someone', 'reset', 'on', 'nopass', ...rules)).toBe(OK);
    const connection = await server.connect(3);
    expect(await connection.send('AUTH', 'someone', 'x')).toBe(OK);
    return connection;
  };

  test('a key that is only read may be so, and one that is written may not', async () => {
    const user = await login('%R~from:*', '%W~to:*', '~both:*', '+@all');
    expect(await user.send('ONE.COPY', 'from:a', 'to:b')).toBe(OK);
    expect(await user.send('ONE.COPY', 'both:a', 'both:b')).toBe(OK);
    for (const [source, target] of [
      ['from:a', 'from:b'],
      ['to:a', 'to:b'],
      ['to:a', 'both:b'],
      ['both:a', 'from:b'],
    ] as const) {
      expect(await user.send('ONE.COPY', source, target), `${source} ${target}`).toMatch(/^-NOPERM /);
    }
    expect(await user.send('ONE.GET', 'to:a')).toMatch(/^-NOPERM /);
  });

  test('a selector gives its own commands its own keys', async () => {
    const user = await login('+one.get', '~a:*', '(+one.copy %R~b:* %W~c:*)', '(+other.set ~d:*)');
    expect(await user.send('ONE.GET', 'a:1')).toBe(bulk('none none'));
    expect(await user.send('ONE.COPY', 'b:1', 'c:1')).toBe(OK);
    expect(await user.send('OTHER.SET', 'd:1', 'x')).toBe(OK);
    for (const words of ['ONE.GET b:1', 'ONE.COPY a:1 c:1', 'ONE.COPY b:1 d:1', 'OTHER.SET a:1 x', 'ONE.SET d:1 x', 'ONE.CLEAR']) {
      expect(await user.send(...words.split(' ')), words).toMatch(/^-NOPERM /);
    }
    expect(await user.send('wasm.apply', 'a:1', 'one', '1', 'x')).toMatch(/^-(?:NOPERM|ERR unknown command)/);
  });

  test('whoever follows a prefix is told of what a command writes, and not of what it reads', async () => {
    const client = await server.connect(3);
    expect(await client.send('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'from:', 'PREFIX', 'to:')).toBe(OK);
    await server.send('ONE.COPY', 'from:a', 'to:b');
    expect(await client.next()).toBe(`>2\r\n${bulk('invalidate')}${bulks('to:b')}`);
    const own = await server.connect(3);
    expect(await own.send('CLIENT', 'TRACKING', 'ON', 'NOLOOP')).toBe(OK);
    await own.send('ONE.GET', 'key');
    expect(await own.send('ONE.SET', 'key', 'own')).toBe(OK);
    expect(await own.send('PING')).toBe('+PONG\r\n');
    await own.send('ONE.GET', 'key');
    await server.send('OTHER.SET', 'key', 'x');
    expect(await own.next()).toBe(`>2\r\n${bulk('invalidate')}${bulks('key')}`);
  });

  test('a watched key ends a transaction by what any module writes under its name, and not by what reads it', async () => {
    const client = await server.connect();
    for (const words of ['OTHER.SET key x', 'ONE.SET key x', 'ONE.COPY a key']) {
      await server.send('ONE.SET', 'key', 'before');
      await client.send('WATCH', 'key');
      await server.send(...words.split(' '));
      await client.send('MULTI');
      await client.send('ONE.SET', 'key', 'mine');
      expect(await client.send('EXEC'), words).toBe('*-1\r\n');
    }
    await client.send('WATCH', 'key');
    await server.send('ONE.COPY', 'key', 'elsewhere');
    await client.send('MULTI');
    await client.send('ONE.SET', 'key', 'mine');
    expect(await client.send('EXEC')).toBe(`*1\r\n${OK}`);
  });
});

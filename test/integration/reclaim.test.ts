/**
 * Where memory is short, a command that stores has what has expired reclaimed before it is refused: the timer
 * may not have come to it yet.
 */
import { describe, expect, test } from 'vitest';
import { library } from '../support/library.ts';
import { bulks } from '../support/raw.ts';
import { caughtUp, follow } from '../support/replication.ts';
import { parseReply, type Reply } from '../support/reply.ts';
import { hasTimeOfCommand, startServer, type TestServer } from '../support/server.ts';
import { dump } from '../support/state.ts';
import { ReplicationStream } from '../support/stream.ts';

const MIB = 1 << 20;
const OOM = /^-OOM /;
/**
 * Entries that are going to expire: fewer than one step of a sweep reclaims, in more memory than is to be
 * spared.
 */
const KEYS = Array.from({ length: 12 }, (_, index) => `dead:${index}`);
const VALUE = 'v'.repeat(MIB / 2);
const EXPIRE = KEYS.map((key) => ['CUSTOM.PEXPIRE', key, '1']);
/** Lets them expire while the server serves nothing else. */
const PASS = ['DEBUG', 'SLEEP', '0.2'];

/** Sends the commands in one piece: the server runs one after the other, and no timer between. */
async function atOnce(server: TestServer, ...commands: string[][]): Promise<string[]> {
  const connection = await server.connect();
  const first = connection.sendBytes(commands.map((command) => bulks(...command)).join(''));
  const replies = await Promise.all([first, ...commands.slice(1).map(() => connection.next())]);
  connection.close();
  return replies;
}

/**
 * A server on which the entries live, and which has too little memory for more, of `maxmemory` or of its own.
 */
async function full(...settings: string[]): Promise<TestServer> {
  const server = await startServer({ tcp: true, arguments: settings });
  for (const key of KEYS) await server.send('CUSTOM.SET', key, VALUE);
  return server;
}

async function limit(server: TestServer): Promise<void> {
  const used = Number((await server.info('memory')).used_memory);
  await server.send('CONFIG', 'SET', 'maxmemory', String(used + 4 * MIB));
  expect(await server.send('CUSTOM.SET', 'refused', 'x')).toMatch(OOM);
}

const SCRIPT = "return redis.call('CUSTOM.SET', KEYS[1], ARGV[1])";

test.each([
  ['CUSTOM.SET', 'key', 'x'],
  ['CUSTOM.MSET', 'key', 'x'],
  ['SESSION.CREATE', 'user'],
  ['EVAL', SCRIPT, '1', 'key', 'x'],
])('%s is not refused over maxmemory for what has expired', async (...command) => {
  const server = await full();
  await limit(server);
  const replies = await atOnce(server, ...EXPIRE, PASS, ['CUSTOM.LEN'], command, ['CUSTOM.EXISTS', ...KEYS]);
  expect(replies.slice(-3)).toEqual([`:${KEYS.length}\r\n`, expect.stringMatching(/^\+/), ':0\r\n']);
  expect((await server.info('wasm_hashmap')).wasm_expired).toBe(String(KEYS.length));
});

test('nor where wasm.max-memory is reached', async () => {
  const server = await full('--wasm.max-memory', String(9 * MIB));
  const more: string[] = [];
  while ((await server.send('CUSTOM.SET', `more:${more.length}`, VALUE)) === '+OK\r\n') more.push(`more:${more.length}`);
  const replies = await atOnce(server, ...EXPIRE, PASS, ['CUSTOM.SET', 'key', 'v'.repeat(10_000)], ['CUSTOM.LEN']);
  expect(replies.slice(-2)).toEqual(['+OK\r\n', `:${more.length + 1}\r\n`]);
  expect(await server.send('CUSTOM.SET', 'large', VALUE)).toBe('+OK\r\n');
});

describe('what a command reclaims', () => {
  const EFFECTS = [
    ...KEYS.map((key) => ['custom.apply', '1', 'expire', key, expect.stringMatching(/^\d{13}$/) as string]),
    ['MULTI'],
    ...KEYS.map((key) => ['custom.del', key]),
  ];

  test.each<[how: string, commands: string[][], effects: string[][]]>([
    ['by itself', [['CUSTOM.SET', 'key', 'x']], [['CUSTOM.SET', 'key', 'x']]],
    [
      'in a transaction',
      [['MULTI'], ['SET', 'native', '1'], ['CUSTOM.SET', 'key', 'x'], ['CUSTOM.SET', 'other', 'y'], ['EXEC']],
      [
        ['CUSTOM.SET', 'key', 'x'],
        ['CUSTOM.SET', 'other', 'y'],
      ],
    ],
    ['in a script', [['EVAL', SCRIPT, '1', 'key', 'x']], [['CUSTOM.SET', 'key', 'x']]],
    ['for an entry of the same key', [['CUSTOM.SET', KEYS[0]!, 'x', 'NX']], [['custom.set', KEYS[0]!, 'x']]],
  ])('%s is replicated before its own effects, to replicas and into the append-only file', async (how, commands, effects) => {
    const server = await full('--appendonly', 'yes');
    const replica = await startServer();
    await follow(replica, server);
    const stream = await ReplicationStream.of(server);
    await limit(server);
    await atOnce(server, ...EXPIRE, PASS, ...commands);
    const native = how === 'in a transaction' ? [['SET', 'native', '1']] : [];
    const [begin, rest] = [EFFECTS.slice(0, KEYS.length + 1), EFFECTS.slice(KEYS.length + 1)];
    const sent = await stream.commands();
    // What expired in the same moment is reclaimed in any order.
    const deleted = sent.splice(begin.length + native.length, rest.length);
    expect(deleted.sort()).toEqual(rest.sort());
    expect(sent).toEqual([...begin, ...native, ...effects, ['EXEC']]);
    await caughtUp(server, replica);
    const state = await dump(server);
    expect(state.length).toBe(effects.length);
    expect(await dump(replica)).toEqual(state);
    await server.restart();
    expect(await dump(server)).toEqual(state);
  });

  test('is signalled as what the timer reclaims, whatever database the client has chosen', async () => {
    const server = await full();
    await limit(server);
    await server.send('CONFIG', 'SET', 'notify-keyspace-events', 'KEA');
    const subscriber = await server.connect();
    await subscriber.send('SUBSCRIBE', '__keyevent@0__:custom.expired');
    const watcher = await server.connect();
    await watcher.send('WATCH', KEYS[0]!);
    const replies = await atOnce(server, ['SELECT', '5'], ...EXPIRE, PASS, ['CUSTOM.SET', 'key', 'x'], ['CUSTOM.LEN'], ['CLIENT', 'INFO']);
    expect(replies.slice(-3)).toEqual(['+OK\r\n', ':1\r\n', expect.stringMatching(/ db=5 /)]);
    const told = await Promise.all(KEYS.map(() => subscriber.next()));
    expect(told.map((message) => message.split('\r\n').at(-2)).sort()).toEqual([...KEYS].sort());
    await watcher.send('MULTI');
    expect(await watcher.send('EXEC')).toBe('*-1\r\n');
  });

  test('is nothing where another module keeps what is replicated to itself', async () => {
    const server = await full();
    await limit(server);
    expect(await server.send('MODULE', 'LOAD', library('caller'))).toBe('+OK\r\n');
    const replies = await atOnce(server, ...EXPIRE, PASS, ['CALLER.SET', 'key', 'x'], ['CUSTOM.LEN'], ['CUSTOM.SET', 'key', 'x']);
    expect(replies.slice(-3)).toEqual([expect.stringMatching(OOM), `:${KEYS.length}\r\n`, '+OK\r\n']);
  });

  test('has expired before its transaction began, where the time stands still in it', async () => {
    const server = await full();
    await limit(server);
    const inside = [...EXPIRE, PASS, ['CUSTOM.SET', 'key', 'x'], ['CUSTOM.EXISTS', ...KEYS]];
    const [reply] = (await atOnce(server, ['MULTI'], ...inside, ['EXEC'])).slice(-1);
    const [set, exist] = (parseReply(reply!) as Reply[]).slice(-2);
    if (hasTimeOfCommand) expect([String(set), exist]).toEqual([expect.stringContaining('OOM'), KEYS.length]);
    else expect([set, exist]).toEqual(['OK', 0]);
  });
});

/** What is replicated, read off the stream itself: each write once, as its effect, however it came. */
import { beforeEach, describe, expect, test } from 'vitest';
import { parseBulks } from '../support/raw.ts';
import { caughtUp, follow, startPair } from '../support/replication.ts';
import { eventually, useServer, type TestServer } from '../support/server.ts';
import { ReplicationStream } from '../support/stream.ts';

const ID = '01234567-89ab-4def-8123-456789abcdef';

/** Commands, and what of them is in the stream; `<id>` is the session's, `<ms>` a time. */
const WRITES: [command: string[], effect: string[] | undefined][] = [
  [
    ['CUSTOM.SET', 'key', 'value'],
    ['CUSTOM.SET', 'key', 'value'],
  ],
  [
    ['CUSTOM.SET', '\0\xff\r\n', ''],
    ['CUSTOM.SET', '\0\xff\r\n', ''],
  ],
  [
    ['CUSTOM.DEL', 'key'],
    ['CUSTOM.DEL', 'key'],
  ],
  [['CUSTOM.DEL', 'key'], undefined],
  [['CUSTOM.GET', 'key'], undefined],
  [
    ['SESSION.CREATE', 'user'],
    ['session.apply', '1', 'create', '<id>', 'user', '<ms>', '<ms>', '1'],
  ],
  [
    ['SESSION.ADD_DATA', '<id>', 'field', 'value'],
    ['session.apply', '1', 'set', '<id>', '<ms>', '1', 'field', 'value'],
  ],
  [['SESSION.ADD_DATA', ID, 'field', 'value'], undefined],
  [['SESSION.GET', '<id>'], undefined],
  [['SESSION.LIST'], undefined],
  [
    ['SESSION.DELETE', '<id>'],
    ['session.apply', '1', 'delete', '<id>', 'user', '1'],
  ],
  [['SESSION.DELETE', '<id>'], undefined],
];

/**
 * Runs the commands one after the other as a client does, and answers their replies; `<id>` stands for the
 * session that was created.
 */
type Run = (server: TestServer, commands: string[][]) => Promise<string[]>;

const LUA = `
  local id = ''
  local replies = {}
  for _, text in ipairs(ARGV) do
    local command = cjson.decode(text)
    for index, argument in ipairs(command) do
      if argument == '<id>' then command[index] = id end
    end
    local reply = redis.pcall(unpack(command))
    if type(reply) == 'table' and reply.ok then
      reply = reply.ok
      id = string.match(reply, 'Session created: (.+)') or id
    end
    table.insert(replies, type(reply) == 'table' and reply.err or tostring(reply))
  end
  return replies`;

/**
 * The bytes of an argument, 0 … 255 each, in JSON that Lua decodes to them; bytes above 127 cannot be told so
 * and are left out.
 */
const json = (commands: string[][]): string[] => commands.map((argv) => JSON.stringify(argv.map((text) => text.replace('\xff', ''))));

const RUNS: Record<string, Run> = {
  'one by one': async (server, commands) => {
    let id = '';
    const replies: string[] = [];
    for (const argv of commands) {
      const reply = await server.send(...argv.map((argument) => (argument === '<id>' ? id : argument)));
      id = /^\+Session created: (\S+)/.exec(reply)?.[1] ?? id;
      replies.push(reply);
    }
    return replies;
  },
  EVAL: async (server, commands) => parseBulks(await server.send('EVAL', LUA, '0', ...json(commands))),
  FCALL: async (server, commands) => {
    const library = `#!lua name=library\nredis.register_function('run', function(KEYS, ARGV) ${LUA} end)`;
    await server.send('FUNCTION', 'LOAD', 'REPLACE', library);
    return parseBulks(await server.send('FCALL', 'run', '0', ...json(commands)));
  },
  'EVAL in MULTI': async (server, commands) => {
    await server.send('MULTI');
    await server.send('EVAL', LUA, '0', ...json(commands));
    return [await server.send('EXEC')];
  },
};

/** The effects in what was replicated, with the ids and times of this run taken out. */
function effects(commands: string[][]): string[][] {
  const rest = commands.filter(([name]) => !/^(MULTI|EXEC|FUNCTION)$/i.test(name ?? ''));
  const general = (text: string): string => text.replace(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, '<id>').replace(/^\d{13}$/, '<ms>');
  return rest.map((argv) => argv.map(general));
}

describe('each write is in the replication stream once', () => {
  const server = useServer();
  let stream: ReplicationStream;
  beforeEach(async () => {
    stream = await ReplicationStream.of(server);
  });

  test.each(Object.keys(RUNS))('%s', async (form) => {
    const inLua = form !== 'one by one';
    await RUNS[form]!(
      server,
      WRITES.map(([command]) => command),
    );
    const expected = WRITES.flatMap(([, effect]) => (effect === undefined ? [] : [effect]));
    const plain = (argv: string[]): string[] => argv.map((text) => (inLua ? text.replace('\xff', '') : text));
    expect(effects(await stream.commands())).toEqual(expected.map(plain));
  });

  test('in MULTI, between one MULTI and one EXEC', async () => {
    const created = await server.send('SESSION.CREATE', 'user');
    const id = created.trim().slice(-36);
    await stream.commands();
    for (const argv of [['MULTI'], ['CUSTOM.SET', 'key', '1'], ['SESSION.ADD_DATA', id, 'f', 'v'], ['SESSION.CREATE', 'other'], ['EXEC']]) {
      await server.send(...argv);
    }
    const commands = await stream.commands();
    expect(commands.map(([name]) => name?.toLowerCase())).toEqual(['multi', 'custom.set', 'session.apply', 'session.apply', 'exec']);
  });

  test('a transaction that is discarded, aborted or read-only leaves nothing', async () => {
    for (const argv of [['MULTI'], ['CUSTOM.SET', 'key', '1'], ['DISCARD'], ['MULTI'], ['CUSTOM.SET', 'key'], ['EXEC']])
      await server.send(...argv);
    for (const argv of [['MULTI'], ['CUSTOM.GET', 'key'], ['SESSION.LIST'], ['EXEC']]) await server.send(...argv);
    expect(await stream.commands()).toEqual([]);
  });

  test('a script that fails half way leaves what it has done', async () => {
    const script = `redis.call('CUSTOM.SET', 'key', '1') redis.call('CUSTOM.SET', 'key') redis.call('CUSTOM.SET', 'key', '2')`;
    expect(await server.send('EVAL', script, '0')).toMatch(/^-/);
    expect(effects(await stream.commands())).toEqual([['CUSTOM.SET', 'key', '1']]);
  });

  test('reads that update the last access are there at most once in a second of the clock', async () => {
    const id = (await server.send('SESSION.CREATE', 'user')).trim().slice(-36);
    await stream.commands();
    const began = Date.now();
    const touches: string[][] = [];
    await eventually(
      async () => {
        await Promise.all(Array.from({ length: 50 }, () => server.send('SESSION.GET_DATA', id, 'none')));
        touches.push(...(await stream.commands()));
        return touches.length;
      },
      (count) => count >= 2,
    );
    expect(touches.length).toBeGreaterThanOrEqual(2);
    expect(touches.length).toBeLessThanOrEqual(2 + Math.floor((Date.now() - began) / 1000));
    expect(effects(touches)).toEqual(touches.map(() => ['session.apply', '1', 'touch', '<id>', '<ms>']));
    const seconds = touches.map((argv) => Math.floor(Number(argv[4]) / 1000));
    expect(new Set(seconds).size).toBe(touches.length);
  });
});

test('a replica passes on what it receives, and adds nothing', async () => {
  const { primary, replica } = await startPair();
  const created = Date.now();
  const id = (await primary.send('SESSION.CREATE', 'reader')).trim().slice(-36);
  await follow(replica, primary);
  const stream = await ReplicationStream.of(replica, primary);
  const commands = WRITES.map(([command]) => command);
  await RUNS['one by one']!(primary, commands);
  await caughtUp(primary, replica);
  // An access of a session that was created more than a second ago would have an effect on a primary.
  await eventually(
    () => replica.send('SESSION.GET_DATA', id, 'none'),
    () => Date.now() > created + 1100,
  );
  const expected = WRITES.flatMap(([, effect]) => (effect === undefined ? [] : [effect]));
  expect(effects(await stream.commands())).toEqual(expected);
});

/**
 * What the server expects of a module beside its replies: keys that permissions hold for, invalidation,
 * events, silence about secrets.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { misdeedOf, unreliable } from '../support/hostile.ts';
import { bulk, bulks, type RawConnection } from '../support/raw.ts';
import { eventually, HASHMAP_FILE, HOST_FILE, SESSION_FILE, startServer, tested, useServer } from '../support/server.ts';
import { dump } from '../support/state.ts';

/** On Redis 7.0 a module's auxiliary data is written even if there is none. */
const writesNothing = !tested.version.startsWith('7.0');

describe('with one server', () => {
  const server = useServer();
  let id = '';
  beforeEach(async () => {
    id = (await server.send('SESSION.CREATE', 'user')).trim().slice(-36);
    await server.send('CUSTOM.SET', 'key', 'value');
    await server.send('SESSION.ADD_DATA', id, 'field', 'value');
  });

  async function login(rules: string): Promise<RawConnection> {
    expect(await server.send('ACL', 'SETUSER', 'someone', 'reset', 'on', 'nopass', ...rules.split(' '))).toBe('+OK\r\n');
    const client = await server.connect();
    expect(await client.send('AUTH', 'someone', 'x')).toBe('+OK\r\n');
    return client;
  }

  const onSession = (command: string): string[] => {
    const rest: Record<string, string[]> = { 'SESSION.ADD_DATA': ['f', 'v'], 'SESSION.GET_DATA': ['field'] };
    return [command, id, ...(rest[command] ?? [])];
  };

  test('a user limited to some keys reaches no other, and no session', async () => {
    const client = await login('~app:* +@all');
    for (const command of ['CUSTOM.GET', 'CUSTOM.DEL', 'CUSTOM.EXISTS', 'SESSION.CREATE']) {
      expect(await client.send(command, 'key')).toMatch(/^-NOPERM /);
      expect(await client.send(command, 'app:key')).not.toMatch(/^-/);
    }
    expect(await client.send('CUSTOM.SET', 'key', 'x')).toMatch(/^-NOPERM /);
    expect(await client.send('CUSTOM.SET', 'app:key', 'x')).toBe('+OK\r\n');
    for (const command of ['SESSION.GET', 'SESSION.ADD_DATA', 'SESSION.GET_DATA', 'SESSION.DELETE']) {
      expect(await client.send(...onSession(command))).toMatch(/^-NOPERM /);
    }
    expect(await server.send('CUSTOM.GET', 'key')).toBe(bulk('value'));
  });

  test('a pattern of ids reaches every session, and no key', async () => {
    const client = await login('~????????-????-4???-????-???????????? +@all');
    for (const command of ['SESSION.GET', 'SESSION.ADD_DATA', 'SESSION.GET_DATA', 'SESSION.DELETE']) {
      expect(await client.send(...onSession(command))).not.toMatch(/^-/);
    }
    expect(await client.send('CUSTOM.GET', 'key')).toMatch(/^-NOPERM /);
  });

  test.each([
    ['CUSTOM.SET', 'key', 'other'],
    ['CUSTOM.DEL', 'key'],
    ['SESSION.ADD_DATA', '<id>', 'field', 'other'],
    ['SESSION.DELETE', '<id>'],
  ])('%s ends the transactions that watch its key', async (...command) => {
    const watched = command[0].startsWith('SESSION') ? id : 'key';
    const client = await server.connect();
    await client.send('WATCH', watched);
    await server.send(...command.map((text) => (text === '<id>' ? id : text)));
    await client.send('MULTI');
    await client.send('CUSTOM.GET', 'key');
    expect(await client.send('EXEC')).toBe('*-1\r\n');
  });

  test('reading ends no transaction that watches, also where it updates the last access', async () => {
    const second = new Date().toISOString().slice(0, 19);
    await eventually(
      () => new Date().toISOString().slice(0, 19),
      (now) => now > second,
    );
    const client = await server.connect();
    await client.send('WATCH', id, 'key');
    expect(await server.send('SESSION.GET_DATA', id, 'field')).toBe(bulk('value'));
    expect(await server.send('CUSTOM.GET', 'key')).toBe(bulk('value'));
    await client.send('MULTI');
    await client.send('CUSTOM.GET', 'key');
    expect(await client.send('EXEC')).toBe(`*1\r\n${bulk('value')}`);
  });

  test('clients that cache what they read are told when it changes', async () => {
    const client = await server.connect(3);
    await client.send('CLIENT', 'TRACKING', 'ON');
    await client.send('CUSTOM.GET', 'key');
    await client.send('SESSION.GET', id);
    for (const [changed, command] of [
      ['key', ['CUSTOM.SET', 'key', 'other']],
      [id, ['SESSION.ADD_DATA', id, 'field', 'other']],
    ] as const) {
      const told = client.next();
      await server.send(...command);
      expect(await told).toBe(`>2\r\n${bulk('invalidate')}${bulks(changed)}`);
    }
  });

  test('keyspace notifications name what happened', async () => {
    await server.send('CONFIG', 'SET', 'notify-keyspace-events', 'KEA');
    const client = await server.connect();
    await client.send('PSUBSCRIBE', '__keyevent@0__:*');
    const told = async (event: string, key: string) => {
      expect(await client.next()).toBe(bulks('pmessage', '__keyevent@0__:*', `__keyevent@0__:${event}`, key));
    };
    await server.send('CUSTOM.SET', 'key', 'other');
    await told('custom.set', 'key');
    await server.send('CUSTOM.DEL', 'key');
    await told('custom.del', 'key');
    const other = (await server.send('SESSION.CREATE', 'other')).trim().slice(-36);
    await told('custom.set', 'other');
    await told('session.create', other);
    await server.send('SESSION.ADD_DATA', other, 'field', 'other');
    await told('session.set', other);
    await server.send('SESSION.DELETE', other);
    await told('custom.del', 'other');
    await told('session.delete', other);
    // What changes nothing tells nothing.
    await server.send('CUSTOM.DEL', 'key');
    await server.send('SESSION.GET_DATA', id, 'field');
    await server.send('CUSTOM.SET', 'last', 'value');
    await told('custom.set', 'last');
    await server.send('CONFIG', 'SET', 'notify-keyspace-events', '');
  });

  test('neither MONITOR nor SLOWLOG shows what keys and sessions hold', async () => {
    await server.send('CONFIG', 'SET', 'slowlog-log-slower-than', '0');
    await server.send('SLOWLOG', 'RESET');
    const monitor = await server.connect();
    await monitor.send('MONITOR');
    await server.send('CUSTOM.SET', 'a secret', 'a secret');
    await server.send('SESSION.CREATE', 'a secret');
    for (const command of ['SESSION.GET', 'SESSION.ADD_DATA', 'SESSION.GET_DATA', 'SESSION.DELETE'])
      await server.send(...onSession(command));
    for (const command of ['SESSION.SCAN', 'CUSTOM.SCAN']) await server.send(command, '0', 'MATCH', 'a secret');
    await server.send('CUSTOM.KEYS', 'a secret');
    const next = monitor.next();
    await server.send('ECHO', 'shown');
    const line = await next;
    expect(line).toContain('"ECHO"');
    expect(line).not.toContain('secret');
    const slow = await server.send('SLOWLOG', 'GET', '100');
    expect(slow).toContain('shown');
    expect(slow).not.toContain('secret');
    expect(slow).not.toContain(id);
    await server.send('CONFIG', 'SET', 'slowlog-log-slower-than', '10000');
  });
});

test('a file written with the module opens without it only where it holds nothing of it, and never on Redis 7.0', async () => {
  const server = await startServer();
  await server.send('SET', 'native', 'key');
  await server.send('SAVE');
  await server.end();
  server.change({ module: false });
  if (writesNothing) {
    await server.start();
    expect(await server.send('GET', 'native')).toBe(bulk('key'));
    await server.end();
  } else {
    await expect(server.start()).rejects.toThrow(/module/i);
  }
  server.change({ module: undefined });
  await server.start();
  await server.send('CUSTOM.SET', 'key', 'value');
  await server.send('SAVE');
  await server.end();
  server.change({ module: false });
  await expect(server.start()).rejects.toThrow(/module/i);
  server.change({ module: undefined });
  await server.start();
  expect(await server.send('CUSTOM.GET', 'key')).toBe(bulk('value'));
});

test('a replica that cannot load what a disk-based synchronisation brings ends, and what came stays whole in its file', async () => {
  const module = [HOST_FILE, HASHMAP_FILE, SESSION_FILE, await unreliable];
  const primary = await startServer({ module, tcp: true, arguments: ['--repl-diskless-sync', 'no'] });
  const replica = await startServer({ module, arguments: ['--repl-diskless-load', 'disabled'] });
  const value = 'v'.repeat(100_000);
  await Promise.all(Array.from({ length: 40 }, (_, index) => primary.send('CUSTOM.SET', `key ${index}`, value)));
  // Until it is started again, one of the modules fails to load.
  expect(await replica.send('HOSTILE.ARM', misdeedOf('auxLoad', 'trap'))).toBe('+OK\r\n');
  await replica.send('REPLICAOF', '127.0.0.1', String(primary.port));
  const refused = 'its data in this file (encoding 1) cannot be loaded';
  const log = await eventually(
    () => replica.log,
    (text) => text.includes(refused) && !replica.isRunning,
  );
  expect(log).toContain(refused);
  expect(replica.isRunning).toBe(false);
  await replica.restart();
  expect(await dump(replica)).toEqual(await dump(primary));
});

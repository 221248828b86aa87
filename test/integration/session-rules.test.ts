/**
 * Sessions among the server's own means: transactions, scripts, racing clients, permissions, settings,
 * pauses, and the clock.
 */
import { describe, expect, onTestFinished, test } from 'vitest';
import { bulk, bulks, parseBulk } from '../support/raw.ts';
import { parseReply } from '../support/reply.ts';
import { eventually, hasTimeOfCommand, startServer, useServer } from '../support/server.ts';
import { createWith } from './suites/session-options.ts';

const server = useServer();
const UUID_PATTERN = '????????-????-4???-????-????????????';

/**
 * Ends the session of all that is under `id` and waits for its second to pass, so that the next access has an
 * effect.
 */
const nextSecond = async () => {
  const second = Math.floor(Date.now() / 1000);
  await eventually(
    () => Math.floor(Date.now() / 1000),
    (now) => now > second,
  );
};

describe('races', () => {
  test('of many clients that rotate one id at once, one wins and all get its id', async () => {
    const clients = await Promise.all(Array.from({ length: 20 }, () => server.connect()));
    for (let round = 0; round < 20; round++) {
      const id = await createWith(server, 'u', 'NEW');
      const replies = await Promise.all(clients.map((client) => client.send('SESSION.ROTATE', id, 'GRACE', '60000')));
      expect(new Set(replies).size).toBe(1);
      expect(await server.send('SESSION.USER', 'u')).toContain(parseBulk(replies[0]!));
      const without = await Promise.all(clients.map((client) => client.send('SESSION.ROTATE', parseBulk(replies[0]!))));
      expect(without.filter((reply) => reply.startsWith('$')).length).toBe(1);
    }
    expect(await server.send('SESSION.CHECK')).toBe('+OK\r\n');
  });

  test('of many clients that CREATE NEW MAX 1, there is never more than one session', async () => {
    const clients = await Promise.all(Array.from({ length: 12 }, () => server.connect()));
    const watcher = await server.connect();
    let most = 0;
    const counts: Promise<unknown>[] = [];
    await Promise.all(
      clients.map(async (client) => {
        for (let index = 0; index < 40; index++) {
          await createWith(client, 'u', 'NEW', 'MAX', '1');
          counts.push(watcher.send('SESSION.USER', 'u').then((reply) => (most = Math.max(most, (parseReply(reply) as string[]).length))));
        }
      }),
    );
    await Promise.all(counts);
    expect(most).toBe(1);
    expect(await server.send('SESSION.COUNT')).toBe(':1\r\n');
    expect(await server.send('SESSION.CHECK')).toBe('+OK\r\n');
  });

  test('counters and versions lose nothing', async () => {
    const id = await createWith(server, 'u');
    const clients = await Promise.all(Array.from({ length: 8 }, () => server.connect()));
    let swapped = 0;
    await Promise.all(
      clients.map(async (client) => {
        for (let index = 0; index < 25; index++) {
          await client.send('SESSION.INCR_DATA', id, 'n', '2');
          for (let version = '0'; ;) {
            const reply = await client.send('SESSION.CAS', id, version, 'last', 'x');
            if (reply.startsWith(':')) break;
            version = /^-VERSION is (\d+)/.exec(reply)?.[1] ?? '';
          }
          swapped++;
        }
      }),
    );
    expect(await server.send('SESSION.GET_DATA', id, 'n')).toBe(bulk('400'));
    expect(await server.send('SESSION.INFO', id)).toContain(`$7\r\nversion\r\n:${200 + swapped}\r\n`);
  });
});

describe('transactions and scripts', () => {
  test('MULTI and EXEC do all of it', async () => {
    await server.send('MULTI');
    await server.send('SESSION.CREATE', 'u', 'NEW', 'ID', 'an-id-of-the-caller', 'DATA', 'f', 'v');
    await server.send('SESSION.INCR_DATA', 'an-id-of-the-caller', 'n', '1');
    await server.send('SESSION.CAS', 'an-id-of-the-caller', '1', 'f', 'w');
    await server.send('SESSION.GETALL', 'an-id-of-the-caller');
    await server.send('SESSION.DELUSER', 'u');
    expect(await server.send('EXEC')).toBe(`*5\r\n+Session created: an-id-of-the-caller\r\n:1\r\n:2\r\n${bulks('f', 'w', 'n', '1')}:1\r\n`);
  });

  const changes: [string, (id: string) => string[], boolean][] = [
    ['ADD_DATA', (id) => ['SESSION.ADD_DATA', id, 'f', 'v'], true],
    ['DEL_DATA', (id) => ['SESSION.DEL_DATA', id, 'f'], true],
    ['ROTATE', (id) => ['SESSION.ROTATE', id], true],
    ['ASSIGN', (id) => ['SESSION.ASSIGN', id, 'v'], true],
    ['EXPIRE', (id) => ['SESSION.EXPIRE', id, '60'], true],
    ['DELETE', (id) => ['SESSION.DELETE', id], true],
    ['DELUSER', () => ['SESSION.DELUSER', 'u'], true],
    ['eviction', () => ['SESSION.CREATE', 'u', 'NEW', 'MAX', '1'], true],
    ['TOUCH', (id) => ['SESSION.TOUCH', id], false],
    ['GETALL', (id) => ['SESSION.GETALL', id], false],
    ['DEL_DATA of nothing', (id) => ['SESSION.DEL_DATA', id, 'absent'], false],
  ];
  const kinds = (['present', 'old'] as const).flatMap((kind) => changes.map((change) => [kind, ...change] as const));
  test.each(kinds)('WATCH of the %s id: whether %s aborts', async (kind, _, command, aborts) => {
    const first = await createWith(server, 'u', 'DATA', 'f', 'v');
    const id = parseReply(await server.send('SESSION.ROTATE', first, 'GRACE', '60000')) as string;
    const other = await server.connect();
    await server.send('WATCH', kind === 'old' ? first : id);
    await other.send(...command(id));
    await server.send('MULTI');
    await server.send('PING');
    expect(await server.send('EXEC')).toBe(aborts ? '*-1\r\n' : '*1\r\n+PONG\r\n');
  });

  test('EVAL creates, reads and rotates', async () => {
    const script = `
      local id = string.sub(redis.call('SESSION.CREATE', KEYS[1], 'NEW', 'DATA', 'f', ARGV[1]).ok, 18)
      redis.call('SESSION.INCR_DATA', id, 'n', 3)
      local new = redis.call('SESSION.ROTATE', id)
      local all = redis.call('SESSION.GETALL', new)
      return {new, all[1], all[2], all[3], all[4], redis.call('SESSION.COUNT', KEYS[1])}`;
    const reply = parseReply(await server.send('EVAL', script, '1', 'u', 'a value')) as unknown[];
    expect(reply.slice(1)).toEqual(['f', 'a value', 'n', '3', 1]);
    expect(await server.send('SESSION.USER', 'u')).toBe(bulks(String(reply[0])));
  });
});

describe('the clock', () => {
  test('an idle server reclaims what has expired within a moment, and its memory comes back', async () => {
    const used = async () => Number((await server.info('wasm')).wasm_heap_used);
    await createWith(server, 'stays');
    const before = await used();
    const value = 'v'.repeat(1000);
    const ids = await Promise.all(
      Array.from({ length: 3000 }, (_, index) => createWith(server, `u${index % 100}`, 'NEW', 'TTL', '600', 'DATA', 'f', value)),
    );
    const full = await used();
    expect(full - before).toBeGreaterThan(3_000_000);
    await Promise.all(ids.map((id) => server.send('SESSION.EXPIRE', id, '1')));
    // Nobody asks for anything: INFO shows it, and is no command of ours.
    const sessions = await eventually(
      async () => (await server.info('wasm')).wasm_sessions,
      (count) => count === '1',
    );
    expect(sessions).toBe('1');
    expect(await used()).toBeLessThan(before + (full - before) / 10);
    expect(await server.send('CUSTOM.KEYS')).toBe(bulks('stays'));
    expect(await server.send('SESSION.COUNT')).toBe(':1\r\n');
    for (const command of ['SESSION.CHECK', 'CUSTOM.CHECK']) expect(await server.send(command)).toBe('+OK\r\n');
  });

  test.runIf(hasTimeOfCommand)('no session ends in the middle of a transaction', async () => {
    const id = 'an-id-of-the-caller';
    await server.send('MULTI');
    await server.send('SESSION.CREATE', 'u', 'ID', id, 'TTL', '1');
    await server.send('DEBUG', 'SLEEP', '1.1');
    await server.send('SESSION.USER', 'u');
    expect(await server.send('EXEC')).toBe(`*3\r\n+Session created: ${id}\r\n+OK\r\n${bulks(id)}`);
    expect(await server.send('SESSION.USER', 'u')).toBe('*0\r\n');
  });

  test('an idle session ends, one in use does not; the mapping moves', async () => {
    // Longer than a busy machine stands still.
    const used = await createWith(server, 'u', 'IDLE', '3');
    const idle = await createWith(server, 'u', 'NEW', 'IDLE', '3');
    const end = Date.now() + 3600;
    await eventually(
      () => server.send('SESSION.TOUCH', used),
      () => Date.now() > end,
    );
    expect(await server.send('SESSION.GET', idle)).toBe('$-1\r\n');
    expect(await server.send('SESSION.USER', 'u')).toBe(bulks(used));
    expect(await server.send('CUSTOM.GET', 'u')).toBe(bulk(used));
  });

  test('events tell what ended', async () => {
    await server.send('CONFIG', 'SET', 'notify-keyspace-events', 'Ed');
    onTestFinished(async () => {
      await server.send('CONFIG', 'SET', 'notify-keyspace-events', '');
    });
    const subscriber = await server.connect();
    await subscriber.send('SUBSCRIBE', '__keyevent@0__:session.expired');
    const id = await createWith(server, 'u', 'TTL', '1');
    expect(await subscriber.next()).toBe(bulks('message', '__keyevent@0__:session.expired', id));
  });
});

describe('reads that touch', () => {
  test.each<[string, (id: string) => string[]]>([
    ['GETALL', (id) => ['SESSION.GETALL', id]],
    ['TOUCH', (id) => ['SESSION.TOUCH', id]],
  ])('%s waits while writes are paused, others are served', async (_, command) => {
    const id = await createWith(server, 'u', 'DATA', 'f', 'v', 'TTL', '600');
    await nextSecond();
    const client = await server.connect();
    onTestFinished(async () => {
      await server.send('CLIENT', 'UNPAUSE');
    });
    await server.send('CLIENT', 'PAUSE', '60000', 'WRITE');
    let answered = false;
    const reply = client.send(...command(id)).then((bytes) => {
      answered = true;
      return bytes;
    });
    const clients = await eventually(
      () => server.send('CLIENT', 'LIST'),
      (list) => /flags=x?b/.test(list),
    );
    expect(clients).toMatch(/flags=x?b/);
    for (const read of [['INFO', id], ['TTL', id], ['USER', 'u'], ['COUNT'], ['SCAN', '0'], ['GET', id]]) {
      expect(await server.send(`SESSION.${read[0]}`, ...read.slice(1))).not.toMatch(/^-/);
    }
    expect(answered).toBe(false);
    await server.send('CLIENT', 'UNPAUSE');
    expect(await reply).not.toMatch(/^-/);
  });

  test('nothing is reclaimed while writes are paused, and the server lives', async () => {
    onTestFinished(async () => {
      await server.send('CLIENT', 'UNPAUSE');
    });
    // Sent at once: the pause begins before it can have ended.
    const [id] = await Promise.all([createWith(server, 'u', 'TTL', '1'), server.send('CLIENT', 'PAUSE', '60000', 'WRITE')]);
    const end = Date.now() + 1400;
    await eventually(
      () => server.send('SESSION.GET', id),
      () => Date.now() > end,
    );
    expect(await server.send('SESSION.GET', id)).toBe('$-1\r\n');
    expect((await server.info('wasm')).wasm_sessions).toBe('1');
    await server.send('CLIENT', 'UNPAUSE');
    const sessions = await eventually(
      async () => (await server.info('wasm')).wasm_sessions,
      (count) => count === '0',
    );
    expect(sessions).toBe('0');
  });
});

describe('permissions', () => {
  const as = async (...rules: string[]) => {
    const commands = ['create', 'assign', 'get', 'getall', 'deluser', 'user', 'rotate'].map((name) => `+session.${name}`);
    expect(await server.send('ACL', 'SETUSER', 'someone', 'reset', 'on', 'nopass', ...rules, ...commands)).toBe('+OK\r\n');
    const client = await server.connect();
    await client.send('AUTH', 'someone', 'x');
    return client;
  };

  test('CREATE needs the user, and with ID the id; ASSIGN needs both', async () => {
    const given = 'app:an-id-of-the-caller';
    const client = await as('~user:*', '~app:*');
    expect(await client.send('SESSION.CREATE', 'user:1', 'NEW')).toMatch(/^\+Session created/);
    expect(await client.send('SESSION.CREATE', 'other:1')).toMatch(/^-NOPERM /);
    expect(await client.send('SESSION.CREATE', 'user:1', 'NEW', 'ID', given)).toBe(`+Session created: ${given}\r\n`);
    expect(await client.send('SESSION.CREATE', 'user:1', 'NEW', 'ID', 'other:an-id-of-the-caller')).toMatch(
      /^-ERR the user has no permission for the id/,
    );
    // A field of that name is none of it.
    expect(await client.send('SESSION.CREATE', 'user:1', 'NEW', 'DATA', 'id', 'other:x')).toMatch(/^\+Session created/);
    expect(await client.send('SESSION.ASSIGN', given, 'user:2')).toBe(':1\r\n');
    expect(await client.send('SESSION.ASSIGN', given, 'other:2')).toMatch(/^-NOPERM /);
    const uuid = await createWith(server, 'user:3');
    expect(await client.send('SESSION.ASSIGN', uuid, 'user:2')).toMatch(/^-NOPERM /);
    expect(await client.send('SESSION.GETALL', uuid)).toMatch(/^-NOPERM /);
    expect(await client.send('SESSION.ROTATE', uuid)).toMatch(/^-NOPERM /);
  });

  test('a pattern of ids gives sessions and no user', async () => {
    const client = await as(`~${UUID_PATTERN}`);
    const id = await createWith(server, 'u', 'DATA', 'f', 'v');
    expect(await client.send('SESSION.GETALL', id)).toBe(bulks('f', 'v'));
    expect(await client.send('SESSION.USER', 'u')).toMatch(/^-NOPERM /);
    expect(await client.send('SESSION.DELUSER', 'u')).toMatch(/^-NOPERM /);
  });

  test('one who may only read may not write', async () => {
    const client = await as('%R~*');
    const id = await createWith(server, 'u', 'DATA', 'f', 'v');
    expect(await client.send('SESSION.GETALL', id)).toBe(bulks('f', 'v'));
    for (const command of [
      ['SESSION.CREATE', 'u'],
      ['SESSION.ROTATE', id],
      ['SESSION.ASSIGN', id, 'v'],
      ['SESSION.DELUSER', 'u'],
    ]) {
      expect(await client.send(...command)).toMatch(/^-NOPERM /);
    }
  });
});

describe('settings', () => {
  test('CONFIG SET changes what sessions without options get', async () => {
    const set = async (name: string, value: string) => {
      expect(await server.send('CONFIG', 'SET', `wasm.session-${name}`, value)).toBe('+OK\r\n');
    };
    onTestFinished(async () => {
      for (const name of ['idle', 'ttl', 'max']) await set(name, '0');
    });
    for (const name of ['idle', 'ttl', 'max']) {
      expect(await server.send('CONFIG', 'GET', `wasm.session-${name}`)).toBe(bulks(`wasm.session-${name}`, '0'));
      expect(await server.send('CONFIG', 'SET', `wasm.session-${name}`, '-1')).toMatch(/^-ERR /);
    }
    await set('idle', '60');
    await set('ttl', '600');
    await set('max', '2');
    const ids = [await createWith(server, 'u'), await createWith(server, 'u', 'NEW'), await createWith(server, 'u', 'NEW')];
    expect(await server.send('SESSION.USER', 'u')).toBe(bulks(ids[2]!, ids[1]!));
    expect(await server.send('SESSION.INFO', ids[2]!)).toContain('$4\r\nidle\r\n:60000\r\n');
    expect(Number((await server.send('SESSION.TTL', ids[2]!)).slice(1))).toBeGreaterThan(50_000);
    expect(await server.send('SESSION.INFO', await createWith(server, 'v', 'IDLE', '5'))).toContain('$4\r\nidle\r\n:5000\r\n');
  });

  test('redis.conf gives them, CONFIG REWRITE keeps them', async () => {
    const own = await startServer({ configuration: 'wasm.session-idle 77\nwasm.session-max 1\n' });
    const id = await createWith(own, 'u');
    expect(await own.send('SESSION.INFO', id)).toContain(':77000\r\n');
    await own.send('CONFIG', 'SET', 'wasm.session-ttl', '88');
    expect(await own.send('CONFIG', 'REWRITE')).toBe('+OK\r\n');
    // What it wrote is what it starts with: without the words of the first start.
    const { readFileSync } = await import('node:fs');
    const text = readFileSync(`${own.folder}/redis.conf`, 'utf8');
    for (const line of ['wasm.session-idle 77', 'wasm.session-max 1', 'wasm.session-ttl 88']) expect(text).toContain(line);
  });
});

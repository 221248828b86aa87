/**
 * `wasm.max-memory` reached: writes are refused and store nothing, everything else goes on, deletes make
 * room, and what was acknowledged is loaded again under the same limit.
 */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { startServer, useServer, type ServerOptions, type TestServer } from '../support/server.ts';
import { caughtUp, follow } from '../support/replication.ts';
import { bulk } from '../support/raw.ts';
import { dump } from '../support/state.ts';

const LIMIT = 16 << 20;
const LIMITED = ['--wasm.max-memory', String(LIMIT)];
const FULL = /^-OOM the (module's memory is full \(wasm\.max-memory\)|memory of this module is full: wasm\.max-memory)\r\n$/;
/** One of each kind of block, and some between: slabs, parts of a page, several pages. */
const LENGTHS = [100_000, 70_000, 20_000, 5000, 2040, 700, 130, 40, 9];
/** Refusals in a row after which a length is taken to find no more room. */
const REFUSALS = 3;

/** Keys, longer than the host's own part for arguments too, and their values' lengths. */
type Written = Map<string, string>;

const letters = (length: number, seed: number) => String.fromCharCode(97 + (seed % 26)).repeat(length);

const bytesOf = (written: Written) => [...written].reduce((sum, [key, value]) => sum + key.length + value.length, 0);

/**
 * Writes keys of every length, the longest first, until there is room for none, or `most` of each; answers
 * what was acknowledged.
 */
async function fillUp(server: TestServer, most = Infinity, prefix = `${most}:`): Promise<Written> {
  const written: Written = new Map();
  let index = 0;
  for (const length of LENGTHS) {
    let refusals = 0;
    for (let count = 0; count < most && refusals < REFUSALS; count++) {
      index++;
      const key = `${prefix}${index}${index % 40 === 0 ? letters(66_000, index) : ''}`;
      const value = letters(length + (index % 17), index);
      const reply = await server.send('CUSTOM.SET', key, value);
      if (reply === '+OK\r\n') {
        written.set(key, value);
        refusals = 0;
        continue;
      }
      expect(reply).toMatch(FULL);
      expect(await server.send('CUSTOM.EXISTS', key)).toBe(':0\r\n');
      refusals++;
    }
  }
  return written;
}

/**
 * Creates sessions and gives them data until neither finds room; answers their ids by their users, and the
 * bytes of their data.
 */
async function fillSessions(server: TestServer): Promise<{ ids: Map<string, string>; bytes: number }> {
  const ids = new Map<string, string>();
  let [bytes, refusals] = [0, 0];
  for (let index = 0; refusals < 2 * LENGTHS.length; index++) {
    const created = await server.send('SESSION.CREATE', `user ${index}`);
    const id = created.slice(-38, -2);
    if (created.startsWith('+')) ids.set(`user ${index}`, id);
    else expect(created).toMatch(FULL);
    const value = letters(LENGTHS[index % LENGTHS.length]!, index);
    const added = created.startsWith('+') ? await server.send('SESSION.ADD_DATA', id, 'field', value) : created;
    if (added === '+OK\r\n') {
      bytes += value.length;
      refusals = 0;
      continue;
    }
    expect(added).toMatch(FULL);
    if (created.startsWith('+')) expect(await server.send('SESSION.GET_DATA', id, 'field')).toBe('$-1\r\n');
    refusals++;
  }
  return { ids, bytes };
}

/**
 * What there is, each value by its digest; the times of the last accesses, of which effects are sparse, left
 * out.
 */
async function state(server: TestServer): Promise<string[]> {
  const lines = (await dump(server)).map((line) => line.replace(/"last_accessed":"[^"]*"/, ''));
  return lines.map((line) => `${line.slice(0, 60)}, ${line.length}: ${createHash('sha256').update(line, 'latin1').digest('hex')}`);
}

/** The first few lines that are not in both. */
const differences = (one: string[], other: string[]) => {
  const [left, right] = [new Set(one), new Set(other)];
  return [...one.filter((line) => !right.has(line)), ...other.filter((line) => !left.has(line))].slice(0, 5);
};

const reserved = async (server: TestServer) => Number((await server.info('wasm_hashmap')).wasm_memory_reserved);

describe('arguments that are refused', () => {
  const server = useServer();

  test.each([
    ['wasm.max-value-size', '100', /^-ERR an argument is longer than wasm\.max-value-size\r\n$/],
    ['wasm.max-memory', '1mb', FULL],
  ])('by %s get one reply, after whatever command', async (setting, value, refusal) => {
    const before = (await server.send('CONFIG', 'GET', setting)).split('\r\n').at(-2);
    await server.send('CONFIG', 'SET', setting, value);
    const long = 'x'.repeat(3 << 20);
    const id = (await server.send('SESSION.CREATE', 'user')).slice(-38, -2);
    for (const first of [['CUSTOM.SET', 'key', 'v'], ['CUSTOM.GET', 'key'], ['CUSTOM.KEYS'], ['CUSTOM.GET', long], ['PING']]) {
      await server.send(...first);
      // All at once: a reply too few or too many would be another's.
      const replies = await Promise.all([
        server.send('CUSTOM.SET', 'key', long),
        server.send('CUSTOM.GET', 'key'),
        server.send('SESSION.ADD_DATA', id, 'field', long),
        server.send('CUSTOM.DEL', long),
        server.send('PING'),
      ]);
      expect(replies[0], first[0]).toMatch(refusal);
      expect(replies[1]).toBe(bulk('v'));
      expect(replies[2]).toMatch(refusal);
      expect(replies[3]).toMatch(refusal);
      expect(replies[4]).toBe('+PONG\r\n');
    }
    await server.send('CONFIG', 'SET', setting, before);
  });
});

describe('a memory that is full', () => {
  test('refuses writes and stores nothing of them; reads, overwrites and deletes go on, and make room', async () => {
    const server = await startServer({ arguments: LIMITED });
    const written = await fillUp(server);
    expect(written.size).toBeGreaterThan(150);
    for (const [key, value] of written) expect(await server.send('CUSTOM.GET', key)).toBe(bulk(value));
    for (const [key, value] of written) expect(await server.send('CUSTOM.SET', key, value.toUpperCase())).toBe('+OK\r\n');
    const before = await reserved(server);
    for (const key of written.keys()) expect(await server.send('CUSTOM.DEL', key)).toBe(':1\r\n');
    expect(await server.send('CUSTOM.CHECK')).toBe('+OK\r\n');
    const again = await fillUp(server);
    expect(bytesOf(again)).toBeGreaterThan(0.9 * bytesOf(written));
    expect(await reserved(server)).toBe(before);
  });

  test('takes values that are shorter, whatever blocks they need', async () => {
    const server = await startServer({ arguments: LIMITED });
    const id = (await server.send('SESSION.CREATE', 'user')).trim().slice(-36);
    const field = (index: number) => `field ${index}`;
    for (let index = 0; index < 100; index++) await server.send('SESSION.ADD_DATA', id, field(index), 'v'.repeat(40 * index));
    const written = await fillUp(server);
    const full = await reserved(server);
    for (const [key, value] of written) {
      const shorter = value.slice(0, Math.floor(value.length * 0.6));
      expect(await server.send('CUSTOM.SET', key, shorter)).toBe('+OK\r\n');
      expect(await server.send('CUSTOM.GET', key)).toBe(bulk(shorter));
    }
    for (let index = 1; index < 100; index++) {
      expect(await server.send('SESSION.ADD_DATA', id, field(index), 'w'.repeat(30 * index))).toBe('+OK\r\n');
    }
    // A page for some sizes of blocks, and no more than that.
    expect(await reserved(server)).toBeLessThan(1.25 * full);
    expect(await server.send('CUSTOM.CHECK')).toBe('+OK\r\n');
    expect(await server.send('SESSION.CHECK')).toBe('+OK\r\n');
  });

  test('of sessions refuses their writes; reads and deletes go on, and make room', async () => {
    const server = await startServer({ arguments: LIMITED });
    const { ids, bytes } = await fillSessions(server);
    expect(ids.size).toBeGreaterThan(300);
    for (const [user, id] of ids) {
      expect(await server.send('SESSION.GET', id)).toMatch(/^\$\d+\r\n\{"id"/);
      expect(await server.send('SESSION.GET_DATA', id, 'field')).toMatch(/^\$/);
      expect(await server.send('SESSION.CREATE', user)).toBe(`+Session exists: ${id}\r\n`);
    }
    for (const id of ids.values()) expect(await server.send('SESSION.DELETE', id)).toBe(':1\r\n');
    expect(await server.send('SESSION.CHECK')).toBe('+OK\r\n');
    expect(await server.send('CUSTOM.KEYS')).toBe('*0\r\n');
    expect((await fillSessions(server)).bytes).toBeGreaterThan(0.9 * bytes);
  });
});

describe('what was written with the memory full', () => {
  const options: ServerOptions = { arguments: LIMITED };

  interface Filled {
    server: TestServer;
    written: Written;
    ids: string[];
    before: string[];
  }

  async function filled(more: string[] = []): Promise<Filled> {
    const server = await startServer({ ...options, arguments: [...LIMITED, ...more] });
    const written = await fillUp(server, 40);
    const { ids } = await fillSessions(server);
    for (const [key, value] of await fillUp(server)) written.set(key, value);
    return { server, written, ids: [...ids.values()], before: await state(server) };
  }

  async function expectWorking({ server, written, ids, before }: Filled): Promise<void> {
    expect(differences(await state(server), before)).toEqual([]);
    const long = [...written.keys()].filter((key) => key.length > 66_000);
    expect(long.length).toBeGreaterThan(5);
    for (const key of long) {
      expect(await server.send('CUSTOM.GET', key)).toBe(bulk(written.get(key)!));
      expect(await server.send('CUSTOM.DEL', key)).toBe(':1\r\n');
    }
    expect(await server.send('CUSTOM.SET', long[0]!, 'again')).toBe('+OK\r\n');
    // Linked by command the sessions have a memory of their own.
    for (const id of ids.slice(0, 50)) expect(await server.send('SESSION.DELETE', id)).toBe(':1\r\n');
    expect(await server.send('SESSION.CREATE', 'another')).toMatch(/^\+Session created/);
  }

  test('is loaded under the same limit from an RDB file, where deletes make room', async () => {
    const before = await filled();
    const { server } = before;
    expect(await server.send('SAVE')).toBe('+OK\r\n');
    await server.restart();
    await expectWorking(before);
    expect(await server.send('DEBUG', 'RELOAD')).toBe('+OK\r\n');
  });

  test('is loaded under the same limit from an append-only file', async () => {
    const before = await filled(['--appendonly', 'yes', '--auto-aof-rewrite-percentage', '0']);
    await before.server.restart();
    await expectWorking(before);
  });

  test('arrives at a replica with a lower limit, which obeys', async () => {
    const primary = await startServer({ ...options, tcp: true });
    const replica = await startServer({ arguments: ['--wasm.max-memory', '2mb'] });
    await primary.send('CUSTOM.SET', 'key', letters(3_000_000, 1));
    await follow(replica, primary);
    await fillUp(primary);
    await caughtUp(primary, replica);
    expect(differences(await state(replica), await state(primary))).toEqual([]);
    await replica.send('REPLICAOF', 'NO', 'ONE');
    // Its own clients are held to its own limit.
    expect((await fillUp(replica, Infinity, 'own:')).size).toBeLessThan(100);
  });
});

/**
 * The further SESSION commands, byte for byte in both protocols, on any provider of CUSTOM.* and by any way
 * of linking to it.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { bulk, bulks, parseBulk, type RawConnection } from '../../support/raw.ts';
import { parseReply } from '../../support/reply.ts';
import { type TestServer } from '../../support/server.ts';
import { DIFFICULT_BYTES } from './custom.ts';

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const UNKNOWN_ID = '01234567-89ab-4def-8123-456789abcdef';
const GIVEN_ID = 'an-id-of-the-caller';

/** SESSION.CREATE with options, which must make a session; its id. */
export async function createWith(raw: Pick<RawConnection, 'send'>, user: string, ...options: string[]): Promise<string> {
  const reply = await raw.send('SESSION.CREATE', user, ...options);
  expect(reply.slice(0, 18)).toBe('+Session created: ');
  return reply.slice(18, -2);
}

type Connection = () => RawConnection;

export function sessionOptionsSuite(server: TestServer): void {
  describe.each([2, 3] as const)('SESSION commands with options in RESP%i', (protocol) => {
    let raw: RawConnection;
    beforeEach(async () => {
      raw = await server.connect(protocol);
    });
    const nothing = protocol === 2 ? '$-1\r\n' : '_\r\n';
    const map = (...pairs: string[]) => (protocol === 2 ? `*${pairs.length}` : `%${pairs.length / 2}`) + `\r\n${pairs.join('')}`;
    createTests(() => raw, nothing);
    dataTests(() => raw, nothing, map);
    infoTests(() => raw, map);
    lifeTests(() => raw, nothing);
    rotateTests(() => raw, nothing);
    userTests(() => raw, nothing);
    unknownTests(() => raw, nothing);
    checkAfterEach(() => raw);
  });
}

function createTests(connection: Connection, nothing: string): void {
  test('CREATE NEW makes a further session; the mapping is to the newest live one', async () => {
    const raw = connection();
    const [a, b] = [await createWith(raw, 'u'), await createWith(raw, 'u', 'NEW')];
    expect(b).toMatch(UUID_V4);
    expect(await raw.send('CUSTOM.GET', 'u')).toBe(bulk(b));
    expect(await raw.send('SESSION.CREATE', 'u')).toBe(`+Session exists: ${b}\r\n`);
    expect(await raw.send('SESSION.DELETE', b)).toBe(':1\r\n');
    expect(await raw.send('CUSTOM.GET', 'u')).toBe(bulk(a));
    expect(await raw.send('SESSION.DELETE', a)).toBe(':1\r\n');
    expect(await raw.send('CUSTOM.GET', 'u')).toBe(nothing);
  });

  test('CREATE takes all options at once', async () => {
    const raw = connection();
    const options = ['ID', GIVEN_ID, 'MAX', '5', 'REJECT', 'NEW', 'TTL', '600', 'IDLE', '60', 'DATA', 'f', '\0\r\n\xff', 'g', ''];
    expect(await raw.send('session.create', 'u', ...options.map((word) => (word === 'NEW' ? 'new' : word)))).toBe(
      `+Session created: ${GIVEN_ID}\r\n`,
    );
    expect(await raw.send('SESSION.GET_DATA', GIVEN_ID, 'f')).toBe(bulk('\0\r\n\xff'));
    const left = Number((await raw.send('SESSION.TTL', GIVEN_ID)).slice(1));
    expect(left > 50_000 && left <= 60_000).toBe(true);
    expect(await raw.send('SESSION.CREATE', 'v', 'ID', GIVEN_ID)).toBe('-IDEXISTS the id is known\r\n');
  });

  test('MAX evicts the oldest or refuses', async () => {
    const raw = connection();
    const [a, b, c] = [
      await createWith(raw, 'u'),
      await createWith(raw, 'u', 'NEW', 'MAX', '2'),
      await createWith(raw, 'u', 'NEW', 'MAX', '2'),
    ];
    expect(await raw.send('SESSION.USER', 'u')).toBe(bulks(c, b));
    expect(await raw.send('SESSION.GET', a)).toBe(nothing);
    expect(await raw.send('SESSION.CREATE', 'u', 'NEW', 'MAX', '2', 'REJECT')).toBe('-MAXSESSIONS u has 2 sessions\r\n');
  });

  test.each([
    [['WHAT'], 'ERR syntax error'],
    [['DATA', 'f'], 'ERR syntax error'],
    [['MAX', '0'], 'ERR value is out of range, must be positive'],
    [['IDLE', 'x'], 'ERR value is not an integer or out of range'],
    [['TTL', '0'], "ERR invalid expire time in 'session.create' command"],
    [['ID', 'short'], 'ERR an id has 16 to 128 visible ASCII characters'],
  ])('CREATE with %j is refused and stores nothing', async (options, error) => {
    const raw = connection();
    expect(await raw.send('SESSION.CREATE', 'u', ...options)).toBe(`-${error}\r\n`);
    expect(await raw.send('SESSION.LIST')).toBe('*0\r\n');
    expect(await raw.send('CUSTOM.KEYS')).toBe('*0\r\n');
  });
}

function dataTests(connection: Connection, nothing: string, map: (...pairs: string[]) => string): void {
  test('GETALL answers a map of raw bytes', async () => {
    const raw = connection();
    const id = await createWith(raw, 'u');
    expect(await raw.send('SESSION.GETALL', id)).toBe(map());
    const small = DIFFICULT_BYTES.filter(([, bytes]) => bytes.length < 1000).map(([, bytes]) => bytes);
    for (const bytes of small) expect(await raw.send('SESSION.ADD_DATA', id, bytes, bytes)).toBe('+OK\r\n');
    expect(await raw.send('SESSION.GETALL', id)).toBe(map(...small.flatMap((bytes) => [bulk(bytes), bulk(bytes)])));
    expect(await raw.send('SESSION.GETALL', UNKNOWN_ID)).toBe(nothing);
  });

  test('ADD_DATA takes several fields, DEL_DATA answers how many were there', async () => {
    const raw = connection();
    const id = await createWith(raw, 'u');
    const fields = Array.from({ length: 500 }, (_, index) => [`field ${index}`, 'v'.repeat(index)]).flat();
    expect(await raw.send('SESSION.ADD_DATA', id, ...fields)).toBe('+OK\r\n');
    expect(await raw.send('SESSION.GETALL', id)).toBe(map(...fields.map(bulk)));
    expect(await raw.send('SESSION.DEL_DATA', id, 'field 3', 'absent', 'field 3', 'field 499')).toBe(':2\r\n');
    expect(await raw.send('SESSION.GET_DATA', id, 'field 3')).toBe(nothing);
    expect(await raw.send('SESSION.ADD_DATA', id, 'f', 'v', 'g')).toBe("-ERR wrong number of arguments for 'session.add_data' command\r\n");
  });

  test('INCR_DATA counts, CAS stores at its version alone', async () => {
    const raw = connection();
    const id = await createWith(raw, 'u');
    expect(await raw.send('SESSION.INCR_DATA', id, 'n', '9223372036854775807')).toBe(':9223372036854775807\r\n');
    expect(await raw.send('SESSION.INCR_DATA', id, 'n', '1')).toBe('-ERR increment or decrement would overflow\r\n');
    expect(await raw.send('SESSION.CAS', id, '0', 'a', '1')).toBe('-VERSION is 1\r\n');
    expect(await raw.send('SESSION.CAS', id, '1', 'a', 'x', 'n', '5')).toBe(':2\r\n');
    expect(await raw.send('SESSION.INCR_DATA', id, 'a', '1')).toBe('-ERR hash value is not an integer\r\n');
    expect(await raw.send('SESSION.INCR_DATA', id, 'n', '-7')).toBe(':-2\r\n');
  });
}

function infoTests(connection: Connection, map: (...pairs: string[]) => string): void {
  test('INFO answers a map, integers as integers', async () => {
    const raw = connection();
    const id = await createWith(raw, 'us\r\ner', 'IDLE', '90', 'DATA', 'f', 'v');
    const reply = await raw.send('SESSION.INFO', id);
    const created = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/.exec(reply)?.[0] ?? '';
    const bytes = /bytes\r\n:(\d+)\r\n$/.exec(reply)?.[1] ?? '';
    expect(reply).toBe(
      map(
        ...[bulk('id'), bulk(id), bulk('user_key'), bulk('us\r\ner'), bulk('created_at'), bulk(created)],
        ...[bulk('last_accessed'), bulk(created), bulk('idle'), ':90000\r\n', bulk('ttl'), ':-1\r\n'],
        ...[bulk('version'), ':0\r\n', bulk('fields'), ':1\r\n', bulk('bytes'), `:${bytes}\r\n`],
      ),
    );
    expect(Number(bytes)).toBeGreaterThan(0);
  });
}

function lifeTests(connection: Connection, nothing: string): void {
  test('TTL, EXPIRE and TOUCH', async () => {
    const raw = connection();
    const id = await createWith(raw, 'u');
    expect(await raw.send('SESSION.TTL', id)).toBe(':-1\r\n');
    expect(await raw.send('SESSION.EXPIRE', id, '100')).toBe(':1\r\n');
    const left = Number((await raw.send('SESSION.TTL', id)).slice(1));
    expect(left > 90_000 && left <= 100_000).toBe(true);
    expect(await raw.send('SESSION.EXPIRE', id, '50', 'idle')).toBe(':1\r\n');
    expect(Number((await raw.send('SESSION.TTL', id)).slice(1))).toBeLessThanOrEqual(50_000);
    expect(await raw.send('SESSION.TOUCH', id)).toBe(':1\r\n');
    expect(await raw.send('SESSION.EXPIRE', id, '5', 'WHAT')).toBe('-ERR syntax error\r\n');
    expect(await raw.send('SESSION.EXPIRE', id, '0')).toBe(':1\r\n');
    expect(await raw.send('SESSION.GET', id)).toBe(nothing);
    expect(await raw.send('SESSION.TTL', id)).toBe(':-2\r\n');
    expect(await raw.send('CUSTOM.GET', 'u')).toBe(nothing);
  });
}

function rotateTests(connection: Connection, nothing: string): void {
  test('ROTATE gives a new id; with GRACE the old one works on', async () => {
    const raw = connection();
    const id = await createWith(raw, 'u', 'DATA', 'f', 'v');
    const second = parseBulk(await raw.send('SESSION.ROTATE', id, 'GRACE', '60000'));
    expect(second).toMatch(UUID_V4);
    expect(await raw.send('SESSION.GET_DATA', id, 'f')).toBe(bulk('v'));
    expect(await raw.send('SESSION.ROTATE', id)).toBe(bulk(second));
    const third = parseBulk(await raw.send('SESSION.ROTATE', second));
    expect(await raw.send('SESSION.GET', second)).toBe(nothing);
    expect(await raw.send('SESSION.ROTATE', second)).toBe(`-Session not found: ${second}\r\n`);
    expect(await raw.send('CUSTOM.GET', 'u')).toBe(bulk(third));
    expect(await raw.send('SESSION.USER', 'u')).toBe(bulks(third));
    expect(await raw.send('SESSION.COUNT')).toBe(':1\r\n');
    // A rotation without GRACE ends the ids in grace too.
    expect(await raw.send('SESSION.GET', id)).toBe(nothing);
    const fourth = parseBulk(await raw.send('SESSION.ROTATE', third, 'GRACE', '60000'));
    expect(await raw.send('SESSION.DELETE', third)).toBe(':1\r\n');
    expect(await raw.send('SESSION.GET', fourth)).toBe(nothing);
  });
}

function userTests(connection: Connection, nothing: string): void {
  test('USER, COUNT, ASSIGN and DELUSER', async () => {
    const raw = connection();
    const guest = await createWith(raw, 'guest', 'DATA', 'cart', '7');
    const own = await createWith(raw, 'alice');
    expect(await raw.send('SESSION.ASSIGN', guest, 'alice')).toBe(':1\r\n');
    expect(await raw.send('SESSION.USER', 'alice')).toBe(bulks(guest, own));
    expect(await raw.send('SESSION.USER', 'guest')).toBe('*0\r\n');
    expect(await raw.send('CUSTOM.GET', 'alice')).toBe(bulk(guest));
    expect(await raw.send('CUSTOM.GET', 'guest')).toBe(nothing);
    expect(await raw.send('SESSION.COUNT', 'alice')).toBe(':2\r\n');
    expect(await raw.send('SESSION.COUNT')).toBe(':2\r\n');
    expect(await raw.send('SESSION.DELUSER', 'alice', 'BEFORE', '1000')).toBe(':0\r\n');
    expect(await raw.send('SESSION.DELUSER', 'alice', 'EXCEPT', own)).toBe(':1\r\n');
    expect(await raw.send('CUSTOM.GET', 'alice')).toBe(bulk(own));
    expect(await raw.send('SESSION.DELUSER', 'alice', 'BEFORE', '99999999999999')).toBe(':1\r\n');
    expect(await raw.send('CUSTOM.GET', 'alice')).toBe(nothing);
  });

  test('SCAN walks all of them', async () => {
    const raw = connection();
    const ids = await Promise.all(Array.from({ length: 700 }, (_, index) => createWith(raw, `u${index % 9}`, 'NEW')));
    const found: string[] = [];
    let cursor = '0';
    do {
      const [next, some] = parseReply(await raw.send('SESSION.SCAN', cursor, 'COUNT', '50', 'MATCH', '*-4*')) as [string, string[]];
      found.push(...some);
      cursor = next;
    } while (cursor !== '0');
    expect(found.sort()).toEqual(ids.sort());
    expect(await raw.send('SESSION.SCAN', 'x')).toBe('-ERR invalid cursor\r\n');
  });
}

function unknownTests(connection: Connection, nothing: string): void {
  test.each([
    ['SESSION.GETALL', 'null'],
    ['SESSION.INFO', 'null'],
    ['SESSION.TOUCH', ':0\r\n'],
    ['SESSION.TTL', ':-2\r\n'],
    ['SESSION.EXPIRE', ':0\r\n', '5'],
    ['SESSION.ASSIGN', ':0\r\n', 'u'],
    ['SESSION.DEL_DATA', 'error', 'f'],
    ['SESSION.INCR_DATA', 'error', 'f', '1'],
    ['SESSION.CAS', 'error', '0', 'f', 'v'],
    ['SESSION.ROTATE', 'error'],
  ])('%s of an unknown id answers %j', async (name, kind, ...rest) => {
    const raw = connection();
    for (const id of [UNKNOWN_ID, 'no id', 'x\r\n+INJECTED\0']) {
      const error = `-Session not found: ${id.replace(/[\r\n\0]/g, ' ')}\r\n`;
      const expected = kind === 'null' ? nothing : kind === 'error' ? error : kind;
      expect(await raw.send(name, id, ...rest)).toBe(expected);
    }
  });
}

function checkAfterEach(connection: Connection): void {
  test('CHECK finds everything sound after all kinds of commands', async () => {
    const raw = connection();
    const id = await createWith(raw, 'u', 'IDLE', '100');
    await createWith(raw, 'u', 'NEW', 'TTL', '100');
    await raw.send('SESSION.ROTATE', id, 'GRACE', '100000');
    await raw.send('SESSION.ASSIGN', id, 'v');
    await raw.send('SESSION.DELUSER', 'u');
    for (const command of ['SESSION.CHECK', 'CUSTOM.CHECK']) expect(await raw.send(command)).toBe('+OK\r\n');
  });
}

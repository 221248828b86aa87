/**
 * The original SESSION commands, byte for byte, on any provider of CUSTOM.* and by any way of linking to it.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { bulk, parseBulk, parseBulks, utf8, type RawConnection } from '../../support/raw.ts';
import { eventually, type TestServer } from '../../support/server.ts';
import { DIFFICULT_BYTES } from './custom.ts';

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const UNKNOWN_ID = '01234567-89ab-4def-8123-456789abcdef';
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

interface SessionJson {
  id: string;
  user_key: string;
  created_at: string;
  last_accessed: string;
  data: Record<string, string>;
}

/** The id out of a reply of SESSION.CREATE that begins with `prefix`. */
function idIn(reply: string, prefix = '+Session created: '): string {
  expect(reply.slice(0, prefix.length)).toBe(prefix);
  const id = reply.slice(prefix.length, -2);
  expect(reply).toBe(`${prefix}${id}\r\n`);
  return id;
}

async function create(raw: RawConnection, user: string): Promise<string> {
  return idIn(await raw.send('SESSION.CREATE', user));
}

async function session(raw: RawConnection, id: string): Promise<SessionJson> {
  return JSON.parse(Buffer.from(parseBulk(await raw.send('SESSION.GET', id)), 'latin1').toString('utf8')) as SessionJson;
}

/** Waits until the clock, in milliseconds, shows another value. */
async function nextMillisecond(): Promise<void> {
  const now = Date.now();
  await eventually(
    () => Date.now(),
    (value) => value > now + 1,
  );
}

/** `newConnection` gives a connection in the wanted protocol; `nothing` is its null. */
type Connect = () => RawConnection;

export function sessionSuite(server: TestServer): void {
  describe.each([2, 3] as const)('SESSION commands in RESP%i', (protocol) => {
    let raw: RawConnection;
    beforeEach(async () => {
      raw = await server.connect(protocol);
    });
    const nothing = protocol === 2 ? '$-1\r\n' : '_\r\n';
    createTests(() => raw, nothing);
    mappingTests(() => raw, nothing);
    getTests(() => raw, nothing);
    dataTests(() => raw, nothing);
    deleteTests(() => raw, nothing);
    byteTests(() => raw);
    arityTests(() => raw);
  });
}

function createTests(connection: Connect, nothing: string): void {
  test('CREATE answers a new UUID v4, which the storage maps the user to', async () => {
    const raw = connection();
    const id = await create(raw, 'user');
    expect(id).toMatch(UUID_V4);
    expect(await raw.send('CUSTOM.GET', 'user')).toBe(bulk(id));
    expect(await raw.send('CUSTOM.KEYS')).toBe('*1\r\n$4\r\nuser\r\n');
  });

  test('CREATE makes a different id for each user', async () => {
    const raw = connection();
    const replies = await Promise.all(Array.from({ length: 500 }, (_, index) => raw.send('SESSION.CREATE', `user:${index}`)));
    const ids = replies.map((reply) => idIn(reply));
    expect(new Set(ids).size).toBe(500);
    for (const id of ids) expect(id).toMatch(UUID_V4);
  });

  test("CREATE again answers the user's live session and updates last_accessed", async () => {
    const raw = connection();
    const id = await create(raw, 'user');
    const before = await session(raw, id);
    await nextMillisecond();
    expect(await raw.send('SESSION.CREATE', 'user')).toBe(`+Session exists: ${id}\r\n`);
    const after = await session(raw, id);
    expect(after.last_accessed > before.last_accessed).toBe(true);
    expect(after.created_at).toBe(before.created_at);
  });

  test('CREATE uses a well-formed id again that the storage maps the user to and that is unknown', async () => {
    const raw = connection();
    await raw.send('CUSTOM.SET', 'user', UNKNOWN_ID);
    expect(await raw.send('SESSION.CREATE', 'user')).toBe(`+Session recreated: ${UNKNOWN_ID}\r\n`);
    expect(await raw.send('CUSTOM.GET', 'user')).toBe(bulk(UNKNOWN_ID));
    expect((await session(raw, UNKNOWN_ID)).user_key).toBe('user');
    expect(await raw.send('SESSION.CREATE', 'user')).toBe(`+Session exists: ${UNKNOWN_ID}\r\n`);
  });

  test('CREATE makes a new session after the mapping was deleted; the older one lives on', async () => {
    const raw = connection();
    const older = await create(raw, 'user');
    expect(await raw.send('CUSTOM.DEL', 'user')).toBe(':1\r\n');
    const newer = await create(raw, 'user');
    expect(newer).not.toBe(older);
    expect(await raw.send('CUSTOM.GET', 'user')).toBe(bulk(newer));
    expect((await session(raw, older)).user_key).toBe('user');
    expect(await raw.send('SESSION.GET', UNKNOWN_ID)).toBe(nothing);
  });
}

function mappingTests(connection: Connect, nothing: string): void {
  test("CREATE never hands out another user's session: a mapping to it is replaced by a new session", async () => {
    const raw = connection();
    const alice = await create(raw, 'alice');
    await raw.send('CUSTOM.SET', 'bob', alice);
    const bob = await create(raw, 'bob');
    expect(bob).not.toBe(alice);
    expect(await raw.send('CUSTOM.GET', 'bob')).toBe(bulk(bob));
    expect(await raw.send('CUSTOM.GET', 'alice')).toBe(bulk(alice));
    expect((await session(raw, alice)).user_key).toBe('alice');
    expect((await session(raw, bob)).user_key).toBe('bob');
  });

  test.each([
    ['no id at all', 'not an id'],
    ['the empty string', ''],
    ['an id in upper case', UNKNOWN_ID.toUpperCase()],
    ['a UUID of another version', '01234567-89ab-1def-8123-456789abcdef'],
    ['a UUID of another variant', '01234567-89ab-4def-c123-456789abcdef'],
    ['an id and a byte more', `${UNKNOWN_ID}0`],
    ['an id and a NUL', `${UNKNOWN_ID}\0`],
    ['an id and a byte less', UNKNOWN_ID.slice(0, -1)],
    ['an id without its dashes', UNKNOWN_ID.replaceAll('-', '0')],
  ])('CREATE replaces a mapping to %s by a new session', async (_, mapped) => {
    const raw = connection();
    await raw.send('CUSTOM.SET', 'user', mapped);
    const id = await create(raw, 'user');
    expect(id).toMatch(UUID_V4);
    expect(await raw.send('CUSTOM.GET', 'user')).toBe(bulk(id));
    if (mapped !== '') expect(await raw.send('SESSION.GET', mapped)).toBe(nothing);
  });

  test("DELETE of an older session keeps the mapping of the user's newer one", async () => {
    const raw = connection();
    const older = await create(raw, 'user');
    await raw.send('CUSTOM.DEL', 'user');
    const newer = await create(raw, 'user');
    expect(await raw.send('SESSION.DELETE', older)).toBe(':1\r\n');
    expect(await raw.send('CUSTOM.GET', 'user')).toBe(bulk(newer));
    expect(await raw.send('SESSION.CREATE', 'user')).toBe(`+Session exists: ${newer}\r\n`);
  });

  test('DELETE leaves a mapping alone that names something else', async () => {
    const raw = connection();
    const id = await create(raw, 'user');
    await raw.send('CUSTOM.SET', 'user', 'something else');
    expect(await raw.send('SESSION.DELETE', id)).toBe(':1\r\n');
    expect(await raw.send('CUSTOM.GET', 'user')).toBe(bulk('something else'));
  });
}

function getTests(connection: Connect, nothing: string): void {
  test('GET answers the session as JSON, keys in order, without spaces', async () => {
    const raw = connection();
    const before = new Date().toISOString();
    const id = await create(raw, 'user');
    await raw.send('SESSION.ADD_DATA', id, 'first', '1');
    await raw.send('SESSION.ADD_DATA', id, 'second', '2');
    const after = new Date().toISOString();
    const json = parseBulk(await raw.send('SESSION.GET', id));
    const { created_at, last_accessed } = JSON.parse(json) as SessionJson;
    expect(json).toBe(
      `{"id":"${id}","user_key":"user","created_at":"${created_at}","last_accessed":"${last_accessed}","data":{"first":"1","second":"2"}}`,
    );
    for (const time of [created_at, last_accessed]) expect(time).toMatch(TIME);
    expect(before <= created_at && created_at <= last_accessed && last_accessed <= after).toBe(true);
  });

  test('GET of a session without data has an empty object, and does not update last_accessed', async () => {
    const raw = connection();
    const id = await create(raw, 'user');
    const first = parseBulk(await raw.send('SESSION.GET', id));
    expect(first.endsWith('"data":{}}')).toBe(true);
    await nextMillisecond();
    expect(parseBulk(await raw.send('SESSION.GET', id))).toBe(first);
  });

  test('GET answers null for an unknown id and for what is no id', async () => {
    const raw = connection();
    for (const id of [UNKNOWN_ID, 'no id', '', '\0', UNKNOWN_ID.toUpperCase()]) {
      expect(await raw.send('SESSION.GET', id)).toBe(nothing);
    }
  });

  test('GET is valid UTF-8 and valid JSON whatever the bytes: U+FFFD for invalid ones, escapes for controls and quotes', async () => {
    const raw = connection();
    const id = await create(raw, 'us\xffer"\\');
    const control = Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).join('');
    await raw.send('SESSION.ADD_DATA', id, 'invalid \xc3( \xe2\x82 \xf0\x9f\x98', '\xff\xfe');
    await raw.send('SESSION.ADD_DATA', id, control, `"\\/\x7f`);
    await raw.send('SESSION.ADD_DATA', id, utf8('žluťoučký'), utf8('€ 😀  '));
    const bytes = Buffer.from(parseBulk(await raw.send('SESSION.GET', id)), 'latin1');
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const { user_key, data } = JSON.parse(text) as SessionJson;
    expect(user_key).toBe('us\ufffder"\\');
    expect(data).toEqual({
      'invalid \ufffd( \ufffd \ufffd': '\ufffd\ufffd',
      [control]: '"\\/\x7f',
      žluťoučký: '€ 😀  ',
    });
  });

  test('LIST answers a line for each session, and an empty array for none', async () => {
    const raw = connection();
    expect(await raw.send('SESSION.LIST')).toBe('*0\r\n');
    const expected: string[] = [];
    for (const user of ['alice', 'bob', '\xff\0\r\n']) {
      const id = await create(raw, user);
      expected.push(`ID: ${id}, Key: ${user}, Created: ${(await session(raw, id)).created_at}`);
    }
    expect(parseBulks(await raw.send('SESSION.LIST')).sort()).toEqual(expected.sort());
  });
}

function dataTests(connection: Connect, nothing: string): void {
  test('ADD_DATA answers OK and updates last_accessed; GET_DATA answers the value', async () => {
    const raw = connection();
    const id = await create(raw, 'user');
    const before = await session(raw, id);
    await nextMillisecond();
    expect(await raw.send('SESSION.ADD_DATA', id, 'email', 'user@example.org')).toBe('+OK\r\n');
    const after = await session(raw, id);
    expect(after.last_accessed > before.last_accessed).toBe(true);
    expect(after.created_at).toBe(before.created_at);
    expect(await raw.send('SESSION.GET_DATA', id, 'email')).toBe('$16\r\nuser@example.org\r\n');
  });

  test('ADD_DATA replaces a field, which keeps its place', async () => {
    const raw = connection();
    const id = await create(raw, 'user');
    for (const [field, value] of [
      ['a', '1'],
      ['b', '2'],
      ['a', 'a longer value than before'],
    ] as const) {
      expect(await raw.send('SESSION.ADD_DATA', id, field, value)).toBe('+OK\r\n');
    }
    expect(parseBulk(await raw.send('SESSION.GET', id))).toContain('"data":{"a":"a longer value than before","b":"2"}');
  });

  test('GET_DATA updates last_accessed', async () => {
    const raw = connection();
    const id = await create(raw, 'user');
    await raw.send('SESSION.ADD_DATA', id, 'field', 'value');
    const before = await session(raw, id);
    await nextMillisecond();
    await raw.send('SESSION.GET_DATA', id, 'field');
    expect((await session(raw, id)).last_accessed > before.last_accessed).toBe(true);
  });

  test('GET_DATA answers null for an absent field and the empty string for an empty one', async () => {
    const raw = connection();
    const id = await create(raw, 'user');
    await raw.send('SESSION.ADD_DATA', id, 'empty', '');
    expect(await raw.send('SESSION.GET_DATA', id, 'absent')).toBe(nothing);
    expect(await raw.send('SESSION.GET_DATA', id, 'empty')).toBe('$0\r\n\r\n');
  });

  test('ADD_DATA and GET_DATA answer an error for an unknown session', async () => {
    const raw = connection();
    for (const id of [UNKNOWN_ID, 'no id', '']) {
      expect(await raw.send('SESSION.ADD_DATA', id, 'field', 'value')).toBe(`-Session not found: ${id}\r\n`);
      expect(await raw.send('SESSION.GET_DATA', id, 'field')).toBe(`-Session not found: ${id}\r\n`);
    }
  });

  test('an id in an error has CR, LF and NUL replaced by spaces and is cut at 128 bytes', async () => {
    const raw = connection();
    expect(await raw.send('SESSION.ADD_DATA', 'x\r\n+INJECTED\0y', 'field', 'value')).toBe('-Session not found: x  +INJECTED y\r\n');
    expect(await raw.send('SESSION.GET_DATA', 'i'.repeat(200), 'field')).toBe(`-Session not found: ${'i'.repeat(128)}\r\n`);
    expect(await raw.send('PING')).toBe('+PONG\r\n');
  });

  test('a session holds a thousand fields, in the order in which they came', async () => {
    const raw = connection();
    const id = await create(raw, 'user');
    const fields = Array.from({ length: 1000 }, (_, index) => `field ${index}`);
    await Promise.all(fields.map((field) => raw.send('SESSION.ADD_DATA', id, field, `value of ${field}`)));
    const { data } = await session(raw, id);
    expect(Object.entries(data)).toEqual(fields.map((field) => [field, `value of ${field}`]));
    expect(await raw.send('SESSION.GET_DATA', id, 'field 567')).toBe(bulk('value of field 567'));
  });
}

function deleteTests(connection: Connect, nothing: string): void {
  test("DELETE answers 1, then 0; the session and the user's mapping are gone", async () => {
    const raw = connection();
    const id = await create(raw, 'user');
    await raw.send('SESSION.ADD_DATA', id, 'field', 'value');
    expect(await raw.send('SESSION.DELETE', id)).toBe(':1\r\n');
    expect(await raw.send('SESSION.DELETE', id)).toBe(':0\r\n');
    expect(await raw.send('SESSION.GET', id)).toBe(nothing);
    expect(await raw.send('SESSION.GET_DATA', id, 'field')).toBe(`-Session not found: ${id}\r\n`);
    expect(await raw.send('CUSTOM.GET', 'user')).toBe(nothing);
    expect(await raw.send('SESSION.LIST')).toBe('*0\r\n');
  });

  test('DELETE answers 0 for an unknown id and for what is no id', async () => {
    const raw = connection();
    for (const id of [UNKNOWN_ID, 'no id', '', '\0']) expect(await raw.send('SESSION.DELETE', id)).toBe(':0\r\n');
  });

  test('CREATE after DELETE makes a new id', async () => {
    const raw = connection();
    const id = await create(raw, 'user');
    await raw.send('SESSION.DELETE', id);
    expect(await create(raw, 'user')).not.toBe(id);
  });
}

function byteTests(connection: Connect): void {
  test.each(DIFFICULT_BYTES)('a user, a field and a value of %s come back unchanged', async (_, bytes) => {
    const raw = connection();
    const id = await create(raw, bytes);
    expect(await raw.send('CUSTOM.GET', bytes)).toBe(bulk(id));
    expect(await raw.send('SESSION.CREATE', bytes)).toBe(`+Session exists: ${id}\r\n`);
    expect(await raw.send('SESSION.ADD_DATA', id, bytes, bytes)).toBe('+OK\r\n');
    expect(await raw.send('SESSION.GET_DATA', id, bytes)).toBe(bulk(bytes));
    const [line] = parseBulks(await raw.send('SESSION.LIST'));
    expect(line!.startsWith(`ID: ${id}, Key: ${bytes}, Created: `)).toBe(true);
    expect(await raw.send('SESSION.DELETE', id)).toBe(':1\r\n');
    expect(await raw.send('CUSTOM.EXISTS', bytes)).toBe(':0\r\n');
  });

  test('a mapping of hostile bytes never reaches the wire inside a simple string', async () => {
    const raw = connection();
    await raw.send('CUSTOM.SET', 'user', 'x\r\n+INJECTED\r\n');
    const id = await create(raw, 'user');
    expect(id).toMatch(UUID_V4);
    expect(await raw.send('PING')).toBe('+PONG\r\n');
  });
}

function arityTests(connection: Connect): void {
  test.each([
    ['session.create', []],
    ['session.get', []],
    ['session.get', [UNKNOWN_ID, 'surplus']],
    ['session.list', ['surplus']],
    ['session.add_data', [UNKNOWN_ID, 'field']],
    ['session.get_data', [UNKNOWN_ID]],
    ['session.get_data', [UNKNOWN_ID, 'field', 'surplus']],
    ['session.delete', []],
    ['session.delete', [UNKNOWN_ID, 'surplus']],
  ] as [string, string[]][])('%s with the arguments %j answers the error for their number', async (command, given) => {
    const raw = connection();
    expect(await raw.send(command.toUpperCase(), ...given)).toBe(`-ERR wrong number of arguments for '${command}' command\r\n`);
    expect(await raw.send('PING')).toBe('+PONG\r\n');
  });
}

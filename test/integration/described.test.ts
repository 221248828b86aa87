/** What modules say of their commands, as the server shows it and acts by it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostile } from '../support/attacks.ts';
import { fixture } from '../support/modules.ts';
import { bulks, parseBulks, type RawConnection } from '../support/raw.ts';
import { hasCategories, hasOwnCategories, HASHMAP_FILE, HOST_FILE, startServer, useServer } from '../support/server.ts';

const described = await fixture('described');
const server = useServer({ module: [HOST_FILE, HASHMAP_FILE, described] });

let client: Awaited<ReturnType<typeof server.client>>;
beforeAll(async () => {
  client = await server.client(3);
});
afterAll(() => {
  client.destroy();
});

test('COMMAND DOCS shows summary, complexity, version and arguments', async () => {
  const docs = await client.sendCommand(['COMMAND', 'DOCS', 'described.set', 'described.mset', 'described.plain']);
  const token = (name: string) => ({ name, type: 'pure-token', token: name.toUpperCase() });
  const optional = ['optional'];
  // Later servers repeat each name as `display_text`.
  expect(JSON.parse(JSON.stringify(docs, (key, value: unknown) => (key === 'display_text' ? undefined : value)))).toEqual({
    'described.set': {
      summary: 'Sets a key: to a value',
      since: '0.2.0',
      group: 'module',
      complexity: 'O(1)',
      module: 'wasm',
      arguments: [
        { name: 'key', type: 'key', key_spec_index: 0 },
        { name: 'value', type: 'string' },
        { name: 'nx-xx', type: 'oneof', flags: optional, arguments: [token('nx'), token('xx')] },
        { ...token('get'), flags: optional },
        {
          name: 'seconds-at-keepttl',
          type: 'oneof',
          flags: optional,
          arguments: [
            { name: 'seconds', type: 'integer', token: 'EX' },
            { name: 'at', type: 'unix-time', token: 'PXAT' },
            token('keepttl'),
          ],
        },
        { name: 'pattern', type: 'pattern', token: 'MATCH', flags: optional },
        {
          name: 'field',
          type: 'block',
          token: 'DATA',
          flags: ['optional', 'multiple'],
          arguments: [
            { name: 'field', type: 'string' },
            { name: 'value', type: 'string' },
          ],
        },
      ],
    },
    'described.mset': {
      group: 'module',
      module: 'wasm',
      arguments: [
        {
          name: 'key',
          type: 'block',
          flags: ['multiple'],
          arguments: [
            { name: 'key', type: 'key', key_spec_index: 0 },
            { name: 'value', type: 'string' },
          ],
        },
      ],
    },
    'described.plain': { group: 'module', module: 'wasm' },
  });
});

test('COMMAND INFO shows arity, flags, keys, tips and categories', async () => {
  const names = ['described.set', 'described.mset', 'described.create', 'described.count', 'described.plain'];
  const index = (place: number) => ({ type: 'index', spec: { index: place } });
  const range = (lastkey: number, keystep: number) => ({ type: 'range', spec: { lastkey, keystep, limit: 0 } });
  const spec = (flags: string[], begin: unknown, last = 0, step = 1) => ({ flags, begin_search: begin, find_keys: range(last, step) });
  const word = { type: 'keyword', spec: { keyword: 'ID', startfrom: 2 } };
  const own = hasOwnCategories ? ['@described', '@custom'] : [];
  const found = (await client.sendCommand(['COMMAND', 'INFO', ...names])) as unknown as unknown[][];
  const sorted = (list: unknown): string[] => [...(list as string[])].sort();
  expect(
    found.map(([name, arity, flags, first, last, step, categories, tips, keys]) => [
      ...[name, arity, sorted(flags), first, last, step, sorted(categories), tips, keys],
    ]),
  ).toEqual([
    [
      ...['described.set', -3, ['denyoom', 'fast', 'module', 'write'], 1, 1, 1],
      sorted(hasCategories ? ['@write', '@fast', ...own] : []),
      ['nondeterministic_output', 'request_policy:all_shards'],
      [spec(['RW', 'update'], index(1))],
    ],
    ['described.mset', -3, ['module', 'write'], 1, -1, 2, [], [], [spec(['OW', 'update'], index(1), -1, 2)]],
    [
      ...['described.create', -2, ['module', 'movablekeys', 'write'], 1, 1, 1, [], []],
      [spec(['RW', 'update'], index(1)), spec(['OW', 'insert', 'incomplete'], word)],
    ],
    [
      ...['described.count', -1, ['module', 'readonly'], 1, 1, 1],
      ...[hasCategories ? ['@read', '@slow'] : [], [], [spec(['RO', 'access'], index(1))]],
    ],
    ['described.plain', 2, ['module', 'readonly'], 1, 1, 1, [], [], [spec(['RO', 'access'], index(1))]],
  ]);
});

test.each([
  ['described.create user', ['user']],
  ['described.create user NEW', ['user']],
  ['described.create user ID one', ['user', 'one']],
  ['described.create user new id one id two', ['user', 'one']],
  ['described.create ID one', ['ID']],
  ['described.create user ID', ['user']],
  ['described.mset a 1 b 2', ['a', 'b']],
  ['described.count key', ['key']],
])('the keys of %s are found', async (command, keys) => {
  expect(await server.send('COMMAND', 'GETKEYS', ...command.split(' '))).toBe(bulks(...keys));
});

async function login(rules: string): Promise<RawConnection> {
  expect(await server.send('ACL', 'SETUSER', 'someone', 'reset', 'on', 'nopass', ...rules.split(' '))).toBe('+OK\r\n');
  const connection = await server.connect();
  expect(await connection.send('AUTH', 'someone', 'x')).toBe('+OK\r\n');
  return connection;
}

test('permissions hold for every key, those after a word too, and for the first where the word is missing', async () => {
  const connection = await login('~app:* +@all');
  for (const allowed of [
    'create app:u',
    'create app:u NEW',
    'create app:u ID app:i',
    'create app:u id app:i',
    'mset app:a 1 app:b 2',
    'count',
  ]) {
    expect(await connection.send(...`described.${allowed}`.split(' ')), allowed).toBe('+OK\r\n');
  }
  for (const refused of [
    'create u',
    'create u NEW',
    'create u ID app:i',
    'create app:u ID i',
    'create u ID',
    'mset app:a 1 b 2',
    'count k',
  ]) {
    expect(await connection.send(...`described.${refused}`.split(' ')), refused).toMatch(/^-NOPERM /);
    expect(await server.send('ACL', 'DRYRUN', 'someone', ...`described.${refused}`.split(' ')), refused).toMatch(
      /no permissions to access/,
    );
  }
});

test('keys that are only read need no more than reading', async () => {
  const connection = await login('%R~app:* +@all');
  expect(await connection.send('DESCRIBED.COUNT', 'app:a')).toBe('+OK\r\n');
  expect(await connection.send('DESCRIBED.SET', 'app:a', 'v')).toMatch(/^-NOPERM /);
});

test('categories of the server grant a command where it puts commands of modules into any', async () => {
  const connection = await login('~* +@fast -@connection');
  const granted = await connection.send('DESCRIBED.SET', 'key', 'value');
  if (hasCategories) expect(granted).toBe('$3\r\nkey\r\n');
  else expect(granted).toMatch(/^-NOPERM /);
  expect(await connection.send('DESCRIBED.COUNT')).toMatch(/^-NOPERM /);
  // ACL CAT of Redis and Valkey 7.2 leaves out the commands of modules, whatever it grants.
  expect(parseBulks(await server.send('ACL', 'CAT', 'fast')).includes('described.set')).toBe(hasOwnCategories);
});

test('categories of a module grant its commands where it can add any', async () => {
  if (!hasOwnCategories) {
    expect(await server.send('ACL', 'CAT', 'described')).toMatch(/^-ERR Unknown category/);
    expect(await server.send('ACL', 'SETUSER', 'someone', '+@described')).toMatch(/^-ERR .*Unknown command or category/);
    return;
  }
  expect(await server.send('ACL', 'CAT', 'described')).toBe(bulks('described.set'));
  const connection = await login('~* +@described');
  expect(await connection.send('DESCRIBED.SET', 'key', 'value')).toBe('$3\r\nkey\r\n');
  expect(await connection.send('DESCRIBED.COUNT')).toMatch(/^-NOPERM /);
});

test('the number of arguments is the server’s to check', async () => {
  expect(await server.send('DESCRIBED.SET', 'key')).toBe("-ERR wrong number of arguments for 'described.set' command\r\n");
});

describe('a description that is wrong ends the load', () => {
  const saying = (text: string, calls = 1, name = 'hostile.odd') =>
    hostile(
      `(data (i32.const 1024) "hostile.odd") (data (i32.const 1040) "readonly") (data (i32.const 1100) "${name}") (data (i32.const 1200) "${text}")
       (table (export "table") 1 funcref) (elem (i32.const 0) $odd) (func $odd (param i32 i32))
       (func $tell (result i32) (call $SetCommandInfo (i32.const 1100) (i32.const ${name.length}) (i32.const 1200) (i32.const ${text.length})))
       (func (export "onLoad") (result i32)
         (drop (call $CreateCommand (i32.const 1024) (i32.const 11) (i32.const 0) (i32.const 1040) (i32.const 8)
           (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1)))
         ${Array.from({ length: calls }, () => '(call $tell)').join(' ')} ${calls === 2 ? '(i32.or)' : ''})`,
    );

  test.each([
    ['colour: red', 'the description of hostile.odd: colour: red: no such key is known'],
    ['keys: 0 RO', 'the description of hostile.odd: keys: 0 RO: 0 is no place of an argument, 1 to 65536'],
    ['syntax: [a', 'the description of hostile.odd: syntax: [a: a group is not ended by `]`'],
    ['syntax: k:key', 'the description of hostile.odd: its syntax has a key, and no line tells where'],
  ])('%s', async (text, reason) => {
    const plain = await startServer({ module: false });
    const file = await saying(text);
    expect(await plain.send('MODULE', 'LOAD', HOST_FILE, file)).toMatch(/^-ERR Error loading/);
    await expect.poll(() => plain.log).toContain(`cannot load ${file}: its declarations failed: ${reason}`);
    expect(await plain.send('MODULE', 'LOAD', HOST_FILE)).toBe('+OK\r\n');
  });

  test('of a command that is not registered, or a second one', async () => {
    const plain = await startServer({ module: false });
    for (const file of [await saying('summary: x', 1, 'hostile.even'), await saying('summary: x', 2)]) {
      expect(await plain.send('MODULE', 'LOAD', HOST_FILE, file)).toMatch(/^-ERR Error loading/);
      await expect.poll(() => plain.log).toContain(`cannot load ${file}: its onLoad() answered 1`);
    }
    expect(await plain.send('MODULE', 'LOAD', HOST_FILE, await saying('summary: x'))).toBe('+OK\r\n');
  });
});

/**
 * Who may RESTORE on a node that imports a slot can forge what comes with it: nothing is taken that names
 * anything in another slot, in whatever place of an effect.
 */
import { beforeAll, expect, test } from 'vitest';
import { keyOfFirst, useCluster } from '../support/cluster.ts';
import { FakeServer, placeModule } from '../support/fake-redis.ts';
import { kitModule } from '../support/kit.ts';
import { fill, idOf, keyThatTakes, OK, setSlot, type Owned } from '../support/moves.ts';
import { parseBulk } from '../support/raw.ts';
import { moduleValue, typeId } from '../support/rdb.ts';
import { HASHMAP_FILE, HOST_FILE, SESSION_FILE, type TestServer } from '../support/server.ts';
import { slotOf } from '../support/slots.ts';

const OPS = await kitModule('ops');
placeModule('ops', OPS);
const nodes = useCluster({ module: [HOST_FILE, HASHMAP_FILE, SESSION_FILE, OPS] }, 2);

type Effect = (string | Buffer)[];

/** Words as effects stand in the key that takes them along. */
function bytesOf(words: Effect): Buffer {
  const number = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
  const bytes = (word: string | Buffer) => (typeof word === 'string' ? Buffer.from(word, 'latin1') : word);
  return Buffer.concat([number(words.length), ...words.flatMap((word) => [number(word.length), bytes(word)])]);
}

/**
 * The effects of one command of a module on a server that is in no cluster, as if they lay where `key` does.
 */
function effectsOf(key: string, ...words: string[]): Effect[] {
  const server = new FakeServer({ kit: 'ops' });
  server.call('OPS.RUN', key, 'set words before x 0', 'set in-lines before 1 0');
  server.propagated.splice(0);
  server.call('OPS.RUN', key, ...words);
  // They come with all schemas: nothing was told there.
  const [first] = server.modules.flatMap((each) => server.exportSlots(each, [...Array(16_384).keys()]));
  return server.propagated.map((effect) => [effect[0]!, key, ...effect.slice(2), ...(first ?? []).slice(5)]);
}

let here: Owned;
let there: Owned;
/** Ten bytes behind any DUMP. */
let ending: Buffer;

beforeAll(async () => {
  const [source, target] = nodes as [TestServer, TestServer];
  here = await fill(source, keyOfFirst('user', 2));
  const other = Array.from({ length: 100 }, (_, index) => `other${index}`).find((name) => slotOf(name) >= 8192)!;
  there = await fill(target, other);
  expect(await target.send('DEBUG', 'SET-SKIP-CHECKSUM-VALIDATION', '1')).toBe(OK);
  await target.send('SET', `{${other}}native`, 'value');
  ending = Buffer.from(parseBulk(await target.send('DUMP', `{${other}}native`)), 'latin1').subarray(-10);
  expect(await target.send('OPS.RUN', other, `set words ${other} x 0`)).toBe('*1\r\n$2\r\nok\r\n');
  expect(await setSlot(target, here.slot, 'IMPORTING', await idOf(source))).toBe(OK);
});

/** Has the target take these as what comes with the slot. */
async function take(...effects: (Effect | Buffer)[]): Promise<string> {
  const bytes = Buffer.concat(effects.map((effect) => (Buffer.isBuffer(effect) ? effect : bytesOf(effect))));
  const value = moduleValue(typeId('wasm-slot', 1n), [1n, Buffer.from(String(here.slot)), bytes]);
  const connection = await nodes[1]!.connect();
  await connection.send('ASKING');
  const dump = Buffer.concat([value, ending]).toString('latin1');
  return connection.send('RESTORE', keyThatTakes(here.slot), '0', dump, 'REPLACE');
}

/** All that the target holds. */
async function held(): Promise<string[]> {
  const [, target] = nodes as [TestServer, TestServer];
  const questions = [
    ['CUSTOM.GET', there.user],
    ['CUSTOM.LEN'],
    ['SESSION.COUNT'],
    ['SESSION.USER', there.user],
    ['SESSION.GET', there.id],
    ['OPS.DUMP', there.user],
  ];
  const answers: string[] = [];
  for (const [name = '', ...words] of questions) answers.push(await target.send(name, ...words));
  return answers;
}

/** Refuses each of these effects, behind what it would take, and holds what it has held. */
async function expectRefused(effects: (Effect | Buffer)[], behind: Effect[] = []): Promise<void> {
  // What was taken before goes.
  expect(await take([])).toMatch(/^-ERR/);
  const before = await held();
  for (const effect of effects) {
    expect(await take(...behind, effect), String(effect)).toBe('-ERR Bad data format\r\n');
    expect(await held(), String(effect)).toEqual(before);
  }
}

test('entries of the hashmap', async () => {
  const set = (key: string, name: string) => ['wasm.apply', key, 'wasm-hmap', '-2', 'CUSTOM.SET', name, 'forged'];
  await expectRefused([
    ['CUSTOM.SET', there.user, 'forged'],
    ['CUSTOM.DEL', here.user, there.user],
    set(there.user, here.user),
    set(here.user, there.user),
    ['CUSTOM.CLEAR'],
    ['wasm.apply', here.user, 'wasm-hmap', '-2'],
    ['wasm.apply', here.user, 'wasm-hmap', '-1'],
    ['wasm.apply', here.user, 'wasm-hmap', '-3', String(there.slot)],
    ['wasm.apply', here.user],
    [],
    bytesOf(set(here.user, here.user)).subarray(0, -1),
  ]);
  expect(await take(set(here.user, here.user))).toBe(OK);
});

test('sessions', async () => {
  const apply = (...words: string[]) => ['session.apply', '1', ...words];
  const restore = apply('restore', here.id, here.user, '1', '1', '0', '0', '0');
  await expectRefused(
    [
      apply('restore', here.id, there.user, '1', '1', '0', '0', '0'),
      apply('create', here.id, there.user, '1', '1', '1'),
      apply('assign', here.id, there.user, '0'),
      apply('rotate', here.id, there.id, '0', '0'),
      apply('grace', here.id, there.id, '99999999999999'),
      apply('delete', here.id, there.user, '1'),
      apply('delete', there.id, here.user, '0'),
    ],
    [restore],
  );
  expect(await take(restore, apply('set', here.id, '1', '1', 'field', 'value'))).toBe(OK);
});

test("entries of a kit's tables", async () => {
  const [own, far] = [`set words ${here.user} x 0`, `set words ${there.user} forged 0`];
  const forged = [
    [own, far],
    [`delete words ${there.user}`],
    [`expire words ${there.user} 94651243200000`],
    ['clear words'],
    ['set lines z 1 0'],
  ].flatMap((steps) => effectsOf(here.user, ...steps));
  // The entry was there before what deletes it, or has it expire.
  const inKey = effectsOf(there.user, 'set in-lines b 2 0', 'expire in-lines 94651243200000');
  await expectRefused([...forged, ...inKey.map(([name, , ...rest]) => [name!, here.user, ...rest])]);
  expect(nodes[1]!.log.match(/the effect names an entry of another slot than it comes with/g)).toHaveLength(forged.length + inKey.length);
  expect(await take(...effectsOf(here.user, own, 'set in-lines b 2 0', 'expire in-lines 94651243200000'))).toBe(OK);
});

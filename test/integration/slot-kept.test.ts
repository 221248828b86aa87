/**
 * Slots that move while a module is not loaded, or is about to be unloaded, or a replica does not hear of it:
 * what is kept stays with its slots, and what is not this node's any more does not come back.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { keyOfFirst, seenBy, useCluster, type Seen } from '../support/cluster.ts';
import { dumpShop, Folder, NOT_KNOWN, shopWith } from '../support/live.ts';
import { closeSlot, idOf, OK, openSlot } from '../support/moves.ts';
import { bulk } from '../support/raw.ts';
import { parseReply } from '../support/reply.ts';
import { caughtUp, linked } from '../support/replication.ts';
import { eventually, tested, type TestServer } from '../support/server.ts';
import { slotOf } from '../support/slots.ts';

const movesAtOnce = tested.name === 'Valkey' && Number(tested.version.split('.')[0]) >= 9;
const PRIMARIES = 2;
/** So many that they are not dropped in a moment. */
const MANY = 100_000;

const FILL = `command("SHOP.FILL", "key:key count:integer", fill);
function fill(key: string, count: i64): void { for (let at: i64 = 0; at < count; at++) carts.in(key).set(at.toString(), at); }
`;
const folder = new Folder(mkdtempSync(path.join(tmpdir(), 'wasm-dir-')));
afterAll(() => {
  rmSync(folder.path, { recursive: true, force: true });
});
folder.put('shop', await shopWith(['query("SHOP.SIZE"', `${FILL}query("SHOP.SIZE"`]));
/** The third one follows the first. */
const nodes = useCluster({ arguments: folder.arguments }, 3, PRIMARIES);

const count = async (node: TestServer) => Number((await node.info('wasm_shop')).wasm_shop_entries);
const keyOf = (name: string) => keyOfFirst(name, PRIMARIES);

const close = (target: TestServer, slot: number) => closeSlot({ nodes: nodes.slice(0, PRIMARIES) }, target, slot);

/** What a node has for this key, asked of a replica too. */
async function seen(node: TestServer, key: string): Promise<string> {
  const connection = await node.connect();
  await connection.send('READONLY');
  return connection.send('SHOP.GET', key);
}

async function put(node: TestServer, key: string, name = 'name'): Promise<string> {
  expect(await node.send('SHOP.SET', key, name, '1')).toBe(OK);
  return bulk(`${name} 1`);
}

test('a slot stays while data of a module is kept, and goes when the module is back', async () => {
  const [source, target] = nodes as [TestServer, TestServer];
  const key = keyOf('kept');
  const before = await put(source, key);
  expect(await source.send('WASM.UNLOAD', 'shop')).toBe(OK);
  expect(await openSlot(source, target, slotOf(key))).toMatch(
    /^-ERR data is kept for the module shop, which is not loaded: WASM.LOAD it, or WASM.UNLOAD shop DROP/,
  );
  expect(await source.send('WASM.LOAD', 'shop')).toBe(OK);
  expect(await openSlot(source, target, slotOf(key))).toBe(OK);
  await close(target, slotOf(key));
  expect(await seen(target, key)).toBe(before);
  expect(await source.send('SHOP.DUMP')).not.toContain(key);
});

test('what another node has by now does not come back with the module', async () => {
  const [source, target] = nodes as [TestServer, TestServer];
  const [key, other] = [keyOf('foreign'), keyOf('own')];
  await put(source, key);
  const before = await put(source, other);
  expect(await source.send('WASM.UNLOAD', 'shop')).toBe(OK);
  // Without the slot having been opened, so that nothing is handed over.
  await close(target, slotOf(key));
  expect(await source.send('WASM.LOAD', 'shop')).toBe(OK);
  const isGone = (text: string) => !text.includes(key);
  expect(await eventually(() => source.send('SHOP.DUMP'), isGone)).toSatisfy(isGone);
  expect(await seen(source, other)).toBe(before);
});

test('a replica that has unloaded the module has what its primary has, when it loads it', async () => {
  const [source, target, replica] = nodes as [TestServer, TestServer, TestServer];
  await linked(replica);
  const [key, gone] = [keyOf('back'), keyOf('gone')];
  for (const each of [key, gone]) await put(source, each);
  await caughtUp(source, replica);
  expect(await replica.send('WASM.UNLOAD', 'shop')).toBe(OK);
  for (const each of [key, gone]) {
    expect(await openSlot(source, target, slotOf(each))).toBe(OK);
    await close(target, slotOf(each));
  }
  const before = await put(target, key, 'later');
  expect(await openSlot(target, source, slotOf(key)), source.log).toBe(OK);
  await close(source, slotOf(key));
  expect(await seen(source, key)).toBe(before);
  await caughtUp(source, replica);
  expect(await replica.send('WASM.LOAD', 'shop')).toBe(OK);
  expect(await dumpShop(replica)).toEqual(await dumpShop(source));
});

test.runIf(movesAtOnce)('no module is unloaded while slots go, and what has gone does not come back with it', async () => {
  const [source, target] = nodes as [TestServer, TestServer];
  const key = keyOf('many');
  const before = [await count(source), await count(target)] as const;
  expect(await source.send('SHOP.FILL', key, String(MANY))).toBe(OK);
  const slot = String(slotOf(key));
  const connection = await source.connect();
  await connection.send('MULTI');
  await connection.send('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', slot, slot, 'NODE', await idOf(target));
  for (const words of [[], ['DROP']]) await connection.send('WASM.UNLOAD', 'shop', ...words);
  const reply = await connection.send('EXEC');
  expect(reply.match(/-ERR slots are on their way to another node: [^\r]*/g)).toHaveLength(2);
  const isOver = (answer: string) => answer === OK;
  expect(await eventually(() => source.send('WASM.UNLOAD', 'shop'), isOver)).toBe(OK);
  expect(await source.send('SHOP.VERSION')).toMatch(NOT_KNOWN);
  expect(await source.send('WASM.LOAD', 'shop')).toBe(OK);
  expect([await count(source), await count(target)]).toEqual([before[0], before[1] + MANY]);
});

test("a replica that becomes a primary drops what is another node's", async () => {
  const [source, target, replica] = nodes as [TestServer, TestServer, TestServer];
  await linked(replica);
  const [key, own] = [keyOf('moved'), keyOf('stays')];
  for (const each of [key, own]) expect(await source.send('CUSTOM.SET', each, 'value')).toBe(OK);
  await caughtUp(source, replica);
  // Without the slot having been opened, so that nobody is told to drop anything.
  await close(target, slotOf(key));
  const isTold = (found: Seen[]) =>
    found.some(({ port, ranges }) => port === target.port && ranges.some(([first, last]) => first <= slotOf(key) && slotOf(key) <= last));
  expect(await eventually(() => seenBy(replica), isTold)).toSatisfy(isTold);
  const entries = Number(parseReply(await replica.send('CUSTOM.LEN')));
  expect(await replica.send('CLUSTER', 'FAILOVER', 'TAKEOVER')).toBe(OK);
  const isDropped = (answer: string) => answer === `:${entries - 1}\r\n`;
  expect(await eventually(() => replica.send('CUSTOM.LEN'), isDropped)).toSatisfy(isDropped);
  expect(await replica.send('CUSTOM.GET', own)).toBe(bulk('value'));
});

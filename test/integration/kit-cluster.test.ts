/**
 * Kit modules on nodes of a cluster: a command reaches what its declared keys' slots hold, and nothing else.
 */
import { describe, expect, test } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import { startServer } from '../support/server.ts';
import { slotOf } from '../support/slots.ts';
import { ReplicationStream } from '../support/stream.ts';
import { ask, NIL, OK, state, TRIAL_FILE, WITH_TRIAL } from '../support/trial.ts';
import { kitOf } from '../support/kit.ts';

const CROSSSLOT = '-CROSSSLOT the command reaches a key in another slot than that of its own keys\r\n';

describe('in a cluster', () => {
  test('a command reaches the slot of its keys alone, and what fails by that has changed nothing', async () => {
    const { nodes, keyOf, slotOf: slot } = await startCluster({ module: WITH_TRIAL }, 2);
    const [one, other] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
    const key = await keyOf(one, 'key');
    const far = await keyOf(other, 'far');
    const near = `{${key}}near`;
    const beside = await keyOf(one, 'beside');
    expect(slotOf(beside)).not.toBe(slotOf(key));
    expect(await other.send('TRIAL.SET', key, 'x')).toBe(`-MOVED ${await slot(key)} 127.0.0.1:${one.port}\r\n`);
    expect(await one.send('TRIAL.MOVE', key, beside)).toMatch(/^-CROSSSLOT /);
    const before = await state(one);
    for (const outside of [beside, far, '']) {
      expect(await one.send('TRIAL.REACH', key, outside), outside).toBe(CROSSSLOT);
      expect(await one.send('TRIAL.PEEK', key, outside), outside).toBe(CROSSSLOT);
    }
    expect(await one.send('TRIAL.COUNTFOR', key, '5')).toBe(CROSSSLOT);
    expect(await one.send('TRIAL.RESET', key)).toBe(CROSSSLOT);
    expect(await state(one)).toEqual(before);
    expect(await one.send('TRIAL.REACH', key, near)).toBe(OK);
    expect(await one.send('TRIAL.PEEK', key, near)).toBe("$9\r\nanother's\r\n");
    expect(await one.send('TRIAL.PUT', key, 'member of no slot', '1')).toBe(':1\r\n');
    expect(await one.send('TRIAL.GET', near)).toBe("$9\r\nanother's\r\n");
  });

  test('no table as a whole is in the slot of a key, whatever its name', async () => {
    const { nodes } = await startCluster({ module: WITH_TRIAL }, 1);
    const [node] = nodes as [(typeof nodes)[0]];
    await node.send('TRIAL.SET', 'words', 'x');
    // Keys in the slots of the table's name, and of the empty key.
    for (const key of ['words', '{words}key', '']) expect(await node.send('TRIAL.RESET', key), key).toBe(CROSSSLOT);
    for (const key of ['words', '{words}key', '']) expect(await node.send('TRIAL.COUNTALL', key), key).toBe(CROSSSLOT);
    expect(await node.send('TRIAL.COUNTALL')).toBe(':1\r\n');
    expect(await node.send('TRIAL.DEADLINEOF', 'words', 'words')).toBe(':0\r\n');
    expect(await node.send('TRIAL.DEADLINEOF', 'words', 'other')).toBe(CROSSSLOT);
  });

  test('what a command clears goes before what it puts in its place, in effects of whatever slots', async () => {
    const { nodes } = await startCluster({ module: WITH_TRIAL, arguments: ['--appendonly', 'yes'] }, 1);
    const [node] = nodes as [(typeof nodes)[0]];
    for (const word of ['one', 'two', 'three']) {
      await node.send('TRIAL.SET', word, 'old');
      await node.send('TRIAL.NOTE', word, 'old', '1');
    }
    for (const word of ['one', 'two', 'words', 'notes']) {
      expect(await node.send('TRIAL.RENEW', word)).toBe(OK);
      const before = await state(node);
      expect((before[0] as string[]).slice(0, 2)).toEqual([`word ${word}=between@0`, `note ${word} noted=new`]);
      await node.restart();
      expect(await state(node)).toEqual(before);
    }
  });

  test('a command without a key leaves one effect for each slot', async () => {
    // One node, which has them all.
    const { nodes } = await startCluster({ module: WITH_TRIAL, arguments: ['--appendonly', 'yes'] }, 1);
    const [node] = nodes as [(typeof nodes)[0]];
    const stream = await ReplicationStream.of(node);
    const names = Array.from({ length: 300 }, (_, index) => `many ${index}`);
    expect(await node.send('TRIAL.SETALL', 'many ', '300')).toBe(OK);
    const effects = (await stream.commands()).filter(([name]) => name === 'wasm.apply');
    expect(effects.map(([, key]) => slotOf(key ?? '')).sort()).toEqual([...new Set(names.map((name) => slotOf(name)))].sort());
    const before = await state(node);
    await node.restart();
    expect(await state(node)).toEqual(before);
    expect(await node.send('TRIAL.RESET')).toBe(':300\r\n');
    await node.restart();
    expect(await ask(node, 'TRIAL.DUMP')).toEqual(['sizes 0 0 0 0']);
    // Were each key compared with each slot, this would take longer than a test may.
    expect(await node.send('TRIAL.SETALL', 'many ', '100000')).toBe(OK);
  });
});

test('entries in the empty key, and of the empty key, are each their own', async () => {
  const server = await startServer({ module: WITH_TRIAL });
  await server.send('TRIAL.SET', '', 'own');
  await server.send('TRIAL.PUT', '', '', '1');
  await server.send('TRIAL.PUT', '\0', '', '2');
  expect(await server.send('TRIAL.PUTALL', '', '3', '1')).toBe(':3\r\n');
  expect(await server.send('TRIAL.GET', '')).toBe('$3\r\nown\r\n');
  expect(await server.send('TRIAL.MEMBERS', '')).toBe('*2\r\n$0\r\n\r\n:1\r\n');
  expect(await server.send('TRIAL.EXPIREALL', '', '1')).toBe(':1\r\n');
  expect(await server.send('TRIAL.MEMBERS', '')).toBe('*0\r\n');
  expect(await server.send('TRIAL.MEMBERS', '\0')).toBe('*2\r\n$0\r\n\r\n:2\r\n');
  expect(await server.send('TRIAL.GET', '')).toBe('$3\r\nown\r\n');
  expect(await server.send('TRIAL.DEL', '')).toBe(':1\r\n');
  expect(await server.send('TRIAL.GET', '')).toBe(NIL);
  expect(await server.send('DEBUG', 'RELOAD')).toBe(OK);
  expect(await server.send('TRIAL.CHECK')).toBe(OK);
});

describe('error codes', () => {
  test("that clients act on are no module's, and after 64 of its own comes ERR", async () => {
    const server = await startServer({ module: WITH_TRIAL });
    const code = (text: string) => server.send('TRIAL.CODE', text);
    const reserved = [
      'MOVED',
      'ASK',
      'TRYAGAIN',
      'CLUSTERDOWN',
      'READONLY',
      'LOADING',
      'MASTERDOWN',
      'NOAUTH',
      'WRONGPASS',
      'NOPERM',
      'EXECABORT',
    ];
    for (const each of reserved) expect(await code(`${each} 1 127.0.0.1:1`)).toBe(`-ERR ${each} 1 127.0.0.1:1\r\n`);
    expect(await code('X text')).toBe('-ERR X text\r\n');
    expect(await code('lower text')).toBe('-ERR lower text\r\n');
    expect(await code('ALONE')).toBe('-ERR ALONE\r\n');
    expect(await code('')).toBe('-ERR \r\n');
    expect(await code(`${'L'.repeat(33)} text`)).toBe(`-ERR ${'L'.repeat(33)} text\r\n`);
    expect(await code(`${'L'.repeat(32)} text`)).toBe(`-${'L'.repeat(32)} text\r\n`);
    expect(await code('INJECTED a\r\n+OK\0\r\n')).toBe('-INJECTED a  +OK   \r\n');
    expect(await code(`LONG ${'x'.repeat(100_000)}`)).toMatch(/^-LONG x{100,1100}\r\n$/);
    // The longest is none that servers count.
    for (let index = 2; index < 64; index++) expect(await code(`CODE${index} text`)).toBe(`-CODE${index} text\r\n`);
    expect(await code('LATE text')).toBe('-ERR LATE text\r\n');
    expect(await code('CODE7 text')).toBe('-CODE7 text\r\n');
    expect((await server.info('errorstats')).errorstat_LATE).toBeUndefined();
  });
});

test('a file that was built under one name is refused under another', async () => {
  const { readFileSync } = await import('node:fs');
  const { file } = await import('../support/modules.ts');
  const { HOST_FILE, HASHMAP_FILE } = await import('../support/server.ts');
  const start = startServer({ module: [HOST_FILE, HASHMAP_FILE, await file('other', readFileSync(TRIAL_FILE))] });
  await expect(start).rejects.toThrow(/it was built as trial, and its file is named other/);
  expect(
    await kitOf('other', 'import { query } from "redis-wasm/kit";\nquery("OTHER.ONE", "", one);\nfunction one(): i64 { return 1; }\n'),
  ).toContain('other.wasm');
});

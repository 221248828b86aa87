/**
 * After a load the log tells what each module holds: from a file, from an append-only file, from a primary.
 */
import { expect, test } from 'vitest';
import { caughtUp, follow, startPair } from '../support/replication.ts';
import { eventually, startServer, type TestServer } from '../support/server.ts';

const LINES = / \* <\w+> module \w+: .* loaded$/gm;

/** 200 entries, and 120 sessions of 100 users, whose mappings are entries too. */
async function fill(server: TestServer): Promise<void> {
  const commands = [
    ...Array.from({ length: 200 }, (_, index) => ['CUSTOM.SET', `key ${index}`, 'value']),
    ...Array.from({ length: 100 }, (_, index) => ['SESSION.CREATE', `user ${index}`]),
    ...Array.from({ length: 20 }, (_, index) => ['SESSION.CREATE', `user ${index}`, 'NEW']),
  ];
  for (const reply of await Promise.all(commands.map((command) => server.send(...command)))) expect(reply).toMatch(/^\+/);
}

/** Expects these lines, and no other of the kind, in the log from its `from`-th character on. */
async function expectTold(server: TestServer, from: number): Promise<void> {
  const told = await eventually(
    () => server.log.slice(from).match(LINES) ?? [],
    (lines) => lines.length >= 2,
  );
  expect(told.map((line) => line.replace(/^.*> /, ''))).toEqual([
    'module hashmap: 300 entries loaded',
    'module session: 120 sessions of 100 users loaded',
  ]);
}

test('from an RDB file, at a start and by DEBUG RELOAD', async () => {
  const server = await startServer();
  await fill(server);
  expect(server.log).not.toMatch(LINES);
  expect(await server.send('SAVE')).toBe('+OK\r\n');
  let from = server.log.length;
  await server.restart();
  await expectTold(server, from);
  from = server.log.length;
  expect(await server.send('DEBUG', 'RELOAD')).toBe('+OK\r\n');
  await expectTold(server, from);
});

test.each(['yes', 'no'])('from an append-only file, rewritten: %s', async (rewritten) => {
  const server = await startServer({ arguments: ['--appendonly', 'yes'] });
  await fill(server);
  if (rewritten === 'yes') {
    expect(await server.send('BGREWRITEAOF')).toMatch(/^\+/);
    await eventually(
      () => server.info('persistence'),
      (fields) => fields.aof_rewrite_in_progress === '0' && fields.aof_rewrite_scheduled === '0',
    );
  }
  const from = server.log.length;
  await server.restart();
  await expectTold(server, from);
});

test.each(['disabled', 'on-empty-db', 'swapdb'])('from a primary, with repl-diskless-load %s', async (load) => {
  const { primary, replica } = await startPair({ arguments: ['--repl-diskless-load', load] });
  await fill(primary);
  await replica.send('CUSTOM.SET', 'old', 'value');
  const from = replica.log.length;
  await follow(replica, primary);
  await caughtUp(primary, replica);
  await expectTold(replica, from);
});

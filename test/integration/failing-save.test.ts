/**
 * A save that cannot be whole never replaces a good file, in a child or in the server itself, and the server
 * goes on.
 */
import { execFileSync } from 'node:child_process';
import { chownSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { assemble } from '../support/modules.ts';
import { eventually, HASHMAP_FILE, HOST_FILE, SESSION_FILE, startServer, TestServer } from '../support/server.ts';
import { dump, fill } from '../support/state.ts';

/**
 * A module that keeps nothing and saves a number, in the way that `HOSTILE.ARM <digit>` sets: 0 well, 1 with
 * a trap, 2 without an end, 3 with a trap after many blocks, 4 well after very many. 9 ends at once, with a
 * trap in the middle of a write.
 */
const HOSTILE = `
  (import "redis" "CreateCommand" (func $command (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "redis" "CreateDataType" (func $type (param i32 i32 i32) (result i32)))
  (import "redis" "ReplyWithLongLong" (func $reply (param i64)))
  (import "redis" "SaveUnsigned" (func $unsigned (param i64)))
  (import "redis" "SaveStringBuffer" (func $string (param i32 i32)))
  (import "redis" "LoadUnsigned" (func $load (result i64)))
  (memory (export "memory") 1)
  (table (export "table") 4 funcref)
  (elem (i32.const 1) $arm)
  (global $mode (mut i32) (i32.const 0))
  (global $committing (export "committing") (mut i32) (i32.const 0))
  (data (i32.const 0) "hostile.arm")
  (data (i32.const 16) "write")
  (data (i32.const 32) "wasm-hstl")
  (func (export "onLoad") (result i32)
    (i32.or
      (call $type (i32.const 32) (i32.const 9) (i32.const 1))
      (call $command (i32.const 0) (i32.const 11) (i32.const 1) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 2))))
  (func $arm (param $argc i32) (param $argv i32)
    (global.set $mode (i32.sub (i32.load8_u (i32.load (local.get $argv))) (i32.const 48)))
    (if (i32.eq (global.get $mode) (i32.const 9)) (then (global.set $committing (i32.const 1)) (unreachable)))
    (call $reply (i64.const 1)))
  (func (export "auxSave")
    (local $blocks i32)
    (call $unsigned (i64.const 7))
    (if (i32.eq (global.get $mode) (i32.const 1)) (then (unreachable)))
    (if (i32.eq (global.get $mode) (i32.const 2)) (then (loop $forever (br $forever))))
    (if (i32.eq (global.get $mode) (i32.const 3)) (then
      (loop $more
        (call $string (i32.const 0) (i32.const 65536))
        (local.set $blocks (i32.add (local.get $blocks) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $blocks) (i32.const 100))))
      (unreachable)))
    (if (i32.eq (global.get $mode) (i32.const 4)) (then
      (loop $more
        (call $string (i32.const 0) (i32.const 65536))
        (local.set $blocks (i32.add (local.get $blocks) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $blocks) (i32.const 3000)))))))
  (func (export "auxLoad") (param i32) (result i32) (drop (call $load)) (i32.const 0))
  (func (export "flush"))`;

async function startHostile(...rest: string[]): Promise<TestServer> {
  const hostile = await assemble('hostile', HOSTILE, { plain: true });
  const module = [HOST_FILE, HASHMAP_FILE, SESSION_FILE, hostile];
  return startServer({ module, arguments: ['--wasm.time-limit', '100', ...rest] });
}

/** Saves in a child, and answers how that ended. */
async function bgsave(server: TestServer): Promise<string | undefined> {
  expect(await server.send('BGSAVE')).toBe('+Background saving started\r\n');
  const info = await eventually(
    () => server.info('persistence'),
    (fields) => fields.rdb_bgsave_in_progress === '0',
  );
  return info.rdb_last_bgsave_status;
}

/** How often the module has failed. */
async function faults(server: TestServer): Promise<number> {
  const info = await server.info('wasm_hostile');
  return Number(info.wasm_traps) + Number(info.wasm_timeouts);
}

const WAYS: [title: string, mode: string][] = [
  ['traps', '1'],
  ['has no end', '2'],
  ['traps after much was written', '3'],
];

describe.each(WAYS)('a save that %s', (_, mode) => {
  test('leaves the last good file, and the next one succeeds', async () => {
    const server = await startHostile();
    await fill(server);
    expect(await server.send('SAVE')).toBe('+OK\r\n');
    const before = await dump(server);
    const file = path.join(server.folder, 'dump.rdb');
    const good = readFileSync(file);
    await fill(server, 'later ');
    const after = await dump(server);

    await server.send('HOSTILE.ARM', mode);
    expect(await bgsave(server)).toBe('err');
    // What failed in the child is counted here.
    expect(await faults(server)).toBe(1);
    expect(await server.send('SAVE')).toMatch(/^-ERR/);
    expect(await faults(server)).toBe(2);
    expect(await server.send('DEBUG', 'RELOAD')).toMatch(/^-ERR/);
    expect(readFileSync(file).equals(good)).toBe(true);
    expect(readdirSync(server.folder).filter((name) => name.endsWith('.rdb') && name !== 'dump.rdb')).toEqual([]);
    expect(await dump(server)).toEqual(after);

    await server.kill();
    await server.start();
    expect(await dump(server)).toEqual(before);
    await fill(server, 'later ');
    await server.send('HOSTILE.ARM', mode);
    expect(await bgsave(server)).toBe('err');
    await server.send('HOSTILE.ARM', '0');
    expect(await bgsave(server)).toBe('ok');
    const state = await dump(server);
    await server.kill();
    await server.start();
    expect(await dump(server)).toEqual(state);
  });

  test('leaves the append-only file as it was, in a rewrite of it', async () => {
    const server = await startHostile('--appendonly', 'yes', '--appendfsync', 'always');
    await fill(server);
    await server.send('HOSTILE.ARM', mode);
    await server.send('BGREWRITEAOF');
    const info = await eventually(
      () => server.info('persistence'),
      (fields) => fields.aof_rewrite_in_progress === '0' && fields.aof_rewrite_scheduled === '0',
    );
    expect(info.aof_last_bgrewrite_status).toBe('err');
    await fill(server, 'later ');
    const state = await dump(server);
    await server.kill();
    await server.start();
    expect(await dump(server)).toEqual(state);
  });
});

test('a save of many times the memory of its module succeeds', async () => {
  const server = await startHostile();
  await fill(server);
  await server.send('HOSTILE.ARM', '4');
  expect(await bgsave(server)).toBe('ok');
  expect(await server.send('SAVE')).toBe('+OK\r\n');
  expect(await faults(server)).toBe(0);
});

// Only for another user than root does the system count threads, and only root can become one that nothing
// else runs as.
test.skipIf(process.getuid?.() !== 0)(
  'a save in a child that has no thread for its time limit fails, and the next one succeeds',
  async () => {
    const user = 100_000 + process.pid;
    const server = new TestServer({
      module: [HOST_FILE, HASHMAP_FILE, SESSION_FILE],
      under: ['setpriv', `--reuid=${user}`, '--clear-groups'],
    });
    onTestFinished(() => server.stop());
    chownSync(server.folder, user, 0);
    await server.start();
    const limit = (threads: number) =>
      execFileSync('setpriv', [`--reuid=${user}`, '--clear-groups', 'prlimit', '--pid', String(server.pid), `--nproc=${threads}:`]);
    await fill(server);
    // The child is one more, and is let be.
    limit(readdirSync(`/proc/${server.pid}/task`).length + 1);
    expect(await bgsave(server)).toBe('err');
    await expect.poll(() => server.log).toMatch(/module \w+: this save fails: no thread for the time limit: /);
    limit(10_000);
    expect(await bgsave(server)).toBe('ok');
  },
);

describe('after a trap in the middle of a write', () => {
  async function damage(): Promise<{ server: TestServer; good: Buffer; before: string[] }> {
    const server = await startHostile();
    await fill(server);
    expect(await server.send('SAVE')).toBe('+OK\r\n');
    const before = await dump(server);
    const good = readFileSync(path.join(server.folder, 'dump.rdb'));
    expect(await server.send('HOSTILE.ARM', '9')).toMatch(/^-ERR module hostile: /);
    expect(await server.send('HOSTILE.ARM', '0')).toMatch(/^-MISCONF /);
    expect(await bgsave(server)).toBe('err');
    expect(await server.send('SAVE')).toMatch(/^-ERR/);
    expect(readFileSync(path.join(server.folder, 'dump.rdb')).equals(good)).toBe(true);
    return { server, good, before };
  }

  test.each([['DEBUG', 'RELOAD', 'NOSAVE'], ['FLUSHALL']])('no save replaces the file, until %s', async (...command) => {
    const { server, before } = await damage();
    expect(await server.send(...command)).toBe('+OK\r\n');
    expect(await dump(server)).toEqual(command[0] === 'FLUSHALL' ? [] : before);
    expect(await server.send('HOSTILE.ARM', '0')).toBe(':1\r\n');
    expect(await bgsave(server)).toBe('ok');
    expect(await server.send('SAVE')).toBe('+OK\r\n');
  });
});

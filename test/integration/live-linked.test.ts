/** WASM.RELOAD of modules that are linked to each other: each file takes the place of one, with all data. */
import { copyFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { kitOf } from '../support/kit.ts';
import { APPEND_ONLY, Folder, laidOutOtherwise, marked, NOT_KNOWN, OK, startLive } from '../support/live.ts';
import { fixture, SHIPPED } from '../support/modules.ts';
import { bulk } from '../support/raw.ts';
import { caughtUp, follow } from '../support/replication.ts';
import { HASHMAP_FILE, HOST_FILE, SESSION_FILE, startServer, tested, type ServerOptions, type TestServer } from '../support/server.ts';
import { dump, fill } from '../support/state.ts';
import { ReplicationStream } from '../support/stream.ts';
import { trustedWord } from '../support/trusted.ts';

const hashmap = await marked(HASHMAP_FILE, 'a');
const session = await marked(SESSION_FILE, 'a');
const others = { hashmap: await laidOutOtherwise(hashmap), session: await laidOutOtherwise(session) };
/** Lacks an export that the session manager is linked to. */
const lacking = await fixture('missing-export', SHIPPED.targets.hashmap, 'hashmap');

/** A server with copies of the shipped modules in its own folder, and what they may be replaced by. */
async function start(): Promise<TestServer> {
  const server = await startServer({ module: false });
  for (const file of [HASHMAP_FILE, SESSION_FILE]) copyFileSync(file, place(server, path.basename(file, '.wasm')));
  await server.end();
  const files = [HASHMAP_FILE, SESSION_FILE, hashmap, session, lacking, ...Object.values(others)];
  server.change({
    module: [HOST_FILE, place(server, 'hashmap'), place(server, 'session')],
    trusted: false,
    arguments: ['--wasm.allow-load', 'yes', '--wasm.trusted', files.flatMap(trustedWord).join(' ')],
  });
  await server.start();
  return server;
}
const place = (server: TestServer, name: string) => path.join(server.folder, `${name}.wasm`);
const put = (server: TestServer, name: string, file: string) => {
  copyFileSync(file, `${place(server, name)}.new`);
  renameSync(`${place(server, name)}.new`, place(server, name));
};
const link = async (server: TestServer) => {
  const fields = await server.info('wasm_session');
  return fields.wasm_session_link_CUSTOM;
};
const wanted = tested.link === 'auto' ? 'direct' : 'command';
/** Works with both modules, and with one through the other. */
async function use(server: TestServer): Promise<void> {
  await fill(server, 'more:');
  await dump(server);
  expect(await link(server)).toBe(wanted);
}

describe('the shipped modules', () => {
  test.each([
    ['in the memory that is there', { hashmap, session }],
    ['by a save and a load', others],
  ])('%s', async (how, files) => {
    const server = await start();
    await fill(server);
    const before = await dump(server);
    for (const [name, file] of [...Object.entries(files), ['hashmap', HASHMAP_FILE] as const]) {
      put(server, name, file);
      expect(await server.send('WASM.RELOAD', name)).toBe(OK);
      expect(await dump(server)).toEqual(before);
      expect(await link(server)).toBe(wanted);
    }
    await use(server);
    const moved = server.log.includes('is saved and loaded now');
    expect(moved).toBe(how === 'by a save and a load');
    const now = await dump(server);
    expect(await server.send('DEBUG', 'RELOAD')).toBe(OK);
    expect(await dump(server)).toEqual(now);
  });

  test('a file that is not trusted is refused', async () => {
    const server = await start();
    await fill(server);
    const before = await dump(server);
    const other = await marked(HASHMAP_FILE, 'b');
    put(server, 'hashmap', other);
    const reply = await server.send('WASM.RELOAD', 'hashmap');
    if (tested.link === 'auto') expect(reply).toBe(`-ERR wasm.trusted does not name ${trustedWord(other).join()}: it needs a restart\r\n`);
    else expect(reply).toBe(OK);
    expect(await dump(server)).toEqual(before);
    await use(server);
  });

  test.runIf(tested.link === 'auto')('a file without an export that another is linked to is refused', async () => {
    const server = await start();
    await fill(server);
    const before = await dump(server);
    put(server, 'hashmap', lacking);
    expect(await server.send('WASM.RELOAD', 'hashmap')).toMatch(
      /^-ERR session is linked to its export \w+, which the file does not have: it needs a restart\r\n/,
    );
    expect(await dump(server)).toEqual(before);
    await use(server);
  });
});

describe('unloaded', () => {
  /** The shipped modules, and files of them in a folder, which may share a memory too. */
  const startBoth = async (options: ServerOptions = {}) => {
    const words = [HASHMAP_FILE, SESSION_FILE].flatMap(trustedWord);
    const trusted = ['--wasm.trusted', words.join(' ')];
    const module = [HOST_FILE, HASHMAP_FILE, SESSION_FILE];
    return startLive(
      { hashmap: HASHMAP_FILE, session: SESSION_FILE },
      { ...options, module, arguments: [...trusted, ...(options.arguments ?? [])] },
    );
  };
  const entries = async (server: TestServer) => (await dump(server)).filter((line) => line.includes(' = '));

  test('session goes and comes back, and hashmap keeps what it has', async () => {
    const { server } = await startBoth({ arguments: APPEND_ONLY });
    await fill(server);
    const before = await dump(server);
    const stored = await entries(server);
    const used = async () => Number((await server.info('wasm_hashmap')).wasm_hashmap_memory_used);
    const together = await used();
    expect(await server.send('WASM.UNLOAD', 'session')).toBe(OK);
    // Nothing of it is left in the memory that they had in common.
    if (tested.link === 'auto') expect(await used()).toBeLessThan(together);
    expect(await server.send('SESSION.COUNT')).toMatch(NOT_KNOWN);
    const fields = await server.info('wasm_session');
    expect(fields).not.toHaveProperty('wasm_session_sessions');
    expect(fields.wasm_session_state).toBe('missing');
    expect(await server.send('CUSTOM.LEN')).toBe(`:${stored.length}\r\n`);
    expect(await server.send('CUSTOM.CHECK')).toBe(OK);
    expect(await server.send('CUSTOM.SET', 'meanwhile', 'value')).toBe(OK);
    expect(await server.send('WASM.LOAD', 'session')).toBe(OK);
    expect(await dump(server)).toEqual([...before, 'meanwhile = $5\r\nvalue\r\n'].sort());
    expect(await link(server)).toBe('command');
    await fill(server, 'more:');
    const now = await dump(server);
    await server.kill();
    await server.start();
    expect(await dump(server)).toEqual(now);
  });

  test.runIf(tested.link === 'auto')('hashmap cannot go while session is linked to it', async () => {
    const { server } = await startBoth();
    await fill(server);
    const before = await dump(server);
    for (const drop of [[], ['DROP']])
      expect(await server.send('WASM.UNLOAD', 'hashmap', ...drop)).toBe('-ERR session calls it by direct links: unload session first\r\n');
    expect(await dump(server)).toEqual(before);
    await use(server);
  });

  test.each([
    ['hashmap', 'session'],
    ['session', 'hashmap'],
  ])('both go, and come back in the order %s, %s', async (...order) => {
    const { server } = await startBoth();
    await fill(server);
    const before = await dump(server);
    for (const name of ['session', 'hashmap']) expect(await server.send('WASM.UNLOAD', name)).toBe(OK);
    expect(await server.send('DEBUG', 'RELOAD')).toBe(OK);
    for (const name of order) expect(await server.send('WASM.LOAD', name)).toBe(OK);
    expect(await dump(server)).toEqual(before);
    expect(await link(server)).toBe('command');
    await fill(server, 'more:');
    const now = await dump(server);
    expect(await server.send('DEBUG', 'RELOAD')).toBe(OK);
    expect(await dump(server)).toEqual(now);
    // Whoever calls another by command finds out that it is missing.
    expect(await server.send('WASM.UNLOAD', 'hashmap')).toBe(OK);
    expect(await server.send('SESSION.CREATE', 'somebody')).toMatch(NOT_KNOWN);
    expect(await server.send('WASM.LOAD', 'hashmap')).toBe(OK);
    expect(await dump(server)).toEqual(now);
  });

  test('DROP of session leaves what hashmap has', async () => {
    const { server } = await startBoth();
    await fill(server);
    const stored = await entries(server);
    expect(await server.send('WASM.UNLOAD', 'session', 'DROP')).toBe(OK);
    expect(await server.send('WASM.LOAD', 'session')).toBe(OK);
    expect(await server.send('SESSION.COUNT')).toBe(':0\r\n');
    expect(await server.send('CUSTOM.LEN')).toBe(`:${stored.length}\r\n`);
  });

  test('a replica keeps what sessions write into hashmap while that is missing', async () => {
    const module = [HOST_FILE, SESSION_FILE];
    const primary = await startLive({ hashmap: HASHMAP_FILE }, { module, tcp: true });
    const replica = await startLive({ hashmap: HASHMAP_FILE }, { module, arguments: APPEND_ONLY });
    await follow(replica.server, primary.server);
    expect(await link(replica.server)).toBe('command');
    await fill(primary.server);
    await caughtUp(primary.server, replica.server);
    expect(await replica.server.send('WASM.UNLOAD', 'hashmap')).toBe(OK);
    await fill(primary.server, 'meanwhile:');
    await caughtUp(primary.server, replica.server);
    expect(await replica.server.send('REPLICAOF', 'NO', 'ONE')).toBe(OK);
    expect(await replica.server.send('SESSION.CREATE', 'somebody')).toMatch(NOT_KNOWN);
    expect(await replica.server.send('WASM.LOAD', 'hashmap')).toBe(OK);
    const wanted = await dump(primary.server);
    expect(await dump(replica.server)).toEqual(wanted);
    await replica.server.kill();
    await replica.server.start();
    expect(await dump(replica.server)).toEqual(wanted);
  });
});

test('effects of a module of wasm.dir have their first key, which decides their slot', async () => {
  const { server } = await startLive({ hashmap: HASHMAP_FILE }, { module: [HOST_FILE, SESSION_FILE] });
  const stream = await ReplicationStream.of(server);
  await server.send('CUSTOM.MSET', 'one', '1', 'two', '2');
  await server.send('CUSTOM.APPEND', 'two', 'x');
  await server.send('MULTI');
  await server.send('CUSTOM.CLEAR');
  await server.send('EXEC');
  const sent = await stream.commands();
  expect(sent.filter(([name]) => name === 'wasm.apply')).toEqual([
    ['wasm.apply', 'one', 'wasm-hmap', '-2', 'custom.mset', 'one', '1', 'two', '2'],
    ['wasm.apply', 'two', 'wasm-hmap', '-2', 'custom.apply', '1', 'append', 'two', '1', 'x'],
    ['wasm.apply', '', 'wasm-hmap', '-2', 'custom.clear'],
  ]);
  expect(sent.map(([name]) => name!.toLowerCase()).filter((name) => !['wasm.apply', 'multi', 'exec'].includes(name))).toEqual([]);
});

test('a module that has settings of the server is not loaded where none declared them', async () => {
  const { server, folder } = await startLive();
  folder.put('session', SESSION_FILE);
  expect(await server.send('WASM.LOAD', 'session')).toMatch(/^-ERR .*(?:give it|given) as an argument/);
  expect(await server.send('SESSION.CREATE', 'user')).toMatch(NOT_KNOWN);
  expect(await server.send('WASM.MODULES')).not.toContain('session');
});

describe('a module of wasm.dir that shares a memory since the start', () => {
  const text = `import { command, custom, query, Table } from "redis-wasm/kit";
const notes = new Table<string, string>("notes");
command("NOTE.SET", "key:key text", set);
function set(key: string, text: string): void { notes.set(key, text); custom.set(key, text); }
query("NOTE.GET", "key:key", get);
function get(key: string): string { return notes.get(key, "nothing") + " and " + custom.get(key)!; }
query("NOTE.VERSION", "", version);
function version(): string { return "one"; }
`;
  /** A server with a note, and the files that it may take. */
  async function startNotes() {
    const note = await kitOf('note', text, [0]);
    const untrusted = await kitOf('note', text.replace('"one"', '"two"'), [0]);
    const folder = Folder.ofTest();
    folder.put('note', note);
    const server = await startServer({ module: false });
    copyFileSync(HASHMAP_FILE, place(server, 'hashmap'));
    await server.end();
    server.change({
      module: [HOST_FILE, place(server, 'hashmap')],
      trusted: false,
      arguments: [...folder.arguments, '--wasm.trusted', [HASHMAP_FILE, others.hashmap, note].flatMap(trustedWord).join(' ')],
    });
    await server.start();
    expect(await server.send('NOTE.SET', 'key', 'text')).toBe(OK);
    expect((await server.info('wasm_note')).wasm_note_link_CUSTOM).toBe(wanted);
    return { server, folder, untrusted };
  }
  const noted = bulk('text and text');

  test('is unloaded, what it was linked to is replaced, and it is back with its data', async () => {
    const { server } = await startNotes();
    expect(await server.send('WASM.UNLOAD', 'note')).toBe(OK);
    put(server, 'hashmap', others.hashmap);
    expect(await server.send('WASM.RELOAD', 'hashmap')).toBe(OK);
    expect(await server.send('WASM.LOAD', 'note')).toBe(OK);
    expect(await server.send('NOTE.GET', 'key')).toBe(noted);
    put(server, 'hashmap', HASHMAP_FILE);
    expect(await server.send('WASM.RELOAD', 'hashmap')).toBe(OK);
    expect(await server.send('NOTE.GET', 'key')).toBe(noted);
  });

  test('is loaded again with a memory of its own, whatever file it is', async () => {
    const { server, folder, untrusted } = await startNotes();
    folder.put('note', untrusted);
    expect(await server.send('WASM.UNLOAD', 'note')).toBe(OK);
    expect(await server.send('WASM.LOAD', 'note')).toBe(OK);
    expect(await server.send('NOTE.VERSION')).toBe(bulk('two'));
    expect(await server.send('NOTE.GET', 'key')).toBe(noted);
    expect(await server.send('NOTE.SET', 'key', 'other')).toBe(OK);
    expect(await server.send('CUSTOM.GET', 'key')).toBe(bulk('other'));
    expect((await server.info('wasm_note')).wasm_note_link_CUSTOM).toBe('command');
    // What one memory takes the other has not.
    expect(await server.send('CUSTOM.SET', 'large', 'x'.repeat(8 << 20))).toBe(OK);
    const fields = await server.info('wasm');
    expect(fields.wasm_note_memory_reserved).not.toBe(fields.wasm_hashmap_memory_reserved);
    // And all of it goes through a file.
    expect(await server.send('NOTE.SET', 'key', 'last')).toBe(OK);
    expect(await server.send('DEBUG', 'RELOAD')).toBe(OK);
    expect(await server.send('NOTE.GET', 'key')).toBe(bulk('last and last'));
    expect(await server.send('WASM.RELOAD', 'note')).toBe(OK);
    expect(await server.send('NOTE.GET', 'key')).toBe(bulk('last and last'));
  });
});

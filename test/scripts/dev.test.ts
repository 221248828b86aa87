/** `npx redis-wasm dev`: what a person saves is served, with all data, by the server that runs already. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { RawConnection } from '../support/raw.ts';
import { eventually, freePort, ROOT } from '../support/server.ts';

const TIMEOUT_MS = 180_000;
const LOADER = path.join(ROOT, 'node_modules/tsx/dist/loader.mjs');
const IMPORT = 'import { command, query, Table } from "redis-wasm/kit";\n';
/** A module whose table holds values of this type, and whose reads have this syntax. */
const notes = (type: string, syntax = 'key:key', answer = 'notes.get(key, 0)') =>
  `${IMPORT}const notes = new Table<string, ${type}>("notes");
command("NOTE.ADD", "key:key n:integer", (key: string, n: i64): i64 => i64(notes.add(key, ${type}(n))), "Adds");
query("NOTE.GET", "${syntax}", (key: string): ${type} => ${answer}, "Reads");
`;
const NOTES = notes('i64');

/** A person's folder, and `dev` in it. */
class Project {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'dev-'));
  private port = 0;
  private text = '';
  private child: ChildProcess | undefined;

  write(name: string, text: string): void {
    // As editors do: another file takes the place.
    writeFileSync(path.join(this.folder, `${name}~`), text);
    renameSync(path.join(this.folder, `${name}~`), path.join(this.folder, name));
  }

  /** Starts it; what it has said until it serves. */
  async begin(...given: string[]): Promise<string> {
    this.port = await freePort();
    const words = ['--import', LOADER, path.join(ROOT, 'bin/main.ts'), 'dev', ...given, '--port', String(this.port)];
    const env = { ...process.env, REDIS_SERVER: process.env.TEST_SERVER };
    const child = spawn(process.execPath, words, { cwd: this.folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (this.text += chunk));
    return this.says(/serves them on port/);
  }

  /** Waits until it has said this; answers all since the last time, which is not looked at again. */
  async says(pattern: RegExp): Promise<string> {
    const said = () => pattern.exec(this.text);
    await eventually(said, (match) => match !== null || this.child?.exitCode !== null, TIMEOUT_MS);
    const match = said();
    expect(this.text).toMatch(pattern);
    const end = match!.index + match![0].length;
    const before = this.text.slice(0, end);
    this.text = this.text.slice(end);
    return before;
  }

  async send(...words: string[]): Promise<string> {
    const connection = await RawConnection.connect(String(this.port));
    const reply = await connection.send(...words);
    connection.close();
    return reply;
  }

  /** A field of INFO. */
  async info(name: string): Promise<string | undefined> {
    return new RegExp(`^${name}:(.*)\r$`, 'm').exec(await this.send('INFO', 'everything'))?.[1];
  }

  async end(): Promise<number | null> {
    const { child } = this;
    if (child?.exitCode !== null) return child?.exitCode ?? null;
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    child.kill('SIGINT');
    return ended;
  }
}

const projects: Project[] = [];
function newProject(): Project {
  const project = new Project();
  projects.push(project);
  return project;
}
afterEach(async () => {
  for (const project of projects.splice(0)) {
    await project.end();
    rmSync(project.folder, { recursive: true });
  }
});

test('a change is served by the server that runs; one that it cannot take, by another start', { timeout: TIMEOUT_MS }, async () => {
  const project = newProject();
  project.write('note.ts', NOTES);
  await project.begin();
  expect(await project.send('NOTE.ADD', 'a', '5')).toBe(':5\r\n');
  const run = await project.info('run_id');

  project.write('note.ts', notes('i64', 'key:key', '100 + notes.get(key, 0)'));
  await project.says(/note: served, with all data\n/);
  expect(await project.send('NOTE.GET', 'a')).toBe(':105\r\n');
  expect([await project.info('run_id'), await project.info('wasm_note_reloads')]).toEqual([run, '1']);

  project.write('note.ts', notes('i64', 'key'));
  expect(await project.says(/by a server that was started again\n/)).toContain('NOTE.GET has other flags or keys than before');
  expect(await project.send('NOTE.GET', 'a')).toBe(':5\r\n');
  expect(await project.info('run_id')).not.toBe(run);
  expect(await project.end()).toBe(0);
});

test('what the server refuses changes nothing, nor does what comes after it', { timeout: TIMEOUT_MS }, async () => {
  const project = newProject();
  project.write('note.ts', NOTES);
  await project.begin();
  expect(await project.send('NOTE.ADD', 'a', '5')).toBe(':5\r\n');

  project.write('note.ts', notes('f64'));
  expect(await project.says(/What was built before is served on\./)).toMatch(/note is refused by the server: .+/);
  expect(await project.send('NOTE.GET', 'a')).toBe(':5\r\n');
  project.write('note.ts', NOTES);
  await project.says(/note: it is what is served already\n/);
  project.write('note.ts', notes('i64', 'key:key', '7'));
  await project.says(/note: served, with all data\n/);
  expect(await project.send('NOTE.GET', 'a')).toBe(':7\r\n');
});

test('it waits for the next save of a file that has an error at its start', { timeout: TIMEOUT_MS }, async () => {
  const project = newProject();
  const broken = `${NOTES}function ((\n`;
  project.write('note.ts', broken);
  project.write('one.ts', `${IMPORT}query("ONE.GET", "", (): i64 => 1, "One");\n`);
  expect(await project.begin()).toMatch(/note\.ts:\d+:\d+: [^]*note is not served until it builds: save it again\.\n/);
  expect(await project.send('ONE.GET')).toBe(':1\r\n');
  expect(await project.send('NOTE.GET', 'a')).toMatch(/^-ERR unknown command/);
  project.write('note.ts', NOTES);
  await project.says(/note: served, with all data\n/);
  expect(await project.send('NOTE.ADD', 'a', '5')).toBe(':5\r\n');

  // What served last is served by the next start meanwhile.
  expect(await project.end()).toBe(0);
  project.write('note.ts', broken);
  expect(await project.begin('note.ts')).toContain('What was built before is served on.');
  expect(await project.send('NOTE.GET', 'a')).toBe(':5\r\n');
  project.write('note.ts', notes('i64', 'key:key', '7'));
  await project.says(/note: served, with all data\n/);
  expect(await project.send('NOTE.GET', 'a')).toBe(':7\r\n');
});

test('it tells that its server has ended, and starts it at the next change', { timeout: TIMEOUT_MS }, async () => {
  const project = newProject();
  project.write('note.ts', NOTES);
  await project.begin();
  expect(await project.send('NOTE.ADD', 'a', '5')).toBe(':5\r\n');
  process.kill(Number(await project.info('process_id')));
  expect(await project.says(/The next change of a file starts it again\.\n/)).toMatch(/The server has ended: .*bye bye/);
  project.write('note.ts', notes('i64', 'key:key', '7'));
  expect(await project.says(/by a server that was started again\n/)).not.toContain('has ended');
  expect(await project.send('NOTE.GET', 'a')).toBe(':7\r\n');
});

test('a file that is new is loaded, one that is gone is unloaded, and its data comes back', { timeout: TIMEOUT_MS }, async () => {
  const project = newProject();
  project.write('note.ts', NOTES);
  await project.begin();
  expect(await project.send('NOTE.ADD', 'a', '5')).toBe(':5\r\n');

  // One that the server refuses is none, and nothing is to be said when it is gone.
  project.write('two.ts', `${IMPORT}query("NOTE.GET", "key:key", (key: string): i64 => 1, "As note");\n`);
  await project.says(/two is refused by the server: it registers NOTE\.GET/);
  rmSync(path.join(project.folder, 'two.ts'));
  project.write('one.ts', `${IMPORT}query("ONE.GET", "", (): i64 => 1, "One");\n`);
  expect(await project.says(/one: served, with all data\n/)).not.toContain('two cannot be unloaded');
  expect(await project.send('ONE.GET')).toBe(':1\r\n');
  rmSync(path.join(project.folder, 'note.ts'));
  await project.says(/note: unloaded, since note\.ts is gone; its data is kept/);
  expect(await project.send('NOTE.GET', 'a')).toMatch(/^-ERR unknown command/);
  project.write('note.ts', NOTES);
  await project.says(/note: served, with all data\n/);
  expect(await project.send('NOTE.GET', 'a')).toBe(':5\r\n');

  // Nor is it there at the next start.
  rmSync(path.join(project.folder, 'one.ts'));
  expect(await project.end()).toBe(0);
  await project.begin();
  expect(await project.send('ONE.GET')).toMatch(/^-ERR unknown command/);
  expect(await project.send('NOTE.GET', 'a')).toBe(':5\r\n');
});

test('the next start has the data, also from where it was once, and compiles nothing again', { timeout: TIMEOUT_MS }, async () => {
  const project = newProject();
  const within = (...names: string[]) => path.join(project.folder, '.redis-wasm', ...names);
  project.write('note.ts', NOTES);
  await project.begin('note.ts');
  expect(await project.send('NOTE.ADD', 'a', '5')).toBe(':5\r\n');
  expect(await project.end()).toBe(0);
  expect(statSync(within('cache')).mode & 0o777).toBe(0o700);
  const cached = () => readdirSync(within('cache')).map((name) => [name, statSync(within('cache', name)).mtimeMs]);
  const before = cached();
  expect(before).toHaveLength(3);

  renameSync(within('data', 'dump.rdb'), within('dump.rdb'));
  await project.begin('note.ts');
  expect(await project.send('NOTE.GET', 'a')).toBe(':5\r\n');
  expect(cached()).toEqual(before);
  expect(existsSync(within('dump.rdb'))).toBe(false);
});

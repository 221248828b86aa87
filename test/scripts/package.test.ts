/**
 * The package as people get it: packed, installed in an empty folder where there is no Rust, and run from
 * there.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findOnPath } from '../../bin/process.ts';
import { freePort } from '../../kit/local-server.ts';
import { isMet, SHIPPED } from '../../scripts/lib/licences.ts';
import { testMatrix, type Server } from '../../scripts/lib/servers.ts';
import * as wheels from '../../scripts/lib/wheels.ts';
import { parseBulk, RawConnection } from '../support/raw.ts';
import { eventually, ROOT } from '../support/server.ts';

/**
 * From the start of the installation to the end of the transcript, as long as it runs on a processor: what
 * else the machine does is not its.
 */
const TIME_LIMIT_MS = 20_000;

const folder = mkdtempSync(path.join(tmpdir(), 'package-'));
const app = path.join(folder, 'app');
const installed = path.join(app, 'node_modules/redis-wasm');
const programs = path.join(folder, 'programs');
const socket = path.join(folder, 'socket');
const servers = testMatrix((wheel) => ({ file: wheels.find(wheel) ?? '' })).flatMap((entry) => ('server' in entry ? [entry.server] : []));
const onlySocket = ['--port', '0', '--unixsocket', socket, '--save', ''];
let beforeInstallation_ms = 0;
let started: ChildProcess[] = [];

/**
 * Milliseconds that programs which this process has started, and which have ended, ran on a processor, with
 * those that they had started.
 */
function children_ms(): number {
  const fields = readFileSync('/proc/self/stat', 'latin1').split(') ')[1]!.split(' ');
  return 10 * (Number(fields[13]) + Number(fields[14]));
}

function npm(cwd: string, given: string[], PATH = process.env.PATH): void {
  const { status, stdout, stderr } = spawnSync('npm', given, { cwd, env: { ...process.env, PATH }, encoding: 'utf8' });
  if (status !== 0) throw new Error(`npm ${given.join(' ')}: ${stdout}${stderr}`);
}

/** A folder that is all of PATH: Node, a shell, and a server if wanted. No Rust, no compiler, no npm. */
function makePath(name: string, server?: Server): string {
  const target = path.join(programs, name);
  mkdirSync(target, { recursive: true });
  for (const program of ['node', 'env', 'sh']) symlinkSync(findOnPath(program)!, path.join(target, program));
  if (server !== undefined) symlinkSync(server.file, path.join(target, `${server.name.toLowerCase()}-server`));
  return target;
}

/**
 * A folder for PATH where Rust's programs tell of their progress, as cargo does of crates that it fetches,
 * and rustup of toolchains.
 */
function makeTelling(): string {
  const target = path.join(programs, 'telling');
  mkdirSync(target, { recursive: true });
  for (const program of ['cargo', 'rustc']) {
    const told = `#!/bin/sh\n${findOnPath(program)!} "$@"\nstatus=$?\necho '  Downloaded 2 crates' >&2\nexit $status\n`;
    writeFileSync(path.join(target, program), told, { mode: 0o755 });
  }
  return target;
}

beforeAll(() => {
  mkdirSync(app);
  npm(ROOT, ['pack', '--pack-destination', folder], [makeTelling(), process.env.PATH ?? ''].join(path.delimiter));
  // What it needs beside it comes from here, so that nothing is asked of a registry.
  for (const name of ['@redis/client', 'assemblyscript', 'binaryen', 'long', 'typescript']) {
    npm(path.join(ROOT, 'node_modules', name), ['pack', '--ignore-scripts', '--pack-destination', folder]);
  }
  const archives = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  writeFileSync(path.join(app, 'package.json'), '{ "private": true }');
  beforeInstallation_ms = children_ms();
  npm(app, ['install', '--offline', '--ignore-scripts', ...archives.map((name) => path.join('..', name))]);
});

afterEach(async () => {
  for (const child of started) await end(child);
  started = [];
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Ends the program as a terminal would; answers its exit status. */
async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode;
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill(signal);
  await ended;
  return child.exitCode;
}

/** Starts a program in the application's folder, with this PATH, and follows what it says. */
function start(PATH: string, program: string, ...given: string[]): { child: ChildProcess; output: () => string } {
  const child = spawn(program, given, { cwd: app, env: { PATH, HOME: folder }, stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  return { child, output: () => text };
}

/** The package's program, run until it ends. */
function run(PATH: string, ...given: string[]): { status: number | null; output: string } {
  const program = path.join(app, 'node_modules/.bin/redis-wasm');
  const { status, stdout, stderr } = spawnSync(program, given, { cwd: app, env: { PATH, HOME: folder }, encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

async function ready({ child, output }: { child: ChildProcess; output: () => string }): Promise<void> {
  const said = await eventually(output, (text) => /ready to accept connections/i.test(text) || child.exitCode !== null);
  expect(said).toMatch(/ready to accept connections/i);
}

/** A reply as redis-cli shows it. */
function shown(reply: string): string {
  if (reply.startsWith('+')) return reply.slice(1, -2);
  if (reply.startsWith(':')) return `(integer) ${reply.slice(1, -2)}`;
  return reply === '$-1\r\n' ? '(nil)' : `"${parseBulk(reply)}"`;
}

/** The commands of the README's session, each with the line that it answers. */
function transcript(): [command: string, answer: string][] {
  const text = readFileSync(path.join(installed, 'README.md'), 'utf8');
  return [...text.matchAll(/^ {4}127\.0\.0\.1:6379> (.*)\n {4}(.*)$/gm)].map(([, command = '', answer = '']) => [command, answer]);
}

/** A program of the application's: the typed client, by the names that the package exports. */
const CLIENT_PROGRAM = `import { createClient } from '@redis/client';
import { custom, session } from 'redis-wasm';
const client = await createClient({ socket: { path: process.argv[2] }, modules: { custom, session } }).connect();
const { id } = await client.session.create('alice', { data: { theme: 'dark' } });
console.log(await client.session.getData(id, 'theme'), (await client.custom.get('alice')) === id);
await client.close();
`;

describe('the installed package', () => {
  it('serves what the README shows, to its own client too, within 20 seconds of the start of its installation, without Rust', async () => {
    const PATH = makePath('serve', servers[0]);
    const serving = start(PATH, path.join(app, 'node_modules/.bin/redis-wasm'), 'serve', ...onlySocket);
    await ready(serving);
    // The program says so when it has asked the server, which may be after what that says.
    const says = /Serving on [^]*SESSION\.CREATE user123/;
    expect(await eventually(serving.output, (text) => says.test(text))).toMatch(says);

    const connection = await RawConnection.connect(socket);
    const lines = transcript();
    expect(lines).toHaveLength(6);
    const written = /: (\S{36})$/.exec(lines[0]![1])![1]!;
    let id = written;
    for (const [command, answer] of lines) {
      const reply = shown(await connection.send(...command.replace(written, id).split(' ')));
      id = /^Session created: (\S{36})$/.exec(reply)?.[1] ?? id;
      expect(reply).toBe(answer.replace(written, id));
    }
    expect(id).not.toBe(written);
    connection.close();

    writeFileSync(path.join(app, 'client.mjs'), CLIENT_PROGRAM);
    const client = spawnSync(process.execPath, ['client.mjs', socket], { cwd: app, encoding: 'utf8' });
    expect(client.stdout + client.stderr).toBe('dark true\n');
    expect(run(PATH, 'export', '--from', socket)).toEqual({ status: 0, output: 'exported 1 sessions and 1 entries\n' });
    expect(await end(serving.child, 'SIGINT')).toBe(0);
    expect(serving.output()).toMatch(/User requested shutdown/i);
    expect(children_ms() - beforeInstallation_ms).toBeLessThan(TIME_LIMIT_MS);
  });

  it('ends with the status of the server', () => {
    const { status, output } = run(makePath('status', servers[0]), 'serve', '--no-such-setting', '1');
    expect([status, output]).toEqual([1, expect.stringContaining('no-such-setting')]);
  });

  it('says what to install where there is no server, and takes the one that is named', async () => {
    const PATH = makePath('no-server');
    const { status, output } = run(PATH, 'serve', ...onlySocket);
    expect([status, output]).toEqual([1, expect.stringMatching(/No redis-server or valkey-server 7\.0[^]*apt-get install redis-server/)]);
    expect(run(PATH, 'serve', '--server', '/bin/sh').output).toContain('--server is /bin/sh: that is no redis-server');
    expect(run(PATH, 'serve', '--server').output).toContain('--server needs the path');
    const old = path.join(folder, 'old-server');
    writeFileSync(old, '#!/bin/sh\necho "Redis server v=6.2.14 sha=0"\n', { mode: 0o755 });
    expect(run(PATH, 'serve', '--server', old).output).toContain('--server is Redis 6.2.14; 7.0 or later is needed.');

    const program = path.join(app, 'node_modules/.bin/redis-wasm');
    await ready(start(PATH, program, 'serve', '--server', servers[0]!.file, ...onlySocket));
  });

  it('says its usage, and that it does not know a command', () => {
    const PATH = makePath('usage');
    expect(run(PATH, '--help')).toEqual({ status: 0, output: expect.stringMatching(/serve[^]*config <folder>/) as string });
    expect(run(PATH)).toEqual({ status: 1, output: expect.stringContaining('usage') as string });
    expect(run(PATH, '--version').output).toBe('0.1.0\n');
    expect(run(PATH, 'toString')).toEqual({ status: 1, output: expect.stringContaining('There is no command toString') as string });
    expect(run(PATH, 'config')).toEqual({
      status: 1,
      output: expect.stringContaining('usage: npx redis-wasm config <folder>') as string,
    });
  });

  it('says what is missing where its host is for another processor, or its client without its peer', () => {
    const elsewhere = path.join(folder, 'elsewhere');
    for (const name of ['bin', 'client']) {
      cpSync(path.join(installed, 'build', name), path.join(elsewhere, 'build', name), { recursive: true });
    }
    cpSync(path.join(installed, 'package.json'), path.join(elsewhere, 'package.json'));
    const host = readFileSync(path.join(installed, 'build/host.so')).subarray(0, 64);
    host.writeUInt16LE(process.arch === 'arm64' ? 0x3e : 0xb7, 18);
    for (const name of ['host.so', 'hashmap.wasm', 'session.wasm']) writeFileSync(path.join(elsewhere, 'build', name), host);
    const error = (command: string) =>
      spawnSync(process.execPath, ['build/bin/main.js', command], { cwd: elsewhere, encoding: 'utf8' }).stderr;
    expect(error('export')).toBe('\nexport needs @redis/client, which is not installed: npm install @redis/client\n\n');
    expect(error('serve')).toMatch(/host\.so is for (arm64|x64), this machine is (x64|arm64)\. Build it on this machine, [^]*npm start/);
  });
});

describe('a new project', () => {
  const project = path.join(app, 'counting');
  /** For compilers that a machine with ten times as much to do runs. */
  const TIMEOUT_MS = 600_000;
  let PATH = '';

  const inProject = (program: string, ...given: string[]) => {
    const { status, stdout, stderr } = spawnSync(program, given, { cwd: project, env: { PATH, HOME: folder }, encoding: 'utf8' });
    return { status, output: stdout + stderr };
  };

  beforeAll(() => {
    PATH = [makePath('project', servers[0]), path.join(app, 'node_modules/.bin')].join(path.delimiter);
    const { status, output } = run(PATH, 'new', 'counting');
    expect([status, output]).toEqual([0, expect.stringContaining('npm install')]);
  });

  it('depends on the very package that made it', () => {
    const { dependencies, name } = JSON.parse(readFileSync(path.join(project, 'package.json'), 'utf8')) as Record<
      string,
      Record<string, string>
    >;
    expect([name, dependencies]).toEqual(['counting', { 'redis-wasm': 'file:../../redis-wasm-0.1.0.tgz' }]);
    expect(readdirSync(project).sort()).toEqual([
      '.gitignore',
      'README.md',
      'counter.test.mjs',
      'counter.ts',
      'package.json',
      'tsconfig.json',
    ]);
  });

  it('is not made where something is already', () => {
    expect(run(makePath('new-again'), 'new', 'counting')).toEqual({
      status: 1,
      output: expect.stringContaining('is there already') as string,
    });
    expect(run(makePath('new-none'), 'new').output).toContain('usage: npx redis-wasm new <folder>');
  });

  it('has no fault in an editor', () => {
    expect(inProject('tsc', '--noEmit')).toEqual({ status: 0, output: '' });
  });

  it('builds, and tells what is wrong in lines of the author’s', { timeout: TIMEOUT_MS }, () => {
    expect(inProject('redis-wasm', 'build', '--debug').output).toMatch(
      /^• build\/counter\.wasm: COUNTER\.ADD COUNTER\.GET COUNTER\.TOTAL \(counter, \d+ KiB\)\n$/,
    );
    writeFileSync(
      path.join(project, 'wrong.ts'),
      'import { query } from "redis-wasm/kit";\nquery("A.B", "", () => 1);\nlet count: i32 = 0;\n',
    );
    const { status, output } = inProject('redis-wasm', 'build', 'wrong.ts', '--out', 'elsewhere');
    rmSync(path.join(project, 'wrong.ts'));
    expect([status, output]).toEqual([
      1,
      expect.stringMatching(/^\nwrong\.ts:2:18: The handler does not say all of its types[^]*wrong\.ts:3:5: count is a variable/),
    ]);
    expect(existsSync(path.join(project, 'elsewhere/wrong.wasm'))).toBe(false);
  });

  it('says what a name must be', () => {
    expect(inProject('redis-wasm', 'build', '--name', 'my_module').output).toContain('my_module is no name of a module');
    expect(inProject('redis-wasm', 'build', '--name', 'settings').output).toContain("settings cannot be a module's name");
    expect(inProject('redis-wasm', 'build', 'none.ts').output).toContain('none.ts is no TypeScript file');
    expect(inProject('redis-wasm', 'build', '--fast').output).toContain('There is no option --fast.');
  });

  it('has tests that pass', { timeout: TIMEOUT_MS }, () => {
    const { status, output } = inProject('node', '--test');
    expect([status, output]).toEqual([0, expect.stringMatching(/pass 2\n/)]);
  });

  it('is served, and again with each change, with all data', { timeout: TIMEOUT_MS }, async () => {
    const file = path.join(project, 'counter.ts');
    const before = readFileSync(file, 'utf8');
    const port = await freePort();
    const child = spawn('redis-wasm', ['dev', '--port', String(port)], { cwd: project, env: { PATH, HOME: folder } });
    started.push(child);
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    const says = (pattern: RegExp) =>
      eventually(
        () => text,
        (said) => pattern.test(said) || child.exitCode !== null,
        TIMEOUT_MS,
      );
    const send = async (...words: string[]) => {
      const connection = await RawConnection.connect(String(port));
      const reply = await connection.send(...words);
      connection.close();
      return reply;
    };
    expect(await says(/serves them on port/)).toMatch(/serves them on port/);
    expect(await send('COUNTER.ADD', 'visits', 'BY', '5')).toBe(':5\r\n');
    writeFileSync(file, before.replace('return counters.get(key', 'return 100 + counters.get(key'));
    expect(await says(/served, with all data/)).toMatch(/served, with all data/);
    expect(await send('COUNTER.GET', 'visits')).toBe(':105\r\n');
    writeFileSync(file, before.replace('const counter = ', 'let [counter] = '));
    expect(await says(/is served on/)).toMatch(
      /counter\.ts:\d+:\d+: There are no patterns of variables[^]*What was built before is served on/,
    );
    expect(await send('COUNTER.GET', 'visits')).toBe(':105\r\n');
    writeFileSync(file, before);
    expect(await end(child, 'SIGINT')).toBe(0);
  });
});

describe('its files in a server of one’s own', () => {
  const modules = path.join(folder, 'modules');
  let own = '';
  let file = '';

  async function startOwn(server: Server): Promise<RawConnection> {
    await ready(start(programs, server.file, file));
    return RawConnection.connect(socket);
  }

  /** Ends it, saved. */
  async function shutdown(connection: RawConnection): Promise<void> {
    connection.send('SHUTDOWN').catch(() => undefined);
    await eventually(
      () => started.at(-1).exitCode,
      (status) => status !== null,
    );
    connection.close();
  }

  beforeEach(() => {
    own = mkdtempSync(path.join(folder, 'own-'));
    file = path.join(own, 'redis.conf');
    writeFileSync(file, `port 0\nunixsocket ${socket}\ndir ${own}\nsave 3600 1\n`);
  });

  it.each(servers)('are loaded by one line, whatever $name $version rewrites, and are gone without it', async (server) => {
    const { status, output } = run(makePath(`config-${server.name}-${server.version}`), 'config', '../modules');
    expect(status).toBe(0);
    expect(readdirSync(modules).sort()).toEqual(['hashmap.wasm', 'host.so', 'session.wasm']);
    appendFileSync(file, `${/^(?:include|loadmodule) .*$/m.exec(output)![0]}\nwasm.session-max 5\n`);

    const connection = await startOwn(server);
    expect(await connection.send('SESSION.CREATE', 'alice')).toMatch(/^\+Session created: /);
    expect(await connection.send('SET', 'kept', 'value')).toBe('+OK\r\n');
    expect(await connection.send('CONFIG', 'SET', 'wasm.session-idle', '77')).toBe('+OK\r\n');
    expect(await connection.send('CONFIG', 'REWRITE')).toBe('+OK\r\n');
    await shutdown(connection);
    for (let again = 0; again < 2; again++) {
      const later = await startOwn(server);
      expect(await later.send('SESSION.COUNT', 'alice')).toBe(':1\r\n');
      for (const [name, value] of Object.entries({ 'wasm.session-idle': '77', 'wasm.session-max': '5' })) {
        expect(await later.send('CONFIG', 'GET', name)).toContain(`\r\n${value}\r\n`);
      }
      expect(await later.send('CONFIG', 'REWRITE')).toBe('+OK\r\n');
      await shutdown(later);
      const lines = readFileSync(file, 'utf8').split('\n');
      expect(lines.filter((line) => /^(loadmodule|wasm\.)/.test(line)).sort()).toEqual([
        expect.stringMatching(`^loadmodule "?${modules}/host.so"?$`),
        'wasm.session-idle 77',
        'wasm.session-max 5',
      ]);
    }

    // What Redis 7.0 saves needs the modules, whether they hold anything or not; elsewhere that counts.
    const needsModules = server.version.startsWith('7.0.');
    const emptied = await startOwn(server);
    expect(await emptied.send('SESSION.DELUSER', 'alice')).toBe(':1\r\n');
    await shutdown(emptied);
    if (needsModules) rmSync(path.join(own, 'dump.rdb'));
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/^(loadmodule|wasm\.).*\n/gm, ''));
    const without = await startOwn(server);
    expect(await without.send('SESSION.COUNT')).toMatch(/^-ERR unknown command/);
    if (!needsModules) expect(await without.send('GET', 'kept')).toBe('$5\r\nvalue\r\n');
    without.close();
  });
});

describe('its contents', () => {
  const files = () =>
    readdirSync(installed, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(path.join(installed, name)).isFile());

  it('are what a server, a client, an author and a reader need, and nothing to build the host from', () => {
    const kinds = files().map((name) =>
      name
        .replace(/^build\/(bin|client|kit)\/.*\.(js|d\.ts)$/, 'build/$1/*')
        .replace(/^docs\/.*\.(md|svg)$/, 'docs/*')
        .replace(/^assembly\/(base|kit)\/.*\.ts$/, 'assembly/$1/*')
        .replace(/^kit\/(types|template|examples)\/.*$/, 'kit/$1/*'),
    );
    const buildFiles = ['SHA256SUMS', 'THIRD-PARTY-LICENSES.txt', 'hashmap.wasm', 'host.so', 'sbom.cdx.json', 'session.wasm'];
    expect([...new Set(kinds)].sort()).toEqual(
      [
        ...[
          '.dockerignore',
          'ARCHITECTURE.md',
          'CHANGELOG.md',
          'CONTRIBUTING.md',
          'LICENSE',
          'README.md',
          'package.json',
          ...['redis.Dockerfile', 'valkey.Dockerfile', 'valkey-entrypoint.sh'].map((name) => `docker/${name}`),
        ],
        ...['assembly/base/*', 'assembly/kit/*', 'kit/types/*', 'kit/template/*', 'kit/examples/*'],
        ...['build/bin/*', 'build/client/*', 'build/kit/*', 'docs/*', ...buildFiles.map((name) => `build/${name}`)],
      ].sort(),
    );
    expect(statSync(path.join(installed, 'build/host.so')).mode & 0o111).not.toBe(0);
  });

  it('are all in SHA256SUMS, which holds', () => {
    const listed = readFileSync(path.join(installed, 'build/SHA256SUMS'), 'utf8').trimEnd().split('\n');
    const built = files().filter((name) => name.startsWith('build/') && name !== 'build/SHA256SUMS');
    expect(listed.map((line) => `build/${line.slice(66)}`).sort()).toEqual(built.sort());
    const { status, stderr } = spawnSync('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], {
      cwd: path.join(installed, 'build'),
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
  });

  it('are told by a bill of materials, whose licences are taken', () => {
    const bill = JSON.parse(readFileSync(path.join(installed, 'build/sbom.cdx.json'), 'utf8')) as {
      components: { 'bom-ref': string; type: string; name: string; licenses?: [{ expression: string }]; hashes: [{ content: string }] }[];
      dependencies: { ref: string; dependsOn: string[] }[];
    };
    const names = bill.components.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(['build/host.so', 'build/hashmap.wasm', 'build/session.wasm', 'wasmtime', 'sha2', 'libc']),
    );
    expect(names).not.toContain('serde_derive');
    const sums = readFileSync(path.join(installed, 'build/SHA256SUMS'), 'utf8');
    const texts = readFileSync(path.join(installed, 'build/THIRD-PARTY-LICENSES.txt'), 'utf8');
    expect(texts).toMatch(/^host\.so contains .* \(rustc 1\.\d+\.\d+[^\n]*, MIT OR Apache-2\.0, /);
    for (const { type, name, hashes, licenses } of bill.components) {
      if (type === 'file') expect(sums).toContain(`${hashes[0].content}  ${name.replace('build/', '')}\n`);
      else
        expect([name, isMet(licenses?.[0].expression ?? '', SHIPPED), hashes[0].content]).toEqual([
          name,
          true,
          expect.stringMatching(/^[0-9a-f]{64}$/),
        ]);
      if (type !== 'file') expect([name, texts.includes(`\n${name} `)]).toEqual([name, true]);
    }
    const refs = new Set(bill.components.map((component) => component['bom-ref']));
    expect(bill.dependencies.flatMap(({ dependsOn }) => dependsOn).filter((ref) => !refs.has(ref))).toEqual([]);
  });

  it.each(['redis', 'valkey'])('have what the image of %s copies, from an image of a fixed version', (name) => {
    const text = readFileSync(path.join(installed, `docker/${name}.Dockerfile`), 'utf8');
    expect(text).toMatch(/^ARG TAG=\d+\.\d+\.\d+-[a-z]+\nFROM (redis|valkey\/valkey):\$\{TAG\}$/m);
    const copied = [...text.matchAll(/^COPY --chmod=755 (.*) \S+\/$/gm)].flatMap((match) => match[1]!.split(' '));
    const ignored = readFileSync(path.join(installed, '.dockerignore'), 'utf8');
    for (const source of copied) {
      expect(existsSync(path.join(installed, source))).toBe(true);
      expect(ignored).toContain(`!${source}\n`);
    }
    expect(copied).toHaveLength(name === 'redis' ? 3 : 4);
  });
});

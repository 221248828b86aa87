/** What the compiler of the kit makes of a syntax, on a real server: arguments as a handler gets them. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Compiler } from '../../kit/asc/compiler.ts';
import { compile } from '../../kit/compile.ts';
import { serve, type Served } from '../../kit/testing.ts';
import { RawConnection } from '../support/raw.ts';
import { HOST_FILE, tested, TestServer } from '../support/server.ts';

const SYNTAX = '-ERR syntax error\r\n';
const SOURCE = `import { query, command, Table, type Bytes } from "redis-wasm/kit";
const counts = new Table<string, i64>("counts");

query("ARG.FIXED", "a b:integer c:double d e:integer", (a: string, b: i64, c: f64, d: Bytes, e: i32): string =>
  \`\${a} \${b} \${c} \${d.length} \${e}\`);
query("ARG.OPTIONS", "a [COST cost:double] [NX|XX] [RANGE low:integer high:integer] [GET]", options);
function options(a: string, cost: f64 = 1.5, nx: bool, xx: bool, low: i64 = -1, high: i64 = -1, get: bool): string {
  return \`\${a} \${cost} \${nx} \${xx} \${low} \${high} \${get}\`;
}
query("ARG.PLACES", "a [b [c:integer]]", (a: string, b: string | null = null, c: i64 = 7): string => \`\${a} \${b !== null ? b : "none"} \${c}\`);
query("ARG.REPEATS", "names ... [LIMIT limit:integer]", (names: string[], limit: i64 = 0): string => names.join(",") + \` \${limit}\`);
query("ARG.PAIRS", "first [DATA field value:integer ...] [LAST]", (first: string, fields: string[], values: i64[], last: bool): string =>
  \`\${first} \${fields.join(",")} \${values.join(",")} \${last}\`);
query("ARG.MIDDLE", "first names ... last", (first: string, names: string[], last: string): string => \`\${first}:\${names.join(",")}:\${last}\`);
query("ARG.EITHER", "(ADD amount:integer|RESET) name", (amount: i64 = 0, reset: bool, name: string): string => \`\${amount} \${reset} \${name}\`);
query("ARG.NONE", "", (): bool => true);
command("ARG.PUT", "key:key", (key: string): void => { counts.set(key, 1); });
query("ARG.WRITES", "key:key", (key: string): void => write(key));
function write(key: string): void { counts.set(key, 1); }
query("ARG.LETTERS", "text", letters);
function letters(text: string): string[] {
  const all: string[] = [];
  for (const letter of text) all.push(letter);
  for (const letter of new Set<string>()) all.push(letter);
  return all;
}
`;

const folder = mkdtempSync(path.join(tmpdir(), 'arguments-'));
// The caches of the person who runs the tests are left alone.
vi.stubEnv('XDG_CACHE_HOME', path.join(folder, 'caches'));
const file = path.join(folder, 'arg.ts');
const server = new TestServer({ module: [HOST_FILE, path.join(folder, 'arg.wasm')] });

beforeAll(async () => {
  writeFileSync(file, SOURCE);
  const compiler = new Compiler();
  const { wasm, faults } = await compile({ file, name: 'arg', levels: [0] }, compiler);
  compiler.end();
  expect(faults).toEqual([]);
  writeFileSync(path.join(folder, 'arg.wasm'), wasm!);
  await server.start();
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server.stop();
  rmSync(folder, { recursive: true });
});

/** The reply to this line; its arguments have no blanks. A bulk string is answered as its text. */
async function run(line: string): Promise<string> {
  const reply = await server.send(...line.split(' '));
  return reply.startsWith('$') ? reply.slice(reply.indexOf('\n') + 1, -2) : reply;
}

describe('arguments', () => {
  test.each([
    ['ARG.FIXED x 12 -1.5e1 abc -3', 'x 12 -15 3 -3'],
    ['ARG.FIXED x 1.5 1 a 1', '-ERR value is not an integer or out of range\r\n'],
    ['ARG.FIXED x 1 nan a 1', '-ERR value is not a valid float\r\n'],
    ['ARG.FIXED x 1 inf a 1', '-ERR value is not a valid float\r\n'],
    ['ARG.FIXED x 1 1 a 3000000000', '-ERR value is not an integer or out of range\r\n'],
    ['ARG.FIXED x 1 1 a', "-ERR wrong number of arguments for 'arg.fixed' command\r\n"],
    ['ARG.OPTIONS x', 'x 1.5 false false -1 -1 false'],
    ['ARG.OPTIONS x get range 1 2 xx cost 3', 'x 3 false true 1 2 true'],
    ['ARG.OPTIONS x NX GET', 'x 1.5 true false -1 -1 true'],
    ['ARG.OPTIONS x NX XX', SYNTAX],
    ['ARG.OPTIONS x NX NX', SYNTAX],
    ['ARG.OPTIONS x COST', SYNTAX],
    ['ARG.OPTIONS x RANGE 1', SYNTAX],
    ['ARG.OPTIONS x other', SYNTAX],
    ['ARG.PLACES x', 'x none 7'],
    ['ARG.PLACES x y', 'x y 7'],
    ['ARG.PLACES x y 8', 'x y 8'],
    ['ARG.PLACES x y 8 9', SYNTAX],
    ['ARG.REPEATS a', 'a 0'],
    ['ARG.REPEATS a b c LIMIT 5', 'a,b,c 5'],
    ['ARG.REPEATS a b limit', SYNTAX],
    ['ARG.PAIRS x', 'x   false'],
    ['ARG.PAIRS x DATA a 1 b 2 LAST', 'x a,b 1,2 true'],
    ['ARG.PAIRS x LAST DATA a 1', 'x a 1 true'],
    ['ARG.PAIRS x DATA', SYNTAX],
    ['ARG.PAIRS x DATA a', SYNTAX],
    ['ARG.MIDDLE a b c', 'a:b:c'],
    ['ARG.MIDDLE a b c d e', 'a:b,c,d:e'],
    ['ARG.MIDDLE a b', "-ERR wrong number of arguments for 'arg.middle' command\r\n"],
    ['ARG.EITHER ADD 5 x', '5 false x'],
    ['ARG.EITHER reset x', '0 true x'],
    ['ARG.EITHER OTHER x', SYNTAX],
    ['ARG.NONE', ':1\r\n'],
    ['ARG.NONE x', "-ERR wrong number of arguments for 'arg.none' command\r\n"],
    ['ARG.PUT key', '+OK\r\n'],
  ])('%s', async (line, reply) => {
    expect(await run(line)).toBe(reply);
  });

  test('a loop over a text walks over characters', async () => {
    const bytes = (text: string) => Buffer.from(text).toString('latin1');
    expect(await server.send('ARG.LETTERS', bytes('aß😀'))).toBe(bytes('*3\r\n$1\r\na\r\n$2\r\nß\r\n$4\r\n😀\r\n'));
  });

  test('a query does not write', async () => {
    expect(await run('ARG.WRITES key')).toMatch(/^-ERR /);
  });

  test('servers know the syntax and the keys', async () => {
    const docs = await server.send('COMMAND', 'DOCS', 'arg.options');
    expect(docs).toContain('COST');
    expect(await server.send('COMMAND', 'GETKEYS', 'ARG.PUT', 'here')).toBe('*1\r\n$4\r\nhere\r\n');
  });
});

describe('serve, for tests of authors', () => {
  const begin = (options = {}): Promise<Served> => serve({ server: tested.file, modules: [file], ...options });

  test('builds, answers, and leaves nothing behind', async () => {
    const served = await begin();
    expect(await served.client.sendCommand(['ARG.NONE'])).toBe(1);
    expect(await served.client.sendCommand(['SESSION.COUNT'])).toBe(0);
    const cache = path.join(folder, 'caches/redis-wasm');
    expect(await served.client.sendCommand(['CONFIG', 'GET', 'wasm.cache'])).toMatchObject({ 'wasm.cache': cache });
    expect(readdirSync(cache)).toHaveLength(3);
    const port = new URL(served.url).port;
    await served.end();
    await expect(RawConnection.connect(port)).rejects.toThrow();
    expect(served.log()).toMatch(/ready to accept connections/i);
  });

  test('is a cluster of one node, where that is wanted', async () => {
    const served = await begin({ cluster: true, modules: [path.join(folder, 'arg.wasm')] });
    expect(await served.client.sendCommand(['CLUSTER', 'INFO'])).toContain('cluster_slots_ok:16384');
    expect(await served.client.sendCommand(['ARG.PUT', 'key'])).toBe('OK');
    await served.end();
  });

  test('tells what is wrong with a module, or with the server', async () => {
    const wrong = path.join(folder, 'wrong.ts');
    writeFileSync(wrong, 'let count: i32 = 0;\n');
    await expect(begin({ modules: [wrong] })).rejects.toThrow(/wrong\.ts:1:5: count is a variable of the module/);
    await expect(begin({ modules: [path.join(folder, 'none.wasm')] })).rejects.toThrow(/does not start:[^]*none\.wasm/);
    await expect(begin({ server: '/bin/sh' })).rejects.toThrow('The server is /bin/sh: that is no redis-server');
  });
});

/** The examples of docs/CLIENT.md print what they say, and serve. */
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { examples, ROOT } from '../client/examples.ts';
import { startCluster } from '../support/cluster.ts';
import { eventually, freePort, useServer } from '../support/server.ts';

const server = useServer();

/**
 * Starts a program in TypeScript that imports this package by its name, and follows what it prints. Ended
 * with the running test.
 */
function start(code: string, environment: Record<string, string> = {}): { ended: Promise<unknown>; printed: () => string } {
  const folder = path.join(ROOT, 'build', `example-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  const paths = { 'redis-wasm': [path.join(ROOT, 'client/index.ts')], 'redis-wasm/*': [path.join(ROOT, 'client/*.ts')] };
  writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { module: 'nodenext', paths } }));
  writeFileSync(path.join(folder, 'example.ts'), code);
  const child = spawn(path.join(ROOT, 'node_modules/.bin/tsx'), ['--tsconfig', 'tsconfig.json', 'example.ts'], {
    cwd: folder,
    env: { ...process.env, SECRET: '', REDIS_URL: `unix://${server.socket}`, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const ended = new Promise((resolve) => child.once('close', resolve));
  onTestFinished(async () => {
    child.kill();
    await ended;
    rmSync(folder, { recursive: true });
  });
  return { ended, printed: () => printed };
}

/** Runs it until it ends; answers the lines that it prints. */
async function run(code: string, environment?: Record<string, string>): Promise<string[]> {
  const { ended, printed } = start(code, environment);
  await ended;
  return printed().trimEnd().split('\n');
}

const printing = examples().filter(({ prints }) => prints.length > 0);
const urlOf = async () => `redis://127.0.0.1:${(await startCluster()).nodes[0]!.port}`;

it('there are some', () => {
  expect(printing.length).toBeGreaterThanOrEqual(4);
});

it.each(printing)('$title', async ({ title, code, prints }) => {
  expect(await run(code, title === 'A cluster' ? { REDIS_URL: await urlOf() } : {})).toEqual(prints);
});

const codeOf = (title: string) => examples().find((example) => example.title === title)?.code ?? '';

it('express-session', async () => {
  const port = await freePort();
  const { printed } = start(codeOf('express-session'), { PORT: String(port) });
  /** Answers when the session is stored: the end of the body waits for that. */
  const post = async (path: string, cookie = '') => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', redirect: 'manual', headers: { cookie } });
    const text = await response.text();
    return { status: response.status, text, cookie: response.headers.getSetCookie()[0]?.split(';')[0] };
  };
  const first = await eventually(
    () => post('/login').catch(String),
    (answer) => typeof answer !== 'string',
  );
  expect([first, printed()]).toEqual([expect.objectContaining({ status: 302 }), '']);
  const { cookie } = await post('/login');
  expect(await server.send('SESSION.COUNT', 'alice')).toBe(':2\r\n');
  expect((await post('/logout-everywhere-else')).text).toBe('0 other sessions were ended');
  expect((await post('/logout-everywhere-else', cookie)).text).toBe('1 other sessions were ended');
  expect(await server.send('SESSION.COUNT', 'alice')).toBe(':1\r\n');
});

/** Signs in to an example, when it serves. */
async function signIn(title: string, environment: Record<string, string> = {}): Promise<void> {
  const port = await freePort();
  const { printed } = start(codeOf(title), { PORT: String(port), ...environment });
  const answer = await eventually(
    () => fetch(`http://127.0.0.1:${port}/login`, { method: 'POST', redirect: 'manual' }).catch(String),
    (answer) => typeof answer !== 'string',
  );
  if (typeof answer !== 'string') await answer.text();
  expect([answer, printed()]).toEqual([expect.objectContaining({ status: 302 }), '']);
}

it('Frameworks that copy sessions', async () => {
  await signIn('Frameworks that copy sessions');
  expect(await server.send('SESSION.COUNT', 'alice')).toBe(':1\r\n');
});

it('Users over the slots of a cluster', async () => {
  const cluster = await startCluster();
  await signIn('Users over the slots of a cluster', { REDIS_URL: `redis://127.0.0.1:${cluster.nodes[0]!.port}` });
  expect(await (await cluster.nodeOf('app:alice')).send('SESSION.COUNT', 'app:alice')).toBe(':1\r\n');
});

it('better-auth', async () => {
  const use = `const { secondaryStorage: storage } = await auth.$context;
await storage?.set('key', 'value', 60);
console.log(await storage?.get('key'));
await client.close();
`;
  expect((await run(codeOf('better-auth') + use)).at(-1)).toBe('value');
  expect(await server.send('CUSTOM.GET', 'better-auth:key')).toBe('$5\r\nvalue\r\n');
});

/** The examples of docs/CLIENT.md print what they say. */
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { examples, ROOT } from '../client/examples.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

/** Runs a program in TypeScript that imports this package by its name; answers the lines that it prints. */
async function run(code: string): Promise<string[]> {
  const folder = path.join(ROOT, 'build', `example-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  const paths = { 'redis-wasm-sessions': [path.join(ROOT, 'client/index.ts')], 'redis-wasm-sessions/*': [path.join(ROOT, 'client/*.ts')] };
  writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { module: 'nodenext', paths } }));
  writeFileSync(path.join(folder, 'example.ts'), code);
  const child = spawn(path.join(ROOT, 'node_modules/.bin/tsx'), ['--tsconfig', 'tsconfig.json', 'example.ts'], {
    cwd: folder,
    env: { ...process.env, REDIS_URL: `unix://${server.socket}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
  await new Promise((resolve) => child.once('close', resolve));
  return printed.trimEnd().split('\n');
}

const printing = examples().filter(({ prints }) => prints.length > 0);

it('there are some', () => {
  expect(printing.length).toBeGreaterThanOrEqual(4);
});

it.each(printing)('$title', async ({ code, prints }) => {
  expect(await run(code)).toEqual(prints);
});

/** docs/KIT.md: what it has people type, and its tests in JavaScript. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ROOT, startServer } from '../support/server.ts';

const PAGE = readFileSync(path.join(ROOT, 'docs/KIT.md'), 'utf8');
const blocksOf = (language: string) =>
  [...PAGE.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map(([, text = '']) => text);

const folder = mkdtempSync(path.join(tmpdir(), 'kit-docs-'));
const project = path.join(folder, 'commands');
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function run(cwd: string, script: string): string {
  const env = { ...process.env, REDIS_SERVER: process.env.TEST_SERVER };
  const { status, stdout, stderr } = spawnSync('bash', ['-ec', script], { cwd, encoding: 'utf8', env });
  if (status !== 0) throw new Error(`${script}\n${stdout}${stderr}`);
  return stdout;
}

const [begin = '', serve, deploy = '', again = ''] = blocksOf('sh');

test('the tutorial’s project is made, installed and tested', () => {
  // From this clone: packing is tested elsewhere.
  expect(run(folder, begin.replace('<path to>/redis-wasm-0.1.0.tgz', ROOT))).toMatch(/pass 2\n/);
  expect(serve).toBe('npm run dev\n');
  const { scripts } = JSON.parse(readFileSync(path.join(project, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
  expect(scripts.dev).toBe('redis-wasm dev');
});

test('its test of a further command passes', () => {
  const [, further = ''] = blocksOf('ts');
  const file = path.join(project, 'counter.ts');
  writeFileSync(file, readFileSync(file, 'utf8').replace('query, now, Table', 'query, now, Reply, Table') + further);
  appendFileSync(path.join(project, 'counter.test.mjs'), blocksOf('js')[0]!);
  expect(run(project, 'npm test')).toMatch(/pass 3\n/);
});

test('a server that is there serves it, and its next version without a restart', async () => {
  run(project, deploy);
  const within = (...names: string[]) => path.join(project, ...names);
  const [, lines = ''] = /^((?: {4}(?:loadmodule|wasm\.).*\n)+)/m.exec(PAGE.slice(PAGE.indexOf(deploy))) ?? [];
  const [module = [], ...settings] = lines
    .trim()
    .replaceAll('<folder>', project)
    .split('\n')
    .map((line) => line.trim().split(' '));
  expect(module[0]).toBe('loadmodule');
  const given = settings.flatMap(([name = '', value = '']) => [`--${name}`, value]);
  expect(given).toEqual(['--wasm.dir', within('modules'), '--wasm.allow-load', 'yes']);
  const server = await startServer({ module: module.slice(1), arguments: given });
  expect(await server.send('COUNTER.ADD', 'visits', 'BY', '5')).toBe(':5\r\n');

  const file = within('counter.ts');
  writeFileSync(file, readFileSync(file, 'utf8').replace('return counters.get(key', 'return 100 + counters.get(key'));
  run(project, 'npm run build');
  const commands = again.trim().split('\n');
  const [program, ...words] = commands.pop()!.split(' ');
  expect(program).toBe('redis-cli');
  run(project, commands.join('\n'));
  expect(await server.send(...words)).toBe('+OK\r\n');
  expect(await server.send('COUNTER.GET', 'visits')).toBe(':105\r\n');
  const acl = /^ {4}(ACL SETUSER deploy .*)$/m.exec(PAGE)?.[1] ?? '';
  expect(await server.send(...acl.split(' '))).toBe('+OK\r\n');
  const client = await server.connect();
  expect(await client.send('AUTH', 'deploy', 'deploy-secret')).toBe('+OK\r\n');
  expect(await client.send(...words)).toBe('+OK\r\n');
});

test('the example of testing passes', () => {
  const own = path.join(project, 'own');
  mkdirSync(own);
  writeFileSync(path.join(own, 'own.test.mjs'), blocksOf('js')[1]!);
  writeFileSync(path.join(own, 'counter.ts'), readFileSync(path.join(project, 'counter.ts'), 'utf8'));
  expect(run(own, 'node --test')).toMatch(/pass 1\n/);
});

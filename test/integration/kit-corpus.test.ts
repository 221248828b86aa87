/** What kit modules wrote into files loads for ever: test/corpus/encoding.ts says what the sample is. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { rdbFile, readKitSample } from '../corpus/encoding.ts';
import { kindsModule, KINDS_PLACES } from '../support/kinds.ts';
import { parseBulks } from '../support/raw.ts';
import { HASHMAP_FILE, HOST_FILE, SESSION_FILE, TestServer } from '../support/server.ts';

const OK = '+OK\r\n';
const WITHOUT = [HOST_FILE, HASHMAP_FILE, SESSION_FILE];
const WITH = [...WITHOUT, await kindsModule()];
const { sample, lines } = readKitSample('kit-1');

/** A server that finds the sample when it starts. */
async function started(module: string[]): Promise<TestServer> {
  const server = new TestServer({ module });
  onTestFinished(() => server.stop());
  writeFileSync(path.join(server.folder, 'dump.rdb'), rdbFile(sample));
  await server.start();
  return server;
}

async function expectAll(server: TestServer): Promise<void> {
  expect(await server.send('KINDS.CHECK')).toBe(OK);
  expect(parseBulks(await server.send('KINDS.DUMP', 'key', ...KINDS_PLACES)).sort()).toEqual(lines);
  expect((await server.info('wasm')).wasm_kept_modules).toBe('1');
}

async function restartWith(server: TestServer, module: string[]): Promise<void> {
  expect(await server.send('SAVE')).toBe(OK);
  server.change({ module });
  await server.restart();
}

test('the sample loads, and is the same after it is saved anew', async () => {
  expect(lines.length).toBeGreaterThan(300);
  const server = await started(WITH);
  await expectAll(server);
  expect(await server.send('DEBUG', 'RELOAD')).toBe(OK);
  await expectAll(server);
  await restartWith(server, WITH);
  await expectAll(server);
});

test('the sample is kept where its module is missing, and comes back', async () => {
  const server = await started(WITHOUT);
  expect((await server.info('wasm')).wasm_kept_modules).toBe('2');
  await restartWith(server, WITHOUT);
  expect((await server.info('wasm')).wasm_kept_modules).toBe('2');
  await restartWith(server, WITH);
  await expectAll(server);
});

test('a sample that ends early is refused', async () => {
  const cut = new TestServer({ module: WITH });
  onTestFinished(() => cut.stop());
  writeFileSync(path.join(cut.folder, 'dump.rdb'), rdbFile({ ...sample, payload: sample.payload.slice(0, -1) }));
  await expect(cut.start()).rejects.toThrow('the data of kit modules in this file cannot be loaded: it ends early');
});

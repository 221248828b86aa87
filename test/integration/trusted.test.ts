/** `wasm.trusted`: which modules may share a memory with others. */
import { copyFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { file, fixture } from '../support/modules.ts';
import { bulk } from '../support/raw.ts';
import { HASHMAP_FILE, HOST_FILE, SESSION_FILE, startServer, type TestServer } from '../support/server.ts';
import { trustedWord } from '../support/trusted.ts';

const visits = await fixture('visits');
const [word = ''] = trustedWord(visits);
const module = [HOST_FILE, HASHMAP_FILE, SESSION_FILE, visits];
/** How each of the module's namespaces is linked, and why. */
const link = async (server: TestServer, name: string, namespace: string) => {
  const fields = await server.info(`wasm_${name}`);
  return [fields[`wasm_${name}_link_${namespace}`], fields[`wasm_${name}_link_${namespace}_reason`]] as const;
};
const start = (modules: string[], trusted: string) =>
  startServer({ module: modules, link: 'auto', trusted: false, arguments: ['--wasm.trusted', trusted] });

describe('a module that is not named', () => {
  const reason = `wasm.trusted does not name ${word}`;

  test('links by command, and INFO, WASM.MODULES and the log have the word that is missing', async () => {
    const server = await start(module, '');
    for (const namespace of ['CUSTOM', 'SESSION']) expect(await link(server, 'visits', namespace)).toEqual(['command', reason]);
    expect(await server.send('WASM.MODULES')).toContain(`CUSTOM.get: command, ${reason}`);
    expect(server.log).toContain(`module visits: imports of CUSTOM are resolved by command: ${reason}`);
    expect(await link(server, 'session', 'CUSTOM')).toEqual(['direct', 'linked to hashmap']);
    expect(await server.send('VISIT.BEGIN', 'user', 'note')).toMatch(/^\*4\r\n/);
  });

  test('cannot be set to be', async () => {
    const server = await start(module, '');
    expect(await server.send('CONFIG', 'SET', 'wasm.trusted', word)).toMatch(/^-ERR .*immutable/);
    expect(await server.send('CONFIG', 'GET', 'wasm.trusted')).toBe(`*2\r\n${bulk('wasm.trusted')}${bulk('')}`);
  });

  test('becomes so by that word, in redis.conf too', async () => {
    const server = await startServer({
      module,
      link: 'auto',
      configuration: `wasm.trusted "x:${'0'.repeat(64)} ${word}"\n`,
      trusted: false,
    });
    expect(await link(server, 'visits', 'CUSTOM')).toEqual(['direct', 'linked to hashmap']);
    expect(await link(server, 'visits', 'SESSION')).toEqual(['direct', 'linked to session']);
  });

  test('is not by the sum of another file, or the name of another', async () => {
    const other = await fixture('noop');
    const [sum = ''] = trustedWord(other).map((each) => each.split(':')[1]);
    for (const wrong of [`visits:${sum}`, `other:${word.split(':')[1]}`])
      expect(await link(await start(module, wrong), 'visits', 'CUSTOM')).toEqual(['command', reason]);
  });
});

test('the provider must be trusted too: a copy of a file elsewhere, or another file of its name, is not', async () => {
  const copy = await file('hashmap', readFileSync(HASHMAP_FILE));
  const server = await start([HOST_FILE, copy, SESSION_FILE], '');
  expect(await link(server, 'session', 'CUSTOM')).toEqual(['command', `wasm.trusted does not name ${trustedWord(copy).join()}`]);
  expect(await link(await start([HOST_FILE, copy, SESSION_FILE], trustedWord(copy).join()), 'session', 'CUSTOM')).toEqual([
    'direct',
    'linked to hashmap',
  ]);
});

test('the files beside the host are trusted by their place, however it is written', async () => {
  const server = await startServer({ module: false });
  for (const name of ['host.so', 'hashmap.wasm', 'session.wasm'])
    copyFileSync(path.join(HOST_FILE, '..', name), path.join(server.folder, name));
  await server.end();
  for (const session of ['session.wasm', './session.wasm', path.join(server.folder, '../', path.basename(server.folder), 'session.wasm')]) {
    server.change({ module: ['./host.so', 'hashmap.wasm', session], link: 'auto', trusted: false });
    await server.start();
    expect(await link(server, 'session', 'CUSTOM'), session).toEqual(['direct', 'linked to hashmap']);
    await server.end();
  }
});

test.each([
  ['visits', /visits is no name:sha256/],
  [`visits:${'0'.repeat(63)}`, /is no name:sha256/],
  [`visits:${'g'.repeat(64)}`, /is no name:sha256/],
])('a start with the word %s is refused', async (trusted, reason) => {
  await expect(start(module, trusted)).rejects.toThrow(reason);
});

/** Modules that are not fit to be loaded, each tried at the start of a server and in a running one. */
import { expect, test } from 'vitest';
import { fixture, THIRD } from './modules.ts';
import { bulk } from './raw.ts';
import { eventually, HASHMAP_FILE, HOST_FILE, startServer, TestServer } from './server.ts';

/** The smallest module that serves a command. */
const small = await fixture('settings', THIRD, 'visitors');

export interface Unfit {
  title: string;
  /** The last one is at fault. */
  modules: string[];
  reason: RegExp;
}

/**
 * The lines of the log that the module wrote as warnings, once there are any: the log comes by another way
 * than replies do.
 */
export function warnings(server: TestServer): Promise<string[]> {
  return eventually(
    () => server.log.split('\n').filter((line) => line.includes(' # <wasm>')),
    (lines) => lines.length > 0,
  );
}

async function expectOneLine(server: TestServer, { modules, reason }: Unfit): Promise<void> {
  const lines = await warnings(server);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(`cannot load ${modules.at(-1)}: `);
  expect(lines[0]).toMatch(reason);
}

/** The tests of one unfit file. */
export function testRefusal(unfit: Unfit): void {
  test('at the start of a server, which ends', async () => {
    // One that never ends is ended after seconds on a processor, whatever else the machine does.
    const server = new TestServer({ module: [HOST_FILE, ...unfit.modules], timeout_ms: 100_000 });
    try {
      await expect(server.start()).rejects.toThrow(/ended at its start/);
      await expectOneLine(server, unfit);
    } finally {
      await server.stop();
    }
  });

  test('in a running server, which lives on, and the next load works', async () => {
    const server = await startServer({ module: false });
    await server.send('SET', 'native', 'value');
    expect(await server.send('MODULE', 'LOAD', HOST_FILE, ...unfit.modules)).toMatch(/^-ERR Error loading the extension/);
    await expectOneLine(server, unfit);
    expect(await server.send('CUSTOM.GET', 'key')).toMatch(/^-ERR unknown command/);
    expect(await server.send('VISIT.LIMIT')).toMatch(/^-ERR unknown command/);
    expect(await server.send('MODULE', 'LIST')).not.toContain(bulk('wasm'));
    // Where both were registered for a while, both are to be registered again; elsewhere the smallest module
    // will do.
    const again = unfit.modules.includes(HASHMAP_FILE) ? [HASHMAP_FILE, small] : [small];
    expect(await server.send('MODULE', 'LOAD', HOST_FILE, ...again)).toBe('+OK\r\n');
    expect(await server.send('VISIT.LIMIT')).toBe(':10\r\n');
    expect(await server.send('GET', 'native')).toBe(bulk('value'));
  });
}

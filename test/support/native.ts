/**
 * A server that has a key of its own and no module yet, and what is loaded into it beside a module that
 * remembers.
 */
import { expect } from 'vitest';
import { witness } from './hostile.ts';
import { bulk } from './raw.ts';
import { eventually, HOST_FILE, startServer, type TestServer } from './server.ts';

/** What WITNESS.SUM answers after WITNESS.FILL 77. */
export const WITNESSED = `:${61440 * 77}\r\n`;
export const witnessFile = await witness;

export async function startNative(): Promise<TestServer> {
  const server = await startServer({ module: false });
  await server.send('SET', 'native', 'value');
  return server;
}

/** Loads the witness and these modules; answers the reply. */
export const load = (server: TestServer, ...modules: string[]) => server.send('MODULE', 'LOAD', HOST_FILE, witnessFile, ...modules);

export async function expectServing(server: TestServer): Promise<void> {
  expect(await server.send('PING')).toBe('+PONG\r\n');
  expect(await server.send('GET', 'native')).toBe(bulk('value'));
}

/** The warnings of the host, once there is one. */
export const refusal = (server: TestServer, from = 0) =>
  eventually(
    () => server.log.slice(from),
    (log) => log.includes('cannot load '),
  );

/** The module of test/fixtures/kit/trial.ts, and what its tests ask of it. */
import { expect } from 'vitest';
import { kitModule } from './kit.ts';
import { parseReply, type Reply } from './reply.ts';
import { HASHMAP_FILE, HOST_FILE, SESSION_FILE, type TestServer } from './server.ts';

export const TRIAL_FILE = await kitModule('trial');
/** The host with the shipped modules and `trial`. */
export const WITH_TRIAL = [HOST_FILE, HASHMAP_FILE, SESSION_FILE, TRIAL_FILE];
export const APPEND_ONLY = ['--appendonly', 'yes', '--appendfsync', 'always'];

export const OK = '+OK\r\n';
export const NIL = '$-1\r\n';

/** The value of a reply. */
export async function ask(server: TestServer, ...command: string[]): Promise<Reply> {
  return parseReply(await server.send(...command));
}

/**
 * All that the module holds, and what the hashmap has under these keys. Throws where the tables are not
 * sound.
 */
export async function state(server: TestServer, ...keys: string[]): Promise<Reply[]> {
  expect(await server.send('TRIAL.CHECK')).toBe(OK);
  expect(await server.send('CUSTOM.CHECK')).toBe(OK);
  const of = async (key: string) => [
    key,
    await ask(server, 'TRIAL.MEMBERS', key),
    await ask(server, 'TRIAL.DEADLINEALL', key),
    await ask(server, 'TRIAL.LOAD', key),
    await ask(server, 'TRIAL.NOTED', key),
    await ask(server, 'CUSTOM.GET', key),
    await ask(server, 'CUSTOM.PTTL', key).then((left) => Number(Number(left) > 0)),
  ];
  return [await ask(server, 'TRIAL.DUMP'), ...(await Promise.all(keys.map(of)))];
}

/** A number of INFO, `wasm_trial_<field>`. */
export async function infoOf(server: TestServer, field: string): Promise<number> {
  const value = (await server.info('wasm'))[`wasm_trial_${field}`];
  expect(value, field).toBeDefined();
  return Number(value);
}

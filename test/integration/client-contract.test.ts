/**
 * The commands of the client are those of the server: all of them, with the same keys, and none that writes
 * goes to a replica.
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { CALLS } from '../support/calls.ts';
import { ROOT, useServer } from '../support/server.ts';
import { typedClient } from '../support/clients.ts';
import { keys, wire } from '../support/wire.ts';

const server = useServer();
/** The servers' own, by which effects travel to replicas and into files. */
const INTERNAL = ['CUSTOM.APPLY', 'SESSION.APPLY'];
/** They count as accesses, which a replica does not count. */
const READS_OF_THE_PRIMARY = ['SESSION.GETALL', 'SESSION.GET_DATA'];

it('there is a file and a method for each command of the server, and for nothing else', async () => {
  const client = await typedClient(server);
  const listed = (await client.sendCommand(['COMMAND', 'LIST'])) as unknown as string[];
  const modules = listed.map((name) => name.toUpperCase()).filter((name) => /^(?:CUSTOM|SESSION)\./.test(name));
  const served = modules.filter((name) => !INTERNAL.includes(name));
  expect(CALLS.map(({ command, call }) => String(wire(command, ...Object.values(call))[0])).sort()).toEqual(served.sort());
  const files = ['custom', 'session'].flatMap((family) =>
    readdirSync(path.join(ROOT, 'client', family))
      .filter((file) => file !== 'index.ts')
      .map((file) => `${family.toUpperCase()}.${path.basename(file, '.ts')}`),
  );
  expect(files.sort()).toEqual(served);
});

it('keys are where the server finds them, and what writes is not sent to a replica', async () => {
  const client = await typedClient(server);
  for (const { name, command, call } of CALLS) {
    const sent = wire(command, ...Object.values(call)).map(String);
    const [info] = (await client.sendCommand(['COMMAND', 'INFO', sent[0]!])) as unknown as [[string, number, string[], firstKey: number]];
    const [, , flags, firstKey] = info;
    const found = firstKey === 0 ? [] : await client.sendCommand(['COMMAND', 'GETKEYS', ...sent]);
    expect(keys(command, ...Object.values(call)).map(String), name).toEqual(found);
    const isRead = flags.includes('readonly') && !READS_OF_THE_PRIMARY.includes(sent[0]!);
    expect([name, command.IS_READ_ONLY]).toEqual([name, isRead]);
  }
});

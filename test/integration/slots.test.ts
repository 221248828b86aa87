/**
 * What a module exports of its slots, applied by real servers: from the stream, passed on, and from the
 * append-only file.
 */
import { appendFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { FakeServer, placeModule } from '../support/fake-redis.ts';
import { kitModule } from '../support/kit.ts';
import { bulks } from '../support/raw.ts';
import { follow, Proxy } from '../support/replication.ts';
import { created, rotated } from '../support/sessions.ts';
import { eventually, HASHMAP_FILE, HOST_FILE, SESSION_FILE, startServer, type TestServer } from '../support/server.ts';

const OPS = await kitModule('ops');
placeModule('ops', OPS);
const module = [HOST_FILE, HASHMAP_FILE, SESSION_FILE, OPS];
const APPEND_ONLY = ['--appendonly', 'yes', '--appendfsync', 'always'];
const SLOTS = Array.from({ length: 16_384 }, (_, slot) => slot);
const HOUR_MS = 3_600_000;

/** A server's data, and questions about it whose answers do not depend on when they are asked. */
function source(): { effects: Buffer[][]; questions: string[][]; answers: string[] } {
  const server = new FakeServer({ kit: 'ops' });
  server.clock = Date.now();
  const ids = Array.from({ length: 5 }, (_, index) => created(server, 'u', 'NEW', 'DATA', 'f', `\0${index}`));
  for (let index = 0; index < 1500; index++) server.call('SESSION.ADD_DATA', ids[1]!, `field ${index}`, String(index));
  ids.push(created(server, 'an-own-id', 'NEW', 'ID', 'an-id-of-the-caller', 'IDLE', '3000', 'TTL', '6000'));
  const later = [rotated(server, ids[2]!, String(HOUR_MS)), rotated(server, ids[5]!, String(HOUR_MS))];
  later.push(rotated(server, later[0]!, String(HOUR_MS)));
  for (let index = 0; index < 500; index++) server.call('CUSTOM.SET', `key ${index}`, `value ${index}`);
  server.call('CUSTOM.SET', 'timed', '17', 'PXAT', String(server.clock + HOUR_MS));
  const until = String(server.clock + HOUR_MS);
  server.call('OPS.RUN', 'k', `set words a x ${until}`, 'set in-lines b 2 0', `expire in-lines ${until}`, 'set lines c 3 0');
  const all = [...ids, ...later];
  const questions = [
    ...all.map((id) => ['SESSION.GET', id]),
    ...all.map((id) => ['SESSION.CAS', id, '7000', 'f', 'v']),
    ['SESSION.USER', 'u'],
    ['SESSION.COUNT'],
    ['CUSTOM.GET', 'u'],
    ['CUSTOM.GET', 'key 77'],
    ['CUSTOM.GET', 'timed'],
    ['CUSTOM.LEN'],
    ['OPS.DUMP', 'k'],
    ['SESSION.CHECK'],
    ['CUSTOM.CHECK'],
    ['OPS.CHECK'],
  ];
  const answers = questions.map(([name = '', ...rest]) => server.text(name, ...rest));
  const effects = server.modules.flatMap((each) => server.exportSlots(each, SLOTS));
  return { effects, questions, answers };
}

const wire = (effects: Buffer[][]): string => effects.map((effect) => bulks(...effect.map((word) => word.toString('latin1')))).join('');

async function ask(server: TestServer, questions: string[][]): Promise<string[]> {
  const replies: string[] = [];
  for (const question of questions) replies.push(await server.send(...question));
  return replies;
}

describe('exported data', () => {
  test('is applied by a replica, passed on and kept', async () => {
    const { effects, questions, answers } = source();
    const primary = await startServer({ module, tcp: true });
    const proxy = await Proxy.start(primary);
    const replica = await startServer({ module, tcp: true, arguments: APPEND_ONLY });
    const further = await startServer({ module });
    await follow(replica, proxy);
    await follow(further, replica);
    proxy.transform = (bytes) => (bytes.includes('mark') ? Buffer.concat([bytes, Buffer.from(wire(effects), 'latin1')]) : bytes);
    await primary.send('SET', 'mark', 'x');
    for (const server of [replica, further]) {
      await eventually(
        () => server.send('OPS.DUMP', 'k'),
        (reply) => reply.includes('in-lines'),
      );
      await server.send('REPLICAOF', 'NO', 'ONE');
    }
    for (const server of [replica, further]) expect(await ask(server, questions)).toEqual(answers);
    await replica.kill();
    await replica.start();
    expect(await ask(replica, questions)).toEqual(answers);
  });

  test('is applied from an append-only file, once as twice', async () => {
    const { effects, questions, answers } = source();
    const server = await startServer({ module, arguments: APPEND_ONLY });
    await server.send('SESSION.CREATE', 'u', 'ID', 'an-id-of-the-caller');
    await server.send('SESSION.DELUSER', 'u');
    await server.kill();
    const folder = path.join(server.folder, 'appendonlydir');
    const tail = readdirSync(folder).find((name) => name.endsWith('.incr.aof')) ?? '';
    appendFileSync(path.join(folder, tail), Buffer.from(wire([...effects, ...effects]), 'latin1'));
    await server.start();
    expect(await ask(server, questions)).toEqual(answers);
  });

  test.each([
    ['restore of a time that is none', ['restore', 'an-id-of-the-caller', 'u', 'x', '1', '0', '0', '0']],
    ['grace for the session itself', ['grace', 'an-id-of-the-caller', 'an-id-of-the-caller', '5']],
  ])('%s ends the server that would have to apply it, and says so', async (_, words) => {
    const server = await startServer({ module, arguments: APPEND_ONLY });
    await server.send('SESSION.CREATE', 'u', 'ID', 'an-id-of-the-caller');
    await server.kill();
    const folder = path.join(server.folder, 'appendonlydir');
    const tail = readdirSync(folder).find((name) => name.endsWith('.incr.aof')) ?? '';
    appendFileSync(path.join(folder, tail), bulks('session.apply', '1', ...words));
    await expect(server.start()).rejects.toThrow(/session\.apply cannot be applied: .*not an effect that this version knows/);
  });
});

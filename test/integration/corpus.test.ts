/** Files of every released encoding load for ever: test/corpus/encoding.ts says what they are. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { dayAt, digest, FIELDS, rdbFile, readSample, sampleNames, sessionOf, type Expected, type Sample } from '../corpus/encoding.ts';
import { FakeServer } from '../support/fake-redis.ts';
import { bulk, parseBulk, parseBulks } from '../support/raw.ts';
import { TestServer } from '../support/server.ts';

/** A server that finds a file with this sample when it starts. */
function serverWith(sample: Sample): TestServer {
  const server = new TestServer();
  onTestFinished(() => server.stop());
  writeFileSync(path.join(server.folder, 'dump.rdb'), rdbFile(sample));
  return server;
}

/** Reads all that a server holds. The sessions' JSON is read first: reading a field is an access. */
async function state(server: TestServer): Promise<Expected> {
  const keys = parseBulks(await server.send('CUSTOM.KEYS')).sort();
  const entries = keys.map(async (key): Promise<[string, string]> => [
    digest(key),
    digest(parseBulk(await server.send('CUSTOM.GET', key))),
  ]);
  const deadlines = await Promise.all(
    keys.map(async (key): Promise<[string, number]> => {
      const left = Number((await server.send('CUSTOM.PTTL', key)).slice(1));
      return [digest(key), left < 0 ? 0 : dayAt(Date.now() + left)];
    }),
  );
  const ids = parseBulks(await server.send('SESSION.LIST')).map((line) => line.slice(4).split(', Key: ')[0]!);
  const sessions = ids.sort().map(async (id) => {
    const json = parseBulk(await server.send('SESSION.GET', id));
    const replies = await Promise.all(FIELDS.map((field) => server.send('SESSION.GET_DATA', id, field)));
    const values = replies.map((reply) => (reply === '$-1\r\n' ? undefined : parseBulk(reply)));
    return sessionOf(json, values);
  });
  return {
    entries: await Promise.all(entries),
    deadlines: deadlines.filter(([, day]) => day).sort(([one], [other]) => (one < other ? -1 : 1)),
    sessions: await Promise.all(sessions),
  };
}

test('there is a sample of each encoding that the modules write now', () => {
  const { dataTypes } = new FakeServer();
  expect(dataTypes.size).toBe(2);
  for (const [module, [, version]] of dataTypes) expect(sampleNames()).toContain(`${module}-${version}`);
});

test.each(sampleNames())('%s loads, and is the same after it is saved anew', async (name) => {
  const { sample, expected } = readSample(name);
  expected.deadlines ??= [];
  expect(expected.entries.length + expected.sessions.length).toBeGreaterThan(300);
  const { replies = [], ...rest } = expected;
  const server = serverWith(sample);
  await server.start();
  expect(await state(server)).toEqual(rest);
  for (const [argv, reply] of replies) expect(await server.send(...argv)).toBe(reply);

  expect(await server.send('SAVE')).toBe('+OK\r\n');
  await server.restart();
  const withoutAccess = ({ entries, deadlines, sessions }: Expected) => ({
    entries,
    deadlines,
    sessions: sessions.map((one) => ({ ...one, accessed: '' })),
  });
  expect(withoutAccess(await state(server))).toEqual(withoutAccess(rest));
  for (const [argv, reply] of replies) expect(await server.send(...argv)).toBe(reply);
});

test('a sample of an encoding that no module knows is refused, and so is one that is cut off', async () => {
  const { sample } = readSample('hashmap-1');
  await expect(serverWith({ ...sample, version: 1023 }).start()).rejects.toThrow(
    /its data in this file \(encoding 1023\) cannot be loaded/,
  );
  const cut = { ...sample, payload: sample.payload.slice(0, -1) };
  await expect(serverWith(cut).start()).rejects.toThrow(/module hashmap: refused the data of the RDB file/);
  const server = serverWith(sample);
  await server.start();
  expect(await server.send('CUSTOM.GET', 'key 7')).toBe(bulk('vvvvvvv'));
});

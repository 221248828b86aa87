/**
 * `node scripts/bootstrap.mjs test/corpus/make.ts`: adds what the modules in build/ write to the corpus,
 * where their encoding is not there yet. To be run once, when a version with a new encoding is released.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { main, say } from '../../scripts/lib/process.ts';
import { bytes, elements, FakeServer, placeModule, type FakeModule, type Saved } from '../support/fake-redis.ts';
import { kindsModule, KINDS_PLACES, stepsOfKinds } from '../support/kinds.ts';
import { dayAt, dayOf, DIFFICULT, digest, FIELDS, fileOf, format, noonOf, sessionOf, type Expected } from './encoding.ts';

const MANY = 300;

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

function fillHashmap(server: FakeServer): void {
  for (const text of DIFFICULT) server.call('CUSTOM.SET', latin1(text), latin1(`value of ${text}`));
  for (let index = 0; index < MANY; index++) server.call('CUSTOM.SET', `key ${index}`, 'v'.repeat(index));
  for (const [index, text] of DIFFICULT.entries()) {
    server.call('CUSTOM.SET', latin1(`deadline ${text}`), latin1(text), 'PXAT', String(noonOf(dayOf(index))));
  }
  for (let index = 0; index < MANY; index++) {
    server.call('CUSTOM.SET', `deadline ${index}`, 'v'.repeat(index), 'PXAT', String(noonOf(dayOf(index))));
  }
}

function fillSessions(server: FakeServer): void {
  for (const [index, user] of DIFFICULT.entries()) {
    server.clock += 86_400_123;
    const id = server.text('SESSION.CREATE', latin1(user)).trim().slice(-36);
    for (const field of DIFFICULT.slice(0, index + 1)) server.call('SESSION.ADD_DATA', id, latin1(field), latin1(`value of ${field}`));
  }
  // More than one block.
  for (let index = 0; index < MANY; index++) {
    const id = server.text('SESSION.CREATE', `user ${index}`).trim().slice(-36);
    server.call('SESSION.ADD_DATA', id, 'field', 'v'.repeat(index));
  }
}

/**
 * What encoding 2 can tell beside: limits, ids of the caller, versions, old ids, and the order of a user's
 * sessions.
 */
function fillMoreSessions(server: FakeServer): void {
  const CENTURY_S = '3000000000';
  for (let index = 0; index < 5; index++) {
    const limits = [['IDLE', CENTURY_S], ['TTL', CENTURY_S], []][index % 3] ?? [];
    server.call(
      'SESSION.CREATE',
      'user of many',
      'NEW',
      'ID',
      `session-${index}-of-the-user`,
      ...limits,
      'DATA',
      'field',
      `value ${index}`,
    );
  }
  const rotated = server.text('SESSION.CREATE', 'user of a rotated one', 'TTL', CENTURY_S).trim().slice(-36);
  server.call('SESSION.ADD_DATA', rotated, 'field', 'rotated');
  server.call('SESSION.ROTATE', rotated, 'GRACE', `${CENTURY_S}000`);
  server.call('CUSTOM.SET', 'rotated', rotated);
}

/** Replies that do not depend on the time: of the sessions that `fillMoreSessions` made. */
function repliesOf(server: FakeServer): Expected['replies'] {
  const rotated = bulkOf(server.call('CUSTOM.GET', 'rotated'));
  const commands = [
    ['SESSION.USER', 'user of many'],
    ...[0, 1, 2].map((index) => ['SESSION.GETALL', `session-${index}-of-the-user`]),
    ['SESSION.TTL', 'session-2-of-the-user'],
    ['SESSION.ROTATE', rotated],
    ['SESSION.CAS', rotated, '0', 'field', 'refused'],
    ['SESSION.COUNT', 'user of a rotated one'],
  ];
  return commands.map(([name = '', ...args]) => [[name, ...args], server.text(name, ...args)]);
}

function bulkOf(reply: Buffer): string {
  return reply.toString('latin1', reply.indexOf('\r\n') + 2, reply.length - 2);
}

function entriesOf(server: FakeServer): Expected['entries'] {
  const keys = elements(server.call('CUSTOM.KEYS')).map((key) => key.toString('latin1'));
  return keys.sort().map((key) => [digest(key), digest(bulkOf(server.call('CUSTOM.GET', latin1(key))))]);
}

function deadlinesOf(server: FakeServer): Expected['deadlines'] {
  const left = (key: Buffer): number => Number(server.text('CUSTOM.PTTL', key).slice(1));
  const found = elements(server.call('CUSTOM.KEYS')).filter((key) => left(key) >= 0);
  return found
    .map((key): [string, number] => [digest(key.toString('latin1')), dayAt(server.clock + left(key))])
    .sort(([one], [other]) => (one < other ? -1 : 1));
}

function sessionsOf(server: FakeServer): Expected['sessions'] {
  const ids = elements(server.call('SESSION.LIST')).map((line) => line.toString('latin1', 4).split(', Key: ')[0] ?? '');
  return ids.sort().map((id) => {
    const json = bulkOf(server.call('SESSION.GET', id));
    const replies = FIELDS.map((field) => server.call('SESSION.GET_DATA', id, latin1(field)));
    const values = replies.map((reply) => (reply.toString() === '$-1\r\n' ? undefined : bulkOf(reply)));
    return sessionOf(json, values);
  });
}

/**
 * Adds a module's encoding, with the part of the state that is in its own payload; it is read after the save,
 * as reading is an access.
 */
function add(server: FakeServer, module: FakeModule, state: () => Expected): void {
  const [type, version] = server.dataTypes.get(module.name) ?? ['', 0];
  const name = `${module.name}-${version}`;
  if (existsSync(fileOf(name, 'txt'))) {
    say(`${name} is there, and stays as it is`);
    return;
  }
  const payload = server.save(module).map((value) => (typeof value === 'bigint' ? value : bytes(value)));
  const comment = `# Auxiliary data of ${module.name}.wasm, encoding ${version}, as encoding.ts describes it. It must load for ever: do not change it.\n`;
  writeFileSync(fileOf(name, 'txt'), comment + format({ type, version, payload }));
  writeFileSync(fileOf(name, 'json'), `${JSON.stringify(state(), undefined, 1)}\n`);
  say(`${name} is added`);
}

const counted = (text: string): Buffer => Buffer.concat([Buffer.from([text.length]), latin1(text)]);

/** FNV-1a of a schema's text, as effects have it. */
function schemaId(schema: string): Buffer {
  const hash = [...latin1(schema)].reduce((sum, byte) => Math.imul(sum ^ byte, 0x01000193), 0x811c9dc5);
  const id = Buffer.alloc(4);
  id.writeInt32LE(hash | 0);
  return id;
}

/** The payload of an effect that puts one entry, of its own key. */
function putting(schema: string, key: string, value: Buffer): Buffer {
  const stored = counted(`\0${key}`);
  return Buffer.concat([counted('kinds.run'), Buffer.from([1]), schemaId(schema), stored, Buffer.from([value.length]), value]);
}

/**
 * What the host's own type holds: a module of tables of all kinds, with values of other versions of it, a
 * table that it does not have, and an effect that came while it was missing; and a module that is nowhere.
 */
async function addKit(): Promise<void> {
  const name = 'kit-1';
  if (existsSync(fileOf(name, 'txt'))) {
    say(`${name} is there, and stays as it is`);
    return;
  }
  placeModule('kinds', await kindsModule());
  const server = new FakeServer({ kit: 'kinds' });
  for (const step of stepsOfKinds()) {
    const reply = server.text('KINDS.RUN', 'key', step);
    if (reply.startsWith('-')) throw new Error(`${step}: ${reply}`);
  }
  // A later version of the class At, with a field more and one less.
  const later = 'table of-u32 u32 {id:string,ms:i64,more:string?,raw:bytes,real:f64}';
  const value = Buffer.concat([counted('later'), Buffer.alloc(8, 1), Buffer.from([1]), counted('more'), counted('raw'), Buffer.alloc(8)]);
  const gone = 'table gone i64 string';
  const effects: [payload: Buffer, schema: string][] = [
    [putting(later, '\0\0\0\x07', value), later],
    [putting(gone, '\x80\0\0\0\0\0\0\x01', counted('a table that the module does not have')), gone],
  ];
  for (const [payload, schema] of effects) {
    const reply = server.text('wasm.apply', 'key', 'kinds', '1', payload, schema);
    if (reply !== '+OK\r\n') throw new Error(reply);
  }
  server.check();
  if (server.kit === undefined) throw new Error('no module');
  const kept = 'table of-string string {kept:i64}';
  const pieces = (saved: Saved): Saved => saved.flatMap((piece) => [typeof piece === 'bigint' ? 2n : 1n, piece]);
  const payload = [
    latin1('absent'), 2n, 2n ** 64n - 1n, 1n, latin1('\0\xff'), 3n, latin1('key'), latin1('1'), 1n, latin1('payload'), 0n,
    latin1('kinds'), ...pieces(server.save(server.kit)),
    3n, latin1('key'), latin1('1'), 2n, putting(kept, 'kept', Buffer.alloc(8, 2)), latin1(kept), 0n,
    latin1(''),
  ]; // prettier-ignore
  server.replay([['wasm.apply', 'key', 'kinds', '1', putting(kept, 'kept', Buffer.alloc(8, 2)), kept].map(bytes)]);
  const dump = elements(server.call('KINDS.DUMP', 'key', ...KINDS_PLACES)).map((line) => line.toString('latin1'));
  const comment =
    '# Auxiliary data of the host for kit modules, encoding 1, as encoding.ts describes it. It must load for ever: do not change it.\n';
  writeFileSync(fileOf(name, 'txt'), comment + format({ type: 'wasm-kits', version: 1, payload }));
  writeFileSync(fileOf(name, 'json'), `${JSON.stringify(dump.sort(), undefined, 1)}\n`);
  say(`${name} is added`);
}

await main(async () => {
  await addKit();
  const server = new FakeServer();
  fillHashmap(server);
  add(server, server.hashmap, () => ({ entries: entriesOf(server), deadlines: deadlinesOf(server), sessions: [] }));
  fillSessions(server);
  fillMoreSessions(server);
  add(server, server.session, () => ({ entries: [], sessions: sessionsOf(server), replies: repliesOf(server) }));
  return 0;
});

/** Reading back everything that a server holds, by writer, and whether its parts agree. */
import { parseBulk, parseBulks } from '../support/raw.ts';
import type { TestServer } from '../support/server.ts';
import { Violation, type State } from './history.ts';

const USER = /^[^:]*:user /;
/** Who owns the entries that nobody changes. */
const BALLAST = 'ballast';
const BALLAST_ENTRIES = 3000;
/** Native keys that a save writes slowly, so that kills and cuts meet saves. */
const NATIVE_KEYS = 300;

interface Session {
  id: string;
  user_key: string;
  data: Record<string, string>;
}

/** Entries that make a save take its time; they must always be there. */
export async function addBallast(server: TestServer): Promise<void> {
  const writes = Array.from({ length: BALLAST_ENTRIES }, (_, index) => server.send('CUSTOM.SET', `${BALLAST}:${index}`, `value ${index}`));
  await Promise.all(writes);
  await addNativeKeys(server);
}

/** The native keys alone: they are in no append-only file. */
export async function addNativeKeys(server: TestServer): Promise<void> {
  await server.send('DEBUG', 'POPULATE', String(NATIVE_KEYS));
}

/**
 * Reads everything and splits it by owner, which is what stands before the first colon of a key or user.
 * @throws Violation when mapping and sessions disagree, or ballast is missing
 */
export async function readState(server: TestServer): Promise<Map<string, State>> {
  const keys = parseBulks(await server.send('CUSTOM.KEYS'));
  const values = await Promise.all(keys.map(async (key) => parseBulk(await server.send('CUSTOM.GET', key))));
  const ids = parseBulks(await server.send('SESSION.LIST')).map((line) => line.slice(4, 40));
  const texts = await Promise.all(ids.map(async (id) => parseBulk(await server.send('SESSION.GET', id))));

  const states = new Map<string, State>();
  const stateOf = (name: string): State => {
    const owner = name.slice(0, name.indexOf(':'));
    if (!states.has(owner)) states.set(owner, new Map());
    return states.get(owner)!;
  };
  for (const [index, key] of keys.entries()) stateOf(key).set(`${USER.test(key) ? 'id' : 'key'} ${key}`, values[index]!);
  for (const text of texts) {
    const { id, user_key: user, data } = JSON.parse(text) as Session;
    const mapped = stateOf(user).get(`id ${user}`);
    if (mapped !== id) throw new Violation(`session ${id} belongs to ${user}, whom the hashmap maps to ${mapped ?? 'nothing'}`);
    for (const [field, value] of Object.entries(data)) stateOf(user).set(`field ${user} ${field}`, value);
  }
  const mapped = keys.filter((key) => USER.test(key)).length;
  if (mapped !== ids.length) throw new Violation(`the hashmap maps ${mapped} users, but there are ${ids.length} sessions`);
  const ballast = states.get(BALLAST);
  for (let index = 0; index < BALLAST_ENTRIES; index++) {
    if (ballast?.get(`key ${BALLAST}:${index}`) !== `value ${index}`) throw new Violation(`the entry ${BALLAST}:${index} is gone`);
  }
  return states;
}

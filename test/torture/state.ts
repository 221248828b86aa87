/** Reading back everything that a server holds, by writer, and whether its parts agree. */
import { parseBulk, parseBulks } from '../support/raw.ts';
import type { TestServer } from '../support/server.ts';
import { Violation, type State } from './history.ts';

export const CHECKS = ['CUSTOM.CHECK', 'SESSION.CHECK'] as const;
const USER = /^[^:]*:user /;
/** Who owns the entries that nobody changes. */
const BALLAST = 'ballast';
const BALLAST_ENTRIES = 3000;
/** Native keys that a save writes slowly, so that kills and cuts meet saves. */
const NATIVE_KEYS = 300;

/** What SESSION.GET answers of one. */
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
 * Reads everything and splits it by owner, which is what stands before the first colon of a key, user or
 * label.
 * @throws Violation when mapping, index and sessions disagree, a structure is broken, or ballast is missing
 */
export async function readState(server: TestServer): Promise<Map<string, State>> {
  const states = new Map<string, State>();
  const stateOf = (name: string): State => {
    const owner = name.slice(0, name.indexOf(':'));
    if (!states.has(owner)) states.set(owner, new Map());
    return states.get(owner)!;
  };
  const keys = parseBulks(await server.send('CUSTOM.KEYS'));
  const mapping = new Map<string, string>();
  await Promise.all(
    keys.map(async (key) => {
      const value = parseBulk(await server.send('CUSTOM.GET', key));
      if (USER.test(key)) mapping.set(key, value);
      else stateOf(key).set(`key ${key}`, value);
      if (!key.startsWith(BALLAST) && /^:\d/.test(await server.send('CUSTOM.PTTL', key))) stateOf(key).set(`limit ${key}`, 'yes');
    }),
  );
  await readSessions(server, mapping, stateOf);
  for (const command of CHECKS) await checked(server, command);
  const ballast = states.get(BALLAST);
  for (let index = 0; index < BALLAST_ENTRIES; index++) {
    if (ballast?.get(`key ${BALLAST}:${index}`) !== `value ${index}`) throw new Violation(`the entry ${BALLAST}:${index} is gone`);
  }
  return states;
}

/** Has a module check its own structures. */
export async function checked(server: TestServer, command: (typeof CHECKS)[number]): Promise<void> {
  const reply = await server.send(command);
  if (reply !== '+OK\r\n') throw new Violation(`${command} answers ${reply.trim()}`);
}

/** Reads the sessions into their owners' states, and compares list, index and mapping. */
async function readSessions(server: TestServer, mapping: Map<string, string>, stateOf: (name: string) => State): Promise<void> {
  const listed = parseBulks(await server.send('SESSION.LIST')).map((line) => line.slice(4, 40));
  const sessions = new Map<string, Session>();
  await Promise.all(listed.map(async (id) => sessions.set(id, JSON.parse(parseBulk(await server.send('SESSION.GET', id))) as Session)));
  const users = new Set([...sessions.values()].map(({ user_key: user }) => user));
  if (mapping.size !== users.size) throw new Violation(`the hashmap maps ${mapping.size} users, but ${users.size} have sessions`);
  const indexed = new Set<string>();
  for (const user of users) {
    const ids = parseBulks(await server.send('SESSION.USER', user));
    const mapped = mapping.get(user);
    if (mapped !== ids[0]) throw new Violation(`the newest session of ${user} is ${ids[0]}, but the hashmap has ${mapped ?? 'nothing'}`);
    const labels = ids.map((id) => {
      const session = sessions.get(id);
      const { label, ...fields } = session?.data ?? {};
      if (session?.user_key !== user || label === undefined) throw new Violation(`${id} of ${user} is not listed, or nobody created it`);
      indexed.add(id);
      stateOf(user).set(`id ${label}`, id);
      for (const [field, value] of Object.entries(fields)) stateOf(user).set(`field ${label} ${field}`, value);
      return label;
    });
    stateOf(user).set(`sessions ${user}`, labels.join());
  }
  if (indexed.size !== sessions.size) throw new Violation(`${sessions.size} sessions are listed, but their users have ${indexed.size}`);
}

/** Out of the server's own keys, as export.ts has written them, into CUSTOM.* and SESSION.*. */
import { batches, endOf, fromHash, isId, type Layout, msOf, PAGE, type Session } from './layout.ts';
import { type Wire, WireError } from './wire.ts';

export interface Imported {
  entries: number;
  sessions: number;
  /** Sessions whose id was known already: they are left as they are. */
  known: number;
  /** Sessions that had ended, or had less than a second left. */
  ended: number;
  /** Keys that stand for a session, but are not as export writes them: they are left out. */
  unsound: Set<string>;
}

/** As the server has it: no limit of sessions per user, whatever `wasm.session-max` says. */
const MAX_NONE = '4294967295';

interface Run {
  from: Wire;
  to: Wire;
  layout: Layout;
  figures: Imported;
  report: () => void;
}

/**
 * Imports everything: sessions with their ids, user by user from the oldest to the newest, then entries,
 * which write over those of the same key. May be run again: sessions that are there already stay as they are.
 * @param report - called after each batch with the figures so far
 */
export async function importAll(from: Wire, to: Wire, layout: Layout, report?: (soFar: Imported) => void): Promise<Imported> {
  const figures: Imported = { entries: 0, sessions: 0, known: 0, ended: 0, unsound: new Set() };
  const run: Run = { from, to, layout, figures, report: () => report?.(figures) };
  for await (const keys of layout.pages('sessions', from)) await importUsers(run, keys);
  // Those that are in no set, since their user's was changed meanwhile.
  for await (const keys of layout.pages('session', from)) await importOthers(run, keys);
  for await (const keys of layout.pages('custom', from)) await importEntries(run, keys);
  return figures;
}

// ── Sessions ───────────────────────────────────────────────────────────────────────────────────────────────

async function importUsers(run: Run, keys: Buffer[]): Promise<void> {
  const { from, layout } = run;
  const users = keys.map((key) => layout.nameIn('sessions', key));
  // The first sessions of all of these users, then the next ones of those that have more.
  let asked = users;
  for (let start = 0; asked.length > 0; start += Number(PAGE)) {
    const ranges = [String(start), String(start + Number(PAGE) - 1)];
    const ids = (await Promise.all(asked.map((user) => from.call(['ZRANGE', layout.key('sessions', user), ...ranges])))) as Buffer[][];
    const members = asked.flatMap((user, index) => (ids[index] ?? []).map((id) => ({ user, id })));
    await importMembers(run, members);
    asked = asked.filter((_, index) => ids[index]?.length === Number(PAGE));
  }
  await unmap(run, users);
}

/**
 * CREATE has mapped each user to its newest session: where the storage had no such entry the user is not to
 * have one. Asked of the users whose sessions were known, too, as they may be of an import that came no
 * further.
 */
async function unmap({ from, to, layout }: Run, users: Buffer[]): Promise<void> {
  const entries = await Promise.all(users.map((user) => from.call(['EXISTS', layout.key('custom', user)])));
  const without = users.filter((_, index) => entries[index] === 0);
  const ownSessions = without.map(async (user) => {
    const id = await to.call(['CUSTOM.GET', user]);
    return Buffer.isBuffer(id) && (await from.call(['ZSCORE', layout.key('sessions', user), id])) !== null;
  });
  const mapped = await Promise.all(ownSessions);
  await Promise.all(without.filter((_, index) => mapped[index]).map((user) => to.call(['CUSTOM.DEL', user])));
}

interface Member {
  user: Buffer;
  id: Buffer;
}

/** Creates the sessions of sets, in this order. */
async function importMembers(run: Run, members: Member[]): Promise<void> {
  for (const batch of batches(
    members,
    await sizesOf(
      run,
      members.map(({ id }) => id),
    ),
  )) {
    const sessions = await readSessions(
      run,
      batch.map(({ id }) => id),
    );
    // Where it is another user's by now it comes with that one.
    const own = sessions.map((session, index) => (session?.user.equals(batch[index]?.user ?? Buffer.alloc(0)) === true ? session : null));
    await create(run, own, true);
    run.report();
  }
}

async function importOthers(run: Run, keys: Buffer[]): Promise<void> {
  const { to, layout } = run;
  const ids = keys.map((key) => layout.nameIn('session', key));
  const left = await Promise.all(ids.map((id) => to.call(['SESSION.TTL', id])));
  const missing = ids.filter((_, index) => left[index] === -2);
  for (const batch of batches(missing, await sizesOf(run, missing))) {
    await create(run, await readSessions(run, batch), false);
    run.report();
  }
}

/** Bytes of the sessions' hashes, roughly. */
async function sizesOf({ from, layout }: Run, ids: Buffer[]): Promise<number[]> {
  return (await Promise.all(ids.map((id) => from.call(['MEMORY', 'USAGE', layout.key('session', id)])))).map(Number);
}

/** The sessions of these ids; null where there is none, or what is there is unsound. */
async function readSessions({ from, layout, figures }: Run, ids: Buffer[]): Promise<(Session | null)[]> {
  const hashes = await Promise.all(ids.map((id) => from.call(['HGETALL', layout.key('session', id)])));
  return ids.map((id, index) => {
    const hash = hashes[index] as Buffer[];
    const session = fromHash(id, hash);
    if (session === null && hash.length > 0) figures.unsound.add(layout.key('session', id).toString());
    return session;
  });
}

/**
 * Creates sessions, in this order; whether each was. `counts`: whether those that had ended, or were known,
 * are counted.
 */
async function create({ to, figures }: Run, sessions: (Session | null)[], counts: boolean): Promise<boolean[]> {
  const now = msOf(await to.call(['TIME']));
  const creations = sessions.map(async (session) => {
    if (session === null) return false;
    const { id, user, idle, expires, data } = session;
    const end = endOf(session);
    // A whole second, rounded down: rather a little shorter than longer than it was to live.
    const ttl = expires === null ? null : Math.floor((expires - now) / 1000);
    if ((end !== null && end <= now) || (ttl !== null && ttl < 1)) {
      figures.ended += counts ? 1 : 0;
      return false;
    }
    const limits = [...(idle === null ? [] : ['IDLE', String(idle)]), ...(ttl === null ? [] : ['TTL', String(ttl)])];
    try {
      await to.call(['SESSION.CREATE', user, 'NEW', ...limits, 'MAX', MAX_NONE, 'ID', id, ...(data.length === 0 ? [] : ['DATA', ...data])]);
    } catch (error) {
      if (!(error instanceof WireError) || !error.reply.startsWith('IDEXISTS ')) throw error;
      figures.known += counts ? 1 : 0;
      return false;
    }
    figures.sessions++;
    return true;
  });
  return Promise.all(creations);
}

// ── Entries ────────────────────────────────────────────────────────────────────────────────────────────────

async function importEntries(run: Run, keys: Buffer[]): Promise<void> {
  const { from, to, layout, figures } = run;
  const lengths = (await Promise.all(keys.map((key) => from.call(['STRLEN', key])))) as number[];
  for (const batch of batches(keys, lengths)) {
    const [values, ...deadlines] = await from.atOnce([['MGET', ...batch], ...batch.map((key) => ['PEXPIRETIME', key])]);
    const entries = batch.flatMap((key, index): Entry[] => {
      const value = (values as (Buffer | null)[])[index] ?? null;
      return value === null ? [] : [{ key: layout.nameIn('custom', key), value, deadline: Number(deadlines[index]) }];
    });
    const sound = await takeMappings(run, entries);
    const endless = sound.filter(({ deadline }) => deadline < 0);
    const others = sound.filter(({ deadline }) => deadline >= 0);
    await Promise.all([
      ...(endless.length === 0 ? [] : [to.call(['CUSTOM.MSET', ...endless.flatMap(({ key, value }) => [key, value])])]),
      ...others.map(({ key, value, deadline }) => to.call(['CUSTOM.SET', key, value, 'PXAT', String(deadline)])),
    ]);
    figures.entries += sound.length;
    run.report();
  }
}

interface Entry {
  key: Buffer;
  value: Buffer;
  /** Unix ms; under 0: none. */
  deadline: number;
}

/**
 * Entries that map a user to a session have no deadline of their own. Those whose session has ended are left
 * out: a mapping that names it would bring its id back to life.
 */
async function takeMappings({ from, to, layout }: Run, entries: Entry[]): Promise<Entry[]> {
  const perhaps = entries.filter(({ value }) => isId(value));
  const users = await Promise.all(perhaps.map(({ value }) => from.call(['HGET', layout.key('session', value), '@user'])));
  const mappings = perhaps.filter(({ key }, index) => {
    const user = users[index];
    return Buffer.isBuffer(user) && user.equals(key);
  });
  const left = await Promise.all(mappings.map(({ value }) => to.call(['SESSION.TTL', value])));
  const ended = new Set(mappings.filter((_, index) => left[index] === -2));
  for (const mapping of mappings) mapping.deadline = -1;
  return entries.filter((entry) => !ended.has(entry));
}

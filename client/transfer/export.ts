/**
 * Out of CUSTOM.* and SESSION.*, into the server's own keys: read by SCAN, in batches, so that memory stays
 * bounded whatever there is.
 */
import { batches, endOf, isId, type Layout, msOf, scan, type Session, toHash } from './layout.ts';
import { type Reply, type Wire, WireError } from './wire.ts';

export interface Exported {
  entries: number;
  sessions: number;
  /**
   * Sessions with bytes that are no UTF-8, or of over 16 MiB: they are read by SESSION.GETALL, which counts
   * as an access.
   */
  accessed: number;
  /** Own keys that were deleted because nothing stands for them any longer. */
  pruned: number;
}

export interface ExportOptions {
  /**
   * Delete afterwards what is under the prefix and stands for nothing any longer: a session that has ended
   * since an earlier export must not live on.
   */
  prune?: boolean;
  /** The source is a node of a cluster, which takes keys of several slots one by one. */
  clustered?: boolean;
  /** Called after each batch with the figures so far. */
  report?: (soFar: Exported) => void;
}

/** What JSON has in the place of bytes that are no UTF-8. */
const UNREADABLE = '\ufffd';
/** Bytes of a session that are read as JSON, which may have six times as many. */
const JSON_MAX = 16 << 20;

/**
 * Exports everything. What is there from the beginning to the end is exported; what comes, goes or changes
 * meanwhile, perhaps. May be run again at any time: what was exported before is written over.
 */
export async function exportAll(from: Wire, to: Wire, layout: Layout, options: ExportOptions = {}): Promise<Exported> {
  const figures: Exported = { entries: 0, sessions: 0, accessed: 0, pruned: 0 };
  const report = () => options.report?.(figures);
  const run: Run = { from, to, layout, figures, report, most: options.clustered === true ? 1 : Infinity };
  for await (const ids of scan(from, 'SESSION.SCAN')) await exportSessions(run, ids);
  for await (const keys of scan(from, 'CUSTOM.SCAN')) await exportEntries(run, keys);
  if (options.prune === true) await pruneAll(run);
  return figures;
}

interface Run {
  from: Wire;
  to: Wire;
  layout: Layout;
  figures: Exported;
  report: () => void;
  /** Keys that one transaction of the source may have. */
  most: number;
}

// ── Entries ────────────────────────────────────────────────────────────────────────────────────────────────

async function exportEntries(run: Run, keys: Buffer[]): Promise<void> {
  const lengths = (await Promise.all(keys.map((key) => run.from.call(['CUSTOM.STRLEN', key])))) as number[];
  for (const batch of batches(keys, lengths, run.most)) {
    const lefts = batch.map((key) => ['CUSTOM.PTTL', key]);
    const [time, values, ...left] = await run.from.atOnce([['TIME'], ['CUSTOM.MGET', ...batch], ...lefts]);
    const entries = batch.flatMap((key, index): Entry[] => {
      const value = (values as (Buffer | null)[])[index] ?? null;
      return value === null ? [] : [{ key, value, deadline: momentOf(time, left[index]) }];
    });
    await writeEntries(run, await takeEnds(run, entries));
    run.report();
  }
}

interface Entry {
  key: Buffer;
  value: Buffer;
  /** Unix ms; null: none. */
  deadline: number | null;
}

/** The moment, Unix ms, that is `left` ms ahead; null where that is negative: none. */
function momentOf(time: Reply | undefined, left: Reply | undefined): number | null {
  return Number(left) < 0 ? null : msOf(time) + Number(left);
}

/** The earlier of two moments. */
function earlier(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}

/**
 * The entries as they are to be written. Those that map a user to a session get the end of that: natively
 * nothing else would take them away. Those that may have mapped one to a session which has ended are read
 * again.
 */
async function takeEnds(run: Run, entries: Entry[]): Promise<Entry[]> {
  const perhaps = entries.filter(({ value }) => isId(value));
  const sessions = await readNotes(
    run,
    perhaps.map(({ value }) => value),
  );
  const unknown: Entry[] = [];
  for (const [index, entry] of perhaps.entries()) {
    const session = sessions[index] ?? null;
    if (session?.user.equals(entry.key) === true) entry.deadline = earlier(entry.deadline, endOf(session));
    else unknown.push(entry);
  }
  const doubtful = new Set(await inDoubt(run, unknown));
  const settled = await Promise.all([...doubtful].map(({ key }) => settle(run, key)));
  return [...entries.filter((entry) => !doubtful.has(entry)), ...settled.filter((entry) => entry !== null)];
}

/** Those of the entries that have changed, or whose key is a user that has sessions. */
async function inDoubt({ from, most }: Run, entries: Entry[]): Promise<Entry[]> {
  const parts = [...batches(entries, [], most)].map(async (part) => {
    const asked = part.flatMap(({ key }) => [
      ['CUSTOM.GET', key],
      ['SESSION.COUNT', key],
    ]);
    const told = await from.atOnce(asked);
    return part.filter(({ value }, index) => {
      const now = told[2 * index];
      return !Buffer.isBuffer(now) || !now.equals(value) || told[2 * index + 1] !== 0;
    });
  });
  return (await Promise.all(parts)).flat();
}

/**
 * The entry of a user, as the storage has it once it is rid of sessions that have expired: those are counted
 * until they are reclaimed, and until then a mapping may name one of them, which then goes to the newest that
 * lives. Null: there is none.
 */
async function settle(run: Run, key: Buffer, mayChange = true): Promise<Entry | null> {
  const [time, value, left, count, live] = await run.from.atOnce([
    ['TIME'],
    ['CUSTOM.GET', key],
    ['CUSTOM.PTTL', key],
    ['SESSION.COUNT', key],
    ['SESSION.USER', key],
  ]);
  if (!Buffer.isBuffer(value)) return null;
  const ids = live as Buffer[];
  const entry: Entry = { key, value, deadline: momentOf(time, left) };
  if (!ids.some((id) => id.equals(value))) {
    if (!isId(value) || count === ids.length) return entry;
    const [newest] = ids;
    if (newest === undefined) return null;
    entry.value = newest;
  }
  const [session] = await readNotes(run, [entry.value]);
  // Ended since then; or an id of another slot, of a file from outside of the cluster: nobody can come to
  // that session.
  if (session?.user.equals(key) !== true) return mayChange ? settle(run, key, false) : null;
  return { ...entry, deadline: earlier(entry.deadline, endOf(session)) };
}

async function writeEntries({ to, layout, figures }: Run, entries: Entry[]): Promise<void> {
  const endless = entries.filter(({ deadline }) => deadline === null);
  const others = entries.filter(({ deadline }) => deadline !== null);
  await Promise.all([
    ...(endless.length === 0 ? [] : [to.call(['MSET', ...endless.flatMap(({ key, value }) => [layout.key('custom', key), value])])]),
    ...others.map(({ key, value, deadline }) => to.call(['SET', layout.key('custom', key), value, 'PXAT', String(deadline)])),
  ]);
  figures.entries += entries.length;
}

// ── Sessions ───────────────────────────────────────────────────────────────────────────────────────────────

async function exportSessions(run: Run, ids: Buffer[]): Promise<void> {
  const known = (await readNotes(run, ids)).filter((session) => session !== null);
  const sizes = known.map(({ bytes }) => bytes);
  for (const batch of batches(known, sizes, run.most)) {
    const sessions = await readSessions(run, batch);
    if (sessions.length > 0) {
      await run.to.atOnce(sessions.flatMap((session) => writing(run, session)));
      await writeUsers(run, sessions);
    }
    run.figures.sessions += sessions.length;
    run.report();
  }
}

/** A session without its data, and the bytes of memory that it takes. */
type Known = Session & { bytes: number };

/** What SESSION.INFO tells of each id; null where there is no session, or the id is an old one. */
async function readNotes({ from, most }: Run, ids: Buffer[]): Promise<(Known | null)[]> {
  const parts = [...batches(ids, [], most)].map(async (part) => {
    try {
      const [time, ...told] = await from.atOnce([['TIME'], ...part.map((id) => ['SESSION.INFO', id])]);
      return part.map((id, index) => notesOf(id, time, told[index]));
    } catch (error) {
      // A value that looks like an id, and would be another node's.
      if (error instanceof WireError && error.reply.startsWith('MOVED ')) return part.map(() => null);
      throw error;
    }
  });
  return (await Promise.all(parts)).flat();
}

function notesOf(id: Buffer, time: Reply | undefined, told: Reply | undefined): Known | null {
  if (!Array.isArray(told)) return null;
  const known = new Map<string, Reply>();
  for (let index = 0; index < told.length; index += 2) known.set(String(told[index]), told[index + 1] ?? null);
  if (!(known.get('id') as Buffer).equals(id)) return null;
  const [idle, left] = [Number(known.get('idle')), Number(known.get('ttl'))];
  return {
    id,
    user: known.get('user_key') as Buffer,
    created: Date.parse(String(known.get('created_at'))),
    accessed: Date.parse(String(known.get('last_accessed'))),
    idle: idle < 0 ? null : idle / 1000,
    expires: momentOf(time, left),
    version: Number(known.get('version')),
    bytes: Number(known.get('bytes')),
    data: [],
  };
}

/**
 * The whole sessions, of those that are still there. Their data is read from the JSON of SESSION.GET, which
 * is no access; where that could not show all bytes, by SESSION.GETALL.
 */
async function readSessions(run: Run, known: Known[]): Promise<Session[]> {
  const small = known.filter(({ bytes }) => bytes <= JSON_MAX);
  const raw = known.filter(({ bytes }) => bytes > JSON_MAX).map(({ id }) => id);
  const sessions: Session[] = [];
  const commands = small.flatMap(({ id }) => [
    ['SESSION.INFO', id],
    ['SESSION.GET', id],
  ]);
  const [time, ...told] = commands.length === 0 ? [] : await run.from.atOnce([['TIME'], ...commands]);
  for (const [index, { id }] of small.entries()) {
    const [session, json] = [notesOf(id, time, told[2 * index]), told[2 * index + 1]];
    if (session === null || !Buffer.isBuffer(json)) continue;
    const texts = Object.entries((JSON.parse(json.toString()) as { data: Record<string, string> }).data).flat();
    if (texts.some((text) => text.includes(UNREADABLE))) raw.push(id);
    else sessions.push({ ...session, data: texts.map((text) => Buffer.from(text)) });
  }
  for (const id of raw) sessions.push(...(await readRaw(run, id)));
  return sessions;
}

/** The session in a list, with its bytes as they are; none where it is gone. */
async function readRaw({ from, figures }: Run, id: Buffer): Promise<Session[]> {
  const [time, told, fields] = await from.atOnce([['TIME'], ['SESSION.INFO', id], ['SESSION.GETALL', id]]);
  const session = notesOf(id, time, told);
  if (session === null || !Array.isArray(fields)) return [];
  figures.accessed++;
  return [{ ...session, data: fields as Buffer[] }];
}

/** The commands that write a session's hash anew. */
function writing({ layout }: Run, session: Session): (Buffer | string)[][] {
  const key = layout.key('session', session.id);
  const end = endOf(session);
  return [['DEL', key], ['HSET', key, ...toHash(session)], ...(end === null ? [] : [['PEXPIREAT', key, String(end)]])];
}

/** Adds the sessions to their users' sets, each of which lasts as long as the last of its sessions. */
async function writeUsers({ to, layout }: Run, sessions: Session[]): Promise<void> {
  const users = new Map<string, Session[]>();
  for (const session of sessions) {
    const user = session.user.toString('latin1');
    const own = users.get(user);
    if (own === undefined) users.set(user, [session]);
    else own.push(session);
  }
  const sets = [...users].map(([user, own]) => ({ key: layout.key('sessions', Buffer.from(user, 'latin1')), own }));
  const before = await Promise.all(sets.map(({ key }) => to.call(['PEXPIRETIME', key])));
  const commands = sets.flatMap(({ key, own }, index) => {
    // Before: -1 without an end, -2 absent.
    const [end, ends] = [Number(before[index]), own.map(endOf)];
    const isEndless = end === -1 || ends.includes(null);
    return [
      ['ZADD', key, ...own.flatMap(({ created, id }) => [String(created), id])],
      isEndless ? ['PERSIST', key] : ['PEXPIREAT', key, String(ends.reduce<number>((last, next) => Math.max(last, Number(next)), end))],
    ];
  });
  await to.atOnce(commands);
}

// ── What stands for nothing any longer ─────────────────────────────────────────────────────────────────────

async function pruneAll(run: Run): Promise<void> {
  const { from, to, layout, figures } = run;
  const remove = async (keys: Buffer[]): Promise<void> => {
    if (keys.length > 0) figures.pruned += (await to.call(['DEL', ...keys])) as number;
    run.report();
  };
  for await (const keys of layout.pages('custom', to)) {
    const there = await Promise.all(keys.map((key) => from.call(['CUSTOM.EXISTS', layout.nameIn('custom', key)])));
    await remove(keys.filter((_, index) => there[index] === 0));
  }
  for await (const keys of layout.pages('session', to)) {
    const sessions = await readNotes(
      run,
      keys.map((key) => layout.nameIn('session', key)),
    );
    await remove(keys.filter((_, index) => sessions[index] === null));
  }
  for await (const keys of layout.pages('sessions', to)) {
    await Promise.all(keys.map((key) => pruneUser(run, key)));
    run.report();
  }
}

/** Takes the sessions out of a user's set that have ended, or are another user's now. */
async function pruneUser(run: Run, key: Buffer): Promise<void> {
  const user = run.layout.nameIn('sessions', key);
  let cursor = '0';
  do {
    const [next, members] = (await run.to.call(['ZSCAN', key, cursor, 'COUNT', '200'])) as [Buffer, Buffer[]];
    const ids = members.filter((_, index) => index % 2 === 0);
    const sessions = await readNotes(run, ids);
    const gone = ids.filter((_, index) => sessions[index]?.user.equals(user) !== true);
    if (gone.length > 0) await run.to.call(['ZREM', key, ...gone]);
    cursor = next.toString();
  } while (cursor !== '0');
}

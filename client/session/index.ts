/** The sessions SESSION.*, as a module of node-redis: `createClient({ modules: { session } })`. */
import ADD_DATA from './ADD_DATA.ts';
import ASSIGN from './ASSIGN.ts';
import CAS from './CAS.ts';
import CHECK from './CHECK.ts';
import COUNT from './COUNT.ts';
import CREATE from './CREATE.ts';
import DELETE from './DELETE.ts';
import DELUSER from './DELUSER.ts';
import DEL_DATA from './DEL_DATA.ts';
import EXPIRE from './EXPIRE.ts';
import GET from './GET.ts';
import GETALL from './GETALL.ts';
import GET_DATA from './GET_DATA.ts';
import INCR_DATA from './INCR_DATA.ts';
import INFO from './INFO.ts';
import LIST from './LIST.ts';
import ROTATE from './ROTATE.ts';
import SCAN from './SCAN.ts';
import STRAYS from './STRAYS.ts';
import TOUCH from './TOUCH.ts';
import TTL from './TTL.ts';
import USER from './USER.ts';

/** Every command of SESSION.*, under the server's name and as node-redis spells methods. */
export default {
  /**
   * Creates a session for a user, or answers the one that the user has. O(1), with `max` O(sessions ended).
   *
   * Without `new` a live session of this user is answered as it is, and its last access updated.
   *
   * Server command: `SESSION.CREATE`. Since 0.1.0.
   *
   * @param user - the user key, any bytes; the storage maps it to the id: `client.custom.get(user)`
   * @param options - `new`, `idle`, `ttl`, `max`, `id`, `data`
   * @returns `{ outcome: 'created' | 'exists' | 'recreated', id }`
   * @throws ArgumentError before anything is sent; as `typedError` has it MaxSessionsError, IdExistsError,
   *   OutOfMemoryError
   * @example const { id } = await client.session.create('alice', { new: true, idle: 1800, max: { n: 3 },
   *   data: { theme: 'dark' } });
   */
  create: CREATE,
  /** Creates a session for a user, or answers the one that the user has. The same as `create`. */
  CREATE,
  /**
   * Answers a session with its data, as text. Does not count as an access. O(bytes of its data).
   *
   * Server command: `SESSION.GET`. Since 0.1.0.
   *
   * @param id - also an old id in its grace time; the answer has the present one
   * @returns `{ id, userKey, createdAt, lastAccessed, data }` with Dates, null when unknown or expired
   * @example const theme = (await client.session.get(id))?.data.theme;
   */
  get: GET,
  /** Answers a session with its data, as text. The same as `get`. */
  GET,
  /**
   * Answers the fields of a session with their raw values. Counts as an access. O(bytes of its data).
   *
   * Server command: `SESSION.GETALL`. Since 0.1.0.
   *
   * @param id - the session's id
   * @returns an object without a prototype, or what the type mapping of maps says: Map, or a flat Array with
   *   field names as they are in bytes. Under RESP3 the client's decoder loses a field named `__proto__`
   *   unless maps are mapped to Map or Array. null when unknown or expired
   * @example const fields = await client.session.getAll(id);
   */
  getAll: GETALL,
  /** Answers the fields of a session with their raw values. The same as `getAll`. */
  GETALL,
  /**
   * Answers what is known about a session, without its data. Does not count as an access. O(1).
   *
   * Server command: `SESSION.INFO`. Since 0.1.0.
   *
   * @param id - the session's id
   * @returns `{ id, userKey, createdAt, lastAccessed, idle, ttl, version, fields, bytes }`: moments are
   *   Dates, `idle` and `ttl` ms or null; null when unknown or expired
   * @example const version = (await client.session.info(id))?.version;
   */
  info: INFO,
  /** Answers what is known about a session, without its data. The same as `info`. */
  INFO,
  /**
   * Answers all live sessions. O(all sessions): for small data and for diagnostics;
   * `scanIterator(client.session)` walks through many.
   *
   * In a cluster: of one node.
   *
   * Server command: `SESSION.LIST`. Since 0.1.0.
   *
   * @returns `{ id, userKey, createdAt }` for each, in any order
   * @example for (const { id, userKey, createdAt } of await client.session.list()) console.log(id, userKey,
   *   createdAt);
   */
  list: LIST,
  /** Answers all live sessions. The same as `list`. */
  LIST,
  /**
   * Sets one field of a session's data, or several: all or none. Counts as an access. O(bytes of them).
   *
   * Server command: `SESSION.ADD_DATA`. Since 0.1.0.
   *
   * @param id - the session's id
   * @param field - its name, any bytes
   * @param value - any bytes, or a number as its text
   * @param fields - in place of both: an object, a Map or pairs
   * @returns `'OK'`
   * @throws SessionNotFoundError, as `typedError` has it: a session that was ended is never born again by a
   *   late write
   * @example await client.session.addData(id, { theme: 'dark', visits: 1 });
   */
  addData: ADD_DATA,
  /** Sets one field of a session's data, or several: all or none. The same as `addData`. */
  ADD_DATA,
  /**
   * Answers one field of a session's data. Counts as an access. O(1).
   *
   * Server command: `SESSION.GET_DATA`. Since 0.1.0.
   *
   * @param id - the session's id
   * @param field - its name, any bytes
   * @returns the value, null when the field is absent
   * @throws SessionNotFoundError, as `typedError` has it
   * @example const theme = await client.session.getData(id, 'theme');
   */
  getData: GET_DATA,
  /** Answers one field of a session's data. The same as `getData`. */
  GET_DATA,
  /**
   * Deletes one field of a session's data, or several. Counts as an access if any was there. O(fields).
   *
   * Server command: `SESSION.DEL_DATA`. Since 0.1.0.
   *
   * @param id - the session's id
   * @param fields - a name, or a list of at least one
   * @returns how many were there
   * @throws SessionNotFoundError, as `typedError` has it
   * @example await client.session.delData(id, ['theme', 'visits']);
   */
  delData: DEL_DATA,
  /** Deletes one field of a session's data, or several. The same as `delData`. */
  DEL_DATA,
  /**
   * Adds to the integer that is a field's value; an absent field counts as 0. Counts as an access. O(1).
   *
   * Server command: `SESSION.INCR_DATA`. Since 0.1.0.
   *
   * @param id - the session's id
   * @param field - its name, any bytes
   * @param increment - a whole number, negative too; a bigint beyond 2^53
   * @returns the new integer; beyond 2^53 exact only under a type mapping of numbers to String
   * @throws SessionNotFoundError, as `typedError` has it; the server's `ERR hash value is not an integer`,
   * `ERR increment or decrement would overflow`
   * @example const visits = await client.session.incrData(id, 'visits', 1);
   */
  incrData: INCR_DATA,
  /** Adds to the integer that is a field's value; an absent field counts as 0. The same as `incrData`. */
  INCR_DATA,
  /**
   * Sets fields only if nobody has changed the session's data since its version was read. O(bytes of them).
   *
   * Server command: `SESSION.CAS`. Since 0.1.0.
   *
   * @param id - the session's id
   * @param version - that of `info`, or that of the `cas` before
   * @param field - its name, any bytes
   * @param value - any bytes, or a number as its text
   * @param fields - in place of both: an object, a Map or pairs
   * @returns the new version
   * @throws VersionError with `current` and SessionNotFoundError, as `typedError` has them; nothing is stored
   *   then
   * @example const version = await client.session.cas(id, info.version, { cart: JSON.stringify(cart) });
   */
  cas: CAS,
  /**
   * Sets fields only if nobody has changed the session's data since its version was read. The same as `cas`.
   */
  CAS,
  /**
   * Counts as an access, from which the idle limit starts again. O(1).
   *
   * Server command: `SESSION.TOUCH`. Since 0.1.0.
   *
   * @param id - the session's id
   * @returns 1, or 0 when unknown or expired
   * @example const isThere = (await client.session.touch(id)) === 1;
   */
  touch: TOUCH,
  /** Counts as an access, from which the idle limit starts again. The same as `touch`. */
  TOUCH,
  /**
   * Sets a limit of a session; 0 or less ends it. O(1).
   *
   * Server command: `SESSION.EXPIRE`. Since 0.1.0.
   *
   * @param id - the session's id
   * @param seconds - the new limit
   * @param limit - `'IDLE'`: time without access, counted from the last one. `'TTL'` (without it): time from
   *   now on, however it is used
   * @returns 1, or 0 when unknown or expired
   * @example await client.session.expire(id, 600, 'IDLE');
   */
  expire: EXPIRE,
  /** Sets a limit of a session; 0 or less ends it. The same as `expire`. */
  EXPIRE,
  /**
   * Answers the milliseconds until a session ends if nobody uses it. Does not count as an access. O(1).
   *
   * Server command: `SESSION.TTL`. Since 0.1.0.
   *
   * @param id - the session's id
   * @returns -1 when it has no limit, -2 when unknown or expired
   * @example const ms = await client.session.ttl(id);
   */
  ttl: TTL,
  /** Answers the milliseconds until a session ends if nobody uses it. The same as `ttl`. */
  TTL,
  /**
   * Gives a session a new id, with the same data, user and creation: at login, against session fixation.
   * O(1).
   *
   * Of clients that race for it one wins: the others get the winner's id while the old one is in its grace
   * time, and SessionNotFoundError otherwise.
   *
   * Server command: `SESSION.ROTATE`. Since 0.1.0.
   *
   * @param id - the present id, or an old one in its grace time
   * @param options - `grace`: ms for which the old id goes on working, a week at most; of a session's old ids
   *   the last 16 do
   * @returns the new id
   * @throws SessionNotFoundError, as `typedError` has it
   * @example const newId = await client.session.rotate(id, { grace: 10_000 });
   */
  rotate: ROTATE,
  /**
   * Gives a session a new id, with the same data, user and creation: at login, against session fixation. The
   * same as `rotate`.
   */
  ROTATE,
  /**
   * Gives a session to another user: an anonymous one, at login. O(1).
   *
   * In a cluster the id and the user key must hash to one slot.
   *
   * Server command: `SESSION.ASSIGN`. Since 0.1.0.
   *
   * @param id - the session's id
   * @param user - the user key that it has from now on, any bytes
   * @returns 1, or 0 when unknown or expired
   * @example await client.session.assign(id, 'alice');
   */
  assign: ASSIGN,
  /** Gives a session to another user: an anonymous one, at login. The same as `assign`. */
  ASSIGN,
  /**
   * Ends a session. O(1).
   *
   * Server command: `SESSION.DELETE`. Since 0.1.0.
   *
   * @param id - the session's id
   * @returns 1, or 0 when unknown or expired
   * @example const wasThere = (await client.session.delete(id)) === 1;
   */
  delete: DELETE,
  /** Ends a session. The same as `delete`. */
  DELETE,
  /**
   * Answers the ids of a user's live sessions, newest first. O(sessions of the user).
   *
   * Server command: `SESSION.USER`. Since 0.1.0.
   *
   * @param user - the user key
   * @returns the ids; none for a user without sessions
   * @example const [newest] = await client.session.user('alice');
   */
  user: USER,
  /** Answers the ids of a user's live sessions, newest first. The same as `user`. */
  USER,
  /**
   * Ends sessions of a user: all, all but one, or those from before a moment. O(sessions of the user).
   *
   * Server command: `SESSION.DELUSER`. Since 0.1.0.
   *
   * @param user - the user key
   * @param options - `except`: an id to keep. `before`: a Date or Unix ms: only sessions created before it
   * @returns how many were ended
   * @example await client.session.delUser('alice', { except: id }); // log out all other devices
   */
  delUser: DELUSER,
  /** Ends sessions of a user: all, all but one, or those from before a moment. The same as `delUser`. */
  DELUSER,
  /**
   * Answers the ids of some live sessions, and where to go on. `scanIterator(client.session)` does all of it.
   *
   * A session that is there from the first call to the last is met at least once. O(COUNT).
   *
   * Server command: `SESSION.SCAN`. Since 0.1.0.
   *
   * @param cursor - `'0'` to begin with, then that of the reply before, until it is `'0'` again
   * @param options - `MATCH` pattern over ids, `COUNT`
   * @returns `{ cursor, ids }`
   * @example const { cursor, ids } = await client.session.scan('0', { COUNT: 100 });
   */
  scan: SCAN,
  /** Answers the ids of some live sessions, and where to go on. The same as `scan`. */
  SCAN,
  /**
   * Counts the sessions, or those of a user. O(1).
   *
   * Those that have expired and are not yet reclaimed are counted. In a cluster: of one node.
   *
   * Server command: `SESSION.COUNT`. Since 0.1.0.
   *
   * @param user - only of this user
   * @returns how many there are
   * @example const devices = await client.session.count('alice');
   */
  count: COUNT,
  /** Counts the sessions, or those of a user. The same as `count`. */
  COUNT,
  /**
   * Checks that records, user index, expiry queue and counters hold together. O(all data): for diagnostics.
   *
   * Server command: `SESSION.CHECK`. Since 0.1.0.
   *
   * @returns `'OK'`
   * @throws an error reply that names the first broken invariant
   * @example await client.session.check();
   */
  check: CHECK,
  /** Checks that records, user index, expiry queue and counters hold together. The same as `check`. */
  CHECK,
  /**
   * Counts and names ids that lie in another cluster slot than their user. O(sessions).
   *
   * They were made outside of cluster mode, and cannot move with their user's slot: `rotate` gives such a
   * session an id in the slot. In a cluster: of one node.
   *
   * Server command: `SESSION.STRAYS`. Since 0.1.0.
   *
   * @param options - `count`: how many ids to name at most
   * @returns `{ count, ids }`: how many there are, with old ids in grace, and some of them
   * @throws ArgumentError before anything is sent
   * @example const { count, ids } = await client.session.strays({ count: 1000 });
   */
  strays: STRAYS,
  /** Counts and names ids that lie in another cluster slot than their user. The same as `strays`. */
  STRAYS,
} as const;

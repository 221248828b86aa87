/** The storage CUSTOM.*, as a module of node-redis: `createClient({ modules: { custom } })`. */
import APPEND from './APPEND.ts';
import CHECK from './CHECK.ts';
import CLEAR from './CLEAR.ts';
import DEL from './DEL.ts';
import EXISTS from './EXISTS.ts';
import EXPIRE from './EXPIRE.ts';
import GET from './GET.ts';
import GETDEL from './GETDEL.ts';
import INCRBY from './INCRBY.ts';
import KEYS from './KEYS.ts';
import LEN from './LEN.ts';
import MEMORY from './MEMORY.ts';
import MGET from './MGET.ts';
import MSET from './MSET.ts';
import PERSIST from './PERSIST.ts';
import PEXPIRE from './PEXPIRE.ts';
import PTTL from './PTTL.ts';
import SCAN from './SCAN.ts';
import SET from './SET.ts';
import STRLEN from './STRLEN.ts';
import TTL from './TTL.ts';

/** Every command of CUSTOM.*, under the server's name and as node-redis spells methods. */
export default {
  /**
   * Stores a value, and takes away a deadline that the entry had. O(1).
   *
   * Server command: `CUSTOM.SET`. Since 0.1.0.
   *
   * @param key - any bytes
   * @param value - any bytes, or a number as its text
   * @param options - `condition`, `expiration` and `GET`, as those of node-redis' own `set`
   * @returns `'OK'`; null when the condition did not hold; with `GET` the value before, null when there was
   *   none
   * @throws ArgumentError before anything is sent; the server's `OOM …` when memory is short
   * @example await client.custom.set('greeting', 'hello', { condition: 'NX', expiration: { type: 'EX', value:
   *   60 } });
   */
  set: SET,
  /** Stores a value, and takes away a deadline that the entry had. The same as `set`. */
  SET,
  /**
   * Answers the value of a key. O(1).
   *
   * Server command: `CUSTOM.GET`. Since 0.1.0.
   *
   * @param key - any bytes
   * @returns the value, null when the key is absent or expired
   * @example const value = await client.custom.get('greeting');
   */
  get: GET,
  /** Answers the value of a key. The same as `get`. */
  GET,
  /**
   * Answers the value of a key and deletes it, in one step. O(1).
   *
   * Server command: `CUSTOM.GETDEL`. Since 0.1.0.
   *
   * @param key - any bytes
   * @returns the value, null when the key is absent
   * @example const code = await client.custom.getDel('code'); // of several that ask, one gets it
   */
  getDel: GETDEL,
  /** Answers the value of a key and deletes it, in one step. The same as `getDel`. */
  GETDEL,
  /**
   * Deletes one key or several. O(keys).
   *
   * In a cluster all keys of one call must hash to one slot.
   *
   * Server command: `CUSTOM.DEL`. Since 0.1.0.
   *
   * @param keys - a key, or a list of at least one
   * @returns how many were there
   * @example const deleted = await client.custom.del(['one', 'two']); // 2
   */
  del: DEL,
  /** Deletes one key or several. The same as `del`. */
  DEL,
  /**
   * Counts how many of the keys are there. O(keys).
   *
   * A key that is named twice is counted twice. In a cluster all keys of one call must hash to one slot.
   *
   * Server command: `CUSTOM.EXISTS`. Since 0.1.0.
   *
   * @param keys - a key, or a list of at least one
   * @returns how many are there
   * @example const isThere = (await client.custom.exists('greeting')) === 1;
   */
  exists: EXISTS,
  /** Counts how many of the keys are there. The same as `exists`. */
  EXISTS,
  /**
   * Stores several values in one step: all or none. O(keys).
   *
   * In a cluster all keys of one call must hash to one slot.
   *
   * Server command: `CUSTOM.MSET`. Since 0.1.0.
   *
   * @param entries - an object, a Map, or pairs
   * @returns `'OK'`
   * @throws the server's `OOM …` when memory is short; nothing is stored then
   * @example await client.custom.mSet({ one: '1', two: '2' });
   */
  mSet: MSET,
  /** Stores several values in one step: all or none. The same as `mSet`. */
  MSET,
  /**
   * Answers the values of several keys. O(keys).
   *
   * In a cluster all keys of one call must hash to one slot.
   *
   * Server command: `CUSTOM.MGET`. Since 0.1.0.
   *
   * @param keys - a key, or a list of at least one
   * @returns a value for each key, in their order; null where the key is absent
   * @example const [one, two] = await client.custom.mGet(['one', 'two']);
   */
  mGet: MGET,
  /** Answers the values of several keys. The same as `mGet`. */
  MGET,
  /**
   * Answers how many bytes the value of a key has. O(1).
   *
   * Server command: `CUSTOM.STRLEN`. Since 0.1.0.
   *
   * @param key - any bytes
   * @returns 0 when the key is absent
   * @example const bytes = await client.custom.strLen('greeting');
   */
  strLen: STRLEN,
  /** Answers how many bytes the value of a key has. The same as `strLen`. */
  STRLEN,
  /**
   * Appends to the value of a key; an absent key counts as empty. O(bytes of the value).
   *
   * Server command: `CUSTOM.APPEND`. Since 0.1.0.
   *
   * @param key - any bytes
   * @param value - any bytes, or a number as its text
   * @returns bytes of the value afterwards
   * @example const bytes = await client.custom.append('log', 'line\n');
   */
  append: APPEND,
  /** Appends to the value of a key; an absent key counts as empty. The same as `append`. */
  APPEND,
  /**
   * Adds to the integer that is the value of a key; an absent key counts as 0. O(1).
   *
   * Server command: `CUSTOM.INCRBY`. Since 0.1.0.
   *
   * @param key - any bytes
   * @param increment - a whole number, negative too; a bigint beyond 2^53
   * @returns the new integer; beyond 2^53 exact only under a type mapping of numbers to String
   * @throws the server's `ERR value is not an integer or out of range`,
   *   `ERR increment or decrement would overflow`
   * @example const visits = await client.custom.incrBy('visits', 1);
   */
  incrBy: INCRBY,
  /** Adds to the integer that is the value of a key; an absent key counts as 0. The same as `incrBy`. */
  INCRBY,
  /**
   * Sets the seconds that a key has left; 0 or less deletes it. O(1).
   *
   * Server command: `CUSTOM.EXPIRE`. Since 0.1.0.
   *
   * @param key - any bytes
   * @param seconds - a whole number, from now on
   * @returns 1, or 0 when the key is absent
   * @example await client.custom.expire('greeting', 60);
   */
  expire: EXPIRE,
  /** Sets the seconds that a key has left; 0 or less deletes it. The same as `expire`. */
  EXPIRE,
  /**
   * Sets the milliseconds that a key has left; 0 or less deletes it. O(1).
   *
   * Server command: `CUSTOM.PEXPIRE`. Since 0.1.0.
   *
   * @param key - any bytes
   * @param ms - a whole number, from now on
   * @returns 1, or 0 when the key is absent
   * @example await client.custom.pExpire('greeting', 1500);
   */
  pExpire: PEXPIRE,
  /** Sets the milliseconds that a key has left; 0 or less deletes it. The same as `pExpire`. */
  PEXPIRE,
  /**
   * Answers the seconds that a key has left. O(1).
   *
   * Server command: `CUSTOM.TTL`. Since 0.1.0.
   *
   * @param key - any bytes
   * @returns -1 when it has no deadline, -2 when the key is absent
   * @example const seconds = await client.custom.ttl('greeting');
   */
  ttl: TTL,
  /** Answers the seconds that a key has left. The same as `ttl`. */
  TTL,
  /**
   * Answers the milliseconds that a key has left. O(1).
   *
   * Server command: `CUSTOM.PTTL`. Since 0.1.0.
   *
   * @param key - any bytes
   * @returns -1 when it has no deadline, -2 when the key is absent
   * @example const ms = await client.custom.pTTL('greeting');
   */
  pTTL: PTTL,
  /** Answers the milliseconds that a key has left. The same as `pTTL`. */
  PTTL,
  /**
   * Takes away the deadline of a key. O(1).
   *
   * Server command: `CUSTOM.PERSIST`. Since 0.1.0.
   *
   * @param key - any bytes
   * @returns 1, or 0 when the key is absent or has none
   * @example await client.custom.persist('greeting');
   */
  persist: PERSIST,
  /** Takes away the deadline of a key. The same as `persist`. */
  PERSIST,
  /**
   * Answers some of the keys, and where to go on. `scanIterator(client.custom)` does all of it.
   *
   * A key that is there from the first call to the last is met at least once. O(COUNT).
   *
   * Server command: `CUSTOM.SCAN`. Since 0.1.0.
   *
   * @param cursor - `'0'` to begin with, then that of the reply before, until it is `'0'` again
   * @param options - `MATCH` pattern, `COUNT`
   * @returns `{ cursor, keys }`
   * @example const { cursor, keys } = await client.custom.scan('0', { MATCH: 'user:*', COUNT: 100 });
   */
  scan: SCAN,
  /** Answers some of the keys, and where to go on. The same as `scan`. */
  SCAN,
  /**
   * Answers all keys, in any order, or those that match a pattern. O(all keys): for small data and for
   * diagnostics.
   *
   * In a cluster: of one node.
   *
   * Server command: `CUSTOM.KEYS`. Since 0.1.0.
   *
   * @param pattern - as the server's `KEYS`: `user:*`
   * @returns the keys
   * @example const keys = await client.custom.keys('user:*');
   */
  keys: KEYS,
  /** Answers all keys, in any order, or those that match a pattern. The same as `keys`. */
  KEYS,
  /**
   * Counts the keys. O(1).
   *
   * Those that have expired and are not yet reclaimed are counted. In a cluster: of one node.
   *
   * Server command: `CUSTOM.LEN`. Since 0.1.0.
   *
   * @returns how many there are
   * @example const count = await client.custom.len();
   */
  len: LEN,
  /** Counts the keys. The same as `len`. */
  LEN,
  /**
   * Deletes all keys, of whoever has set them, sessions' mappings too. O(all keys).
   *
   * In a cluster: of one node.
   *
   * Server command: `CUSTOM.CLEAR`. Since 0.1.0.
   *
   * @returns how many there were
   * @example const deleted = await client.custom.clear();
   */
  clear: CLEAR,
  /** Deletes all keys, of whoever has set them, sessions' mappings too. The same as `clear`. */
  CLEAR,
  /**
   * Answers the bytes of memory that an entry takes. O(1).
   *
   * Server command: `CUSTOM.MEMORY`. Since 0.1.0.
   *
   * @param key - any bytes
   * @returns null when the key is absent
   * @example const bytes = await client.custom.memory('greeting');
   */
  memory: MEMORY,
  /** Answers the bytes of memory that an entry takes. The same as `memory`. */
  MEMORY,
  /**
   * Checks that every structure and counter of the store holds together. O(all data): for diagnostics.
   *
   * Server command: `CUSTOM.CHECK`. Since 0.1.0.
   *
   * @returns `'OK'`
   * @throws an error reply that names the first broken invariant
   * @example await client.custom.check();
   */
  check: CHECK,
  /** Checks that every structure and counter of the store holds together. The same as `check`. */
  CHECK,
} as const;

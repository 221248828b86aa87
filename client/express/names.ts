/**
 * What sessions and users are called on the server: ids and keys, with the prefix of the store, in the slots
 * of a cluster.
 */
import type { SessionData } from 'express-session';
import { ArgumentError, bytes } from '../arguments.ts';
import type { RedisArgument } from '../command.ts';
import { isTagged, slotOf } from '../cluster/slots.ts';
import { randomSid, sidIn, type ClusterOptions } from './slots.ts';

const ID = /^[\x21-\x7e]{16,128}$/;

export interface NameOptions {
  /** Where the client is a cluster's. */
  cluster: ClusterOptions | undefined;
  userOf: (session: SessionData) => RedisArgument | null | undefined;
  userOfRequest: (request: object) => RedisArgument | null | undefined;
  prefix: string;
}

/** A `sid` is what express-session knows; an id and a key are what the server has. */
export class Names {
  readonly #options: NameOptions;
  /** Whether ids and user keys are in slots of their own: in a cluster, without a hash tag in the prefix. */
  readonly #hasSlots: boolean;

  constructor(options: NameOptions) {
    this.#options = options;
    this.#hasSlots = options.cluster !== undefined && !isTagged(options.prefix);
  }

  /** The id of a session; throws an ArgumentError where it can be none. */
  idOf(sid: unknown, argument = 'sid'): string {
    if (this.isId(sid)) return this.#options.prefix + sid;
    throw new ArgumentError(
      argument,
      '16 to 128 visible ASCII characters, with the prefix: let the option genid of express-session make such',
    );
  }

  isId(sid: unknown): sid is string {
    return typeof sid === 'string' && ID.test(this.#options.prefix + sid);
  }

  sidOf(id: string): string {
    return id.slice(this.#options.prefix.length);
  }

  /** The key of a user. */
  keyOf(user: RedisArgument): RedisArgument {
    const { prefix } = this.#options;
    if (prefix === '') return user;
    return typeof user === 'string' ? prefix + user : Buffer.concat([Buffer.from(prefix), user]);
  }

  /** The key of whose a session is: of the user that the options tell, else of nobody. */
  userKeyOf(sid: string, session: SessionData): RedisArgument {
    const user = bytes('options.userOf(session)', this.#options.userOf(session) ?? '');
    return user.length === 0 ? this.anonymousKey(sid) : this.keyOf(user);
  }

  /** In the slot of its id, in a cluster. */
  anonymousKey(sid: string): RedisArgument {
    const { prefix } = this.#options;
    if (!this.#hasSlots) return this.keyOf(`anonymous:{${sid}}`);
    return isTagged(sid) ? `${prefix}anonymous:${sid}` : `${prefix}anonymous:{${prefix}${sid}}`;
  }

  /** A new id: in the slot of the user that a request signs in, in a cluster. */
  newSid(request: object | undefined): string {
    const user = bytes('options.userOfRequest(request)', (request && this.#options.userOfRequest(request)) ?? '');
    if (!this.#hasSlots || user.length === 0) return randomSid();
    return sidIn(this.#slotOf(this.keyOf(user)), this.#options.prefix);
  }

  #slotOf(userKey: RedisArgument): number {
    return slotOf(Buffer.concat([bufferOf(this.#options.cluster?.keyPrefix ?? ''), bufferOf(userKey)]));
  }

  /** Whether a session and a user are in one slot. */
  sharesSlot(id: string, userKey: RedisArgument): boolean {
    return !this.#hasSlots || slotOf(id) === this.#slotOf(userKey);
  }

  /** Throws an ArgumentError where they are not. */
  checkSlot(id: string, userKey: RedisArgument): void {
    if (this.sharesSlot(id, userKey)) return;
    throw new ArgumentError(
      'options.userOf(session)',
      'in a cluster a user in the slot of the session: sign in by regenerate, with genid: store.genid and the user in options.userOfRequest(request)',
    );
  }
}

export function bufferOf(key: RedisArgument): Buffer {
  return typeof key === 'string' ? Buffer.from(key) : key;
}

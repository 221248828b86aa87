/**
 * The people who may sign in. Of a password only its scrypt hash with a salt is kept. In memory: a site of
 * your own has a database.
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

export interface User {
  /** What is typed to sign in, and the user key of the sessions. */
  readonly login: string;
  /** What pages show; its owner may change it to any text. */
  name: string;
  /** Whether the operator's page is open to this person. */
  readonly isOperator: boolean;
}

interface Secret {
  salt: Buffer;
  hash: Buffer;
}

const HASH_BYTES = 32;
const SALT_BYTES = 16;
/** What a guess costs, by scrypt. By default 16 MiB of memory and some 50 ms. */
export interface Cost {
  N: number;
  r: number;
  p: number;
}

const COST: Cost = { N: 16_384, r: 8, p: 1 };
/** Longer passwords are refused before they are hashed. */
export const PASSWORD_LENGTH_MAX = 256;

function hashOf(password: string, salt: Buffer, cost: Cost): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, HASH_BYTES, cost, (error, hash) => {
      if (error) reject(error);
      else resolve(hash);
    });
  });
}

export class Users {
  readonly #users = new Map<string, { user: User; secret: Secret }>();
  /** What the password of an unknown person is compared with, so that the answer takes the same time. */
  readonly #nobody: Secret = { salt: randomBytes(SALT_BYTES), hash: randomBytes(HASH_BYTES) };
  readonly #cost: Cost;

  constructor(cost = COST) {
    this.#cost = cost;
  }

  async add(user: User, password: string): Promise<void> {
    const salt = randomBytes(SALT_BYTES);
    this.#users.set(user.login, { user, secret: { salt, hash: await hashOf(password, salt, this.#cost) } });
  }

  find(login: string | undefined): User | undefined {
    return login === undefined ? undefined : this.#users.get(login)?.user;
  }

  /** The person whose login and password these are, else undefined. */
  async authenticate(login: string, password: string): Promise<User | undefined> {
    const found = this.#users.get(login);
    const { salt, hash } = found?.secret ?? this.#nobody;
    if (password.length > PASSWORD_LENGTH_MAX) return undefined;
    return timingSafeEqual(await hashOf(password, salt, this.#cost), hash) ? found?.user : undefined;
  }
}

/** People to try the site with. Their passwords stand on the sign-in page: they guard nothing. */
export const DEMO_ACCOUNTS = [
  { user: { login: 'alice', name: 'Alice Example', isOperator: false }, password: 'wonderland' },
  { user: { login: 'bob', name: 'Bob Example', isOperator: false }, password: 'builder' },
  { user: { login: 'olga', name: 'Olga Operator', isOperator: true }, password: 'switchboard' },
] as const satisfies readonly { user: User; password: string }[];

export async function demoUsers(cost?: Cost): Promise<Users> {
  const users = new Users(cost);
  await Promise.all(DEMO_ACCOUNTS.map(({ user, password }) => users.add({ ...user }, password)));
  return users;
}

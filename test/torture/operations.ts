/**
 * What a writer sends: commands of both parts of the contract on keys and users that are its own, each with
 * what it does to the writer's state and what must be answered. The names of that state are in history.ts.
 *
 * Every session is created with a field `label` that tells it apart for good: its id is another after a
 * rotation, and unknown while a creation is not acknowledged.
 */
import { UNKNOWN, type Operation, type State } from './history.ts';

const KEYS = 30;
const COUNTERS = 5;
const USERS = 12;
const FIELDS = 4;
/** Sessions that a user may have, as creations say; the oldest makes room. */
const MAX = 3;
/** A limit of time that no torture reaches, in s. */
const FAR_S = '1000000';

/** A reply to an operation, and what it means: true, or the words for what was expected. */
export type Judge = (reply: string) => true | string;

export interface Step {
  operation: Operation;
  judge: Judge;
}

type Changes = Operation['changes'];

/** A session as its writer knows it. */
interface Known {
  user: string;
  label: string;
  id: string;
}

export class Operations {
  readonly #name: string;
  readonly #random: () => number;
  #number = 0;

  /** `random` answers numbers from 0 to below 1, as Math.random. */
  constructor(name: string, random: () => number) {
    this.#name = name;
    this.#random = random;
  }

  /** The next operation of a writer whose state this is. */
  next(state: State): Step {
    this.#number++;
    if (this.#random() < 0.45) return this.#onKeys(state);
    const user = this.#user();
    const labels = labelsOf(state, user);
    if (labels.length === 0) return this.#create(user, labels, [], state);
    const label = labels[this.#choose(labels.length)]!;
    const id = state.get(`id ${label}`)!;
    return this.#onSession(state, { user, label, id });
  }

  #choose(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #user(): string {
    return `${this.#name}:user ${this.#choose(USERS)}`;
  }

  #key(): string {
    return `${this.#name}:key ${this.#choose(KEYS)}`;
  }

  /** A value like no other, mostly short, sometimes longer than a block of the RDB file. */
  #value(): string {
    const size = this.#random() < 0.02 ? 70_000 : this.#choose(200);
    return `${this.#number}:${'v'.repeat(size)}`;
  }

  // ── CUSTOM.* ─────────────────────────────────────────────────────────────────────────────────────────────

  #onKeys(state: State): Step {
    const [key, other, value] = [this.#key(), this.#key(), this.#value()];
    const present = state.get(`key ${key}`);
    const chosen = this.#choose(20);
    if (chosen < 6) return step(['CUSTOM.SET', key, value], [...set(key, value), gone(`limit ${key}`)], exactly('+OK\r\n'));
    if (chosen < 8) return step(['CUSTOM.SET', key, value, 'EX', FAR_S], [...set(key, value), limited(key)], exactly('+OK\r\n'));
    if (chosen < 9) return step(['CUSTOM.SET', key, value, 'KEEPTTL'], set(key, value), exactly('+OK\r\n'));
    if (chosen < 11) {
      const changes = [...set(key, value), gone(`limit ${key}`), ...set(other, `${value}!`), gone(`limit ${other}`)];
      return step(['CUSTOM.MSET', key, value, other, `${value}!`], changes, exactly('+OK\r\n'));
    }
    if (chosen < 14) {
      const count = new Set([key, other].filter((one) => state.has(`key ${one}`))).size;
      return step(['CUSTOM.DEL', key, other], [...removed(key), ...removed(other)], exactly(`:${count}\r\n`));
    }
    if (chosen < 15) return step(['CUSTOM.GETDEL', key], removed(key), exactly(bulkOf(present)));
    if (chosen < 16) {
      const all = `${present ?? ''}${value}`;
      return step(['CUSTOM.APPEND', key, value], set(key, all), exactly(`:${all.length}\r\n`));
    }
    if (chosen < 17) {
      const changes = present === undefined ? [] : [limited(key)];
      return step(['CUSTOM.EXPIRE', key, FAR_S], changes, exactly(present === undefined ? ':0\r\n' : ':1\r\n'));
    }
    if (chosen < 18) {
      return step(['CUSTOM.PERSIST', key], [gone(`limit ${key}`)], exactly(state.has(`limit ${key}`) ? ':1\r\n' : ':0\r\n'));
    }
    const counter = `${this.#name}:counter ${this.#choose(COUNTERS)}`;
    const sum = String(Number(state.get(`key ${counter}`) ?? 0) + 7);
    return step(['CUSTOM.INCRBY', counter, '7'], set(counter, sum), exactly(`:${sum}\r\n`));
  }

  // ── SESSION.* ────────────────────────────────────────────────────────────────────────────────────────────

  #onSession(state: State, session: Known): Step {
    const { user, label, id } = session;
    const [field, value] = [`field ${this.#choose(FIELDS)}`, this.#value()];
    const chosen = this.#choose(20);
    if (chosen < 6) {
      return step(['SESSION.ADD_DATA', id, field, value], [[`field ${label} ${field}`, value]], exactly('+OK\r\n'));
    }
    if (chosen < 8) {
      const changes: Changes = [[`field ${label} ${field}`, value], [`field ${label} more`, value]]; // prettier-ignore
      return step(['SESSION.ADD_DATA', id, field, value, 'more', value], changes, exactly('+OK\r\n'));
    }
    if (chosen < 9) {
      const count = Number(state.has(`field ${label} ${field}`));
      return step(['SESSION.DEL_DATA', id, field], [gone(`field ${label} ${field}`)], exactly(`:${count}\r\n`));
    }
    if (chosen < 11) {
      const sum = String(Number(state.get(`field ${label} counter`) ?? 0) + 3);
      return step(['SESSION.INCR_DATA', id, 'counter', '3'], [[`field ${label} counter`, sum]], exactly(`:${sum}\r\n`));
    }
    if (chosen < 13) return step(['SESSION.GET_DATA', id, field], [], exactly(bulkOf(state.get(`field ${label} ${field}`))));
    if (chosen < 14) {
      const changes = ended(state, user, labelsOf(state, user), [label]);
      return step(['SESSION.DELETE', id], changes, exactly(':1\r\n'));
    }
    if (chosen < 15) return this.#deleteUser(state, session);
    if (chosen < 16) return this.#rotate(session);
    if (chosen < 17) return this.#assign(state, session);
    return this.#create(user, labelsOf(state, user), ['NEW', 'MAX', String(MAX), 'EVICT', 'TTL', FAR_S], state);
  }

  #create(user: string, labels: string[], words: string[], state: State): Step {
    const label = `${this.#name}:session ${this.#number}`;
    const kept = labels.slice(0, MAX - 1);
    const idChange: [string, string] = [`id ${label}`, UNKNOWN];
    const changes: Changes = [...ended(state, user, labels, labels.slice(MAX - 1)), sessions(user, [label, ...kept]), idChange];
    return step(['SESSION.CREATE', user, ...words, 'DATA', 'label', label], changes, (reply) => {
      const id = /^\+Session created: ([0-9a-f-]{36})\r\n$/.exec(reply)?.[1];
      if (id === undefined) return '+Session created: <id>';
      idChange[1] = id;
      return true;
    });
  }

  /** All sessions of a user, sometimes all but this one. */
  #deleteUser(state: State, { user, label, id }: Known): Step {
    const except = this.#random() < 0.5;
    const labels = labelsOf(state, user);
    const out = labels.filter((one) => !except || one !== label);
    const words = except ? ['SESSION.DELUSER', user, 'EXCEPT', id] : ['SESSION.DELUSER', user];
    return step(words, ended(state, user, labels, out), exactly(`:${out.length}\r\n`));
  }

  #rotate({ label, id }: Known): Step {
    const change: [string, string] = [`id ${label}`, UNKNOWN];
    return step(['SESSION.ROTATE', id], [change], (reply) => {
      const next = /^\$36\r\n([0-9a-f-]{36})\r\n$/.exec(reply)?.[1];
      if (next === undefined || next === id) return 'another id';
      change[1] = next;
      return true;
    });
  }

  /** The session becomes another user's, and the newest of that one. */
  #assign(state: State, { user, label, id }: Known): Step {
    const other = this.#user();
    if (other === user) return step(['SESSION.GET_DATA', id, 'label'], [], exactly(bulkOf(label)));
    const left = labelsOf(state, user).filter((one) => one !== label);
    const changes = [sessions(user, left), sessions(other, [label, ...labelsOf(state, other)])];
    return step(['SESSION.ASSIGN', id, other], changes, exactly(':1\r\n'));
  }
}

/** The labels of a user's sessions, newest first. */
function labelsOf(state: State, user: string): string[] {
  return state.get(`sessions ${user}`)?.split(',') ?? [];
}

function sessions(user: string, labels: string[]): [string, string | null] {
  return [`sessions ${user}`, labels.length > 0 ? labels.join() : null];
}

/** What remains of a user's sessions `labels` when those of `out` have ended. */
function ended(state: State, user: string, labels: string[], out: string[]): Changes {
  const names = [...state.keys()].filter((name) => out.some((label) => name === `id ${label}` || name.startsWith(`field ${label} `)));
  return [
    ...names.map(gone),
    sessions(
      user,
      labels.filter((label) => !out.includes(label)),
    ),
  ];
}

const gone = (name: string): [string, null] => [name, null];
const set = (key: string, value: string): Changes => [[`key ${key}`, value]];
const limited = (key: string): [string, string] => [`limit ${key}`, 'yes'];
const removed = (key: string): Changes => [gone(`key ${key}`), gone(`limit ${key}`)];
const bulkOf = (text: string | undefined) => (text === undefined ? '$-1\r\n' : `$${text.length}\r\n${text}\r\n`);

function step(words: string[], changes: Changes, judge: Judge): Step {
  return { operation: { words, changes, sent: Infinity, acknowledged: Infinity, acknowledged_ms: Infinity }, judge };
}

function exactly(expected: string): Judge {
  return (reply) => reply === expected || expected.slice(0, 200);
}

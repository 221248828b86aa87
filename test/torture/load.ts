/** The writers: each owns its keys and users, waits for each reply, and knows what was acknowledged, in which order. */
import { random } from '../../bench/lib/random.ts';
import type { RawConnection } from '../support/raw.ts';
import type { TestServer } from '../support/server.ts';
import { apply, UNKNOWN, Violation, type History, type Operation, type State } from './history.ts';

const WRITERS = 4;
const KEYS = 30;
const USERS = 12;
const FIELDS = 4;

/** How a writer's run ended. */
type End = 'stopped' | 'disconnected' | 'refused';

/** A reply to an operation, and what it means: true, or the words for what was expected. */
type Judge = (reply: string) => true | string;

class Writer implements History {
  readonly name: string;
  base: State = new Map();
  operations: Operation[] = [];
  /** The state after all operations. */
  #state: State = new Map();
  #random: () => number;
  #number = 0;

  constructor(name: string, seed: number) {
    this.name = name;
    this.#random = random(seed);
  }

  /** Goes on from a state that was found and checked. */
  adopt(state: State): void {
    this.base = new Map(state);
    this.#state = new Map(state);
    this.operations = [];
  }

  /** Sends operations, one after the other, until `isStopped`, the connection ends, or the server refuses to write. */
  async run(connection: RawConnection, load: Load): Promise<End> {
    while (!load.isStopped) {
      const { operation, judge } = this.#next();
      operation.sent = load.tick();
      this.operations.push(operation);
      let reply: string;
      try {
        reply = await connection.send(...operation.words);
      } catch {
        this.#done(operation);
        return 'disconnected';
      }
      if (/^-(MISCONF|OOM)/.test(reply)) {
        // Refused: it never was.
        this.operations.pop();
        return 'refused';
      }
      const judged = judge(reply);
      if (judged !== true) {
        throw new Violation(
          `${operation.words.slice(0, 3).join(' ')} of ${this.name} answered ${reply.slice(0, 200)} instead of ${judged}`,
        );
      }
      operation.acknowledged = load.tick();
      operation.acknowledged_ms = Date.now();
      this.#done(operation);
      load.acknowledge();
    }
    return 'stopped';
  }

  #done(operation: Operation): void {
    apply(this.#state, operation);
  }

  #choose(count: number): number {
    return Math.floor(this.#random() * count);
  }

  /** A value like no other, mostly short, sometimes longer than a block of the RDB file. */
  #value(): string {
    const size = this.#random() < 0.02 ? 70_000 : this.#choose(200);
    return `${this.#number}:${'v'.repeat(size)}`;
  }

  #next(): { operation: Operation; judge: Judge } {
    this.#number++;
    const choice = this.#random();
    const key = `${this.name}:key ${this.#choose(KEYS)}`;
    if (choice < 0.4) {
      const value = this.#value();
      return step(['CUSTOM.SET', key, value], [[`key ${key}`, value]], exactly('+OK\r\n'));
    }
    if (choice < 0.55) {
      return step(['CUSTOM.DEL', key], [[`key ${key}`, null]], exactly(this.#state.has(`key ${key}`) ? ':1\r\n' : ':0\r\n'));
    }
    const user = `${this.name}:user ${this.#choose(USERS)}`;
    const id = this.#state.get(`id ${user}`);
    if (id === undefined || id === UNKNOWN) return this.#create(user, id);
    const field = `field ${this.#choose(FIELDS)}`;
    if (choice < 0.85) {
      const value = this.#value();
      return step(['SESSION.ADD_DATA', id, field, value], [[`field ${user} ${field}`, value]], exactly('+OK\r\n'));
    }
    if (choice < 0.93) {
      const names = [`id ${user}`, ...Array.from({ length: FIELDS }, (_, index) => `field ${user} field ${index}`)];
      const gone = names.filter((name) => this.#state.has(name)).map((name): [string, null] => [name, null]);
      return step(['SESSION.DELETE', id], gone, exactly(':1\r\n'));
    }
    const value = this.#state.get(`field ${user} ${field}`);
    return step(['SESSION.GET_DATA', id, field], [], exactly(value === undefined ? '$-1\r\n' : `$${value.length}\r\n${value}\r\n`));
  }

  #create(user: string, known: string | undefined): { operation: Operation; judge: Judge } {
    const change: [string, string] = [`id ${user}`, known ?? UNKNOWN];
    return step(['SESSION.CREATE', user], [change], (reply) => {
      const id = /^\+Session created: ([0-9a-f-]{36})\r\n$/.exec(reply)?.[1];
      if (id === undefined) return '+Session created: <id>';
      change[1] = id;
      return true;
    });
  }
}

function step(words: string[], changes: Operation['changes'], judge: Judge): { operation: Operation; judge: Judge } {
  return { operation: { words, changes, sent: Infinity, acknowledged: Infinity, acknowledged_ms: Infinity }, judge };
}

function exactly(expected: string): Judge {
  return (reply) => reply === expected || expected.slice(0, 200);
}

/** All writers on one server, and what is to happen after so many acknowledged operations. */
export class Load {
  readonly writers: Writer[];
  /** Operations acknowledged so far, of all writers. */
  acknowledged = 0;
  isStopped = false;
  /** Counts every sending and every reply: what happened before what. */
  clock = 0;
  #events: { count: number; action: () => Promise<unknown> }[] = [];
  #running: Promise<unknown>[] = [];

  constructor(seed: number) {
    this.writers = Array.from({ length: WRITERS }, (_, index) => new Writer(`writer ${index}`, seed * WRITERS + index));
  }

  tick(): number {
    return ++this.clock;
  }

  /** Has the writers end after the operations that they have sent. */
  stop(): Promise<void> {
    this.isStopped = true;
    return Promise.resolve();
  }

  /** Has `action` happen when `count` more operations are acknowledged. */
  after(count: number, action: () => Promise<unknown>): void {
    this.#events.push({ count: this.acknowledged + count, action });
    this.#events.sort((one, other) => one.count - other.count);
  }

  acknowledge(): void {
    this.acknowledged++;
    while (this.#events[0] !== undefined && this.#events[0].count <= this.acknowledged) {
      // A failure is told by `run`, at the end.
      const running = this.#events.shift()!.action();
      running.catch(() => undefined);
      this.#running.push(running);
    }
  }

  /** Lets all writers write until each has ended, and every event's action too. */
  async run(server: TestServer): Promise<End[]> {
    this.isStopped = false;
    const connections = await Promise.all(this.writers.map(() => server.connect()));
    const ends = await Promise.all(this.writers.map((writer, index) => writer.run(connections[index]!, this)));
    for (const connection of connections) connection.close();
    await Promise.all(this.#running.splice(0));
    this.#events = [];
    return ends;
  }

  /** Goes on from a state that was found and checked. */
  adopt(states: Map<string, State>): void {
    for (const writer of this.writers) writer.adopt(states.get(writer.name) ?? new Map<string, string>());
  }
}

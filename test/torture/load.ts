/**
 * The writers: each owns its keys and users, waits for each reply, and knows what was acknowledged, in which
 * order.
 */
import { random } from '../../bench/lib/random.ts';
import type { RawConnection } from '../support/raw.ts';
import type { TestServer } from '../support/server.ts';
import { apply, Violation, type History, type Operation, type State } from './history.ts';
import { Operations } from './operations.ts';

const WRITERS = 4;

/** How a writer's run ended. */
type End = 'stopped' | 'disconnected' | 'refused';

class Writer implements History {
  readonly name: string;
  base: State = new Map();
  operations: Operation[] = [];
  /** The state after all operations. */
  #state: State = new Map();
  readonly #operations: Operations;

  constructor(name: string, seed: number) {
    this.name = name;
    this.#operations = new Operations(name, random(seed));
  }

  /** Goes on from a state that was found and checked. */
  adopt(state: State): void {
    this.base = new Map(state);
    this.#state = new Map(state);
    this.operations = [];
  }

  /**
   * Sends operations, one after the other, until `isStopped`, the connection ends, or the server refuses to
   * write.
   */
  async run(connection: RawConnection, load: Load): Promise<End> {
    while (!load.isStopped) {
      const { operation, judge } = this.#operations.next(this.#state);
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

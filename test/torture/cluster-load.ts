/** The writers on a cluster: each owns its things, waits for each reply, and judges it at once. */
import { random } from '../../bench/lib/random.ts';
import type { TestServer } from '../support/server.ts';
import { slotOf } from '../support/slots.ts';
import { Violation } from './history.ts';
import { clientRoute, RawRoute, type Route } from './routes.ts';
import { Counter, Entry, Item, User, type Thing } from './things.ts';

const WRITERS = 8;
const TAGS = 10;
/** Of how many slots each node has at first those are written to that come first. */
const NODE_SLOTS = 4096;
export const HOT_SLOTS = 64;
const LOOKS = 0.35;
const PAUSE_MS = 6;

class Writer {
  acknowledged = 0;
  /** Operations that were refused, or whose answer was lost. */
  refused = 0;
  lost = 0;
  readonly things: Thing[];
  readonly #draw: () => number;

  constructor(
    readonly name: string,
    readonly route: Route,
    seed: number,
  ) {
    this.#draw = random(seed);
    this.things = tags(name).flatMap((tag) => [
      new Entry(`${tag}:entry`, this.#draw),
      new Counter(`${tag}:counter`, this.#draw),
      new User(`${tag}:user`, this.#draw),
      new Item(`${tag}:item`, this.#draw),
    ]);
  }

  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const thing = this.things[Math.floor(this.#draw() * this.things.length)]!;
      if (thing.isUncertain || this.#draw() < LOOKS) await this.#judged(thing, () => thing.look(this.route));
      else await this.#judged(thing, () => this.#change(thing));
      await new Promise((resolve) => setTimeout(resolve, this.#draw() * PAUSE_MS));
    }
  }

  async #change(thing: Thing): Promise<void> {
    const { words, after, judge } = thing.next();
    const answer = await this.route.send(thing.key, words);
    if ('refused' in answer) this.refused++;
    else if ('lost' in answer) {
      this.lost++;
      thing.isUncertain = true;
      if (!thing.possible.includes(after)) thing.possible.push(after);
    } else {
      const judged = judge(answer.reply);
      if (judged !== true)
        throw new Violation(`${words.join(' ')} answered ${String(answer.reply)} instead of ${judged}, at ${thing.state}`);
      thing.possible = [after];
      this.acknowledged++;
    }
  }

  async #judged(thing: Thing, action: () => Promise<unknown>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      throw new Violation(`${this.name}, by ${this.route.name}, slot ${slotOf(thing.key)}: ${error.message}`);
    }
  }

  /** Looks at all that is uncertain until it is certain, or `isOver`. */
  async settle(isOver: () => boolean): Promise<void> {
    for (const thing of this.things) {
      while (thing.isUncertain && !isOver()) await this.#judged(thing, () => thing.look(this.route));
      if (thing.isUncertain) throw new Violation(`${this.name}: nothing answers for ${thing.key}`);
    }
  }
}

/** Hash tags of slots that are among the first of each node. */
function tags(name: string): string[] {
  const found: string[] = [];
  for (let number = 0; found.length < TAGS; number++) {
    const tag = `{${name}.${number}}`;
    if (slotOf(tag) % NODE_SLOTS < HOT_SLOTS) found.push(tag);
  }
  return found;
}

/** All writers of a cluster. */
export class ClusterLoad {
  readonly writers: Writer[];
  #isStopped = true;
  #running: Promise<unknown> = Promise.resolve();
  /** What a writer has found wrong. */
  failure: Error | undefined;

  private constructor(writers: Writer[]) {
    this.writers = writers;
  }

  /** Half of them by connections that follow by themselves, half by node-redis. */
  static async of(nodes: TestServer[], seed: number): Promise<ClusterLoad> {
    const routes = Array.from({ length: WRITERS }, (_, index): Promise<Route> =>
      index % 2 === 0 ? Promise.resolve(new RawRoute(nodes)) : clientRoute(nodes),
    );
    const all = await Promise.all(routes);
    return new ClusterLoad(all.map((route, index) => new Writer(`w${index}`, route, seed * WRITERS + index)));
  }

  start(): void {
    this.#isStopped = false;
    const isOver = () => this.#isStopped || this.failure !== undefined;
    const runs = this.writers.map((writer) =>
      writer.run(isOver).catch((error: unknown) => {
        this.failure ??= error instanceof Error ? error : new Error(String(error));
      }),
    );
    this.#running = Promise.all(runs);
  }

  /**
   * Has the writers end what they have begun; whatever is uncertain is looked at for `timeout_ms` at most.
   */
  async stop(timeout_ms: number): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    this.rethrow();
    const deadline = Date.now() + timeout_ms;
    await Promise.all(this.writers.map((writer) => writer.settle(() => Date.now() > deadline)));
  }

  /** Throws what a writer has found wrong. */
  rethrow(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  get things(): Thing[] {
    return this.writers.flatMap(({ things }) => things);
  }

  sum(what: 'acknowledged' | 'refused' | 'lost'): number {
    return this.writers.reduce((sum, writer) => sum + writer[what], 0);
  }

  close(): void {
    this.#isStopped = true;
    for (const { route } of this.writers) route.close();
  }
}

/**
 * What a writer of the cluster's torture owns: an entry, a counter, a user with sessions, a line of the kit's
 * module; several of them under one hash tag, and so in one slot. Each knows the states in which it may be,
 * as texts: one, unless an answer was lost.
 */
import type { Reply } from '../support/reply.ts';
import { shopWith } from '../support/live.ts';
import { Violation } from './history.ts';
import type { Route } from './routes.ts';

/** Where it is not there. */
const NOTHING = 'nothing';
/** Unix ms, in the year 4969. */
const FAR = 94_651_243_200_000;
const SHORT_MS = 2500;
/** By how much the clocks of server and writer may be apart, in ms. */
const CLOCK_MS = 50;
const FIELDS = 3;
const MAX = 2;
const GRACE_MS = 60_000;

/** A command, the state that it makes, and whether its reply is right: true, or what was expected. */
export interface Step {
  words: string[];
  after: string;
  judge: (reply: Reply) => true | string;
}

export abstract class Thing {
  /** The states that it may have. */
  possible = [NOTHING];
  /** Whether an answer was lost since it was looked at. */
  isUncertain = false;

  constructor(
    readonly key: string,
    protected readonly draw: () => number,
  ) {}

  /** What is done to it next, where its state is certain. */
  abstract next(): Step;

  /** What `read` found, or undefined where nothing answered. Throws where that is none of the states. */
  abstract look(route: Route): Promise<unknown>;

  /** The lines that a dump of its node has of it. */
  abstract lines(): string[];

  get state(): string {
    return this.possible[0]!;
  }

  protected choose(count: number): number {
    return Math.floor(this.draw() * count);
  }

  /** Goes on from the states that what was found leaves. */
  protected adopt(states: string[], found: string): void {
    if (states.length === 0) throw new Violation(`${this.key} is ${found} instead of ${this.possible.join(', or ')}`);
    this.possible = states;
    this.isUncertain = false;
  }
}

/** The reply to a question, undefined where nothing answered. */
async function ask(route: Route, key: string, ...words: string[]): Promise<Reply | undefined> {
  const answer = await route.send(key, words);
  return 'reply' in answer ? answer.reply : undefined;
}

function exactly(...expected: Reply[]): Step['judge'] {
  return (reply) => expected.includes(reply) || expected.join(' or ');
}

// ── CUSTOM.* ───────────────────────────────────────────────────────────────────────────────────────────────

/** An entry: its state is `<deadline> <value>`, with Unix ms or 0. */
export class Entry extends Thing {
  #number = 0;

  next(): Step {
    const [deadline, value] = split(this.state);
    const isThere = this.state !== NOTHING;
    // It may expire on the way.
    const isShort = deadline !== 0 && deadline < FAR;
    const next = `${++this.#number}${'v'.repeat(this.choose(60))}`;
    const chosen = this.choose(10);
    if (isThere && chosen < 2) {
      return { words: ['CUSTOM.DEL', this.key], after: NOTHING, judge: isShort ? exactly(0, 1) : exactly(1) };
    }
    if (isThere && !isShort && chosen < 4) {
      return { words: ['CUSTOM.APPEND', this.key, next], after: `${deadline} ${value}${next}`, judge: exactly(value.length + next.length) };
    }
    const until = chosen < 6 ? FAR : chosen < 7 ? Date.now() + 200 + this.choose(SHORT_MS) : 0;
    const words = until === 0 ? [] : ['PXAT', String(until)];
    return { words: ['CUSTOM.SET', this.key, next, ...words], after: `${until} ${next}`, judge: exactly('OK') };
  }

  async look(route: Route): Promise<void> {
    const sent = Date.now();
    const found = await ask(route, this.key, 'CUSTOM.GET', this.key);
    if (found === undefined) return;
    const now = Date.now();
    const matching = this.possible.filter((state) => {
      const [deadline, value] = split(state);
      const hasExpired = deadline !== 0 && deadline <= now + CLOCK_MS;
      const hadExpired = deadline !== 0 && deadline <= sent - CLOCK_MS;
      return found === null ? state === NOTHING || hasExpired : state !== NOTHING && value === found && !hadExpired;
    });
    this.adopt(found === null && matching.length > 0 ? [NOTHING] : matching, String(found));
  }

  lines(): string[] {
    const [deadline, value] = split(this.state);
    if (this.state === NOTHING || (deadline !== 0 && deadline <= Date.now())) return [];
    return [entryLine(this.key, value, deadline)];
  }
}

function split(state: string): [deadline: number, value: string] {
  const space = state.indexOf(' ');
  return [Number(state.slice(0, space)), state.slice(space + 1)];
}

/** A counter: a write that was done twice shows in it. */
export class Counter extends Thing {
  next(): Step {
    const after = this.#number + 7;
    return { words: ['CUSTOM.INCRBY', this.key, '7'], after: String(after), judge: exactly(after) };
  }

  get #number(): number {
    return this.state === NOTHING ? 0 : Number(this.state);
  }

  async look(route: Route): Promise<void> {
    const found = await ask(route, this.key, 'CUSTOM.GET', this.key);
    if (found === undefined) return;
    const text = found === null ? NOTHING : String(found);
    this.adopt(
      this.possible.filter((state) => state === text),
      text,
    );
  }

  lines(): string[] {
    return this.state === NOTHING ? [] : [entryLine(this.key, this.state)];
  }
}

// ── SESSION.* ──────────────────────────────────────────────────────────────────────────────────────────────

/** The data of a session, by field; `label` tells it apart for good. */
type Data = Record<string, string>;

/** A user: its state is the data of its sessions as JSON, the newest first. */
export class User extends Thing {
  /** The ids of the sessions, by label, as far as they are known … */
  readonly #ids = new Map<string, string>();
  /** … and former ids that still answer, until when. */
  readonly #former = new Map<string, { id: string; until: number }>();
  #number = 0;

  next(): Step {
    const sessions = this.#sessions;
    const at = this.choose(sessions.length);
    const data = sessions[at];
    const chosen = this.choose(12);
    if (data === undefined || chosen < 2) return this.#create(sessions);
    const label = data.label!;
    const id = this.#ids.get(label)!;
    if (chosen < 5) {
      const [field, value] = [`field ${this.choose(FIELDS)}`, `${++this.#number}${'d'.repeat(this.choose(100))}`];
      return { words: ['SESSION.ADD_DATA', id, field, value], after: this.#with(at, { ...data, [field]: value }), judge: exactly('OK') };
    }
    if (chosen < 7) {
      const sum = Number(data.count ?? 0) + 3;
      return {
        words: ['SESSION.INCR_DATA', id, 'count', '3'],
        after: this.#with(at, { ...data, count: String(sum) }),
        judge: exactly(sum),
      };
    }
    if (chosen < 8) return { words: ['SESSION.DELETE', id], after: this.#with(at), judge: exactly(1) };
    return this.#rotate(label, id);
  }

  get #sessions(): Data[] {
    return this.state === NOTHING ? [] : (JSON.parse(this.state) as Data[]);
  }

  /** The state with other data in this place, or none. */
  #with(at: number, ...data: Data[]): string {
    return stateOf(this.#sessions.toSpliced(at, 1, ...data));
  }

  #create(sessions: Data[]): Step {
    const label = `${this.key} ${++this.#number}`;
    return {
      words: ['SESSION.CREATE', this.key, 'NEW', 'MAX', String(MAX), 'EVICT', 'DATA', 'label', label],
      after: stateOf([{ label }, ...sessions.slice(0, MAX - 1)]),
      judge: (reply) => {
        const id = /^Session created: (\S+)$/.exec(String(reply))?.[1];
        if (id === undefined) return 'Session created: <id>';
        this.#ids.set(label, id);
        return true;
      },
    };
  }

  #rotate(label: string, id: string): Step {
    const withGrace = this.draw() < 0.7;
    const sent = Date.now();
    return {
      words: ['SESSION.ROTATE', id, ...(withGrace ? ['GRACE', String(GRACE_MS)] : [])],
      after: this.state,
      judge: (reply) => {
        if (typeof reply !== 'string' || reply === id) return 'another id';
        this.#ids.set(label, reply);
        if (withGrace) this.#former.set(label, { id, until: sent + GRACE_MS });
        else this.#former.delete(label);
        return true;
      },
    };
  }

  async look(route: Route): Promise<void> {
    const ids = await ask(route, this.key, 'SESSION.USER', this.key);
    const mapped = await ask(route, this.key, 'CUSTOM.GET', this.key);
    if (ids === undefined || mapped === undefined) return;
    if (!Array.isArray(ids)) throw new Violation(`SESSION.USER ${this.key} answers ${String(ids)}`);
    if (mapped !== (ids[0] ?? null))
      throw new Violation(`${this.key} is mapped to ${String(mapped)}, its newest session is ${String(ids[0])}`);
    const sessions: Data[] = [];
    for (const id of ids as string[]) {
      const text = await ask(route, this.key, 'SESSION.GET', id);
      if (text === undefined) return;
      if (typeof text !== 'string') throw new Violation(`SESSION.GET ${id} of ${this.key} answers ${String(text)}`);
      sessions.push((JSON.parse(text) as { data: Data }).data);
    }
    const found = stateOf(sessions);
    const wasUncertain = this.isUncertain;
    this.adopt(
      this.possible.filter((state) => state === found),
      found,
    );
    for (const [index, { label = '' }] of sessions.entries()) {
      const id = String(ids[index]);
      if (!wasUncertain && this.#ids.get(label) !== id) throw new Violation(`${label} has the id ${id} instead of ${this.#ids.get(label)}`);
      if (this.#ids.get(label) !== id) this.#former.delete(label);
      this.#ids.set(label, id);
      await this.#lookFormer(route, label);
    }
  }

  /** By its former id a session answers until the grace is over. */
  async #lookFormer(route: Route, label: string): Promise<void> {
    const former = this.#former.get(label);
    if (former === undefined) return;
    const found = await ask(route, this.key, 'SESSION.GET_DATA', former.id, 'label');
    if (found === undefined || found === label || Date.now() >= former.until - CLOCK_MS) return;
    throw new Violation(`${label} answers ${String(found)} by its former id ${former.id}, which has ${former.until - Date.now()} ms left`);
  }

  lines(): string[] {
    const sessions = this.#sessions;
    const ids = sessions.map(({ label = '' }) => this.#ids.get(label) ?? '?');
    const mapping = ids.slice(0, 1).map((id) => entryLine(this.key, id));
    return [...mapping, ...sessions.map((data, index) => sessionLine(ids[index]!, this.key, data))];
  }
}

/** A line about an entry; its deadline in Unix ms, 0: none, as exactly as what is left of it tells. */
export function entryLine(key: string, value: string, deadline = 0): string {
  return `entry ${key} = ${value} until ${Math.round(deadline / 10_000)}`;
}

export function sessionLine(id: string, user: string, data: Data): string {
  return `session ${id} of ${user}: ${JSON.stringify(sorted(data))}`;
}

const sorted = (data: Data): Data => Object.fromEntries(Object.entries(data).sort(([one], [other]) => (one < other ? -1 : 1)));

function stateOf(sessions: Data[]): string {
  return sessions.length === 0 ? NOTHING : JSON.stringify(sessions.map(sorted));
}

// ── The kit ────────────────────────────────────────────────────────────────────────────────────────────────

/** The module with a table, and with sorted and other entries `in` its keys; what it has can be deleted. */
export function shopModule(): Promise<string> {
  const more = `command("SHOP.DEL", "key:key", del);
function del(key: string): bool {
  ranks.in(key).clear();
  carts.in(key).clear();
  return items.delete(key);
}
`;
  return shopWith(['query("SHOP.VERSION"', `${more}query("SHOP.VERSION"`]);
}

interface Shelf {
  name: string;
  count: number;
  deadline: number;
  ranks: Record<string, string>;
  carts: Record<string, string>;
  until: number;
}

/** An item of the kit's module, with what is `in` its key; its state is that as JSON. */
export class Item extends Thing {
  next(): Step {
    const shelf = this.#shelf;
    const chosen = this.choose(8);
    if (shelf !== undefined && chosen < 1) return { words: ['SHOP.DEL', this.key], after: NOTHING, judge: exactly(1) };
    const name = `name${this.choose(3)}${'n'.repeat(this.choose(30))}`;
    if (shelf !== undefined && chosen < 3) {
      const after = JSON.stringify({ ...shelf, name, deadline: 0 });
      return { words: ['SHOP.RENAME', this.key, name], after, judge: exactly(1) };
    }
    const [count, cart] = [this.choose(4), `name${this.choose(3)}`];
    const deadline = chosen < 5 ? FAR : 0;
    const after: Shelf = {
      name: cart,
      count,
      deadline,
      ranks: { ...shelf?.ranks, [count]: cart },
      carts: { ...shelf?.carts, [cart]: String(count) },
      until: deadline === 0 ? (shelf?.until ?? 0) : deadline,
    };
    const words = deadline === 0 ? [] : ['DEADLINE', String(deadline)];
    return { words: ['SHOP.SET', this.key, cart, String(count), ...words], after: JSON.stringify(after), judge: exactly('OK') };
  }

  get #shelf(): Shelf | undefined {
    return this.state === NOTHING ? undefined : (JSON.parse(this.state) as Shelf);
  }

  async look(route: Route): Promise<void> {
    const found = await ask(route, this.key, 'SHOP.GET', this.key);
    if (found === undefined) return;
    const matching = this.possible.filter((state) => {
      if (state === NOTHING) return found === null;
      const { name, count } = JSON.parse(state) as Shelf;
      return found === `${name} ${count}`;
    });
    this.adopt(matching, String(found));
  }

  lines(): string[] {
    const shelf = this.#shelf;
    if (shelf === undefined) return [];
    const ranks = Object.entries(shelf.ranks).sort(([one], [other]) => Number(one) - Number(other));
    const carts = Object.entries(shelf.carts).sort(([one], [other]) => (one < other ? -1 : 1));
    const inside = [...ranks.map(([count, name]) => ` #${count}=${name}`), ...carts.map(([name, count]) => ` [${name}]=${count}`)];
    return [`shop ${this.key} ${shelf.name} ${shelf.count} until ${shelf.deadline}${inside.join('')} until ${shelf.until}`];
  }
}

/** What test/fixtures/kit/ops.ts does, in plain maps. */
interface Item {
  value: string;
  deadline: number;
}

const compare = (one: string, other: string): number => Buffer.compare(Buffer.from(one), Buffer.from(other));
const DEFAULT_DEADLINE = 0;

/** One table, or the entries of one that are in a key. */
class Entries {
  readonly items = new Map<string, Item>();
  /** The deadline of all of them. */
  deadline = DEFAULT_DEADLINE;

  constructor(private readonly model: Model) {}

  /** The command that has looked last, and whether there were some for it that had all expired. */
  private lookedBy = '';
  private wereOver = false;

  /** Drops all whose time has come. */
  private expire(): void {
    const command = `${this.model.commands} ${this.model.now}`;
    if (this.lookedBy !== command) {
      this.lookedBy = command;
      this.wereOver = this.items.size > 0 && [...this.items.values()].every((item) => this.hasPassed(item.deadline));
    }
    if (this.hasPassed(this.deadline)) this.clear();
  }

  private hasPassed(deadline: number): boolean {
    return deadline !== 0 && deadline <= this.model.now;
  }

  /** The deadline of all of them: none for those that have expired one by one. */
  common(): number {
    this.expire();
    return this.wereOver ? 0 : this.deadline;
  }

  /** Before one is changed: where all have expired, they go with their common deadline. */
  private begin(name: string): Item | undefined {
    const before = this.get(name);
    if (before === undefined && this.wereOver && this.deadline !== 0) {
      this.clear();
      this.wereOver = false;
    }
    return before;
  }

  get(name: string): Item | undefined {
    this.expire();
    const item = this.items.get(name);
    return item === undefined || this.hasPassed(item.deadline) ? undefined : item;
  }

  set(name: string, value: string, deadline: number): void {
    const before = this.begin(name);
    if (deadline === -1) this.items.set(name, { value, deadline: before?.deadline ?? 0 });
    else if (deadline !== 0 && deadline <= this.model.now) this.delete(name);
    else this.items.set(name, { value, deadline });
  }

  delete(name: string): boolean {
    if (this.begin(name) === undefined) return false;
    this.items.delete(name);
    // A common deadline holds until there are none.
    this.model.emptied.add(this);
    return true;
  }

  /** At the end of a command. */
  settle(): void {
    if (this.items.size === 0) this.deadline = 0;
  }

  clear(): void {
    this.items.clear();
    this.deadline = 0;
  }

  /** Names of those that are seen, in order. */
  names(): string[] {
    this.expire();
    return [...this.items.keys()].filter((name) => this.get(name) !== undefined).sort(compare);
  }

  /** How many there are, those that have expired and are not reclaimed yet too. */
  size(): number {
    this.expire();
    return this.items.size;
  }
}

export class Model {
  readonly emptied = new Set<Entries>();
  private readonly words = new Entries(this);
  private readonly inWords = new Entries(this);
  private readonly lines = new Entries(this);
  private readonly inLines = new Entries(this);
  private readonly sums = new Entries(this);

  /** How many commands there were. */
  commands = 0;

  constructor(public now: number) {}

  private table(name: string): Entries {
    return (
      { words: this.words, 'in-words': this.inWords, lines: this.lines, 'in-lines': this.inLines, sums: this.sums }[name] ?? this.words
    );
  }

  commit(): void {
    this.commands++;
    for (const entries of this.emptied) entries.settle();
    this.emptied.clear();
  }

  /** The answer of a step. */
  step(step: string): string {
    const [what = '', of = '', ...rest] = step.split(' ');
    const entries = this.table(of);
    const [a = '', b = '', c = '', d = ''] = rest;
    const yes = (value: boolean): string => (value ? 'yes' : 'no');
    const entry = (name: string | undefined): string => (name === undefined ? '-' : `${name}=${entries.get(name)?.value ?? ''}`);
    switch (what) {
      case 'set':
        entries.set(a, b, Number(c));
        return 'ok';
      case 'get':
        return entries.get(a)?.value ?? (of === 'sums' || of === 'in-lines' ? '-1' : '-');
      case 'delete':
        return yes(entries.delete(a));
      case 'add': {
        const sum = String(Number(entries.get(a)?.value ?? 0) + Number(b));
        entries.set(a, sum, -1);
        return sum;
      }
      case 'expire':
        return of.startsWith('in-') ? yes(this.expireAll(entries, Number(a))) : yes(this.expireOne(entries, a, Number(b)));
      case 'deadline':
        if (!of.startsWith('in-')) return String(entries.get(a)?.deadline ?? -1);
        return String(entries.common());
      case 'clear':
        entries.clear();
        return 'ok';
      case 'size':
        return String(entries.size());
      case 'keys':
        return entries.names().join(',');
      case 'count':
        return String([...entries.items.keys()].filter((name) => compare(name, a) >= 0 && compare(name, b) <= 0).length);
      case 'rank':
        return entries.get(a) === undefined ? '-1' : String([...entries.items.keys()].filter((name) => compare(name, a) < 0).length);
      case 'range': {
        const found = entries.names().filter((name) => compare(name, a) >= 0 && compare(name, b) <= 0);
        if (d === 'back') found.reverse();
        return found.slice(0, Number(c)).map(entry).join(',');
      }
      case 'first':
        return entry(entries.names().at(0));
      case 'last':
        return entry(entries.names().at(-1));
      case 'after':
        return entry(entries.names().find((name) => compare(name, a) > 0));
      case 'before':
        return entry(entries.names().findLast((name) => compare(name, a) < 0));
      default:
        // The place counts those that have expired; one of these is passed over.
        return entry(
          [...entries.items.keys()]
            .sort(compare)
            .slice(Number(a))
            .find((name) => entries.get(name) !== undefined),
        );
    }
  }

  private expireOne(entries: Entries, name: string, deadline: number): boolean {
    const item = entries.get(name);
    if (item === undefined) return false;
    if (deadline !== 0 && deadline <= this.now) entries.delete(name);
    else item.deadline = deadline;
    return true;
  }

  private expireAll(entries: Entries, deadline: number): boolean {
    if (entries.names().length === 0) return false;
    if (deadline !== 0 && deadline <= this.now) entries.clear();
    else entries.deadline = deadline;
    return true;
  }

  /** What OPS.DUMP answers. */
  dump(): string {
    const of = (table: string, entries: Entries, timed: boolean): string[] =>
      entries.names().map((name) => {
        const item = entries.get(name);
        return `${table} ${name}=${item?.value ?? ''}${timed ? `@${item?.deadline ?? 0}` : ''}`;
      });
    // Unordered, its names are sorted by UTF-16.
    return [
      ...of('words', this.words, true),
      ...of('lines', this.lines, true),
      ...of('in-lines', this.inLines, true),
      ...of('in-words', this.inWords, false),
      `sums ${this.sums.size()}`,
      `heads ${this.inLines.common()} ${this.inWords.common()}`,
    ].join('\n');
  }
}

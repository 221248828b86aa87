/** Tables in the order of their keys. */
import { declare, Entries, Entry, keyWriter, viewIn } from "./table";
import { View } from "./transaction/view";
import { endOf, expireAll, rankOf, step, walkAt, walkBackFrom, walkBetween, walkFrom } from "./transaction/walk";

/** What tables in the order of their keys have beside. */
export abstract class SortedEntries<K, V> extends Entries<K, V> {
  /** The entry with the first key, null: there is none. */
  first(): Entry<K, V> | null {
    const view = this.begin();
    walkFrom(view, view.prefix, view.prefixLength);
    return this.next();
  }

  /** The entry with the last key, null: there is none. */
  last(): Entry<K, V> | null {
    const view = this.begin();
    walkBackFrom(view, endOf(view), view.prefixLength);
    return this.next();
  }

  /** The first entry whose key comes after this one, null: there is none. */
  after(key: K): Entry<K, V> | null {
    const view = this.begin();
    this.writeKey(key);
    // The byte string right behind a key is the key and a 0.
    keyWriter.byte(0);
    walkFrom(view, keyWriter.start, keyWriter.length);
    return this.next();
  }

  /** The last entry whose key comes before this one, null: there is none. */
  before(key: K): Entry<K, V> | null {
    const view = this.begin();
    this.writeKey(key);
    walkBackFrom(view, keyWriter.start, keyWriter.length);
    return this.next();
  }

  /**
   * The entries whose keys are `from`, `to` or between them, `limit` at most: from `from` on, or with
   * `reverse` from `to` on, backwards.
   */
  range(from: K, to: K, limit: i32 = 1000, reverse: bool = false): Entry<K, V>[] {
    const view = this.begin();
    const entries: Entry<K, V>[] = [];
    this.writeKey(from);
    const low = keyWriter.start;
    const lowLength = keyWriter.length;
    this.writeKey(to);
    keyWriter.byte(0);
    walkBetween(view, low, lowLength, keyWriter.start, keyWriter.length, !reverse);
    while (entries.length < limit && step()) entries.push(this.entryHere());
    return entries;
  }

  /** How many keys come before this one, -1 where there is no entry with it. O(log n). */
  rank(key: K): i32 {
    const view = this.begin();
    if (!this.look(key)) return -1;
    return <i32>rankOf(view, keyWriter.start, keyWriter.length);
  }

  /** The entry that so many come before; below 0, so far from the end; null: there is none. O(log n). */
  at(index: i32): Entry<K, V> | null {
    const view = this.begin();
    const end = endOf(view);
    const position = index < 0 ? rankOf(view, end, view.prefixLength) + index : <i64>index;
    return walkAt(view, position, end) ? this.entryHere() : null;
  }

  /** How many keys are `from`, `to` or between them. O(log n). */
  count(from: K, to: K): i32 {
    const view = this.begin();
    this.writeKey(to);
    keyWriter.byte(0);
    const end = rankOf(view, keyWriter.start, keyWriter.length);
    this.writeKey(from);
    return <i32>max<i64>(0, end - rankOf(view, keyWriter.start, keyWriter.length));
  }

  private begin(): View {
    this.view.requireReach();
    return this.view;
  }

  private next(): Entry<K, V> | null {
    return step() ? this.entryHere() : null;
  }
}

/**
 * A table of the module in the order of its keys: numbers by value, strings by bytes, classes by their
 * fields.
 */
export class SortedTable<K, V> extends SortedEntries<K, V> {
  /** `name`: what files and replicas know it by. */
  constructor(name: string) {
    super(declare<K, V>(name, true));
  }

  /** Sets the deadline of an entry, Unix ms, 0: none; whether the entry is there. */
  expireAt(key: K, deadline: i64): bool {
    this.writeKey(key);
    return this.view.expireAt(keyWriter.start, keyWriter.length, deadline);
  }

  /** The deadline of an entry, Unix ms, 0: none; -1: there is no such entry. */
  deadline(key: K): i64 {
    return this.deadlineOf(key);
  }

  /** The entries that belong to a key, as a table of its own. */
  in<I>(key: I): SortedSubTable<K, V> {
    return new SortedSubTable<K, V>(viewIn<I>(this.view.table, key));
  }
}

/** The entries of a SortedTable that belong to one key. */
export class SortedSubTable<K, V> extends SortedEntries<K, V> {
  /** Sets the deadline of all of them, Unix ms, 0: none, until there are none; whether there are any. */
  expireAt(deadline: i64): bool {
    return expireAll(this.view, deadline);
  }

  /** The deadline of all of them, Unix ms, 0: none. */
  get deadline(): i64 {
    return this.view.headDeadline();
  }
}

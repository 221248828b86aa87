/** What keeps the operations of one process on one session apart. */

/** Runs operations on the same session one after another; those on different sessions do not wait for each other. */
export class InOrder {
  readonly #last = new Map<string, Promise<unknown>>();

  run<T>(sid: string, operation: () => Promise<T>): Promise<T> {
    const before = this.#last.get(sid);
    const running = before ? before.then(operation, operation) : operation();
    this.#last.set(sid, running);
    const forget = () => {
      if (this.#last.get(sid) === running) this.#last.delete(sid);
    };
    running.then(forget, forget);
    return running;
  }
}

const REMEMBERED_MAX = 10_000;

/** The sessions that this process has ended, the latest of them: a save that comes after knows them. */
export class RecentlyEnded {
  readonly #ids = new Set<string>();

  add(sid: string): void {
    this.#ids.delete(sid);
    this.#ids.add(sid);
    if (this.#ids.size <= REMEMBERED_MAX) return;
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest);
      return;
    }
  }

  has(sid: string): boolean {
    return this.#ids.has(sid);
  }
}

/** What keeps the operations of one process on one session apart. */

/**
 * Runs operations on the same session one after another; those on different sessions do not wait for each
 * other.
 */
export class InOrder {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Whether an operation on this session is under way or waits. */
  isBusy(sid: string): boolean {
    return this.#last.has(sid);
  }

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

/** The latest of the sessions of which this process knows something. */
export class RecentIds {
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

  delete(sid: string): void {
    this.#ids.delete(sid);
  }

  has(sid: string): boolean {
    return this.#ids.has(sid);
  }
}

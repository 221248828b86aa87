/** How often a password was wrong, so that guessing takes long. In memory, for one process. */

/** Failures of one person from one address, and of anybody from it: who tries many names is stopped too. */
const FAILURES_MAX = 8;
export const FAILURES_OF_ADDRESS_MAX = 40;
const FORGOTTEN_AFTER_MS = 5 * 60_000;
/** Beyond this many the oldest are forgotten. */
const REMEMBERED_MAX = 10_000;

export class Attempts {
  readonly #failures = new Map<string, { count: number; until_ms: number }>();
  readonly #now: () => number;
  readonly #most: number;

  /**
   * @param now - Unix ms
   * @param most - failures after which no further attempt is made
   */
  constructor(now: () => number = Date.now, most = FAILURES_MAX) {
    this.#now = now;
    this.#most = most;
  }

  /** Seconds for which no further attempt is made; 0: go on. */
  wait_s(who: string): number {
    const found = this.#failures.get(who);
    if (found === undefined || found.count < this.#most) return 0;
    return Math.max(0, Math.ceil((found.until_ms - this.#now()) / 1000));
  }

  /**
   * Counts an attempt before it is made, so that many at the same time are all counted; `succeeded` takes it
   * back.
   */
  begin(who: string): void {
    const found = this.#failures.get(who);
    const now = this.#now();
    const count = found !== undefined && found.until_ms > now ? found.count + 1 : 1;
    this.#failures.delete(who);
    this.#failures.set(who, { count, until_ms: now + FORGOTTEN_AFTER_MS });
    if (this.#failures.size <= REMEMBERED_MAX) return;
    const [oldest] = this.#failures.keys();
    if (oldest !== undefined) this.#failures.delete(oldest);
  }

  /** The attempt was a right one: all is forgotten. */
  succeeded(who: string): void {
    this.#failures.delete(who);
  }

  /** The attempt does not count: those before it do. */
  takeBack(who: string): void {
    const found = this.#failures.get(who);
    if (found !== undefined) found.count--;
  }
}

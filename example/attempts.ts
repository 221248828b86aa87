/** How often a password was wrong, so that guessing takes long. In memory, for one process. */

const FAILURES_MAX = 8;
const FORGOTTEN_AFTER_MS = 5 * 60_000;
/** Beyond this many the oldest are forgotten. */
const REMEMBERED_MAX = 10_000;

export class Attempts {
  readonly #failures = new Map<string, { count: number; until_ms: number }>();
  readonly #now: () => number;

  /** @param now - Unix ms */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Seconds for which no further attempt is made; 0: go on. */
  wait_s(who: string): number {
    const found = this.#failures.get(who);
    if (found === undefined || found.count < FAILURES_MAX) return 0;
    return Math.max(0, Math.ceil((found.until_ms - this.#now()) / 1000));
  }

  /**
   * Counts an attempt before it is made, so that many at the same time are all counted; `succeeded` takes it back.
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

  succeeded(who: string): void {
    this.#failures.delete(who);
  }
}

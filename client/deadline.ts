/**
 * Answers in time, at little cost for each call: calls that begin at about the same time share a deadline,
 * which is one timer and one AbortSignal.
 */
import { setMaxListeners } from 'node:events';
import { ErrorReply, TimeoutError } from '@redis/client';
import { ArgumentError } from './arguments.ts';

/** Calls of this part of the timeout share a deadline, which is that much later for the first of them. */
const SHARED = 1 / 64;
/** The longest time of a timer. */
export const TIMEOUT_MAX_MS = 2 ** 31 - 1;

type Reject = (error: Error) => void;

/** How long a call may take, and who is told of one that the server has not answered. */
export interface Limit {
  timeout_ms: number;
  onFailure: () => void;
  /** The application's own, which withdraws what has not been sent, too. */
  abortSignal?: AbortSignal | undefined;
}

export class Deadlines {
  readonly #limit: Limit;
  #latest: Deadline | undefined;

  constructor(limit: Limit) {
    this.#limit = limit;
  }

  /** That of a call that begins now. */
  next(): Deadline {
    if (this.#latest?.isOpen() !== true) {
      this.#latest?.close();
      this.#latest = new Deadline(this.#limit);
    }
    return this.#latest;
  }
}

export class Deadline {
  readonly #limit: Limit;
  readonly #controller = new AbortController();
  #closes_ms: number;
  readonly #timer: NodeJS.Timeout;
  /** How each call that has not been answered is rejected. */
  readonly #pending = new Set<Reject>();
  #isClosed = false;

  constructor(limit: Limit) {
    this.#limit = limit;
    const shared_ms = limit.timeout_ms * SHARED;
    this.#closes_ms = performance.now() + shared_ms;
    setMaxListeners(0, this.signal);
    // Without a call that waits, it keeps no process from exiting.
    const passes_ms = Math.min(limit.timeout_ms + shared_ms, TIMEOUT_MAX_MS);
    this.#timer = setTimeout(() => {
      this.#pass();
    }, passes_ms).unref();
    // Not AbortSignal.any: the application's signal would keep a reference to each that it was made for.
    limit.abortSignal?.addEventListener('abort', this.#abort, { once: true });
    if (limit.abortSignal?.aborted) this.#abort();
  }

  readonly #abort = (): void => {
    this.#controller.abort();
  };

  /** Aborted when it passes: what has not been sent until then is withdrawn. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether calls that begin now may share it. */
  isOpen(): boolean {
    return performance.now() < this.#closes_ms;
  }

  /** No further call will share it. */
  close(): void {
    this.#isClosed = true;
    if (this.#pending.size === 0) this.#end();
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#limit.abortSignal?.removeEventListener('abort', this.#abort);
  }

  /** What the call answers; a TimeoutError when that is not there in time. */
  answer<T>(call: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail: Reject = (error) => {
        if (!this.#forget(fail)) return;
        if (!(error instanceof ErrorReply) && !(error instanceof ArgumentError)) this.#limit.onFailure();
        reject(error);
      };
      if (this.#pending.size === 0) this.#timer.ref();
      this.#pending.add(fail);
      try {
        call().then((value) => {
          this.#forget(fail);
          resolve(value);
        }, fail);
      } catch (error) {
        fail(error as Error);
      }
    });
  }

  /** Whether the call was still waiting. */
  #forget(fail: Reject): boolean {
    if (!this.#pending.delete(fail)) return false;
    if (this.#pending.size > 0) return true;
    if (this.#isClosed) this.#end();
    else this.#timer.unref();
    return true;
  }

  #pass(): void {
    const { timeout_ms } = this.#limit;
    for (const fail of [...this.#pending]) {
      fail(new TimeoutError(`the server has not answered within ${timeout_ms} ms; whether it has done this is not known`));
    }
    this.#closes_ms = 0;
    this.#end();
    this.#abort();
  }
}

/**
 * Whether the server can be reached, of a client of whichever kind. Only that of createClient tells it by
 * events of its own: a pool emits nothing but errors, a cluster names nodes, a sentinel client is silent
 * unless there is a failover. So events and failed calls raise a doubt, and the server itself is asked.
 */
import { errorMonitor } from 'node:events';
import { listen } from './listeners.ts';

/** After these the server may be away … */
const LOSSES = [
  errorMonitor,
  'reconnecting',
  'terminated',
  'end',
  'disconnect',
  'node-error',
  'node-reconnecting',
  'node-disconnect',
] as const;
/** … and after these it may be back. */
const RETURNS = ['ready', 'connect', 'node-ready', 'topology-change'] as const;

/** Without an answer for that long the server counts as away. */
const LATE_MS = 1000;
const PAUSE_MS = 100;

/** What node-redis has of a client's state: a pool has no `isReady`. */
interface State {
  isReady?: boolean;
  isOpen?: boolean;
}

export class Connection {
  readonly #client: State;
  readonly #ask: () => Promise<unknown>;
  readonly #tell: (event: 'connect' | 'disconnect') => void;
  /** undefined: not known yet */
  #isReachable: boolean | undefined;
  #isDoubted = false;
  #isAsking = false;

  /**
   * @param client - of node-redis
   * @param ask - runs a command where the data are; rejects in time when there is no answer
   * @param tell - called when the server cannot be reached any more, and when it can be again
   */
  constructor(client: unknown, ask: () => Promise<unknown>, tell: (event: 'connect' | 'disconnect') => void) {
    this.#client = client as State;
    this.#ask = ask;
    this.#tell = tell;
    this.#isReachable = this.#client.isReady === false ? undefined : true;
    for (const event of LOSSES) {
      listen(client, event, () => {
        this.doubt();
      });
    }
    for (const event of RETURNS) {
      listen(client, event, () => {
        if (this.#isReachable !== true) this.doubt();
      });
    }
  }

  /** Has the server asked, until it answers or the client is closed. */
  doubt(): void {
    if (this.#client.isReady === false) this.#becomes(false);
    this.#isDoubted = true;
    if (!this.#isAsking) void this.#find();
  }

  async #find(): Promise<void> {
    this.#isAsking = true;
    while (this.#isDoubted) {
      this.#isDoubted = false;
      if (await this.#isAnswered()) this.#becomes(true);
      // An event tells when it is opened again.
      else if (this.#client.isOpen === false) break;
      else {
        this.#isDoubted = true;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS).unref());
      }
    }
    this.#isAsking = false;
  }

  async #isAnswered(): Promise<boolean> {
    const timer = setTimeout(() => {
      this.#becomes(false);
    }, LATE_MS);
    timer.unref();
    try {
      await this.#ask();
      return true;
    } catch (error) {
      if (isServing(error)) return true;
      this.#becomes(false);
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  #becomes(isReachable: boolean): void {
    if (this.#isReachable === isReachable) return;
    this.#isReachable = isReachable;
    this.#tell(isReachable ? 'connect' : 'disconnect');
  }
}

/**
 * Whether it is the error reply of a server that serves. By its message: a second copy of the client's
 * package has error classes of its own.
 */
function isServing(error: unknown): boolean {
  return error instanceof Error && /^(?!LOADING |CLUSTERDOWN |MASTERDOWN )[A-Z]{2,} /.test(error.message);
}

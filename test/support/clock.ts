/** Clocks on the wall that go wrong: this process's, and a server's. */
import { writeFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { library } from './library.ts';

/**
 * Puts this process's clock forward or back for the running test: what `Date` tells. Timers, and the servers,
 * go on as they do.
 */
export function shiftClock(ms: number): void {
  const { Date: RealDate } = globalThis;
  class ShiftedDate extends RealDate {
    constructor(...given: [] | [string | number | Date]) {
      super(given.length === 0 ? RealDate.now() + ms : given[0]);
    }

    static override now(): number {
      return RealDate.now() + ms;
    }
  }
  globalThis.Date = ShiftedDate as DateConstructor;
  onTestFinished(() => {
    globalThis.Date = RealDate;
  });
}

/** The clock of a server that is started with the library test/fixtures/wall-clock.c. */
export class WallClock {
  readonly #library = library('wall-clock');
  readonly #shift = `${this.#library}.shift`;

  /** A clock for the running test. */
  constructor() {
    writeFileSync(this.#shift, Buffer.alloc(8));
  }

  /** Words before a server's own: the option `under` of startServer. */
  get under(): string[] {
    return ['env', `LD_PRELOAD=${this.#library}`, `WALL_CLOCK_SHIFT=${this.#shift}`];
  }

  /** Sets the clock so many ms before, or after, the machine's. */
  shift(ms: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(ms));
    // In place: the server has it mapped.
    writeFileSync(this.#shift, bytes, { flag: 'r+' });
  }
}

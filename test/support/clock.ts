/** A clock that goes wrong. */
import { onTestFinished } from 'vitest';

/** Puts this process's clock forward or back for the running test: what `Date` tells. Timers, and the servers, go on as they do. */
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

/** The promise of a function that calls back with an error or a value. */
export function called<T = void>(call: (done: (error?: unknown, value?: T) => void) => unknown): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    call((error, value) => {
      if (error === undefined || error === null) resolve(value);
      else reject(error instanceof Error ? error : new Error('a callback was given an error that is none', { cause: error }));
    });
  });
}

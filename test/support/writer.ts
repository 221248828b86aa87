/**
 * A client that writes on and on while a test does something to the server, and knows what was acknowledged.
 */
import { expect } from 'vitest';
import type { RawConnection } from './raw.ts';
import { eventually, type TestServer } from './server.ts';

export class Writer {
  static #number = 0;
  readonly #name = `writer ${Writer.#number++}`;
  readonly #connection: RawConnection;
  readonly #acknowledged: string[] = [];
  #stopped = false;
  #refusal = '';
  #ended: Promise<void> = Promise.resolve();

  /** Begins to write to `server`, one command after the other. */
  static async start(server: TestServer): Promise<Writer> {
    const writer = new Writer(await server.connect());
    writer.#ended = writer.#run();
    return writer;
  }

  private constructor(connection: RawConnection) {
    this.#connection = connection;
  }

  /** Waits until `count` more rounds of writes are acknowledged. */
  async hasWritten(count: number): Promise<void> {
    const wanted = this.#acknowledged.length + count;
    const reached = await eventually(
      () => this.#acknowledged.length,
      (length) => length >= wanted || this.#refusal !== '',
    );
    expect(this.#refusal).toBe('');
    expect(reached).toBeGreaterThanOrEqual(wanted);
  }

  /** Waits until the server takes no writes of this client any longer. */
  async isRefused(): Promise<void> {
    await eventually(
      () => this.#refusal,
      (refusal) => refusal !== '',
    );
    expect(this.#refusal).toMatch(/^-(READONLY|UNBLOCKED) /);
    await this.#ended;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
  }

  /** Expects every acknowledged write in a state as `dump` shows it. */
  expectAllIn(state: string[]): void {
    const text = state.join('\n');
    expect(this.#acknowledged.filter((id) => !text.includes(`${id}","user_key":"`))).toEqual([]);
    expect(this.#acknowledged.filter((id) => !text.includes(`field of ${id}`))).toEqual([]);
  }

  async #run(): Promise<void> {
    for (let round = 0; !this.#stopped; round++) {
      const created = await this.#write('SESSION.CREATE', `${this.#name} ${round}`);
      const id = created?.trim().slice(-36);
      if (id === undefined) return;
      const added = await this.#write('SESSION.ADD_DATA', id, 'field', `field of ${id}`);
      const set = added && (await this.#write('CUSTOM.SET', `${this.#name} key ${round % 10}`, String(round)));
      const deleted = set && (await this.#write('CUSTOM.DEL', `${this.#name} key ${(round + 5) % 10}`));
      if (deleted === undefined) return;
      this.#acknowledged.push(id);
    }
  }

  /** The reply; undefined, and noted, when it is an error or none. */
  async #write(...argv: string[]): Promise<string | undefined> {
    const reply = await this.#connection.send(...argv).catch((error: unknown) => `-${String(error)}`);
    if (!reply.startsWith('-')) return reply;
    this.#refusal = reply;
    return undefined;
  }
}

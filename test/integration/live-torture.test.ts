/**
 * Writers that go on while their module is loaded, replaced, unloaded, and its server killed, all at moments
 * that a seed chooses (LIVE_SEED); whatever was acknowledged is there afterwards.
 */
import { expect, test } from 'vitest';
import { random } from '../../bench/lib/random.ts';
import { APPEND_ONLY, OK, shopWith, startLive, versioned } from '../support/live.ts';
import type { RawConnection } from '../support/raw.ts';
import { parseReply } from '../support/reply.ts';
import type { TestServer } from '../support/server.ts';

const SEED = Number(process.env.LIVE_SEED ?? 20_261);
const WRITERS = 4;
const KEYS = 25;
const STEPS = 40;
/** One step of so many is a kill. */
const KILLS = 5;
const WRITES_MAX = 200;

const files = [await shopWith(), await shopWith(versioned('two'), ['"SHOP.RENAME"', '"SHOP.CALL"'])];

/** Writes numbers that grow to keys of its own, one after the other. */
class Writer {
  /** What was acknowledged last, and sent last, by key. */
  readonly acknowledged = new Map<string, number>();
  readonly sent = new Map<string, number>();
  readonly odd: string[] = [];
  #number = 0;

  constructor(
    readonly name: string,
    readonly draw: () => number,
  ) {}

  /** Writes until the connection ends, or `isOver`; `written` hears of each acknowledged write. */
  async run(connection: RawConnection, isOver: () => boolean, written: () => void): Promise<void> {
    while (!isOver()) {
      const key = `${this.name}:${Math.floor(this.draw() * KEYS)}`;
      const number = ++this.#number;
      this.sent.set(key, number);
      let reply: string;
      try {
        reply = await connection.send('SHOP.SET', key, 'name', String(number));
      } catch {
        return;
      }
      if (reply === OK) {
        this.acknowledged.set(key, number);
        written();
      } else if (reply.startsWith('-ERR unknown command')) {
        this.sent.set(key, this.acknowledged.get(key) ?? 0);
        // It waits for the module as a client does.
        await connection.send('PING').catch(() => undefined);
      } else this.odd.push(reply);
    }
  }
}

/** What each key holds, by what SHOP.GET answers. */
async function expectAll(server: TestServer, writers: Writer[], step: number): Promise<void> {
  expect(await server.send('SHOP.CHECK')).toBe(OK);
  for (const writer of writers) {
    expect(writer.odd).toEqual([]);
    for (const [key, sent] of writer.sent) {
      const reply = parseReply(await server.send('SHOP.GET', key)) as string | null;
      const number = reply === null ? 0 : Number(reply.split(' ')[1]);
      const acknowledged = writer.acknowledged.get(key) ?? 0;
      expect([acknowledged, sent], `seed ${SEED}, step ${step}: ${key} holds ${number} of ${acknowledged}, ${sent}`).toContain(number);
      if (number > 0) writer.acknowledged.set(key, number);
      writer.sent.set(key, number);
    }
  }
}

test(`seed ${SEED}: nothing that was acknowledged is lost`, async () => {
  const draw = random(SEED);
  const choose = (count: number) => Math.floor(draw() * count);
  const { server, folder } = await startLive({ shop: files[0]! }, { arguments: APPEND_ONLY });
  const writers = Array.from({ length: WRITERS }, (_, index) => new Writer(`writer ${index}`, random(SEED + index)));
  const counts = { kills: 0, done: 0, refused: 0, written: 0 };
  for (let step = 0; step < STEPS;) {
    let isOver = false;
    const written = () => {
      counts.written++;
    };
    const connections = await Promise.all(writers.map(() => server.connect()));
    const running = Promise.all(writers.map((writer, index) => writer.run(connections[index]!, () => isOver, written)));
    for (let isKilled = false; !isKilled && step < STEPS; step++) {
      const wait = choose(WRITES_MAX);
      folder.put('shop', files[choose(2)]!);
      const words = ['WASM.LOAD', 'WASM.RELOAD', 'WASM.RELOAD', 'WASM.UNLOAD', 'BGREWRITEAOF'][choose(5)]!;
      const done = server.send(...(words === 'BGREWRITEAOF' ? [words] : [words, 'shop'])).then(
        (reply) => (reply.startsWith('+') ? counts.done++ : counts.refused++),
        () => undefined,
      );
      isKilled = choose(KILLS) === 0;
      if (isKilled) {
        // In the middle of it, or behind it.
        for (let count = 0; count < wait; count++) await connections[0]!.send('PING');
        await server.kill();
        counts.kills++;
      }
      await done;
      if (!isKilled) for (let count = 0; count < wait; count++) await server.send('PING');
    }
    isOver = true;
    await running;
    if (!server.isRunning) await server.start();
    const loaded = await server.send('WASM.LOAD', 'shop');
    expect(loaded).toMatch(/^\+OK|is loaded already/);
    await expectAll(server, writers, step);
  }
  expect(counts.kills).toBeGreaterThan(2);
  expect(counts.done).toBeGreaterThan(STEPS / 4);
  expect(counts.written).toBeGreaterThan(100);
});

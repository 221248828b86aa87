/**
 * Writers that go on while their module is loaded, replaced, unloaded, and its server killed, all at moments
 * that the seed chooses; whatever was acknowledged is there afterwards.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { random } from '../../bench/lib/random.ts';
import { APPEND_ONLY, Folder, OK, shopWith, versioned } from '../support/live.ts';
import type { RawConnection } from '../support/raw.ts';
import { parseReply } from '../support/reply.ts';
import { HASHMAP_FILE, HOST_FILE, TestServer } from '../support/server.ts';
import { Violation } from './history.ts';
import type { Options, Outcome } from './scenarios.ts';

const WRITERS = 4;
const KEYS = 25;
/** Steps until the server is killed, and in one of how many a step ends so. */
const STEPS_PER_ROUND = 8;
const KILLS = 5;
const WRITES_MAX = 200;
const COMMANDS = ['WASM.LOAD', 'WASM.RELOAD', 'WASM.RELOAD', 'WASM.UNLOAD', 'BGREWRITEAOF'];

/** Writes numbers that grow to keys of its own, one after the other. */
class Writer {
  /** What was acknowledged last, and sent last, by key. */
  readonly acknowledged = new Map<string, number>();
  readonly sent = new Map<string, number>();
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
      } else throw new Violation(`a write was answered ${reply}`);
    }
  }

  /** Checks what the server holds of its keys, and takes that for what was acknowledged. */
  async judge(server: TestServer): Promise<void> {
    for (const [key, sent] of this.sent) {
      const reply = parseReply(await server.send('SHOP.GET', key)) as string | null;
      const number = reply === null ? 0 : Number(reply.split(' ')[1]);
      const acknowledged = this.acknowledged.get(key) ?? 0;
      if (number !== acknowledged && number !== sent) {
        throw new Violation(`${key} holds ${number}: ${acknowledged} was acknowledged, ${sent} was sent last`);
      }
      if (number > 0) this.acknowledged.set(key, number);
      this.sent.set(key, number);
    }
  }
}

/** Rounds of steps, each a command about the module under the writers, until a kill. */
export async function replaceModules({ seed, link, rounds }: Options): Promise<Outcome> {
  const draw = random(seed);
  const files = [await shopWith(), await shopWith(versioned('two'), ['"SHOP.RENAME"', '"SHOP.CALL"'])];
  const folder = new Folder(mkdtempSync(path.join(tmpdir(), 'wasm-dir-')));
  folder.put('shop', files[0]!);
  const server = new TestServer({ link, module: [HOST_FILE, HASHMAP_FILE], arguments: [...folder.arguments, ...APPEND_ONLY] });
  const writers = Array.from({ length: WRITERS }, (_, index) => new Writer(`writer ${index}`, random(seed + index)));
  const outcome = { kills: 0, changes: 0, refused: 0, acknowledged: 0 };
  const step = async (connection: RawConnection, isLast: boolean): Promise<boolean> => {
    const choose = (count: number) => Math.floor(draw() * count);
    const wait = choose(WRITES_MAX);
    folder.put('shop', files[choose(2)]!);
    const command = COMMANDS[choose(COMMANDS.length)]!;
    const done = server.send(...(command === 'BGREWRITEAOF' ? [command] : [command, 'shop'])).then(
      (reply) => (reply.startsWith('+') ? outcome.changes++ : outcome.refused++),
      () => undefined,
    );
    const isKilled = isLast || choose(KILLS) === 0;
    // In the middle of it, or behind it.
    for (let count = 0; count < wait; count++) await connection.send('PING');
    if (isKilled) await server.kill();
    await done;
    return isKilled;
  };
  try {
    await server.start();
    for (let round = 0; round < rounds; round++) {
      let isOver = false;
      const connections = await Promise.all(writers.map(() => server.connect()));
      const watching = await server.connect();
      const running = Promise.all(
        writers.map((writer, index) =>
          writer.run(
            connections[index]!,
            () => isOver,
            () => outcome.acknowledged++,
          ),
        ),
      );
      for (let count = 1; !(await step(watching, count === STEPS_PER_ROUND)); count++);
      isOver = true;
      await running;
      outcome.kills++;
      await server.start();
      const loaded = await server.send('WASM.LOAD', 'shop');
      if (!/^\+OK|is loaded already/.test(loaded)) throw new Violation(`the module is not there again: ${loaded}`);
      const checked = await server.send('SHOP.CHECK');
      if (checked !== OK) throw new Violation(`SHOP.CHECK answered ${checked}`);
      for (const writer of writers) await writer.judge(server);
    }
  } finally {
    await server.stop();
    rmSync(folder.path, { recursive: true, force: true });
  }
  return outcome;
}

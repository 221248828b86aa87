/**
 * The end of 32-bit addresses: a memory that is filled as far as it goes refuses writes, serves all else, and
 * is loaded again. It takes 5 GiB of memory and a minute, so it runs only where it is asked for:
 * FULL_MEMORY=1.
 */
import { expect, test } from 'vitest';
import { bulk } from '../support/raw.ts';
import { startServer, tested } from '../support/server.ts';

const FULL = "-OOM the module's memory is full (wasm.max-memory)\r\n";
const LENGTHS = [1 << 20, 100_000, 9000, 500, 20];
const ADDRESSABLE = 2 ** 32;
const BATCH = 16;

const valueOf = (index: number, length: number) => String.fromCharCode(97 + (index % 26)).repeat(length);

test.skipIf(process.env.FULL_MEMORY !== '1')(
  'a memory of 4 GiB is full, serves on, and is loaded again',
  { timeout: 600_000 },
  async () => {
    const server = await startServer({ timeout_ms: 200_000 });
    const written = new Map<number, number>();
    let index = 0;
    for (const length of LENGTHS) {
      for (let accepted = BATCH; accepted > 0;) {
        const batch = Array.from({ length: BATCH }, () => index++);
        const replies = await Promise.all(batch.map((one) => server.send('CUSTOM.SET', `key ${one}`, valueOf(one, length))));
        for (const [at, reply] of replies.entries()) {
          if (reply === '+OK\r\n') written.set(batch[at]!, length);
          else expect(reply).toBe(FULL);
        }
        accepted = replies.filter((reply) => reply === '+OK\r\n').length;
      }
    }
    const reserved = async () => Number((await server.info('wasm_hashmap')).wasm_memory_reserved);
    console.log(
      `${tested.name} ${tested.version}, linked by ${tested.link}: ${written.size} keys, ${await reserved()} bytes of linear memory`,
    );
    expect(await reserved()).toBeGreaterThan(0.96 * ADDRESSABLE);
    expect(await server.send('CUSTOM.CHECK')).toBe('+OK\r\n');

    const readAll = async () => {
      for (const [one, length] of written) {
        if ((await server.send('CUSTOM.GET', `key ${one}`)) !== bulk(valueOf(one, length))) throw new Error(`key ${one} differs`);
      }
      expect((await server.send('CUSTOM.KEYS')).slice(0, 12)).toContain(`*${written.size}\r\n`);
    };
    await readAll();
    expect(await server.send('CUSTOM.EXISTS', `key ${index}`)).toBe(':0\r\n');

    expect(await server.send('SAVE')).toBe('+OK\r\n');
    await server.restart();
    await readAll();
    for (let one = 0; one < 10; one++) expect(await server.send('CUSTOM.DEL', `key ${one}`)).toBe(':1\r\n');
    for (let one = 0; one < 9; one++) expect(await server.send('CUSTOM.SET', `key ${one}`, valueOf(one, 1 << 20))).toBe('+OK\r\n');
    expect(await server.send('CUSTOM.CHECK')).toBe('+OK\r\n');
  },
);

/** The original CUSTOM commands, byte for byte: what any provider of CUSTOM.* must answer. */
import { describe, expect, test } from 'vitest';
import { bulk, parseBulks, type RawConnection } from '../../support/raw.ts';
import type { TestServer } from '../../support/server.ts';

/** Byte strings that have broken text protocols before. */
export const DIFFICULT_BYTES: [name: string, bytes: string][] = [
  ['the empty string', ''],
  ['a NUL', 'a\0b'],
  ['a NUL alone', '\0'],
  ['CR LF', 'x\r\n+INJECTED\r\n'],
  ['invalid UTF-8', '\xff\xfe\x80\xc3('],
  ['every byte', Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join('')],
  ['1 MiB', `\0\r\n\xff${'m'.repeat((1 << 20) - 5)}\0`],
];

export function customSuite(server: TestServer): void {
  describe.each([2, 3] as const)('CUSTOM commands in RESP%i', (protocol) => {
    const nothing = protocol === 2 ? '$-1\r\n' : '_\r\n';
    const connect = (): Promise<RawConnection> => server.connect(protocol);

    test('SET answers OK, GET the value', async () => {
      const raw = await connect();
      expect(await raw.send('CUSTOM.SET', 'key', 'value')).toBe('+OK\r\n');
      expect(await raw.send('CUSTOM.GET', 'key')).toBe('$5\r\nvalue\r\n');
    });

    test('SET replaces the value, by a shorter and a longer one', async () => {
      const raw = await connect();
      for (const value of ['first value', 'second', 'x'.repeat(5000), '']) {
        expect(await raw.send('CUSTOM.SET', 'key', value)).toBe('+OK\r\n');
        expect(await raw.send('CUSTOM.GET', 'key')).toBe(bulk(value));
      }
      expect(await raw.send('CUSTOM.KEYS')).toBe('*1\r\n$3\r\nkey\r\n');
    });

    test('GET answers null for an unknown key', async () => {
      expect(await (await connect()).send('CUSTOM.GET', 'unknown')).toBe(nothing);
    });

    test('DEL answers 1, then 0, and the key is gone', async () => {
      const raw = await connect();
      await raw.send('CUSTOM.SET', 'key', 'value');
      expect(await raw.send('CUSTOM.DEL', 'key')).toBe(':1\r\n');
      expect(await raw.send('CUSTOM.DEL', 'key')).toBe(':0\r\n');
      expect(await raw.send('CUSTOM.GET', 'key')).toBe(nothing);
    });

    test('EXISTS answers 1 for a key that is there and 0 for another', async () => {
      const raw = await connect();
      await raw.send('CUSTOM.SET', 'key', '');
      expect(await raw.send('CUSTOM.EXISTS', 'key')).toBe(':1\r\n');
      expect(await raw.send('CUSTOM.EXISTS', 'unknown')).toBe(':0\r\n');
    });

    test('KEYS answers every key once, and an empty array for none', async () => {
      const raw = await connect();
      expect(await raw.send('CUSTOM.KEYS')).toBe('*0\r\n');
      const keys = Array.from({ length: 1000 }, (_, index) => `key:${index}`);
      await Promise.all(keys.map((key) => raw.send('CUSTOM.SET', key, 'value')));
      expect(parseBulks(await raw.send('CUSTOM.KEYS')).sort()).toEqual(keys.sort());
    });

    test('the names of commands are case-insensitive', async () => {
      const raw = await connect();
      expect(await raw.send('custom.set', 'Key', 'value')).toBe('+OK\r\n');
      expect(await raw.send('Custom.Get', 'Key')).toBe('$5\r\nvalue\r\n');
      expect(await raw.send('CUSTOM.GET', 'key')).toBe(nothing);
    });

    test.each(DIFFICULT_BYTES)('a key and a value of %s come back unchanged', async (_, bytes) => {
      const raw = await connect();
      expect(await raw.send('CUSTOM.SET', bytes, bytes)).toBe('+OK\r\n');
      expect(await raw.send('CUSTOM.GET', bytes)).toBe(bulk(bytes));
      expect(await raw.send('CUSTOM.KEYS')).toBe(`*1\r\n${bulk(bytes)}`);
      expect(await raw.send('CUSTOM.EXISTS', bytes)).toBe(':1\r\n');
      expect(await raw.send('CUSTOM.DEL', bytes)).toBe(':1\r\n');
    });

    test.each([
      ['custom.set', ['key']],
      ['custom.get', []],
      ['custom.get', ['key', 'surplus']],
      ['custom.del', []],
      ['custom.exists', []],
    ] as [string, string[]][])('%s with the arguments %j answers the error for their number', async (command, given) => {
      const raw = await connect();
      const error = `-ERR wrong number of arguments for '${command}' command\r\n`;
      expect(await raw.send(command.toUpperCase(), ...given)).toBe(error);
      expect(await raw.send('PING')).toBe('+PONG\r\n');
    });
  });
}

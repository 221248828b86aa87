/** What a handler's result makes of the reply: docs/ABI.md, "Exports that the host calls". */
import { describe, expect, test } from 'vitest';
import { fixture } from '../support/modules.ts';
import { HOST_FILE, useServer } from '../support/server.ts';

const answers = await fixture('answers');

describe("a handler's result", () => {
  const server = useServer({ module: [HOST_FILE, answers] });

  test.each<[title: string, command: string[], reply: string]>([
    ['a byte string is a bulk string', ['answer.bytes', 'a\r\nb\0c'], '$6\r\na\r\nb\0c\r\n'],
    ['an empty byte string is an empty bulk string', ['answer.bytes', ''], '$0\r\n\r\n'],
    ['0 is null', ['answer.null'], '$-1\r\n'],
    ['2 is +OK', ['answer.ok'], '+OK\r\n'],
    ...['0', '-1', '7', '2147483647', '-2147483648', '2147483648', '-2147483649', '9223372036854775807'].map(
      (value): [string, string[], string] => [`an integer: ${value}`, ['answer.integer', value], `:${value}\r\n`],
    ),
    ['1 leaves what was sent by calls', ['answer.calls'], ':7\r\n'],
    ['1 without a call is an error', ['answer.nothing'], '-ERR the module sent no reply\r\n'],
    ['after a whole reply it is dropped', ['answer.twice', 'surplus'], ':7\r\n'],
    ['in an open array it is the next element', ['answer.last', 'x'], '*2\r\n:7\r\n$1\r\nx\r\n'],
  ])('%s', async (_, command, reply) => {
    expect(await server.send(...command)).toBe(reply);
    expect(await server.send('PING')).toBe('+PONG\r\n');
  });

  test('outside the memory is a fault of the module, and the command has one reply', async () => {
    expect(await server.send('answer.outside')).toMatch(/^-ERR module answers: 8 bytes at \d+ are outside its memory\r\n$/);
    expect(await server.send('PING')).toBe('+PONG\r\n');
    expect(await server.send('INFO', 'wasm')).toMatch(/\nwasm_traps:1\r\n/);
  });
});

/** Keys behind a word of a kit module's command: servers hear of them, and no value is taken for the word. */
import { describe, expect, test } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import { kitOf } from '../support/kit.ts';
import { HOST_FILE, startServer } from '../support/server.ts';

const OK = '+OK\r\n';
const FILE = await kitOf(
  'behind',
  `import { command, query, Table } from "redis-wasm/kit";
const words = new Table<string, string>("words");
command("BEHIND.PUT", "word [NOTE text] [FROM source:key] [ONLY-TO target:key]", put, { summary: "Puts a word", readKeys: "source" });
function put(word: string, text: string | null, source: string | null, target: string | null): string {
  if (target !== null) words.set(target, word);
  return source === null ? "none" : words.get(source, "nothing");
}
command("BEHIND.REACH", "word [FROM source:key]", reach, "Writes another key than that");
function reach(word: string, source: string | null): void {
  words.set(word, "x");
}
query("BEHIND.GET", "key:key", (key: string): string => words.get(key, "nothing"), "A word");
`,
);
const MODULE = [HOST_FILE, FILE];

const bulks = (...texts: string[]): string => [`*${texts.length}`, ...texts.flatMap((text) => [`$${text.length}`, text]), ''].join('\r\n');

test('COMMAND GETKEYS names them', async () => {
  const server = await startServer({ module: MODULE });
  const keysOf = (line: string) => server.send('COMMAND', 'GETKEYS', ...line.split(' '));
  expect(await keysOf('BEHIND.PUT w FROM k')).toBe(bulks('k'));
  expect(await keysOf('BEHIND.PUT w only-to k from l')).toBe(bulks('l', 'k'));
  expect(await keysOf('BEHIND.PUT w NOTE FROM FROM k')).toBe(bulks('k'));
  expect(await keysOf('BEHIND.PUT FROM NOTE ONLY-TO FROM ONLY-TO only-to FROM')).toBe(bulks('ONLY-TO', 'FROM'));
  expect(await keysOf('BEHIND.PUT FROM')).toMatch(/^-ERR /);
  expect(await server.send('BEHIND.PUT', 'w', 'ONLY-TO', 'k', 'NOTE', 'FROM')).toBe('$4\r\nnone\r\n');
  expect(await server.send('BEHIND.PUT', 'w', 'FROM', 'k')).toBe('$1\r\nw\r\n');
});

test('permissions hold for them, whatever comes before', async () => {
  const server = await startServer({ module: MODULE });
  const login = async (rules: string) => {
    expect(await server.send('ACL', 'SETUSER', 'someone', 'reset', 'on', 'nopass', ...rules.split(' '))).toBe(OK);
    const connection = await server.connect();
    expect(await connection.send('AUTH', 'someone', 'x')).toBe(OK);
    return (line: string) => connection.send(...line.split(' '));
  };
  const user = await login('~app:* +@all');
  expect(await user('BEHIND.PUT w')).toBe('$4\r\nnone\r\n');
  expect(await user('BEHIND.PUT w NOTE FROM FROM app:k ONLY-TO app:l')).toBe('$7\r\nnothing\r\n');
  for (const line of ['w FROM secret', 'w NOTE FROM FROM secret', 'w FROM app:k ONLY-TO secret', 'w NOTE only-to ONLY-TO secret']) {
    expect(await user(`BEHIND.PUT ${line}`), line).toMatch(/^-NOPERM /);
    expect(await server.send('ACL', 'DRYRUN', 'someone', 'BEHIND.PUT', ...line.split(' ')), line).toMatch(/no permissions to access/);
  }
  const reader = await login('%R~app:* +@all');
  expect(await reader('BEHIND.PUT w FROM app:k')).toBe('$7\r\nnothing\r\n');
  expect(await reader('BEHIND.PUT w ONLY-TO app:k')).toMatch(/^-NOPERM /);
});

describe('in a cluster', () => {
  test('a command goes where they are, and nowhere else', async () => {
    const { nodes, keyOf, slotOf } = await startCluster({ module: MODULE }, 2);
    const [one, other] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
    const key = await keyOf(one, 'key');
    const far = await keyOf(other, 'far');
    const moved = `-MOVED ${await slotOf(key)} 127.0.0.1:${one.port}\r\n`;
    expect(await other.send('BEHIND.PUT', 'w', 'ONLY-TO', key)).toBe(moved);
    expect(await other.send('BEHIND.PUT', 'w', 'NOTE', 'FROM', 'FROM', key)).toBe(moved);
    expect(await one.send('BEHIND.PUT', 'w', 'FROM', key, 'ONLY-TO', far)).toMatch(/^-CROSSSLOT /);
    expect(await one.send('BEHIND.PUT', 'w', 'FROM', `{${key}}a`, 'ONLY-TO', key)).toBe('$7\r\nnothing\r\n');
    expect(await one.send('BEHIND.GET', key)).toBe('$1\r\nw\r\n');
    expect(await one.send('BEHIND.REACH', far, 'FROM', key)).toMatch(/^-CROSSSLOT /);
    expect(await one.send('BEHIND.REACH', `{${key}}b`, 'FROM', key)).toBe(OK);
  });
});

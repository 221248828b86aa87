/**
 * Modules that lie to the server about their commands and settings: each load is refused with a reason, or
 * what was loaded works; the server lives on with its data either way.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { configured, registered, type Registration } from '../support/hostile.ts';
import { assemble } from '../support/modules.ts';
import { expectServing, load, refusal, startNative, WITNESSED } from '../support/native.ts';
import { eventually } from '../support/server.ts';

/** The flags that docs/ABI.md permits, but that of effects, whose commands clients cannot run. */
const PERMITTED = /^Permitted flags: ([^.]*)\.$/m
  .exec(readFileSync(path.join(import.meta.dirname, '../../docs/ABI.md'), 'utf8'))?.[1]
  ?.split(/,\s+/)
  .map((flag) => flag.replaceAll('`', ''))
  .filter((flag) => flag !== 'effect') ?? [''];
/**
 * Flags with which the server calls a handler that a module does not have, or lets clients in that it would
 * stop; and such as none has.
 */
const REFUSED = [
  'getkeys-api',
  'getchannels-api',
  'no-auth',
  'allow-loading',
  'allow-busy',
  'internal',
  'blocking',
  'stale',
  'readonly\0write',
];

const REGISTRATIONS: Registration[] = [
  { title: 'a step of 0', first: 1, last: 1, step: 0, arity: -1 },
  { title: 'a negative step', first: 1, last: -1, step: -1, arity: -1 },
  { title: 'a step of 2^31 - 1', first: 1, last: -1, step: 0x7fffffff, arity: -1 },
  { title: 'a first key of 2^31 - 1', first: 0x7fffffff, last: 0x7fffffff, step: 1, arity: -1 },
  { title: 'a negative first key', first: -1, last: -1, step: 1, arity: -1 },
  { title: 'the lowest numbers', first: -0x80000000, last: -0x80000000, step: -0x80000000, arity: -0x80000000 },
  { title: 'a last key before the first', first: 3, last: 1, step: 1, arity: -1 },
  { title: 'the lowest last key', first: 1, last: -0x80000000, step: 1, arity: -1 },
  { title: 'keys beyond its arguments', first: 5, last: 9, step: 1, arity: -1 },
  { title: 'an arity of 0', arity: 0 },
  { title: 'the lowest arity', arity: -0x80000000 },
  { title: 'an arity of 2^31 - 1', arity: 0x7fffffff },
  { title: 'no name', name: '' },
  { title: 'a name of blanks', name: ' \t ' },
  { title: 'a name with a line break', name: 'hostile\r\n.odd' },
  { title: 'a name with a NUL', name: 'hostile\0.odd' },
  { title: 'a name that is no text', name: 'hostile.\xff\xfe' },
  { title: 'a name of a subcommand', name: 'config|get' },
  { title: 'a name of 1 MiB', name: 'n'.repeat(1 << 20) },
  { title: 'flags of 1 MiB', flags: 'readonly '.repeat(1 << 17) },
  { title: 'no flags', flags: '' },
  {
    title: 'every flag that modules may use',
    flags: PERMITTED.join(' '),
    first: 1,
    last: -1,
    step: 1,
    arity: -1,
  },
  { title: 'flags with a NUL', flags: 'readonly\0write' },
];

describe('a command registered with', () => {
  test.each(REGISTRATIONS)('$title is refused, or works', async (registration) => {
    const server = await startNative();
    const reply = await load(server, await registered(registration));
    await expectServing(server);
    if (reply !== '+OK\r\n') {
      expect(await refusal(server)).toMatch(/cannot load .*hostile\.wasm: /);
      expect(await load(server)).toBe('+OK\r\n');
      return;
    }
    const { name = 'hostile.odd', arity = 1 } = registration;
    await server.send('WITNESS.FILL', '77');
    await server.send('COMMAND');
    await server.send('COMMAND', 'DOCS', name);
    for (const argv of [[name], [name, 'a'], [name, 'a', 'b', 'c'], Array.from({ length: 100 }, () => name)]) {
      await server.send('COMMAND', 'GETKEYS', ...argv);
      await server.send('COMMAND', 'GETKEYSANDFLAGS', ...argv);
      const answer = await server.send(...argv);
      expect(answer).toMatch(arity === 1 && argv.length === 1 ? /^[+]OK/ : /^([+]OK|-ERR)/);
    }
    // Permissions and tracking look at the keys.
    await server.send('ACL', 'SETUSER', 'someone', 'on', 'nopass', '+@all', '~app:*');
    await server.send('AUTH', 'someone', '');
    await server.send(name, 'app:1', 'b');
    await server.send('AUTH', 'default', '');
    await server.send('CLIENT', 'TRACKING', 'on', 'BCAST');
    expect(await server.send('WITNESS.SUM')).toBe(WITNESSED);
    await expectServing(server);
  });
});

test('a command that tries every permitted flag is one that works', async () => {
  expect(PERMITTED.length).toBeGreaterThan(8);
  for (const flag of PERMITTED) {
    const server = await startNative();
    expect(await load(server, await registered({ title: flag, flags: flag })), flag).toBe('+OK\r\n');
    expect(await server.send('HOSTILE.ODD'), flag).toBe('+OK\r\n');
  }
});

describe('a command registered with the flag', () => {
  test.each(REFUSED)('%j is refused', async (flag) => {
    const server = await startNative();
    expect(await load(server, await registered({ title: flag, flags: `readonly ${flag}` }))).toMatch(/^-ERR Error loading/);
    const name = flag.replace('\0', ' ');
    expect(await refusal(server)).toContain(`: a command of a module cannot have the flag ${name}; functions: `);
    expect(await load(server)).toBe('+OK\r\n');
    await expectServing(server);
  });
});

describe('a setting declared with', () => {
  test.each<[string, Parameters<typeof configured>]>([
    ['a value outside its bounds', ['odd', 50, 0, 60, 100]],
    ['bounds that hold nothing', ['odd', 50, 0, 100, 10]],
    ['the lowest and the highest number', ['odd', '0x8000000000000000', 0, '0x8000000000000000', '0x7fffffffffffffff']],
    ['every flag', ['odd', 1, -1, 0, 10]],
    ['the flag of a size', ['odd', -1, 1 << 7, -5, 10]],
    ['no name', ['', 1, 0, 0, 10]],
    ['a blank in its name', ['o d', 1, 0, 0, 10]],
    ['a line break in its name', ['o\\0d\\0ad', 1, 0, 0, 10]],
    ['a name of the host', ['time-limit', 1, 0, 0, 10]],
  ])('%s is refused, or works', async (_, declaration) => {
    const server = await startNative();
    const reply = await load(server, await configured(...declaration));
    await expectServing(server);
    if (reply !== '+OK\r\n') {
      await eventually(
        () => server.log,
        (log) => log.includes(' # <wasm> '),
      );
      await expect.poll(() => server.log).toMatch(/ # <wasm> (cannot load|a setting has a value that it cannot take)/);
      expect(await load(server)).toBe('+OK\r\n');
    }
    await server.send('CONFIG', 'GET', 'wasm.*');
    await server.send('CONFIG', 'SET', 'wasm.odd', '-1');
    await server.send('CONFIG', 'REWRITE');
    expect(await server.send('WITNESS.FILL', '77')).toBe('+OK\r\n');
    expect(await server.send('WITNESS.SUM')).toBe(WITNESSED);
    await expectServing(server);
  });
});

test('two modules of more commands than there is room for together are refused, or work', async () => {
  const server = await startNative();
  const names = (prefix: string) => Array.from({ length: 200 }, (_, index) => `${prefix}.c${index}`);
  const many = (prefix: string) => {
    const create = names(prefix).map(
      (name, index) =>
        `(drop (call $create (i32.const ${index * 16}) (i32.const ${name.length}) (i32.const 0) (i32.const 8000) (i32.const 8) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1)))`,
    );
    const data = names(prefix).map((name, index) => `(data (i32.const ${index * 16}) "${name}")`);
    return assemble(
      prefix,
      `(import "redis" "CreateCommand" (func $create (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
       (memory (export "memory") 1) (table (export "table") 1 funcref) (elem (i32.const 0) $h) (func $h (param i32 i32))
       ${data.join('')} (data (i32.const 8000) "readonly") (func (export "onLoad") (result i32) ${create.join('')} (i32.const 0))`,
      { plain: true },
    );
  };
  // It does not look at the answers: what was refused is not there.
  const reply = await load(server, await many('left'), await many('right'));
  await expectServing(server);
  if (reply === '+OK\r\n') {
    expect(await server.send('LEFT.C199')).toBe('-ERR the module sent no reply\r\n');
    expect(await server.send('RIGHT.C199')).toMatch(/^-ERR unknown command/);
  }
});

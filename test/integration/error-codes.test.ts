/**
 * The codes of errors that tell clients of the server's state: no module's error has one, whichever way it is
 * sent; what the server itself, or another of its modules, says is passed on.
 */
import { describe, expect, test } from 'vitest';
import { fixture } from '../support/modules.ts';
import { bulk } from '../support/raw.ts';
import { HOST_FILE, NATIVE_FILE, useServer } from '../support/server.ts';

const ERRORS = await fixture('errors');
const CODES = 'MOVED ASK TRYAGAIN CLUSTERDOWN READONLY LOADING MASTERDOWN NOAUTH WRONGPASS NOPERM EXECABORT'.split(' ');
const server = useServer({ module: [HOST_FILE, ERRORS], arguments: ['--loadmodule', NATIVE_FILE] });

describe.each(CODES)('%s', (code) => {
  test('of a module has ERR before it', async () => {
    const text = `${code} 1 127.0.0.1:1`;
    for (const way of ['FAIL', 'REPLY']) expect(await server.send(`ERRORS.${way}`, text), way).toBe(`-ERR ${text}\r\n`);
    expect(await server.send('ERRORS.WITHIN', text)).toBe(`*1\r\n-ERR ${text}\r\n`);
    expect(await server.send('EVAL', "return redis.call('ERRORS.WITHIN', ARGV[1])", '0', text)).toBe(`*1\r\n${bulk(`ERR ${text}`)}`);
    expect(await server.send('EVAL', "return redis.pcall('ERRORS.FAIL', ARGV[1]).err", '0', text)).toContain(`ERR ${text}`);
  });

  test('has it too where only a line break ends the code, or nothing does', async () => {
    for (const end of ['', ' ', '\r\n1', '\n', '\0']) {
      for (const way of ['FAIL', 'REPLY']) expect(await server.send(`ERRORS.${way}`, `${code}${end}`)).toMatch(new RegExp(`^-ERR ${code}`));
    }
  });

  test('of another module of the server is passed on', async () => {
    const text = `${code} 1 127.0.0.1:1`;
    expect(await server.send('ERRORS.PASS', text)).toBe(`-${text}\r\n`);
  });
});

test('other codes, and words that begin so, are the module’s', async () => {
  for (const text of ['MINE is mine', 'MOVEDON text', 'moved text', 'ERR text', 'no code'])
    for (const way of ['FAIL', 'REPLY']) expect(await server.send(`ERRORS.${way}`, text)).toBe(`-${text}\r\n`);
});

test('each module has 64 codes, whichever way and however their ends are written', async () => {
  for (let number = 0; number < 100; number++) {
    const end = number % 2 ? ' ' : '\n';
    await server.send(number % 3 ? 'ERRORS.FAIL' : 'ERRORS.REPLY', `CODE${number}${end}text`);
  }
  const counted = Object.keys(await server.info('errorstats')).filter((name) => /^errorstat_(CODE\d+|MINE|moved|MOVEDON|no)$/.test(name));
  expect(counted.length).toBe(64);
});

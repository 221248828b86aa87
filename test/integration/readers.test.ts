/**
 * Reads that update the last access replicate that, and are no writes for it: they need no permission to
 * write, wait while writes are paused, and never replicate where the server must not, which would end it.
 */
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { bulk } from '../support/raw.ts';
import { eventually, useServer } from '../support/server.ts';

const REFUSED = /^-ERR Write commands are not allowed from read-only scripts/;

describe('a read that updates the last access', () => {
  const server = useServer({ arguments: ['--appendonly', 'yes'] });
  let id = '';
  beforeEach(async () => {
    id = (await server.send('SESSION.CREATE', 'user')).trim().slice(-36);
    await server.send('SESSION.ADD_DATA', id, 'field', 'value');
  });

  /** Pauses writes until they are let go on, at the latest at the end of the test. */
  async function pauseWrites(): Promise<void> {
    onTestFinished(async () => {
      await server.send('CLIENT', 'UNPAUSE');
    });
    expect(await server.send('CLIENT', 'PAUSE', '60000', 'WRITE')).toBe('+OK\r\n');
  }

  async function accessed(): Promise<string> {
    return /"last_accessed":"([^"]+)"/.exec(await server.send('SESSION.GET', id))?.[1] ?? '';
  }

  /** Waits for the next second of the server's clock, in which the next access has an effect. */
  async function nextSecond(): Promise<void> {
    const second = (await accessed()).slice(0, 19);
    await eventually(
      () => new Date().toISOString().slice(0, 19),
      (now) => now > second,
    );
  }

  test.each([
    ['alone', [['SESSION.GET_DATA', '<id>', 'field']], bulk('value')],
    ['in MULTI', [['MULTI'], ['SESSION.GET_DATA', '<id>', 'field'], ['EXEC']], `*1\r\n${bulk('value')}`],
    ['in EVAL', [['EVAL', `return redis.call('SESSION.GET_DATA', KEYS[1], 'field')`, '1', '<id>']], bulk('value')],
  ])('%s waits while writes are paused, then goes on', async (_, commands, expected) => {
    await nextSecond();
    const before = await accessed();
    const client = await server.connect();
    await pauseWrites();
    const replies = commands.map((command) => client.send(...command.map((text) => (text === '<id>' ? id : text))));
    let answered = false;
    const last = replies.at(-1).then((reply) => {
      answered = true;
      return reply;
    });
    // It has been read, and is not answered.
    const clients = await eventually(
      () => server.send('CLIENT', 'LIST'),
      (list) => list.includes(`flags=b`) || list.includes('flags=xb'),
    );
    expect(clients).toMatch(/flags=x?b/);
    // Other reads are served, and change nothing.
    expect(await accessed()).toBe(before);
    expect(await server.send('CUSTOM.GET', 'user')).toBe(bulk(id));
    expect(answered).toBe(false);
    expect(await server.send('CLIENT', 'UNPAUSE')).toBe('+OK\r\n');
    expect(await last).toBe(expected);
    expect((await accessed()) > before).toBe(true);
  });

  test.each([
    ['EVAL_RO', (script: string) => ['EVAL_RO', script, '1', id]],
    ['a script with no-writes', (script: string) => ['EVAL', `#!lua flags=no-writes\n${script}`, '1', id]],
  ])('is refused in %s, which may replicate nothing', async (_, command) => {
    await nextSecond();
    const before = await accessed();
    const script = `return redis.call('SESSION.GET_DATA', KEYS[1], 'field')`;
    for (const pause of [false, true]) {
      if (pause) await pauseWrites();
      expect(await server.send(...command(script))).toMatch(REFUSED);
    }
    expect(await accessed()).toBe(before);
    const get = `return redis.call('CUSTOM.GET', ARGV[1])`;
    expect(await server.send('EVAL_RO', get, '0', 'user')).toBe(bulk(id));
  });

  test('is refused in a function with no-writes', async () => {
    const body = `function(keys) return redis.call('SESSION.GET_DATA', keys[1], 'field') end`;
    const library = `#!lua name=readers\nredis.register_function{function_name='read', callback=${body}, flags={'no-writes'}}`;
    await server.send('FUNCTION', 'LOAD', 'REPLACE', library);
    expect(await server.send('FCALL_RO', 'read', '1', id)).toMatch(REFUSED);
    expect(await server.send('FCALL', 'read', '1', id)).toMatch(REFUSED);
  });

  test('needs permission to read alone', async () => {
    await nextSecond();
    const before = await accessed();
    const as = async (rules: string) => {
      expect(await server.send('ACL', 'SETUSER', 'someone', 'reset', 'on', 'nopass', ...rules.split(' '))).toBe('+OK\r\n');
      const client = await server.connect();
      await client.send('AUTH', 'someone', 'x');
      return client;
    };
    const commands = '+session.get_data +session.add_data +session.get +custom.get +custom.set';
    const reader = await as(`%R~* ${commands}`);
    expect(await reader.send('SESSION.GET_DATA', id, 'field')).toBe(bulk('value'));
    expect((await accessed()) > before).toBe(true);
    expect(await reader.send('SESSION.GET', id)).toContain('"user"');
    for (const write of [
      ['SESSION.ADD_DATA', id, 'field', 'other'],
      ['CUSTOM.SET', 'key', 'value'],
    ]) {
      expect(await reader.send(...write)).toMatch(/^-NOPERM /);
    }
    const writer = await as(`%W~* ${commands}`);
    expect(await writer.send('SESSION.GET_DATA', id, 'field')).toMatch(/^-NOPERM /);
    expect(await server.send('SESSION.GET_DATA', id, 'field')).toBe(bulk('value'));
  });
});

/**
 * Commands of modules that run on, take what they can get, trap, or reply what they please: the client gets
 * one whole reply, the log names the module and the function, and the server and all other modules go on as
 * if nothing had been.
 */
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { answering, careless, chained, greedy, halfway, manyCodes, REPLIES, RESULTS, witness } from '../support/hostile.ts';
import { bulk } from '../support/raw.ts';
import { eventually, HASHMAP_FILE, HOST_FILE, SESSION_FILE, startServer, tested, useServer, type TestServer } from '../support/server.ts';
import { dump, fill } from '../support/state.ts';

const LIMITS = ['--wasm.time-limit', '100', '--wasm.max-memory', '64mb'];
/** The modules' files. */
const files = {
  witness: await witness,
  greedy: await greedy,
  careless: await careless,
  answering: await answering,
  halfway: await halfway,
  codes: await manyCodes,
};
const WITNESSED = `:${61440 * 77}\r\n`;

/** What is logged of a fault of the module `hostile`, from the `from`-th character of the log on. */
function faultIn(server: TestServer, from: number): Promise<string> {
  return eventually(
    () => server.log.slice(from),
    (log) => /# <\w+> module hostile: .*; running: .*; functions: \w+/.test(log),
  );
}

/**
 * Sends a command on a connection of its own, and answers the end of its reply, however long that is, once it
 * ends so.
 */
function endOfReply(server: TestServer, command: string, end: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let last = '';
    const socket = connect(server.socket, () => socket.write(`${command}\r\n`));
    socket.on('data', (chunk) => {
      last = (last + chunk.toString('latin1', Math.max(0, chunk.length - 300))).slice(-300);
      if (!last.endsWith(end)) return;
      socket.destroy();
      resolve(last);
    });
    socket.on('error', reject).on('close', () => {
      reject(new Error(`the connection ended after ${last}`));
    });
  });
}

/** The argument with which this command, which counts down from so many millions, runs for about `ms`. */
async function millionsIn(server: TestServer, command: string, ms: number): Promise<string> {
  const before = server.running_ms;
  expect(await server.send(command, '20')).toBe('+OK\r\n');
  return String(Math.ceil((20 * ms) / (server.running_ms - before)));
}

/**
 * A server with the shipped modules, a witness and a hostile one, filled, and seen to be unharmed after each
 * test.
 */
function useAttackedServer(...modules: string[]): TestServer {
  const server = useServer({ module: [HOST_FILE, HASHMAP_FILE, SESSION_FILE, ...modules], arguments: LIMITS });
  let before: string[] = [];
  beforeEach(async () => {
    await fill(server);
    before = await dump(server);
    expect(await server.send('WITNESS.FILL', '77')).toBe('+OK\r\n');
  });
  afterEach(async () => {
    expect(await server.send('PING')).toBe('+PONG\r\n');
    expect(await server.send('WITNESS.SUM')).toBe(WITNESSED);
    expect(await dump(server)).toEqual(before);
  });
  return server;
}

describe('beside the shipped modules:', () => {
  describe('a command that', () => {
    const server = useAttackedServer(files.witness, files.greedy);

    test.each([
      ['loop', /ran longer than wasm\.time-limit/],
      ['recurse', /call stack exhausted/],
      ['call_chain', /call stack exhausted|ran longer/],
      ['fill', /ran longer than wasm\.time-limit/],
      ['random', /30000000 random bytes at once, more than 1048576/],
      ['divide', /integer divide by zero/],
      ['indirect', /undefined element: out of bounds table access/],
    ])('ends in %s: an error, and others are served at once', async (name, reason) => {
      const from = server.log.length;
      const faults = async () => Number((await server.info('wasm')).wasm_traps) + Number((await server.info('wasm')).wasm_timeouts);
      const before = await faults();
      const other = await server.connect();
      const replies = await Promise.all([server.send(`HOSTILE.${name}`), other.send('PING')]);
      expect(replies[0]).toMatch(/^-ERR module hostile: /);
      expect(replies[0]).toMatch(reason);
      expect(replies[1]).toBe('+PONG\r\n');
      expect(await faultIn(server, from)).toMatch(new RegExp(`running: hostile\\.${name}; functions: (deep|${name})`));
      expect(await faults()).toBeGreaterThan(before);
      expect(await server.send('HOSTILE.OK')).toBe('+OK\r\n');
    });

    test('is ended by the time limit, and others are answered within 100 ms of it', async () => {
      const other = await server.connect();
      for (let attempt = 0; attempt < 8; attempt++) {
        const before = server.running_ms;
        const looping = server.send('HOSTILE.LOOP');
        expect(await other.send('PING')).toBe('+PONG\r\n');
        expect(await looping).toMatch(/ran longer than wasm\.time-limit/);
        // On a processor: what else the machine does is not the host's.
        expect(server.running_ms - before).toBeGreaterThan(100 - 10);
        expect(server.running_ms - before).toBeLessThan(100 + 100);
      }
    });

    test('is not ended for the time in which the whole server stood still', async () => {
      const spinning = server.send('HOSTILE.SPIN', await millionsIn(server, 'HOSTILE.SPIN', 50));
      await new Promise((resolve) => setTimeout(resolve, 10));
      process.kill(server.pid, 'SIGSTOP');
      await new Promise((resolve) => setTimeout(resolve, 300));
      process.kill(server.pid, 'SIGCONT');
      expect(await spinning).toBe('+OK\r\n');
    });

    // A command that stores nothing may take a quarter more, and the host has its own pages.
    test.each([
      ['memory', (80 << 4) + 2],
      ['table', 65536],
    ])('takes all of its %s gets as much as it may', async (name, most) => {
      const got = Number((await server.send(`HOSTILE.${name}`)).slice(1));
      expect(got).toBeGreaterThan(most / 2);
      expect(got).toBeLessThanOrEqual(most);
      expect(await server.send('HOSTILE.OK')).toBe('+OK\r\n');
    });

    test.each(['flood', 'replies', 'errors', 'logs', 'effects', 'copies', 'notices'])('sends %s without end is ended', async (name) => {
      await server.send('CONFIG', 'SET', 'wasm.time-limit', '60000');
      const used = Number((await server.info('memory')).used_memory_peak);
      const reason = 'ERR module hostile: it hands the server more in one call than its memory could hold\r\n';
      expect(await endOfReply(server, `HOSTILE.${name}`, reason)).toContain('-ERR module hostile');
      // What it could hand over: 1 GiB and a few times its memory, of at most 64 MiB, to the client, and
      // eight times that and 64 MiB to anybody else.
      const most = ['flood', 'replies', 'errors'].includes(name) ? 1.5 : 1;
      expect(Number((await server.info('memory')).used_memory_peak) - used).toBeLessThan(most * 2 ** 30);
      await server.send('CONFIG', 'SET', 'wasm.time-limit', '100');
      expect(await server.send('HOSTILE.OK')).toBe('+OK\r\n');
    });

    test('traps after a part of its reply: the reply is one error, in a transaction and in a script too', async () => {
      const from = server.log.length;
      const reason = '-ERR module hostile: wasm trap: wasm `unreachable` instruction executed\r\n';
      expect(await server.send('HOSTILE.TRAP')).toBe(reason);
      await server.send('MULTI');
      await server.send('HOSTILE.TRAP');
      expect(await server.send('EXEC')).toBe(`*1\r\n${reason}`);
      expect(await server.send('EVAL', "return type(redis.pcall('HOSTILE.TRAP').err)", '0')).toBe(bulk('string'));
      expect(await faultIn(server, from)).toContain('running: hostile.trap; functions: trap');
      await server.send('MULTI');
      await server.send('HOSTILE.LOOP');
      await server.send('CUSTOM.EXISTS', 'key:5:text');
      expect(await server.send('EXEC')).toMatch(/^\*2\r\n-ERR module hostile: it ran longer than wasm\.time-limit\r\n:1\r\n$/);
      expect(await server.send('EVAL', "return redis.pcall('HOSTILE.RECURSE')", '0')).toMatch(/^-ERR module hostile: .*exhausted/);
    });
  });

  describe('replies', () => {
    const server = useAttackedServer(files.witness, files.careless);

    test.each(Object.entries(REPLIES))('%s become one whole reply', async (name, { reply }) => {
      const got = await server.send(`HOSTILE.${name}`);
      if (typeof reply === 'string') expect(got).toBe(reply);
      else expect(got).toMatch(reply);
      const raw = await server.connect(3);
      await raw.send(`HOSTILE.${name}`);
      expect(await raw.send('PING')).toBe('+PONG\r\n');
      // Scripts and other commands read replies by recursion.
      for (const protocol of [2, 3]) {
        await server.send('EVAL', `redis.setresp(${protocol}) local reply = redis.pcall('HOSTILE.${name}') return type(reply)`, '0');
        expect(await server.send('EVAL', "return redis.call('PING')", '0')).toBe('+PONG\r\n');
      }
    });

    test('have errors within them, which a script gets as text', async () => {
      const missing = 'ERR the module sent no reply';
      expect(await server.send('EVAL', "return redis.call('HOSTILE.FEW')", '0')).toBe(`*3\r\n:1\r\n${bulk(missing)}${bulk(missing)}`);
      const wrong = bulk('ERR wrong number of arguments');
      expect(await server.send('EVAL', "return redis.call('HOSTILE.CHOSEN')", '0')).toBe(`*3\r\n:1\r\n${bulk('OK')}${wrong}`);
    });
  });

  describe("a handler's result", () => {
    const server = useAttackedServer(files.witness, files.answering);

    test.each(RESULTS)('of %s is an error', async (result) => {
      const from = server.log.length;
      expect(await server.send('HOSTILE.ANSWER', String(RESULTS.indexOf(result)))).toMatch(
        /^-ERR module hostile: \d+ bytes at \d+ are outside its memory\r\n$/,
      );
      await eventually(
        () => server.log.slice(from),
        (log) => log.includes('running: hostile.answer'),
      );
      expect(await server.send('HOSTILE.ANSWER', '9')).toBe('$-1\r\n');
    });
  });
});

describe.skipIf(tested.link === 'command')('a write that ends halfway', () => {
  const DAMAGED = /^-MISCONF a call ended in the middle of a write and left this module's data in doubt/;
  const start = () => startServer({ module: [HOST_FILE, HASHMAP_FILE, SESSION_FILE, files.halfway], arguments: LIMITS });

  test.each([
    ['trap', /unreachable/],
    ['loop', /ran longer than wasm\.time-limit/],
  ])('by %s: its group refuses writes and saves until it is flushed; others write on', async (name, reason) => {
    const server = await start();
    await fill(server);
    expect(await server.send('HOSTILE.SET')).toBe('+OK\r\n');
    expect(await server.send('SAVE')).toBe('+OK\r\n');
    expect((await server.info('wasm_hostile')).wasm_damaged).toBe('0');

    expect(await server.send(`HOSTILE.${name}`)).toMatch(reason);
    await eventually(
      () => server.log,
      (log) => log.includes('in the middle of a write: its linked group refuses writes and saves from now on'),
    );
    expect((await server.info('wasm_hostile')).wasm_damaged).toBe('1');
    expect((await server.info('wasm_session')).wasm_damaged).toBe('0');
    expect(await server.send('HOSTILE.SET')).toMatch(DAMAGED);
    expect(await server.send('HOSTILE.VALUE')).toMatch(/^:[78]\r\n$/);
    expect(await server.send('CUSTOM.SET', 'key', 'value')).toBe('+OK\r\n');
    expect(await server.send('SESSION.CREATE', 'user')).toMatch(/^\+Session created/);
    expect(await server.send('SAVE')).toMatch(/^-ERR/);

    // The last good file is there still.
    expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE')).toBe('+OK\r\n');
    expect((await server.info('wasm_hostile')).wasm_damaged).toBe('0');
    expect(await server.send('HOSTILE.VALUE')).toBe(':7\r\n');
    expect(await server.send('HOSTILE.SET')).toBe('+OK\r\n');
    expect(await server.send('CUSTOM.GET', 'key:5:text')).toBe(bulk('text'));

    // A loop takes seconds until it is ended: once is enough.
    await server.send('HOSTILE.TRAP');
    expect(await server.send('HOSTILE.SET')).toMatch(DAMAGED);
    expect(await server.send('FLUSHALL')).toBe('+OK\r\n');
    expect(await server.send('HOSTILE.SET')).toBe('+OK\r\n');
    expect(await server.send('SAVE')).toBe('+OK\r\n');
  });

  test('by nothing but the time limit is completed', async () => {
    const server = await start();
    const before = server.running_ms;
    expect(await server.send('HOSTILE.SHORT', await millionsIn(server, 'HOSTILE.SHORT', 300))).toBe('+OK\r\n');
    expect(server.running_ms - before).toBeGreaterThan(100);
    expect((await server.info('wasm_hostile')).wasm_damaged).toBe('0');
    expect((await server.info('wasm_hostile')).wasm_timeouts).toBe('0');
  });
});

test.skipIf(tested.link === 'command')('commands that call each other use no more of the stack than there is', async () => {
  const modules = await Promise.all(Array.from({ length: 30 }, (_, index) => chained(index)));
  const server = await startServer({ module: [HOST_FILE, HASHMAP_FILE, SESSION_FILE, ...modules] });
  expect(await server.send('CHAIN22.GO')).toMatch(/^-ERR CHAIN30\.GO is not served here/);
  for (const first of [0, 5, 15]) {
    expect(await server.send(`CHAIN${first}.GO`)).toBe(`-ERR module chain${first + 8}: commands call each other more than 8 deep\r\n`);
  }
  expect(await server.send('EVAL', "return redis.pcall('CHAIN0.GO')", '0')).toMatch(/^-ERR module chain8: /);
  expect(await server.send('PING')).toBe('+PONG\r\n');
  expect(await server.send('SESSION.CREATE', 'user')).toMatch(/^\+Session created/);
});

describe('errors of many codes', () => {
  const server = useServer({ module: [HOST_FILE, files.codes] });

  test("64 are the server's to count, and what comes after them is ERR", async () => {
    const code = (number: number) => `E${String.fromCharCode(65 + Math.floor(number / 26), 65 + (number % 26))}`;
    const expected = Array.from({ length: 100 }, (_, number) => `-${number < 64 ? '' : 'ERR '}${code(number)} \r\n`);
    for (let round = 0; round < 2; round++) expect(await server.send('hostile.codes')).toBe(`*100\r\n${expected.join('')}`);
    const counted = [...(await server.send('INFO', 'errorstats')).matchAll(/errorstat_(E[A-Z]{2}):/g)].map(([, name]) => name);
    expect(new Set(counted.filter((name) => name !== 'ERR')).size).toBeLessThanOrEqual(64);
  });
});

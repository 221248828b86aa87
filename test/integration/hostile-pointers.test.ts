/**
 * Every function of the host, called with byte strings that do not lie in the module's memory, and at every
 * moment when it makes no sense: an error that names the module and the function, a server that lives on, and
 * no harm to the other modules' data.
 */
import { describe, expect, test } from 'vitest';
import { armed, attacks, DISARMED, hostileLoad, hostileModule, largest, type Attack, type Moment } from '../support/attacks.ts';
import { HASHMAP_FILE, HOST_FILE, SESSION_FILE, startServer, tested, useServer, eventually, type TestServer } from '../support/server.ts';
import { dump, fill } from '../support/state.ts';

const ALL = attacks();
const hostile = await hostileModule(ALL);
/**
 * Where nothing is linked directly, what the shipped modules are linked by makes no difference but to them.
 */
const isByCommand = tested.link === 'command';
const OUTSIDE = /\d+ bytes at \d+ are outside its memory/;

/**
 * The functions that a running command may call; those that only declare, save, load or inform are refused in
 * it.
 */
const NOT_NOW = /redis\.\w+ is not allowed here/;
const BY_MOMENT: Record<Moment | 'command', RegExp> = {
  command:
    /^(Reply|ReadArgument|Fail|WrongArity|Milliseconds|GetRandomBytes|Log|GetContextFlags|Replicate|CountEffect|EffectsWanted|MayAccess|MayExceed|DiscardMemory|Signal|Notify|KeyChanged|GetCurrentUserName|GetSelectedDb|Publish|Call|Key|ValueLength|DeleteKey|GetAbs|SetAbs|String|Hash|Zset|List)/,
  info: /^(InfoAdd|Milliseconds|GetRandomBytes|Log|GetContextFlags)/,
  auxSave: /^(Save|IsIOError|Milliseconds|GetRandomBytes|Log|GetContextFlags)/,
  auxLoad: /^(Load|IsIOError|Milliseconds|GetRandomBytes|Log|GetContextFlags)/,
  flush: /^(Milliseconds|GetRandomBytes|Log|GetContextFlags)/,
  freeBytes: /^(Milliseconds|GetRandomBytes|Log|GetContextFlags)/,
  isEmpty: /^(Save|IsIOError|Milliseconds|GetRandomBytes|Log|GetContextFlags)/,
  sweep:
    /^(Fail|Milliseconds|GetRandomBytes|Log|GetContextFlags|Replicate(Tables)?$|CountEffect|EffectsWanted|MayAccess|MayExceed|DiscardMemory|Signal|Notify|KeyChanged|GetCurrentUserName|GetSelectedDb|Publish)/,
};
/**
 * Functions that answer an error of their own to a harmless call: a setting, or a command, that is not
 * declared.
 */
const OWN_ERROR =
  /^(GetNumericConfig|GetSetting|RegisterNumericConfig|RegisterSetting|CreateCommand|SetCommandInfo|CreateDataType|ServedBy)$/;

/** 7.0 writes every module's section, and so asks none whether it is empty. */
const SAVING: Moment[] = tested.version.startsWith('7.0.') ? ['auxSave'] : ['auxSave', 'isEmpty'];

/** What the log says of an attack; `undefined`: nothing. */
function expected(attack: Attack, moment: Moment | 'command'): RegExp | undefined {
  const { name } = attack.function;
  if (OWN_ERROR.test(name)) return name.startsWith('Get') ? /it declared no setting 0/ : NOT_NOW;
  if (name === 'Attempt' && moment === 'command') return /function 0 of its table has another type than is called/;
  if (!BY_MOMENT[moment].test(name)) return NOT_NOW;
  if (name === 'ReplyWithParts' && attack.isHarmless) return /bytes that are no parts of a reply/;
  if (name === 'ReadArgument') return /it is no late argument/;
  if (name === 'ReplicateTables') return /it replicates tables and does not export apply/;
  if (name === 'Replicate' && attack.isHarmless) return /it replicates .*, which is no command that its linked group writes by/;
  if (name === 'Replicate') return /(\d+ bytes at \d+ are outside its memory|it replicates \d+ arguments at once, more than it may)/;
  if (name === 'Call' && !attack.isHarmless)
    return /(\d+ bytes at \d+ are outside its memory|it calls the server with \d+ words, more than it may)/;
  return attack.isHarmless ? undefined : OUTSIDE;
}

/** Waits until everything that was logged so far has come, and answers what came since `from`. */
async function logSince(server: TestServer, from: number): Promise<string> {
  const mark = `mark ${Math.random()}`;
  await server.send('EVAL', 'redis.log(redis.LOG_WARNING, ARGV[1])', '0', mark);
  await eventually(
    () => server.log,
    (log) => log.includes(mark, from),
  );
  return server.log.slice(from);
}

async function expectLogged(server: TestServer, from: number, attack: Attack, moment: Moment | 'command'): Promise<void> {
  const lines = (await logSince(server, from))
    .split('\n')
    .filter((line) => line.includes('module hostile: ') && line.includes('functions:'));
  const wanted = expected(attack, moment);
  if (wanted === undefined) {
    expect(lines, `${attack.title}, ${moment}`).toEqual([]);
    return;
  }
  expect(lines[0], `${attack.title}, ${moment}`).toMatch(wanted);
  expect(lines[0], `${attack.title}, ${moment}`).toContain(`functions: attack_${attack.number} < attack < `);
}

test('every function of the host is attacked', () => {
  expect(new Set(ALL.filter(({ isHarmless }) => !isHarmless).map((attack) => attack.function.name)).size).toBeGreaterThanOrEqual(14);
});

describe('beside the shipped modules,', () => {
  const server = useServer({ module: [HOST_FILE, HASHMAP_FILE, SESSION_FILE, hostile] });

  test('in a command', async () => {
    await fill(server);
    const before = await dump(server);
    for (const attack of ALL) {
      const from = server.log.length;
      const reply = await server.send('HOSTILE.RUN', String(attack.number));
      const wanted = expected(attack, 'command');
      if (wanted !== undefined) expect(reply, attack.title).toMatch(new RegExp(`^-ERR module hostile: ${wanted.source}`));
      await expectLogged(server, from, attack, 'command');
      expect(await server.send('PING')).toBe('+PONG\r\n');
    }
    expect(await dump(server)).toEqual(before);
  });

  const arm = (moment: Moment, { number }: Attack) => server.send('HOSTILE.ARM', armed(moment, number));
  const disarm = () => server.send('HOSTILE.ARM', DISARMED);

  /**
   * Makes each attack at a moment that `happen` brings about; answers nothing, and leaves the data as it was.
   */
  async function attackAll(moment: Moment, happen: (attack: Attack) => Promise<void>): Promise<void> {
    await fill(server);
    const before = await dump(server);
    for (const attack of ALL) {
      expect(await arm(moment, attack)).toBe('+OK\r\n');
      const from = server.log.length;
      await happen(attack);
      await expectLogged(server, from, attack, moment);
      await disarm();
      expect(await server.send('PING')).toBe('+PONG\r\n');
    }
    expect(await dump(server)).toEqual(before);
  }

  test('during INFO', async () => {
    await attackAll('info', async () => {
      expect(await server.send('INFO', 'wasm')).toContain('wasm_link_CUSTOM');
    });
  });

  test.each(SAVING)('during a save, in %s', async (moment) => {
    await attackAll(moment, async (attack) => {
      const reply = await server.send('SAVE');
      expect(reply, attack.title).toMatch(expected(attack, moment) === undefined ? /^\+OK/ : /^-ERR/);
    });
    expect(await server.send('SAVE')).toBe('+OK\r\n');
  });

  test('while memory is counted', async () => {
    await server.send('CONFIG', 'SET', 'maxmemory', '2gb');
    await attackAll('freeBytes', async () => {
      expect(await server.send('HOSTILE.WRITE')).toBe('+OK\r\n');
    });
    await server.send('CONFIG', 'SET', 'maxmemory', '0');
  });
});

describe.skipIf(isByCommand).each(['auxLoad', 'flush'] as const)('in %s,', (moment) => {
  test('while the server loads a file: the reload fails or succeeds, and the next one succeeds', async () => {
    const server = await startServer({ module: [HOST_FILE, HASHMAP_FILE, SESSION_FILE, hostile] });
    await fill(server);
    const before = await dump(server);
    for (const attack of ALL) {
      expect(await server.send('SAVE')).toBe('+OK\r\n');
      await server.send('HOSTILE.ARM', armed(moment, attack.number));
      const from = server.log.length;
      const reply = await server.send('DEBUG', 'RELOAD', 'NOSAVE');
      if (expected(attack, moment) !== undefined) expect(reply, attack.title).toMatch(/^-/);
      await expectLogged(server, from, attack, moment);
      await server.send('HOSTILE.ARM', DISARMED);
      expect(await server.send('PING')).toBe('+PONG\r\n');
      expect(await server.send('DEBUG', 'RELOAD', 'NOSAVE')).toBe('+OK\r\n');
    }
    expect(await dump(server)).toEqual(before);
  });
});

describe.skipIf(isByCommand)('in a sweep,', () => {
  // One attack on each function.
  const chosen = ALL.filter(({ title, isHarmless, function: { parameters, name } }) => {
    const hasBytes = parameters.some(({ type }) => type === 'usize');
    return !/^(Reply|Attempt|GetNumericConfig|GetSetting)/.test(name) && (hasBytes ? title.endsWith('wrapping around') : isHarmless);
  });
  /** A call that goes well, and is seen in the log. */
  const well = ALL.find(({ title }) => title === 'Log')!;
  const WELL = /module hostile: hi\n/;

  /** Makes these attacks on a server, one after the other. */
  async function attackWith(queue: Attack[]): Promise<void> {
    const module = [HOST_FILE, HASHMAP_FILE, SESSION_FILE, hostile];
    const server = await startServer({ module, arguments: ['--loglevel', 'verbose'] });
    await fill(server);
    const before = await dump(server);
    /** Has sweeps make this attack, until the log tells of it; answers what came meanwhile. */
    async function sweep(attack: Attack, told: RegExp): Promise<string> {
      const from = server.log.length;
      await server.send('HOSTILE.ARM', armed('sweep', attack.number));
      const log = await eventually(
        () => server.log.slice(from),
        (text) => told.test(text),
      );
      await server.send('HOSTILE.ARM', DISARMED);
      expect(log, attack.title).toMatch(told);
      return log;
    }
    for (let attack = queue.pop(); attack !== undefined; attack = queue.pop()) {
      const wanted = expected(attack, 'sweep');
      if (wanted === undefined) {
        await server.send('HOSTILE.ARM', armed('sweep', attack.number));
        // The server's time for some sweeps.
        expect(await server.send('XREAD', 'BLOCK', '300', 'STREAMS', 'no-stream', '$')).toMatch(/^(\*|\$)-1\r\n$/);
      } else
        await sweep(
          attack,
          new RegExp(`module hostile: .*(${wanted.source}).*running: sweep; functions: attack_${attack.number} < attack < `),
        );
      // After a fault the timer leaves a module alone for a second, and for longer each time, unless a sweep
      // goes well between.
      expect(await sweep(well, WELL), attack.title).not.toContain('running: sweep');
    }
    expect(await dump(server)).toEqual(before);
  }

  test('an error in the log, and no harm', { timeout: 120_000 }, async () => {
    expect(chosen.length).toBeGreaterThan(20);
    const queue = [...chosen];
    await Promise.all(Array.from({ length: 4 }, () => attackWith(queue)));
  });
});

describe.skipIf(isByCommand).each(['asked', 'for good'] as const)('in onLoad(), when it is %s,', (when) => {
  test('the load is refused, and the next one works', async () => {
    const server = await startServer({ module: false });
    await server.send('SET', 'native', 'value');
    const declaring =
      when === 'asked'
        ? /^(CreateCommand|SetCommandInfo|ServedBy|RegisterNumericConfig|RegisterSetting)$/
        : /^(CreateCommand|SetCommandInfo|CreateDataType|Log|GetRandomBytes)$/;
    for (const attack of ALL.filter((each) => declaring.test(each.function.name) && !each.isHarmless)) {
      const from = server.log.length;
      expect(await server.send('MODULE', 'LOAD', HOST_FILE, await hostileLoad(attack, when)), attack.title).toMatch(/^-ERR Error loading/);
      const log = await logSince(server, from);
      expect(log, attack.title).toMatch(
        /cannot load .*hostile\.wasm: .*(outside its memory|has not been defined|not allowed here).*functions: /,
      );
      expect(log).toContain(`attack_${attack.number} < `);
      expect(await server.send('PING')).toBe('+PONG\r\n');
    }
    expect(await server.send('GET', 'native')).toBe('$5\r\nvalue\r\n');
    expect(await server.send('MODULE', 'LOAD', HOST_FILE)).toBe('+OK\r\n');
  });
});

describe.skipIf(isByCommand)('the most that a memory of 32 MiB holds, handed to any function,', () => {
  const PAGES = 512;
  const most = largest();

  test('takes little time, and little memory of the server', async () => {
    const module = [HOST_FILE, HASHMAP_FILE, SESSION_FILE, await hostileModule(most)];
    const server = await startServer({ module, arguments: ['--wasm.max-memory', '64mb'] });
    expect(await server.send('HOSTILE.GROW', String(PAGES))).toBe('+OK\r\n');
    for (const { number, title } of most) {
      const before = server.resetPeak();
      const times: number[] = [];
      // What else the machine does makes some rounds longer, and none shorter.
      while (times.length < 3 && !times.some((ms) => ms < 200)) {
        const begun_ms = server.running_ms;
        await server.send('HOSTILE.RUN', String(number));
        times.push(server.running_ms - begun_ms);
      }
      expect(Math.min(...times), title).toBeLessThan(200);
      expect(server.peakBytes() - before, title).toBeLessThan((PAGES << 16) + (64 << 20));
      expect(await server.send('PING'), title).toBe('+PONG\r\n');
    }
  });
});

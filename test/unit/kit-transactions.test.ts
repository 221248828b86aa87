/**
 * Commands of a kit module as transactions: random steps against a model, with failures at every point, a
 * replica that gets the effects, and files.
 */
import fc from 'fast-check';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { elements, FakeServer, Fault, placeModule } from '../support/fake-redis.ts';
import { kitModule } from '../support/kit.ts';
import { Model } from '../support/kit-model.ts';

beforeAll(async () => {
  placeModule('ops', await kitModule('ops'));
}, 120_000);

let server: FakeServer;
beforeEach(() => {
  server = new FakeServer({ kit: 'ops' });
});

const run = (...steps: string[]): string[] => elements(server.call('OPS.RUN', 'k', ...steps)).map(String);
const dump = (of: FakeServer): string => of.text('OPS.DUMP', 'k');
/** A server that has applied what the first one has replicated. */
function replicaOf(primary: FakeServer): FakeServer {
  const replica = new FakeServer({ kit: 'ops', seed: 2 });
  replica.clock = primary.clock;
  replica.replay(primary.propagated);
  return replica;
}

const NAMES = ['a', 'b', 'ab', 'é', '', '\u0000', 'a\u0000b', 'zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz'].map((name) =>
  name.replaceAll(' ', '_'),
);
const name = fc.constantFrom(...NAMES.filter((each) => each !== ''));
const value = fc.constantFrom('x', 'yy', 'z'.repeat(40), '-');
const amount = fc.integer({ min: -5, max: 5 });
const deadline = fc.constantFrom('0', '0', '-1', '1767323045000', '1767323050000', '1767323040000');
const step = fc.oneof(
  fc.tuple(fc.constantFrom('words', 'in-words'), name, value, deadline).map(([of, n, v, d]) => `set ${of} ${n} ${v} ${d}`),
  fc.tuple(fc.constantFrom('words', 'in-words', 'lines', 'in-lines', 'sums'), name).map(([of, n]) => `delete ${of} ${n}`),
  fc.tuple(fc.constantFrom('words', 'in-words', 'in-lines', 'sums'), name).map(([of, n]) => `get ${of} ${n}`),
  fc.tuple(fc.constantFrom('lines', 'in-lines'), name, amount, deadline).map(([of, n, v, d]) => `set ${of} ${n} ${v} ${d}`),
  fc.tuple(name, amount).map(([n, v]) => `add sums ${n} ${v}`),
  fc.tuple(name, deadline).map(([n, d]) => `expire words ${n} ${d === '-1' ? '0' : d}`),
  name.map((n) => `deadline words ${n}`),
  fc.constantFrom('size words', 'size sums', 'size lines', 'size in-lines', 'size in-words', 'keys words', 'keys lines', 'keys in-words'),
  fc.constantFrom('clear words', 'clear lines', 'clear in-lines', 'clear in-words'),
  fc.tuple(fc.constantFrom('rank', 'after', 'before'), name).map(([what, n]) => `${what} lines ${n}`),
  fc.tuple(name, name).map(([a, b]) => `count lines ${a} ${b}`),
  fc.constantFrom('first lines', 'last lines', 'at lines 0', 'at lines 2', 'deadline in-lines', 'deadline in-words'),
  fc.tuple(name, name, fc.constantFrom('1', '3', '100'), fc.constantFrom('on', 'back')).map((parts) => `range in-lines ${parts.join(' ')}`),
  fc.tuple(fc.constantFrom('in-lines', 'in-words'), deadline).map(([of, d]) => `expire ${of} ${d === '-1' ? '0' : d}`),
);
const FAILURES = ['fail throw', 'fail index', 'fail deadline', 'fail null'];

describe('random commands', () => {
  test('do what the model does, here, on a replica and in a file', () => {
    const command = fc.record({
      steps: fc.array(step, { minLength: 1, maxLength: 12 }),
      fails: fc.option(fc.constantFrom(...FAILURES), { freq: 4 }),
      later: fc.integer({ min: 0, max: 4000 }),
    });
    fc.assert(
      fc.property(fc.array(command, { minLength: 1, maxLength: 14 }), (commands) => {
        const primary = new FakeServer({ kit: 'ops' });
        const model = new Model(primary.clock);
        for (const { steps, fails, later } of commands) {
          model.now = primary.clock += later;
          if (fails === null) {
            expect(elements(primary.call('OPS.RUN', 'k', ...steps)).map(String)).toEqual(steps.map((each) => model.step(each)));
            model.commit();
          } else {
            const before = dump(primary);
            const effects = primary.propagated.length;
            expect(primary.text('OPS.RUN', 'k', ...steps, fails)).toMatch(/^-/);
            expect(dump(primary)).toBe(before);
            expect(primary.propagated.length).toBe(effects);
          }
          expect(dump(primary)).toBe(`$${Buffer.byteLength(model.dump())}\r\n${Buffer.from(model.dump()).toString('latin1')}\r\n`);
        }
        primary.check();
        const replica = replicaOf(primary);
        expect(dump(replica)).toBe(dump(primary));
        replica.replay(primary.propagated.slice(-1));
        expect(dump(replica)).toBe(dump(primary));
        replica.check();
        const again = new FakeServer({ kit: 'ops', seed: 3 });
        again.clock = primary.clock;
        if (primary.kit === undefined || again.kit === undefined) throw new Fault('no module');
        expect(again.load(again.kit, primary.save(primary.kit), 1)).toBe(true);
        expect(dump(again)).toBe(dump(primary));
        again.check();
      }),
      { numRuns: Number(process.env.KIT_RUNS ?? 20) },
    );
  });
});

describe('the common deadline of a key whose entries have all expired, and are not reclaimed yet', () => {
  const soon = () => server.clock + 1000;
  const far = () => server.clock + 100_000;
  const prepare = (of: string): void => {
    run(`set ${of} a 1 ${soon()}`, `set ${of} b 2 ${soon()}`, `expire ${of} ${far()}`);
    server.clock += 1000;
  };

  test.each([
    ['in-lines', '-1'],
    ['in-words', '-'],
  ])('is none, and a new entry does not get it: %s', (of, none) => {
    prepare(of);
    expect(run(`deadline ${of}`)).toEqual(['0']);
    expect(run(`size ${of}`, `set ${of} c 3 0`, `deadline ${of}`, `get ${of} a`, `size ${of}`)).toEqual(['2', 'ok', '0', none, '1']);
    const replica = replicaOf(server);
    expect(dump(replica)).toBe(dump(server));
    for (const each of [server, replica]) {
      each.clock += 200_000;
      expect(each.text('OPS.ASK', 'k', `get ${of} c`)).toBe('*1\r\n$1\r\n3\r\n');
      each.check();
    }
  });

  test('is the new one, where one is set', () => {
    prepare('in-lines');
    const later = far() + 7;
    expect(run(`expire in-lines ${later}`)).toEqual(['no']);
    expect(run('set in-lines c 3 0', `expire in-lines ${later}`, 'deadline in-lines')).toEqual(['ok', 'yes', String(later)]);
    expect(dump(replicaOf(server))).toBe(dump(server));
  });

  test('holds as long as one of them is there, and until the end of a command that deletes it', () => {
    const until = far();
    run(`set in-lines a 1 ${soon()}`, 'set in-lines b 2 0', `expire in-lines ${until}`);
    server.clock += 1000;
    expect(run('delete in-lines b', 'set in-lines c 3 0', 'deadline in-lines')).toEqual(['yes', 'ok', String(until)]);
    expect(run('set in-lines d 4 0', 'deadline in-lines')).toEqual(['ok', String(until)]);
    expect(run('delete in-lines c', 'delete in-lines d')).toEqual(['yes', 'yes']);
    expect(run('set in-lines e 5 0', 'deadline in-lines')).toEqual(['ok', '0']);
    expect(dump(replicaOf(server))).toBe(dump(server));
    server.check();
  });
});

describe('a command that fails after two writes and a delete', () => {
  test.each([
    ['fail throw', '-BROKEN as it was asked\r\n'],
    ['fail index', /^-ERR Index out of range \(~lib\/array.ts:\d+\)\r\n$/],
    ['fail null', /^-ERR /],
    ['fail deadline', '-ERR a deadline is a Unix time in milliseconds, from 0 to 2^53\r\n'],
    ['fail memory', '-ERR the command takes more than 64 MiB of memory\r\n'],
  ])('%s: nothing has changed', (how, error) => {
    run('set words a x 0', 'set words b y 0', 'set in-lines c 1 0');
    const before = dump(server);
    const effects = server.propagated.length;
    const reply = server.text('OPS.RUN', 'k', 'set words a z 0', 'set in-words new n 0', 'delete words b', how);
    if (typeof error === 'string') expect(reply).toBe(error);
    else expect(reply).toMatch(error);
    expect(dump(server)).toBe(before);
    expect(server.propagated.length).toBe(effects);
    server.check();
    expect(run('set words a z 0')).toEqual(['ok']);
  });

  test('of memory that runs out at any point of it', () => {
    for (let allowed = 0; allowed < 1000; allowed += 11) {
      let left = allowed;
      const small = new FakeServer({ kit: 'ops', mayGrow: (pages) => (left -= pages) >= 0 });
      small.text('OPS.RUN', 'k', 'set words a x 0', 'set in-lines b 1 0');
      const before = dump(small);
      const reply = small.text('OPS.FILL', 'k', '3000');
      if (reply.startsWith('-')) expect([reply, dump(small)]).toEqual([expect.stringContaining('OOM'), before]);
      else return;
      small.check();
    }
    expect.unreachable('it never had enough memory');
  });
});

test('a query cannot write', () => {
  expect(server.text('OPS.ASK', 'k', 'set words a x 0')).toBe('-ERR a query cannot write: a command() can\r\n');
  expect(run('get words a')).toEqual(['-']);
});

test('a hundred thousand writes are one effect', () => {
  expect(server.text('OPS.FILL', 'k', '100000')).toBe(':100000\r\n');
  expect(server.propagated.length).toBe(1);
  expect(dump(replicaOf(server))).toBe(dump(server));
  server.check();
});

test('a key is told of once for each command', () => {
  run('set words a x 0', 'set words a y 0', 'set in-lines b 1 0', 'set in-lines c 1 0');
  expect(server.events).toEqual(['8192 ops.run a', '8192 ops.run k']);
});

test('each command sees what the module has made at its start as it was then', async () => {
  placeModule('kept', await kitModule('kept'));
  const kept = new FakeServer({ kit: 'kept' });
  for (let round = 0; round < 300; round++) {
    expect(kept.text('KEPT.ADD', `k${round}`)).toBe('$9\r\na,b 0 3 1\r\n');
    expect(kept.text('KEPT.GET', `k${round}`)).toBe('$1\r\na\r\n');
  }
  kept.check();
}, 120_000);

test('an object that was changed and not set is an error in builds for tests, which names table and line', async () => {
  placeModule('lost', await kitModule('lost', true));
  const lost = new FakeServer({ kit: 'lost' });
  const error = (table: string, line: number): string =>
    `-ERR table ${table}: the object that line ${line} reads was changed and not set, so the change is lost\r\n`;
  expect(lost.text('LOST.RUN', 'k', 'set')).toBe(':0\r\n');
  expect(lost.text('LOST.RUN', 'k', 'read')).toBe(':0\r\n');
  expect(lost.text('LOST.RUN', 'k', 'change')).toBe(error('notes', 13));
  expect(lost.text('LOST.RUN', 'k', 'push')).toBe(error('notes', 13));
  expect(lost.text('LOST.RUN', 'k', 'in')).toBe(error('sorted', 22));
  expect(lost.text('LOST.RUN', 'k', 'set')).toBe(':0\r\n');
  lost.check();
}, 120_000);

test('a command that is ended within another module leaves nothing behind, before a flush and after it', async () => {
  placeModule('cut', await kitModule('cut'));
  const ended = (): never => {
    throw new Fault('the time limit');
  };
  const cut = new FakeServer({
    kit: 'cut',
    kitLinks: { CUSTOM: { get: () => 0n, set: ended, del: ended, pttl: () => -2n, pexpire: ended } },
  });
  const { kit } = cut;
  if (kit === undefined) throw new Fault('no module');
  expect(cut.text('CUT.SET', 'kept')).toBe('+OK\r\n');
  expect(() => cut.text('CUT.SET', 'new', 'CUSTOM')).toThrow('the time limit');
  expect(cut.text('CUT.SIZE')).toBe(':1\r\n');
  cut.check();
  expect(() => cut.text('CUT.SET', 'newer', 'CUSTOM')).toThrow('the time limit');
  kit.exports.flush();
  for (let round = 0; round < 50; round++) expect(cut.text('CUT.SET', `key${round}`)).toBe('+OK\r\n');
  expect(cut.text('CUT.SIZE')).toBe(':50\r\n');
  cut.check();
}, 120_000);

/**
 * Each growth of a memory fails in turn, in the middle of whatever command it comes in: that command is done
 * whole or refused whole, and everything after it is as if it had not come.
 */
import { describe, expect, test } from 'vitest';
import { fakeTarget } from '../fuzz/fake.ts';
import { comparable, Model } from '../fuzz/model.ts';
import { idIn } from '../fuzz/operations.ts';
import { FakeServer } from '../support/fake-redis.ts';
import { created, mapped, visible } from '../support/sessions.ts';

const FULL = "-OOM the module's memory is full (wasm.max-memory)\r\n";
/** Lengths of each kind of block: slabs, a part of a page, several pages. */
const LENGTHS = [10, 500, 3000, 20_000, 70_000, 150_000];

/** Commands of a script that follow the one in which a growth failed: of each kind there are some. */
const AFTER = 200;

type Step = (ids: string[]) => string[];

/** The id that was made last, or so many before; none: ''. */
const newest = (ids: string[], back = 1): string => (ids.length < back ? '' : ids[ids.length - back]!);

/** Commands that make every structure grow: entries, tables, fields of all sizes, replies of their own. */
function script(): Step[] {
  const steps: Step[] = [];
  for (const [index, length] of LENGTHS.entries()) {
    const filler = String(index).repeat(length);
    steps.push(() => ['CUSTOM.SET', `key ${index}`, filler]);
    steps.push(() => ['CUSTOM.SET', `key ${index}`, `${filler}${filler}`]);
    steps.push(() => ['SESSION.CREATE', `user ${index} ${filler.slice(0, 100_000)}`]);
    for (const field of ['a', 'b', 'a']) steps.push((ids) => ['SESSION.ADD_DATA', newest(ids), field, `${filler}${steps.length}`]);
    for (let many = 0; many < 25; many++) steps.push((ids) => ['SESSION.ADD_DATA', newest(ids), `field ${many}`, 'v'.repeat(many * 20)]);
    steps.push((ids) => ['SESSION.GET', newest(ids)]);
    steps.push((ids) => ['SESSION.GET_DATA', newest(ids), 'a']);
    for (let many = 0; many < 250; many++) steps.push(() => ['CUSTOM.SET', `many ${index} ${many}`, 'w'.repeat(many * 17)]);
    steps.push(() => ['CUSTOM.DEL', `key ${index - 1}`]);
    steps.push((ids) => ['SESSION.DELETE', newest(ids, 3)]);
    steps.push(
      () => ['CUSTOM.KEYS'],
      () => ['SESSION.LIST'],
    );
  }
  return steps;
}

/**
 * A heap asks for 16 pages at first, and for half as many as long as it does not get them: of little steps
 * there are more to fail.
 */
const isLittle = (pages: number) => pages <= 4 || (pages & (pages - 1)) !== 0;

/**
 * The same for what sessions have beside: options, several fields at once, other users, new ids; indexes of
 * users with many sessions.
 */
function sessionScript(): Step[] {
  const steps: Step[] = [];
  for (const [index, length] of LENGTHS.entries()) {
    const filler = String(index).repeat(length);
    const many = Array.from({ length: 40 }, (_, field) => [`field ${field}`, filler.slice(0, field * 60)]).flat();
    steps.push(() => ['SESSION.CREATE', `user ${index}`, 'NEW', 'IDLE', '3600', 'DATA', ...many, 'large', filler]);
    steps.push((ids) => ['SESSION.ADD_DATA', newest(ids), ...many.map((text) => `${text}+`)]);
    steps.push((ids) => ['SESSION.CAS', newest(ids), '1', 'a', filler, 'b', filler]);
    steps.push((ids) => ['SESSION.INCR_DATA', newest(ids), `n${filler.slice(0, 3000)}`, '5']);
    steps.push((ids) => ['SESSION.GETALL', newest(ids)]);
    steps.push((ids) => ['SESSION.DEL_DATA', newest(ids), 'a', 'field 3', 'field 7']);
    steps.push((ids) => ['SESSION.ASSIGN', newest(ids), `other ${filler.slice(0, 70_000)}`]);
    steps.push((ids) => ['SESSION.ROTATE', newest(ids), 'GRACE', '1000000']);
    for (let count = 0; count < 120; count++) steps.push(() => ['SESSION.CREATE', `many ${index} ${count % 3}`, 'NEW', 'TTL', '7200']);
    steps.push(() => [
      'SESSION.CREATE',
      `many ${index} 0`,
      'NEW',
      'MAX',
      '20',
      'ID',
      `given ${index}`.padEnd(100, '-').replaceAll(' ', '-'),
    ]);
    for (let count = 0; count < 30; count++) steps.push((ids) => ['SESSION.ROTATE', newest(ids, 2 * count + 3), 'GRACE', '1000000']);
    for (let count = 0; count < 30; count++) steps.push((ids) => ['SESSION.EXPIRE', newest(ids, count + 2), '4000', 'IDLE']);
    steps.push((ids) => ['SESSION.DELETE', newest(ids, 5)]);
    steps.push(() => ['SESSION.DELUSER', `many ${index} 1`]);
    steps.push(() => ['SESSION.USER', `many ${index} 0`]);
  }
  return steps;
}

/**
 * Scripts, and what of them may be refused when memory cannot grow: writes that add, and a JSON that fits no
 * buffer of a fixed size.
 */
const SCRIPTS: [name: string, script: () => Step[], mayBeRefused: string[]][] = [
  ['the original commands', script, ['CUSTOM.SET', 'SESSION.CREATE', 'SESSION.ADD_DATA', 'SESSION.GET']],
  [
    'the further ones of sessions',
    sessionScript,
    ['ADD_DATA', 'ASSIGN', 'CAS', 'CREATE', 'INCR_DATA', 'ROTATE'].map((name) => `SESSION.${name}`),
  ],
];

interface Outcome {
  growths: number;
  refused: string[];
}

/**
 * Runs the script; growth number `failing` (from 1) fails, and with `all` those after it in the same command
 * too.
 */
function run(link: 'direct' | 'command', steps: Step[], failing: number, all: boolean): Outcome {
  let growths = 0;
  let command = 0;
  let failedIn = -1;
  const mayGrow = (pages: number): boolean => {
    if (!isLittle(pages)) return false;
    // What is asked at the end may not fail.
    if (command < 0) return true;
    growths++;
    if (growths === failing) failedIn = command;
    return growths !== failing && !(all && failedIn === command);
  };
  const target = fakeTarget(link, { mayGrow });
  const model = new Model();
  const [ids, refused]: [string[], string[]] = [[], []];
  const check = (argv: string[]): void => {
    const [now, actual] = [target.now!(), target.send(argv) as string];
    if (actual === FULL) {
      refused.push(argv[0]!);
      expect(command).toBe(failedIn);
      return;
    }
    const wanted = model.reply(argv, now, actual);
    const known = (reply: string) => comparable(reply, argv[0]);
    if (known(actual) !== known(wanted)) expect(known(actual), argv.join(' ').slice(0, 100)).toBe(known(wanted));
    const id = idIn(argv[0]!, actual);
    if (id !== undefined && !ids.includes(id)) ids.push(id);
  };
  for (const step of steps) {
    // Two are counted for each.
    if (failedIn >= 0 && command > failedIn + 2 * AFTER) break;
    command++;
    check(step(ids));
    if (command++ === failedIn) for (const known of ids.slice(-2)) check(['SESSION.GET', known]);
  }
  command = -2;
  check(['CUSTOM.KEYS']);
  check(['SESSION.LIST']);
  check(['SESSION.CHECK']);
  check(['CUSTOM.CHECK']);
  for (const key of model.storage.keys()) check(['CUSTOM.GET', key]);
  for (const id of ids) check(['SESSION.GET', id]);
  for (const module of target.server.modules) expect(target.server.load(module, target.server.save(module))).toBe(true);
  for (const id of ids) check(['SESSION.GET', id]);
  return { growths, refused };
}

describe.each(['direct', 'command'] as const)('linked %s', (link) => {
  test.each(SCRIPTS)(
    'whichever growth fails in %s, a command is done whole or refused whole',
    { timeout: 300_000 },
    (_, make, mayBeRefused) => {
      const steps = make();
      const { growths, refused } = run(link, steps, 0, false);
      expect(refused).toEqual([]);
      expect(growths).toBeGreaterThan(15);
      const all: string[] = [];
      for (let failing = 1; failing <= growths; failing++) {
        for (const rest of [false, true]) {
          const outcome = run(link, steps, failing, rest);
          expect(outcome.refused.length).toBeLessThanOrEqual(1);
          all.push(...outcome.refused);
        }
      }
      // The n-th growth did end commands, and none that need no memory.
      expect(all.length).toBeGreaterThan(3);
      expect(mayBeRefused).toEqual(expect.arrayContaining(all));
    },
  );

  test.each<[name: string, argv: (id: string, attempt: number) => string[]]>([
    ['CREATE', (_, attempt) => ['SESSION.CREATE', `u${attempt}`, 'NEW', 'MAX', '3', 'DATA', 'f', 'v'.repeat(attempt * 200)]],
    ['CREATE', (_, attempt) => ['SESSION.CREATE', 'u', 'NEW', 'TTL', '3600', 'ID', `given-${attempt}`.padEnd(120, '-')]],
    ['ADD_DATA', (id, attempt) => ['SESSION.ADD_DATA', id, `f${attempt}`, 'v'.repeat(100), `g${attempt}`, 'w'.repeat(attempt)]],
    ['CAS', (id, attempt) => ['SESSION.CAS', id, String(attempt), `f${attempt}`, 'v'.repeat(200), 'g', 'w'.repeat(attempt)]],
    ['INCR_DATA', (id, attempt) => ['SESSION.INCR_DATA', id, `${attempt}`.padEnd(300, 'n'), '5']],
    ['ASSIGN', (id, attempt) => ['SESSION.ASSIGN', id, 'u'.repeat(8000 * attempt)]],
    // Each change is signalled by all old ids of its session, so of each there are not too many.
    ['ROTATE', (id, attempt) => (attempt % 16 === 15 ? ['SESSION.CREATE', 'u', 'NEW'] : ['SESSION.ROTATE', id, 'GRACE', '1000000'])],
  ])('%s is refused whole in a full memory, what ends sessions is not, and room is used again', { timeout: 60_000 }, (_, argv) => {
    let full = false;
    const target = fakeTarget(link, { mayGrow: () => !full });
    const { server } = target;
    let id = created(server, 'u', 'DATA', 'f', 'v');
    const others = Array.from({ length: 50 }, (_, index) => created(server, 'v', 'NEW', 'DATA', 'f', 'v'.repeat(40 * index)));
    full = true;
    const state = () => visible(server, [id]);
    let [attempt, reply] = [0, ''];
    const send = () => {
      const command = argv(id, attempt);
      reply = target.send(command) as string;
      id = idIn(command[0]!, reply) ?? id;
      return reply;
    };
    while (send() !== FULL) {
      expect(reply).not.toMatch(/^-/);
      attempt++;
      if (attempt > 50_000) throw new Error('nothing is ever refused');
    }
    server.check();
    // Looking at it all may have given back a little room that was kept.
    for (let before = state(), more = 0; ; before = state(), more++) {
      if (send() === FULL) {
        expect(state()).toEqual(before);
        break;
      }
      expect(more).toBeLessThan(2000);
      attempt++;
    }
    // What ends something needs no memory.
    expect(server.text('SESSION.TOUCH', id)).toBe(':1\r\n');
    expect(server.text('SESSION.EXPIRE', others.pop()!, '0')).toBe(':1\r\n');
    expect(server.text('SESSION.DEL_DATA', others[40]!, 'f')).toBe(':1\r\n');
    for (const other of others.slice(30)) expect(server.text('SESSION.DELETE', other)).toBe(':1\r\n');
    expect(server.text('SESSION.DELUSER', 'v')).toBe(':30\r\n');
    server.check();
    expect(mapped(server, 'v')).toBe(null);
    full = false;
    expect(send()).not.toMatch(/^-/);
    server.check();
  });

  test('whichever growth fails in a load, it is refused and leaves nothing, and the next one succeeds', () => {
    const source = fakeTarget(link);
    const ids: string[] = [];
    for (const step of [...script(), ...sessionScript()]) {
      const argv = step(ids);
      const id = idIn(argv[0]!, source.send(argv) as string);
      if (id !== undefined && !ids.includes(id)) ids.push(id);
    }
    const saved = source.server.modules.map((module) => source.server.save(module));
    let growths = 0;
    let failing = 0;
    const load = (server: FakeServer) => server.modules.map((module, index) => server.load(module, saved[index]!));
    const start = () => {
      growths = 0;
      return new FakeServer({ link, mayGrow: (pages) => isLittle(pages) && (++growths < failing || failing === 0) });
    };
    expect(load(start())).toEqual([true, true]);
    const most = growths;
    expect(most).toBeGreaterThan(10);
    let refusals = 0;
    for (failing = 1; failing <= most; failing++) {
      const server = start();
      const loaded = load(server);
      if (!loaded[0]) expect(server.text('CUSTOM.KEYS')).toBe('*0\r\n');
      if (!loaded[1]) expect(server.text('SESSION.LIST')).toBe('*0\r\n');
      refusals += loaded.filter((one) => !one).length;
      growths = -1e9;
      expect(load(server)).toEqual([true, true]);
      expect(comparable(server.text('CUSTOM.KEYS'))).toBe(comparable(source.server.text('CUSTOM.KEYS')));
      expect(comparable(server.text('SESSION.LIST'))).toBe(comparable(source.server.text('SESSION.LIST')));
    }
    expect(refusals).toBeGreaterThan(0);
  });
});

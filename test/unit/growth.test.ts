/**
 * Each growth of a memory fails in turn, in the middle of whatever command it comes in: that command is done whole or refused whole, and
 * everything after it is as if it had not come.
 */
import { describe, expect, test } from 'vitest';
import { fakeTarget } from '../fuzz/fake.ts';
import { comparable, Model } from '../fuzz/model.ts';
import { FakeServer } from '../support/fake-redis.ts';

const FULL = "-OOM the module's memory is full (wasm.max-memory)\r\n";
/** What may be refused when memory cannot grow: writes, and a JSON that fits no buffer of a fixed size. */
const MAY_BE_REFUSED = ['CUSTOM.SET', 'SESSION.CREATE', 'SESSION.ADD_DATA', 'SESSION.GET'];
/** Lengths of each kind of block: slabs, a part of a page, several pages. */
const LENGTHS = [10, 500, 3000, 20_000, 70_000, 150_000];

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

/** A heap asks for 16 pages at first, and for half as many as long as it does not get them: of little steps there are more to fail. */
const isLittle = (pages: number) => pages <= 4 || (pages & (pages - 1)) !== 0;

interface Outcome {
  growths: number;
  refused: string[];
}

/** Runs the script; growth number `failing` (from 1) fails, and with `all` those after it in the same command too. */
function run(link: 'direct' | 'command', failing: number, all: boolean): Outcome {
  let growths = 0;
  let command = 0;
  let failedIn = -1;
  const mayGrow = (pages: number): boolean => {
    if (!isLittle(pages)) return false;
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
    if (comparable(actual) !== comparable(wanted)) expect(comparable(actual), argv.join(' ').slice(0, 100)).toBe(comparable(wanted));
    const id = /^\+Session created: (.{36})/.exec(actual)?.[1];
    if (id !== undefined) ids.push(id);
  };
  for (const step of script()) {
    command++;
    check(step(ids));
    if (command++ === failedIn) for (const known of ids.slice(-2)) check(['SESSION.GET', known]);
  }
  command = -2;
  check(['CUSTOM.KEYS']);
  check(['SESSION.LIST']);
  for (const key of model.storage.keys()) check(['CUSTOM.GET', key]);
  for (const id of ids) check(['SESSION.GET', id]);
  for (const module of target.server.modules) expect(target.server.load(module, target.server.save(module))).toBe(true);
  for (const id of ids) check(['SESSION.GET', id]);
  return { growths, refused };
}

describe.each(['direct', 'command'] as const)('linked %s', (link) => {
  test('whichever growth fails, a command is done whole or refused whole', { timeout: 300_000 }, () => {
    const { growths, refused } = run(link, 0, false);
    expect(refused).toEqual([]);
    expect(growths).toBeGreaterThan(30);
    const all: string[] = [];
    for (let failing = 1; failing <= growths; failing++) {
      for (const rest of [false, true]) {
        const outcome = run(link, failing, rest);
        expect(outcome.refused.length).toBeLessThanOrEqual(1);
        all.push(...outcome.refused);
      }
    }
    // The n-th growth did end commands, of each kind that grows anything.
    expect(new Set(all)).toEqual(new Set(MAY_BE_REFUSED));
  });

  test('whichever growth fails in a load, it is refused and leaves nothing, and the next one succeeds', () => {
    const source = fakeTarget(link);
    const ids: string[] = [];
    for (const step of script()) {
      const reply = source.send(step(ids)) as string;
      const id = /^\+Session created: (.{36})/.exec(reply)?.[1];
      if (id !== undefined) ids.push(id);
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

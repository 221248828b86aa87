/**
 * `npm run bench -- --report`: what was measured stays, whatever ends the run, and the page is what the
 * figures give.
 */
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KINDS, parse } from '../../bench/lib/arguments.ts';
import { FIGURES_FILE, Journal, readFigures } from '../../bench/report/journal.ts';
import { planOf, QUICK, type Target } from '../../bench/report/plan.ts';
import { type Figure, type Results, type Setting } from '../../bench/report/results.ts';
import { runCells, type Cell } from '../../bench/report/run.ts';
import { shortNumber } from '../../bench/report/svg.ts';
import { pageFiles, withHeadline } from '../../bench/report/write.ts';
import { ROOT } from '../support/server.ts';

let folder = '';
let file = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'report-'));
  file = path.join(folder, 'cells.jsonl');
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const SETTING: Setting = {
  build: 'b'.repeat(64),
  machine: { cpu: 'a processor', cores: 2, memory_gib: 8, kernel: 'Linux 6', node: 'v20' },
};
const journal = (setting = SETTING) => new Journal(file, setting, 'c0ffee');

describe('a run', () => {
  /** Cells that note in `measured` that they were measured, and of which those in `failing` fail. */
  function cells(measured: number[], failing: number[] = []): Cell<'start'>[] {
    return [1, 2, 3].map((number) => ({
      ...{ kind: 'start', server: { key: 'redis7', name: 'Redis', version: '7.0.15' }, parameters: { number }, estimate_s: 1 },
      measure: () => {
        measured.push(number);
        if (failing.includes(number)) throw new Error('the machine is on fire');
        return Promise.resolve({ load_ms: [number] });
      },
    }));
  }

  async function run(setting: Setting, failing: number[] = []) {
    const [measured, lines]: [number[], string[]] = [[], []];
    let cleanUps = 0;
    const outcome = await runCells(
      cells(measured, failing),
      journal(setting),
      (line) => lines.push(line),
      () => cleanUps++,
    );
    return { measured, lines, cleanUps, ...outcome };
  }

  test('goes on after a cell that failed, and the next measures that one alone', async () => {
    const first = await run(SETTING, [2]);
    expect(first).toMatchObject({ measured: [1, 2, 3], done: 2, cleanUps: 1 });
    expect(first.failed).toEqual(['Redis 7.0.15, start, number 2: the machine is on fire']);
    expect(first.lines[0]).toMatch(/^\[1\/3\] Redis 7\.0\.15, start, number 1: 0\.\d s, about \d+ s left$/);

    const second = await run(SETTING);
    expect(second).toMatchObject({ measured: [2], done: 3, failed: [], cleanUps: 0 });
    expect(second.lines[0]).toBe('2 of 3 cells are done already');
    expect((await run(SETTING)).measured).toEqual([]);
  });

  test('another build, and another machine, have cells of their own', async () => {
    await run(SETTING);
    expect((await run({ ...SETTING, build: 'other' })).measured).toEqual([1, 2, 3]);
    expect((await run({ ...SETTING, machine: { ...SETTING.machine, cores: 64 } })).measured).toEqual([1, 2, 3]);
    expect((await run(SETTING)).measured).toEqual([]);
  });

  test('a line that was torn is measured again, and takes no other line with it', async () => {
    await run(SETTING);
    const text = readFileSync(file, 'utf8');
    rmSync(file);
    appendFileSync(file, text.slice(0, -20));
    expect((await run(SETTING)).measured).toEqual([3]);
    expect((await run(SETTING)).measured).toEqual([]);
    expect(journal().figures()).toHaveLength(3);
  });

  test('cells that are forgotten are measured again', async () => {
    await run(SETTING);
    journal().forget(cells([]).slice(0, 1));
    expect((await run(SETTING)).measured).toEqual([1]);
  });
});

describe('of the program', () => {
  /** Runs the report with tiny counts. */
  function start(...given: string[]) {
    const words = [path.join(ROOT, 'scripts/bootstrap.mjs'), 'bench/main.ts', '--report', '--quick', '--cells', file, '--out', folder];
    const child = spawn(process.execPath, [...words, ...given], { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    return { child, output: () => text, ended };
  }

  /**
   * The servers that a process has started and that serve: their folders under /proc, and their working
   * folders. A server changes its title, not those.
   */
  function servers(parent: number): { process: string; folder: string }[] {
    try {
      const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'latin1').trim().split(' ');
      return children
        .map((pid) => ({ process: `/proc/${pid}`, folder: readlinkSync(`/proc/${pid}/cwd`) }))
        .filter((child) => existsSync(path.join(child.folder, 'socket')));
    } catch {
      return [];
    }
  }

  const until = async (holds: () => boolean) => {
    while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
  };

  test('a run that is ended leaves no server, and the next goes on where it was', async () => {
    const first = start('memory', '--server', 'redis7');
    let found: ReturnType<typeof servers> = [];
    await until(() => {
      found = first.output().includes('[1/3]') ? servers(first.child.pid!) : [];
      return found.length > 0 || first.child.exitCode !== null;
    });
    first.child.kill('SIGTERM');
    expect(await first.ended).toBe(128 + 15);
    // The second one may be done by the time that the signal comes.
    const [, done = ''] = /interrupted; ([12]) of 3 cells are in /.exec(first.output()) ?? [];
    expect(first.output()).toContain(`interrupted; ${done} of 3 cells are in ${file}`);
    for (const server of found) {
      await until(() => !existsSync(server.process));
      expect(existsSync(server.folder)).toBe(false);
    }

    const second = start('memory', '--server', 'redis7');
    expect(await second.ended).toBe(0);
    expect(second.output()).toContain(`${done} of 3 cells are done already`);
    expect(second.output()).not.toContain(`[${done}/3]`);
    expect(second.output()).toContain('[3/3]');
    expect(second.output()).toContain('no page is written: no server has all its cells');
    for (const { result, setting } of readFigures(file) as Figure<'memory'>[]) {
      expect(result.ours[0]).toBeGreaterThan(8);
      expect(setting.build).toMatch(/^[0-9a-f]{64}$/);
    }
  });

  test('arguments that are wrong end it with what would be right', async () => {
    const { output, ended } = start('--server', 'redis6');
    expect(await ended).toBe(1);
    expect(output().trim()).toBe('There is no server redis6 here; one of: redis7, redis8, valkey9, all');
  });
});

test.each([
  ['--fresh', '--fresh: only with --report'],
  ['--report --rounds 3 --keys 5', '--rounds, --keys: not with --report, whose counts are fixed'],
  ['--report --render --quick', '--quick: not with --render, which measures nothing'],
  ['--report --render growth', '--render writes the whole page, and not growth alone'],
  ['--report growth storage', `A report has no part storage; its parts: ${KINDS.join(', ')}`],
  ['--rounds 0', '--rounds is a whole number from 1, and not 0'],
  ['--keys many', '--keys is a whole number from 1, and not many'],
  ['nothing', 'Measures:\n  storage    what it tells'],
  ['--server', "Option '--server <value>' argument missing"],
  ['--reprot', "Unknown option '--reprot'."],
])('%s is refused', (words, message) => {
  const measures = [{ name: 'storage', summary: 'what it tells' }];
  expect(() => parse(words.split(' '), measures)).toThrow(message);
});

test('a report is of all parts on all servers, unless some are named', () => {
  expect(parse(['--report'], [])).toMatchObject({ what: 'report', kinds: [], servers: undefined, fresh: false, quick: false });
  const named = parse(['--report', 'growth', '--server', 'redis8', '--server', 'valkey9', '--fresh'], []);
  expect(named).toMatchObject({ kinds: ['growth'], servers: ['redis8', 'valkey9'], fresh: true });
});

describe('the page', () => {
  const timing = (cpu: number) => ({ cpu_ns: [cpu, cpu * 2, cpu * 3], wall_ns: [cpu, cpu * 2, cpu * 3] });
  const filling = (us: number) => ({
    ...{
      latency_us: { 50: 0.001, 99: us, 99.9: us * 4, 99.99: us * 8, 100: us * 1000 },
      longestBatch_ns: us * 1e6,
      stalls: 1,
      bytesPerEntry: 60,
    },
  });
  const saving = (ms: number) => ({ save_ms: [ms, ms], load_ms: [ms * 2, ms * 2], bytes: [ms * 1e5, ms * 1e5] });
  /** Figures that are easy to follow: ours is half of the native side, or three times as much on Valkey. */
  function results(factor: number): Results {
    const [native, ours] = [2000, 2000 * factor];
    const sides = { direct: timing(ours), command: timing(ours * 4), lua: timing(native), multi: timing(native / 2) };
    const commands = { SET: timing(native), 'CUSTOM.SET': timing(ours), GET: timing(native), 'CUSTOM.GET': timing(ours) };
    const site = (us: number) => ({ perSecond: [2e6 / us], site_cpu_ns: [us * 100], server_cpu_ns: [us * 4], p99_ns: [us * 5000] });
    const sites = { ours: site(ours), 'connect-redis': site(native) };
    return {
      commands: { byDepth: { 1: commands, 8: commands, 64: commands } },
      sessions: {
        create: sides,
        existing: { ...sides, multi: undefined },
        get: { ...sides, command: undefined },
        add: { ...sides, command: undefined },
      },
      http: { untouched: sites, read: sites, change: sites },
      memory: { native: [100], ours: [100 * factor] },
      'session-memory': { native: [700], ours: [700 * factor] },
      growth: { SET: [filling(10)], 'CUSTOM.SET': [filling(10 * factor)] },
      calls: { direct: [20, 20], local: [17, 17], command: [400, 400] },
      saving: { native: saving(200), ours: saving(200 * factor) },
      start: { load_ms: [140, 150, 160] },
    };
  }

  function figures(): Figure[] {
    const target = (key: string, name: 'Redis' | 'Valkey', version: string): Target => ({
      server: { file: 'nowhere', name, version },
      name: { key, name, version },
    });
    const plan = planOf([target('redis7', 'Redis', '7.0.15'), target('valkey9', 'Valkey', '9.1.2')], QUICK);
    return plan.map(({ kind, server, parameters }): Figure => {
      const result = results(server.key === 'redis7' ? 0.5 : 3)[kind];
      return { ...{ kind, server, parameters, result, setting: SETTING, commit: 'c0ffee', date: '2026-11-24T01:02:03Z', seconds: 60 } };
    });
  }

  test('has machine, date, commit and servers, and tables of the figures', () => {
    const text = pageFiles(figures()).get('README.md')!;
    expect(text).toContain(
      '- Machine: a processor, 2 cores, 8 GiB, Linux 6, Node.js v20\n- Date: 2026-11-24\n- Built from c0ffee; SHA-256',
    );
    expect(text).toContain('- Servers: Redis 7.0.15, Valkey 9.1.2\n- 28 cells, measured in 28.0 minutes\n');
    expect(text).toContain('| 1,000 | 8 | 0.50 (0.50–0.50) | 2.00 · 4.00 | 500k · 250k | 0.50 (0.50–0.50) | 2.00 · 4.00 | 500k · 250k |');
    expect(text).toContain(
      '| CREATE, new / native keys, Lua script | 0.50 (0.50–0.50)<br>2.00 · 4.00 µs | 3.00 (3.00–3.00)<br>12.00 · 4.00 µs |',
    );
    expect(text).toContain('| GET_DATA / native keys, MULTI | 1.00 (1.00–1.00)<br>2.00 · 2.00 µs |');
    expect(text).not.toContain('CREATE, exists / native keys, MULTI');
    expect(text).toContain(
      '| reads the session: requests in a second | 2.00 (2.00–2.00)<br>2000 · 1000 | 0.33 (0.33–0.33)<br>333 · 1000 |',
    );
    expect(text).toContain(
      "| changes a property of it: the server's CPU, µs | 0.50 (0.50–0.50)<br>4.0 · 8.0 | 3.00 (3.00–3.00)<br>24.0 · 8.0 |",
    );
    expect(text).toContain('| SESSION.CREATE, new user | 4.00 (4.00–4.00)<br>8.00 · 2.00 µs |');
    expect(text).toContain('| an import call alone, by command, over a local call | 383 (383–383) ns |');
    expect(text).toContain('| 4,096 | 0.50<br>50 · 100 | 3.00<br>300 · 100 |');
    expect(text).toContain('| p99.9, µs | 20 · 40 | 120 · 40 |');
    expect(text).toContain('| entries: file, MB | 0.50 (0.50–0.50)<br>10.0 · 20.0 |');
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });

  test('tells of rounds that differ too much, and of a client that was the limit', () => {
    const noisy = figures().map((figure): Figure => {
      if (figure.kind !== 'commands') return figure;
      const result = structuredClone(figure.result as Results['commands']);
      for (const timings of Object.values(result.byDepth)) {
        timings['CUSTOM.SET'].cpu_ns = [1000, 2000, 9000];
        timings.GET.wall_ns = [8000, 8000, 8000];
      }
      return { ...figure, result };
    });
    expect(pageFiles(noisy).get('README.md')).toContain(
      '| ~ 0.50 (0.50–1.50) | 2.00 · 4.00 | 500k · 250k | 0.50 (0.50–0.50) | 2.00 · 4.00 | 500k · 125k* |',
    );
  });

  test('shows every plot that it has, as well-formed SVG with what it is drawn of, the same each time', () => {
    const [files, again] = [pageFiles(figures()), pageFiles(figures())];
    expect(again).toEqual(files);
    const plots = [...files.keys()].filter((name) => name.endsWith('.svg'));
    expect([...files.get('README.md')!.matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)].map(([, name]) => name).sort()).toEqual(plots.sort());
    expect(plots).toHaveLength(8);
    for (const name of plots) {
      const svg = files.get(name)!;
      expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
      expect(svg).not.toMatch(/NaN|undefined|Infinity|zr\d/);
      expect(unbalanced(svg)).toEqual([]);
      expect(svg).toContain(name === 'links.svg' ? 'by command / direct' : 'Valkey 9.1.2');
    }
    expect(files.get('depth.svg')).toContain('pipeline depth</text>');
    expect(files.get('saving.svg')).toMatch(/>100<\/text>[^]*>600<\/text>/);
  });

  /** Tags that are opened and not closed, or the other way round. */
  function unbalanced(xml: string): string[] {
    const open: string[] = [];
    for (const [, closing, name, empty] of xml.matchAll(/<(\/?)([a-zA-Z]+)(?:\s+[\w:-]+="[^"<]*")*\s*(\/?)>/g)) {
      if (empty === '/') continue;
      if (closing === '') open.push(name!);
      else if (open.pop() !== name) return [`</${name!}>`];
    }
    return [...open, ...(xml.match(/<(?![/a-zA-Z])/g) ?? [])];
  }

  test('is refused when a part has no figures', () => {
    expect(() => pageFiles(figures().filter(({ kind }) => kind !== 'growth'))).toThrow('The figures have no cell of the kind growth.');
  });

  test("README.md's figures are put between their marks, and nothing else is changed", () => {
    const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8');
    const [before, after] = [/^[^]*<!-- figures[^>]*-->\n/, /\n<!-- end of figures -->[^]*$/].map((part) => part.exec(readme)?.[0]);
    const written = withHeadline(readme, figures());
    expect(written.startsWith(before!)).toBe(true);
    expect(written.endsWith(after!)).toBe(true);
    expect(written).toContain('| CUSTOM.GET / GET | 0.50 (0.50–0.50) | 3.00 (3.00–3.00) |');
    expect(withHeadline(written, figures())).toBe(written);
    expect(() => withHeadline('', figures())).toThrow('README.md has no place for the figures');
  });

  test.skipIf(!existsSync(path.join(ROOT, 'docs/report')))('that the project ships is what its figures give, and so is README.md', () => {
    const shipped = path.join(ROOT, 'docs/report');
    const found = readFigures(path.join(shipped, FIGURES_FILE));
    for (const [name, text] of pageFiles(found)) expect(readFileSync(path.join(shipped, name), 'utf8')).toBe(text);
    const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8');
    expect(withHeadline(readme, found)).toBe(readme);
  });
});

test.each([
  [0.25, '0.25'],
  [1234.5, '1,235'],
  [4096, '4,096'],
  [100_000, '100k'],
  [1_000_000, '1M'],
])('%d is written %s', (value, text) => {
  expect(shortNumber(value)).toBe(text);
});

/**
 * `npm run bench -- --report`: measures the cells of the report that are not done yet, and writes the page.
 * Ended early, by Ctrl-C or a time limit, it leaves no server behind.
 * When it is run again it goes on where it was.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { cpus, release, totalmem, type as system } from 'node:os';
import path from 'node:path';
import { ensureBuilt, HOST, WASM } from '../../scripts/lib/build.ts';
import { ROOT, run, say } from '../../scripts/lib/process.ts';
import type { RenderRequest, ReportRequest } from '../lib/arguments.ts';
import { MeasuredServer } from '../lib/server.ts';
import { FIGURES_FILE, Journal, readFigures } from './journal.ts';
import { FULL, planOf, QUICK, type Target } from './plan.ts';
import type { Figure, Machine, Setting } from './results.ts';
import { runCells, type Cell } from './run.ts';

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };
const SIGNAL_STATUS = 128;
/** The folder of the page that the project ships. */
const SHIPPED = 'docs/report';

function machine(): Machine {
  const processor = cpus()[0]?.model.trim() ?? 'unknown processor';
  const memory_gib = Math.round(totalmem() / 2 ** 30);
  return { cpu: processor, cores: cpus().length, memory_gib, kernel: `${system()} ${release()}`, node: process.version };
}

/** What is measured: the files that a server loads, and the machine. */
function settingNow(): Setting {
  const hash = createHash('sha256');
  for (const file of [...HOST.outputs, ...WASM.outputs]) hash.update(readFileSync(path.join(ROOT, file)));
  return { build: hash.digest('hex'), machine: machine() };
}

/** The commit that is built, with `+` where the sources have been changed since. */
function commitNow(): string {
  const commit = run('git', ['rev-parse', '--short=12', 'HEAD'], { quiet: true });
  if (commit.status !== 0) return 'unknown';
  const changed = run('git', ['status', '--porcelain', '--', ...HOST.sources, ...WASM.sources], { quiet: true });
  return `${commit.stdout.trim()}${changed.stdout.trim() === '' ? '' : '+'}`;
}

function onSignal(kept: () => string): void {
  for (const [name, number] of Object.entries(SIGNALS)) {
    // Not once: npm may pass on a signal that the group has had already.
    // The second would end the process before this is done.
    process.on(name, () => {
      MeasuredServer.abandonAll();
      console.log(`\ninterrupted; ${kept()}, and the next run goes on from there`);
      process.exit(SIGNAL_STATUS + number);
    });
  }
}

/** The figures of every server of which each planned cell is done. */
function complete(cells: Cell[], journal: Journal): Figure[] {
  const missing = new Set(cells.filter((cell) => journal.find(cell) === undefined).map(({ server }) => server.key));
  return cells.flatMap((cell) => journal.find(cell) ?? []).filter(({ server }) => !missing.has(server.key));
}

function pageFolder(out: string | undefined, quick: boolean): string {
  return path.resolve(out ?? path.join(ROOT, quick ? 'build/bench/quick' : SHIPPED));
}

/** Writes the page, and into README.md if it is the one that the project ships. */
async function write(folder: string, figures: Figure[]): Promise<void> {
  // What draws is loaded when there is something to draw.
  const { writePage, writeReadme } = await import('./write.ts');
  mkdirSync(folder, { recursive: true });
  writePage(folder, figures);
  if (folder === path.join(ROOT, SHIPPED)) writeReadme(path.join(ROOT, 'README.md'), figures);
  say(`written: ${path.join(folder, 'README.md')}`);
}

/** Writes a page again out of the figures in its folder. */
export async function render({ out }: RenderRequest): Promise<number> {
  const folder = pageFolder(out, false);
  await write(folder, readFigures(path.join(folder, FIGURES_FILE)));
  return 0;
}

/**
 * Measures and writes the report.
 * @param targets the servers to measure
 * @param all every server that there is here
 *   A page holds those of which all cells are done, also by earlier runs.
 * @returns the exit status: 1 when a cell failed
 */
export async function report({ kinds, quick, fresh, cells, out }: ReportRequest, targets: Target[], all: Target[]): Promise<number> {
  const scale = quick ? QUICK : FULL;
  const wanted = planOf(targets, scale).filter(({ kind }) => kinds.length === 0 || kinds.includes(kind));
  for (const product of [WASM, HOST]) ensureBuilt(product);
  const file = path.resolve(cells ?? path.join(ROOT, `build/bench/${quick ? 'quick' : 'cells'}.jsonl`));
  const journal = new Journal(file, settingNow(), commitNow());
  if (fresh) journal.forget(wanted);
  onSignal(() => `${wanted.filter((cell) => journal.find(cell)).length} of ${wanted.length} cells are in ${file}`);
  const { failed } = await runCells(wanted, journal, say, () => {
    MeasuredServer.abandonAll();
  });
  const figures = complete(planOf(all, scale), journal);
  if (figures.length > 0) await write(pageFolder(out, quick), figures);
  else say(`no page is written: no server has all its cells in ${file}`);
  for (const line of failed) console.error(`failed: ${line}`);
  return failed.length > 0 ? 1 : 0;
}

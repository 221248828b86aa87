/** Measures the cells of a plan one after the other, without those that are done, and tells progress. */
import type { Kind } from '../lib/arguments.ts';
import type { Journal } from './journal.ts';
import type { Figure, Results } from './results.ts';

/** A cell: what is measured at a stretch, on one server, within seconds. */
export interface Cell<K extends Kind = Kind> {
  kind: K;
  server: Figure['server'];
  parameters: Figure['parameters'];
  /** how long it takes on the machine that the plan was made on; only the proportions matter */
  estimate_s: number;
  measure: () => Promise<Results[K]>;
}

export interface Outcome {
  done: number;
  /** titles of the cells that failed, each with its error */
  failed: string[];
}

export function titleOf({ kind, server, parameters }: Pick<Figure, 'kind' | 'server' | 'parameters'>): string {
  const details = Object.entries(parameters).map(([name, value]) => `${name} ${value.toLocaleString('en')}`);
  return `${server.name} ${server.version}, ${[kind, ...details].join(', ')}`;
}

function duration(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}

/**
 * Measures every cell that the journal does not hold, and writes each down when it is done.
 * A cell that fails is told, and is measured again by the next run; the others go on.
 * @param cleanUp called after a cell that failed, which may have left servers running
 */
export async function runCells(cells: Cell[], journal: Journal, print: (line: string) => void, cleanUp: () => void): Promise<Outcome> {
  const wanted = cells.filter((cell) => journal.find(cell) === undefined);
  const failed: string[] = [];
  let done = cells.length - wanted.length;
  if (done > 0) print(`${done} of ${cells.length} cells are done already`);
  let left_s = wanted.reduce((sum, { estimate_s }) => sum + estimate_s, 0);
  let [taken_s, estimated_s] = [0, 0];
  for (const cell of wanted) {
    const started = performance.now();
    const title = titleOf(cell);
    try {
      const result = await cell.measure();
      journal.append(cell, result, (performance.now() - started) / 1000);
      done++;
    } catch (error) {
      cleanUp();
      const told = `${title}: ${error instanceof Error ? error.message : String(error)}`;
      failed.push(told);
      print(`failed: ${told}`);
    }
    const seconds = (performance.now() - started) / 1000;
    taken_s += seconds;
    estimated_s += cell.estimate_s;
    left_s -= cell.estimate_s;
    const rest = left_s > 0 ? `, about ${duration((left_s * taken_s) / estimated_s)} left` : '';
    print(`[${done}/${cells.length}] ${title}: ${seconds.toFixed(1)} s${rest}`);
  }
  return { done, failed };
}

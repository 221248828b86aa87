/**
 * The cells that are done, a line of JSON for each, written as soon as it is.
 * Whatever ends the run, what was measured stays.
 * A line that was torn by a full disk or a power cut is as if it had not been measured.
 */
import { KINDS } from '../lib/arguments.ts';
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Problem } from '../../scripts/lib/process.ts';
import { type Figure, type Setting } from './results.ts';

/** The figures that a page is made of, in its folder. */
export const FIGURES_FILE = 'figures.jsonl';

/** What a cell and its figure have in common. */
export type Identity = Pick<Figure, 'kind' | 'server' | 'parameters'>;

function identityOf({ kind, server, parameters }: Identity): string {
  return JSON.stringify([kind, server.key, server.version, Object.entries(parameters)]);
}

function isFigure(value: unknown): value is Figure {
  const figure = value as Partial<Figure> | null | undefined;
  return figure?.kind !== undefined && KINDS.includes(figure.kind) && figure.result !== undefined;
}

/**
 * The figures in a file; those of a later line take the place of earlier ones of the same cell.
 * Throws a Problem when it cannot be read.
 */
export function readFigures(file: string): Figure[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Problem(`The figures cannot be read: ${(error as Error).message}`);
  }
  const figures = new Map<string, Figure>();
  for (const line of text.split('\n')) {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      continue;
    }
    if (isFigure(value)) figures.set(JSON.stringify([identityOf(value), value.setting]), value);
  }
  return [...figures.values()];
}

export class Journal {
  /**
   * @param file where the cells are kept
   * @param setting what is measured now: only cells of the same build on the same machine count as done
   */
  constructor(
    private readonly file: string,
    private readonly setting: Setting,
    private readonly commit: string,
  ) {}

  /** Every cell that was measured in this setting. */
  figures(): Figure[] {
    const setting = JSON.stringify(this.setting);
    return this.all().filter((figure) => JSON.stringify(figure.setting) === setting);
  }

  find(cell: Identity): Figure | undefined {
    const wanted = identityOf(cell);
    return this.figures().find((figure) => identityOf(figure) === wanted);
  }

  append(cell: Identity, result: Figure['result'], seconds: number): void {
    const { kind, server, parameters } = cell;
    const figure: Figure = {
      ...{ kind, server, parameters, result, setting: this.setting, commit: this.commit },
      ...{ date: new Date().toISOString(), seconds: Number(seconds.toFixed(1)) },
    };
    mkdirSync(path.dirname(this.file), { recursive: true });
    // A line that was torn ends here, so that it does not take this one with it.
    const torn = existsSync(this.file) && !/(^|\n)$/.test(readFileSync(this.file, 'utf8'));
    appendFileSync(this.file, `${torn ? '\n' : ''}${JSON.stringify(figure)}\n`);
  }

  /** Forgets the cells, so that they are measured again. */
  forget(cells: Identity[]): void {
    if (!existsSync(this.file)) return;
    const forgotten = new Set(cells.map(identityOf));
    const kept = this.all().filter((figure) => !forgotten.has(identityOf(figure)));
    writeFileSync(`${this.file}.new`, kept.map((figure) => `${JSON.stringify(figure)}\n`).join(''));
    renameSync(`${this.file}.new`, this.file);
  }

  private all(): Figure[] {
    return existsSync(this.file) ? readFigures(this.file) : [];
  }
}

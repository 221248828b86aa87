/** What is wrong in an author's file: where, what, and what to write instead. */
import path from 'node:path';
import ts from 'typescript';

export interface Fault {
  /** absolute */
  file: string;
  /** from 1 */
  line: number;
  /** from 1 */
  column: number;
  /** the line itself */
  text: string;
  message: string;
  /** what to write instead */
  instead?: string;
}

/** The fault at a place of a file. */
export function faultAt(source: ts.SourceFile, position: number, message: string, instead?: string): Fault {
  const { line, character } = source.getLineAndCharacterOfPosition(position);
  const text = source.text.split('\n')[line] ?? '';
  return { file: source.fileName, line: line + 1, column: character + 1, text, message, instead };
}

/** The faults of a build as they are found. */
export class Faults {
  readonly all: Fault[] = [];

  any(): boolean {
    return this.all.length > 0;
  }

  /** Notes a fault at a node, once for each place and message. */
  add(node: ts.Node, message: string, instead?: string): void {
    const source = node.getSourceFile();
    this.note(faultAt(source, node.getStart(source), message, instead));
  }

  note(fault: Fault): void {
    const isSame = (other: Fault) =>
      other.file === fault.file && other.line === fault.line && other.column === fault.column && other.message === fault.message;
    if (!this.all.some(isSame)) this.all.push(fault);
  }
}

/** The faults as a person reads them, in the order of their places. */
export function shown(faults: Fault[], folder = process.cwd()): string {
  const inOrder = faults.toSorted((a, b) => a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column);
  return inOrder
    .map(({ file, line, column, text, message, instead }) => {
      const name = path.relative(folder, file);
      const number = String(line);
      const mark = text.slice(0, column - 1).replaceAll(/[^\t]/g, ' ');
      const advice = instead === undefined ? '' : `\n  ${instead}`;
      return `${name}:${number}:${column}: ${message}\n\n  ${number} | ${text}\n  ${' '.repeat(number.length)} | ${mark}^${advice}\n`;
    })
    .join('\n');
}

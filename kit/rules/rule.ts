/** What every rule is given. */
import type ts from 'typescript';
import type { Edits } from '../source/edits.ts';
import type { Faults } from '../source/faults.ts';

export interface Context {
  checker: ts.TypeChecker;
  faults: Faults;
  /** of the file */
  edits: Edits;
  /** the functions that are handlers of commands: what is wrong with their types is told there */
  handlers: ReadonlySet<ts.Node>;
}

/** Looks at one node of a file, and notes what is wrong with it. */
export type Rule = (node: ts.Node, context: Context) => void;

/** What every rule is given. */
import type ts from 'typescript';
import type { Edits } from '../source/edits.ts';
import type { Faults } from '../source/faults.ts';

export interface Context {
  checker: ts.TypeChecker;
  faults: Faults;
  /** of the file */
  edits: Edits;
}

/** Looks at one node of a file, and notes what is wrong with it. */
export type Rule = (node: ts.Node, context: Context) => void;

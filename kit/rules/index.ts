/** All that a module cannot do, looked for in every node of an author's file. */
import type ts from 'typescript';
import type { Edits } from '../source/edits.ts';
import { walk } from '../source/symbols.ts';
import { closures } from './closures.ts';
import { declarations } from './declarations.ts';
import { expressions } from './expressions.ts';
import { loops, Loops } from './loops.ts';
import { meanings } from './meanings.ts';
import { names } from './names.ts';
import { numbers } from './numbers.ts';
import { objects } from './objects.ts';
import type { Context, Rule } from './rule.ts';
import { state } from './state.ts';
import { types } from './types.ts';

const RULES: Rule[] = [state, closures, declarations, expressions, meanings, numbers, objects, names, types];

/** Checks a file, and rewrites its loops. */
export function checkRules(source: ts.SourceFile, edits: Edits, shared: Omit<Context, 'edits'>): void {
  const context = { ...shared, edits };
  const found = new Loops();
  walk(source, (node) => {
    for (const rule of RULES) rule(node, context);
    loops(node, context, found);
    return true;
  });
  found.addImport(edits);
}

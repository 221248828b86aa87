import type ts from 'typescript';
import type { Edits } from '../source/edits.ts';
import type { Faults } from '../source/faults.ts';

export function checkRules(_source: ts.SourceFile, _edits: Edits, _context: { checker: ts.TypeChecker; faults: Faults }): void {}

/** What AssemblyScript's compiler says, at the author's place and in plain words. */
import path from 'node:path';
import type ts from 'typescript';
import type { Rewritten } from '../source/edits.ts';
import { faultAt, type Fault } from '../source/faults.ts';
import type { Diagnostic } from './job.ts';

/** A message of the compiler's, with what it means for an author. */
export function faultOf(diagnostic: Diagnostic, folder: string, files: Map<string, { source: ts.SourceFile; result: Rewritten }>): Fault {
  const file = diagnostic.file === undefined ? undefined : path.resolve(folder, diagnostic.file);
  const known = file === undefined ? undefined : files.get(file);
  if (known === undefined) return { file: file ?? folder, line: 1, column: 1, text: '', message: diagnostic.message };
  return faultAt(known.source, known.result.originalAt(diagnostic.start), diagnostic.message);
}

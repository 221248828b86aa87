/** The imports of an author's file, as the compiler needs them. */
import ts from 'typescript';
import type { Edits } from './edits.ts';
import { kitName } from './symbols.ts';

/** What statements of the build alone use: the kit itself has no such names. */
const OF_BUILD = new Set(['command', 'query', 'every', 'on', 'About']);

/** The other modules' functions, and what says that a module uses them. */
const OF_OTHERS = { custom: 'useCustom', session: 'useSession' };

/**
 * Takes out the names that are used in statements which are taken out, and the word `type`; adds the kit's
 * own.
 */
export function rewriteImports(source: ts.SourceFile, edits: Edits, checker: ts.TypeChecker): void {
  edits.insert(0, 'import * as __kit from "~lib/redis-wasm/kit/generated"; ');
  for (const statement of source.statements) {
    const bindings = ts.isImportDeclaration(statement) ? statement.importClause?.namedBindings : undefined;
    if (bindings === undefined || !ts.isNamedImports(bindings)) continue;
    for (const [name, use] of Object.entries(OF_OTHERS)) {
      if (bindings.elements.some((element) => kitName(checker, element.name) === name))
        edits.insert(statement.getEnd(), ` __kit.${use}();`);
    }
    const kept = bindings.elements.filter((element) => !OF_BUILD.has(kitName(checker, element.name) ?? ''));
    if (kept.length === bindings.elements.length && !kept.some((element) => element.isTypeOnly)) continue;
    // `type` before a name is for editors.
    const names = kept.map(({ propertyName, name }) => `${propertyName === undefined ? '' : `${propertyName.text} as `}${name.text}`);
    edits.replace(bindings.getStart(), bindings.getEnd(), `{ ${names.join(', ')} }`);
  }
}

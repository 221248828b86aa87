/** Files of packages: what they keep at module level is put back before each command. */
import ts from 'typescript';
import { Edits } from '../source/edits.ts';

/**
 * The text of a package's file, with its variables saved when the module has started and put back when a
 * command begins: a command sees the module as it was loaded.
 */
export function restoreGlobals(text: string): string {
  const source = ts.createSourceFile('package.ts', text, ts.ScriptTarget.Latest, true);
  const places = source.statements.flatMap(placesOf);
  if (places.length === 0) return text;
  const saved = places.map((place, index) => `let __saved${index} = ${place};`).join(' ');
  const restored = places.map((place, index) => `${place} = __saved${index};`).join(' ');
  const edits = new Edits();
  edits.insert(0, 'import { onBegin as __onBegin } from "~lib/redis-wasm/kit/generated"; ');
  edits.insert(text.length, `\n${saved} function __restore(): void { ${restored} } __onBegin(__restore);\n`);
  return edits.apply(text).text;
}

function has(node: ts.HasModifiers, kind: ts.SyntaxKind): boolean {
  return node.modifiers?.some((modifier) => modifier.kind === kind) ?? false;
}

/** The variables and static fields that a statement declares: "count", "Pool.free". */
function placesOf(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    const isFixed = (statement.declarationList.flags & ts.NodeFlags.Const) !== 0 || has(statement, ts.SyntaxKind.DeclareKeyword);
    return isFixed ? [] : statement.declarationList.declarations.map(({ name }) => name.getText());
  }
  if (!ts.isClassDeclaration(statement) || statement.name === undefined || statement.typeParameters !== undefined) return [];
  const name = statement.name.text;
  return statement.members
    .filter((member) => ts.isPropertyDeclaration(member))
    .filter((member) => has(member, ts.SyntaxKind.StaticKeyword))
    .filter((member) => !has(member, ts.SyntaxKind.ReadonlyKeyword) && !has(member, ts.SyntaxKind.PrivateKeyword))
    .map((member) => `${name}.${member.name.getText()}`);
}

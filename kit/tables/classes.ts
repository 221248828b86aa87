/** Classes that tables hold: what they are written and read by. */
import ts from 'typescript';
import type { Edits } from '../source/edits.ts';
import type { Faults } from '../source/faults.ts';
import { classOf, typeText } from '../source/types.ts';

export interface Context {
  checker: ts.TypeChecker;
  faults: Faults;
  /** of an author's file */
  editsOf: (source: ts.SourceFile) => Edits;
}

/** A field of a class. */
interface Field {
  name: string;
  /** as it is written */
  type: string;
  /** by the names of the kit, without `| null` */
  plain: string;
  isNullable: boolean;
  initial?: string;
  /** the class that it holds, or an array of it */
  of?: ts.ClassDeclaration;
  node: ts.ParameterDeclaration | ts.PropertyDeclaration;
}

const SCALAR = /^(?:bool|[iu](?:8|16|32|64)|f32|f64)$/;
const TEXT = /^(?:string|Bytes)$/;
const FIELDS = 'Fields are whole numbers, f64, bool, string, Bytes, arrays and classes of these, and | null on all but numbers.';

/** Puts the codecs of classes into their texts, each once. */
export class Classes {
  private readonly values = new Map<ts.ClassDeclaration, Field[]>();
  private readonly keys = new Set<ts.ClassDeclaration>();

  constructor(private readonly context: Context) {}

  /**
   * A class that a table holds as a value, and those in its fields.
   * @param way the classes that lead to it
   */
  addValue(node: ts.ClassDeclaration, way: ts.ClassDeclaration[] = []): void {
    const { faults } = this.context;
    if (way.includes(node)) {
      faults.add(
        node.name ?? node,
        `${nameOf(node)} holds itself, so that it has no end in a table`,
        'Keep the key of the other entry in a field instead.',
      );
      return;
    }
    if (this.values.has(node)) return;
    const fields = this.fieldsOf(node);
    for (const field of fields) {
      if (field.of !== undefined) this.addValue(field.of, [...way, node]);
      else this.checkField(field);
    }
    this.values.set(node, fields);
    // One that holds itself has no end.
    if (faults.any()) return;
    const last = node.members.at(-1);
    const isOpen = last !== undefined && ts.isPropertyDeclaration(last) && !last.getText().endsWith(';');
    this.write(node, `${isOpen ? ';' : ''}${codecOf(nameOf(node), fields, this.schemaOf(fields))}`);
  }

  /** A class that a sorted table has as its key. */
  addKey(node: ts.ClassDeclaration): void {
    this.addValue(node);
    if (this.keys.has(node)) return;
    this.keys.add(node);
    const fields = this.values.get(node) ?? [];
    for (const { plain, isNullable, name, node: at } of fields) {
      if (isNullable || !(SCALAR.test(plain) || TEXT.test(plain))) {
        this.context.faults.add(
          at,
          `${name} is of a type that has no order`,
          'Fields of a key are numbers, bool, string and Bytes, never null.',
        );
      }
    }
    const write = fields.map(({ name, type }) => `__kit.writeKey<${type}>(out, this.${name});`).join(' ');
    const read = fields.map(({ name, type }) => `this.${name} = __kit.readKey<${type}>(from);`).join(' ');
    this.write(node, ` kitWriteKey(out: __kit.Writer): void { ${write} } kitReadKey(from: __kit.Reader): void { ${read} }`);
  }

  /** Names and types of fields: `name:string,places:{x:f64}[]?`. */
  private schemaOf(fields: Field[]): string {
    return fields
      .map(({ name, plain, isNullable, of }) => {
        const brackets = /(?:\[\])*$/.exec(plain)?.[0] ?? '';
        const element = of === undefined ? plain.slice(0, plain.length - brackets.length) : `{${this.schemaOf(this.values.get(of) ?? [])}}`;
        return `${name}:${element === 'Bytes' ? 'bytes' : element}${brackets}${isNullable ? '?' : ''}`;
      })
      .join(',');
  }

  private write(node: ts.ClassDeclaration, text: string): void {
    this.context.editsOf(node.getSourceFile()).insert(node.getEnd() - 1, text);
  }

  private fieldsOf(node: ts.ClassDeclaration): Field[] {
    const { faults } = this.context;
    const at = node.name ?? node;
    const heritage = node.heritageClauses?.find(({ token }) => token === ts.SyntaxKind.ExtendsKeyword);
    if (node.typeParameters !== undefined)
      faults.add(at, `${nameOf(node)} has types as parameters, which a class in a table cannot have`, 'Write a class for each.');
    if (heritage !== undefined)
      faults.add(heritage, `${nameOf(node)} extends another class, which a class in a table cannot do`, 'Write its fields out.');
    const parameters = node.members
      .filter((member) => ts.isConstructorDeclaration(member))
      .flatMap((member) => [...member.parameters])
      .filter((parameter) => ts.isParameterPropertyDeclaration(parameter, parameter.parent));
    const isStatic = (member: ts.PropertyDeclaration) =>
      member.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.StaticKeyword) ?? false;
    const properties = node.members.filter((member) => ts.isPropertyDeclaration(member)).filter((member) => !isStatic(member));
    const inOrder = [...parameters, ...properties].toSorted((a, b) => a.getStart() - b.getStart());
    if (inOrder.length === 0 && heritage === undefined) {
      const instead = `Give it one: class ${nameOf(node)} { constructor(public at: i64) {} }; for keys alone, a table of bool.`;
      faults.add(at, `${nameOf(node)} has no fields, so that a table has nothing to keep of it`, instead);
    }
    return inOrder.flatMap((member) => this.fieldOf(member) ?? []);
  }

  private fieldOf(node: ts.ParameterDeclaration | ts.PropertyDeclaration): Field | undefined {
    const { checker, faults } = this.context;
    const name = node.name.getText();
    if (name.startsWith('kit'))
      faults.add(node.name, `Names that begin with "kit" are the kit's own in a class that a table holds`, 'Choose another name.');
    if (!/^[A-Za-z_]\w*$/.test(name)) {
      faults.add(node.name, `${name} is no name of a field`, 'Names are of ASCII letters, digits and _.');
      return undefined;
    }
    if (node.type === undefined) {
      faults.add(node, `${name} has no type`, `Write ${name}: i64, or whatever it is`);
      return undefined;
    }
    this.unlock(node);
    const text = typeText(checker, node.type);
    const plain = text.replace(/ \| null$/, '');
    const initial = node.initializer?.getText();
    const held = classOf(checker, node.type);
    const of = held?.name?.text === plain.replace(/(?:\[\])+$/, '') ? held : undefined;
    return { name, type: node.type.getText(), plain, isNullable: plain !== text, initial, of, node };
  }

  /** Reading sets the fields of an object that is there, so none is `readonly` in the end. */
  private unlock(node: ts.ParameterDeclaration | ts.PropertyDeclaration): void {
    const readonly = node.modifiers?.find(({ kind }) => kind === ts.SyntaxKind.ReadonlyKeyword);
    if (readonly === undefined) return;
    const isOnly = ts.isParameter(node) && node.modifiers?.length === 1;
    this.context.editsOf(node.getSourceFile()).replace(readonly.getStart(), readonly.getEnd(), isOnly ? 'public' : '');
  }

  private checkField({ name, plain, isNullable, node }: Field): void {
    const { faults } = this.context;
    const element = plain.replace(/(?:\[\])+$/, '');
    if (!SCALAR.test(element) && !TEXT.test(element)) faults.add(node, `${name} is of type ${plain}, which no table can hold`, FIELDS);
    else if (isNullable && SCALAR.test(plain))
      faults.add(node, `${name} can never be null: ${plain} is a number`, `Write ${name}: ${plain} = 0, or another value for "none".`);
  }
}

function nameOf(node: ts.ClassDeclaration): string {
  return node.name?.text ?? 'the class';
}

/** Members that write and read an object, its fields in the order of the class. */
function codecOf(name: string, fields: Field[], schema: string): string {
  const values = fields.map((field) => `this.${field.name} = ${initialOf(field)};`);
  const writes = fields.map((field) => `__kit.write<${field.type}>(out, this.${field.name});`);
  const reads = fields.map((field, index) => `case ${index}: this.${field.name} = __kit.read<${field.type}>(from); break;`);
  return [
    ` kitFields(): string { return ${JSON.stringify(schema)}; }`,
    `kitCount(): i32 { return ${fields.length}; }`,
    `kitDefaults(): void { ${values.join(' ')} }`,
    `static kitNew(): ${name} { const made = changetype<${name}>(__new(offsetof<${name}>(), idof<${name}>())); made.kitDefaults(); return made; }`,
    `kitWrite(out: __kit.Writer): void { ${writes.join(' ')} }`,
    `kitRead(field: i32, from: __kit.Reader): void { switch (field) { ${reads.join(' ')} } }`,
    'kitUnknown: __kit.Unknown | null = null;',
  ].join(' ');
}

/** The value of a field that what is read does not have. */
function initialOf({ initial, plain, isNullable, of }: Field): string {
  if (initial !== undefined) return initial;
  if (isNullable) return 'null';
  if (plain.endsWith('[]')) return '[]';
  if (of !== undefined) return `${nameOf(of)}.kitNew()`;
  if (plain === 'string') return '""';
  if (plain === 'Bytes') return 'new Uint8Array(0)';
  return plain === 'bool' ? 'false' : '0';
}

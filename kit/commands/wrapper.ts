/**
 * The function that the server calls for a command: it reads the arguments by the syntax, calls the author's
 * handler, and answers its result.
 */
import { zeroOf, type Parameter, type Slot } from './parameters.ts';
import { firstTokens, isFixed, leastOf, type Argument, type Item } from './syntax.ts';

export interface Wrapped {
  /** number of the command in its file */
  index: number;
  handler: string;
  items: Item[];
  slots: Slot[];
  parameters: Parameter[];
  /** of the handler, as it is written; `void`: +OK */
  result: string;
}

const READERS: Record<string, string> = {
  string: 'argString',
  Bytes: 'argBytes',
  i32: 'argI32',
  i64: 'argI64',
  f64: 'argF64',
};

/** The function `__command<index>`, in one line. */
export function wrapperOf(command: Wrapped): string {
  const writer = new Writer(command);
  writer.sequence(command.items, { least: 0, stops: [], isTop: true });
  const passed = command.slots.map((_, index) => `__${index}`).join(', ');
  const call = `${command.handler}(${passed})`;
  const answer = command.result === 'void' ? `${call}; return __kit.done();` : `return __kit.reply<${written(command.result)}>(${call});`;
  return `function __command${command.index}(__argc: i32, __argv: usize): u64 { ${writer.text()} ${answer} }`;
}

/** What follows an item. */
interface After {
  /** words that must follow */
  least: number;
  /** words that end what repeats */
  stops: string[];
  /** whether it is read once, whatever is given */
  isTop: boolean;
}

class Writer {
  private readonly lines: string[] = [];
  private readonly declarations: string[] = [];
  /** the place of the next argument, while nothing that varies came before it */
  private place: number | undefined = 0;
  private slot = 0;
  private option = 0;

  constructor(private readonly command: Wrapped) {}

  /** The body up to the handler's call. */
  text(): string {
    const { index } = this.command;
    const end = this.place === undefined ? ['if (__i < __argc) __kit.failSyntax();'] : [];
    return [`__kit.begin(${index}, __argc, __argv);`, ...this.declarations, ...this.lines, ...end].join(' ');
  }

  /** Reads items in their order; options that stand side by side in any order. */
  sequence(items: Item[], after: After): void {
    for (let index = 0; index < items.length;) {
      const run = items.slice(index).findIndex((item) => !isOption(item));
      const options = items.slice(index, run === -1 ? undefined : index + run);
      const rest = items.slice(index + Math.max(options.length, 1));
      const next: After = {
        least: after.least + rest.reduce((sum, item) => sum + leastOf(item), 0),
        stops: [...rest.flatMap((item) => firstTokens(item) ?? []), ...after.stops],
        isTop: after.isTop,
      };
      const [item] = items.slice(index);
      if (options.length > 0) this.options(options, next);
      else if (item !== undefined) this.item(item, next);
      index += Math.max(options.length, 1);
    }
  }

  /** From here on the place of an argument is a variable. */
  private vary(): void {
    if (this.place === undefined) return;
    this.declarations.push(`let __i: i32 = ${this.place};`);
    this.place = undefined;
  }

  private options(items: Item[], after: After): void {
    this.vary();
    const stops = [...items.flatMap((item) => firstTokens(item) ?? []), ...after.stops];
    const branches: string[] = [];
    for (const item of items) {
      const seen = `__seen${this.option++}`;
      this.declarations.push(`let ${seen} = false;`);
      for (const alternative of item.is === 'oneOf' ? item.items : [item]) {
        const tokens = firstTokens(alternative) ?? [];
        const test = tokens.map((token) => `__kit.isToken(__argv, __i, "${token}")`).join(' || ');
        const body = this.inside(() => {
          this.chosen(alternative, { ...after, stops, isTop: false });
        });
        branches.push(`if (!${seen} && (${test})) { ${seen} = true; ${body} }`);
      }
    }
    this.lines.push(`while (__i < __argc) { ${branches.join(' else ')} else break; }`);
  }

  /** An item whose word has been seen. */
  private chosen(item: Item, after: After): void {
    if (item.token !== undefined) this.lines.push('__i++;');
    if (item.is === 'token') this.lines.push(`${this.declare()} = true;`);
    else this.item({ ...item, token: undefined, isOptional: false }, after);
  }

  /** What a function writes, apart from the rest. */
  private inside(write: () => void): string {
    const before = this.lines.splice(0);
    write();
    const written = this.lines.splice(0);
    this.lines.push(...before);
    return written.join(' ');
  }

  private item(item: Item, after: After): void {
    if (item.isOptional || item.isMultiple || item.is === 'oneOf' || !isFixed(item)) this.vary();
    if (item.isOptional) {
      const words = leastOf({ ...item, isOptional: false });
      const body = this.inside(() => {
        this.item({ ...item, isOptional: false }, { ...after, isTop: false });
      });
      const isStop = after.stops.map((token) => ` && !__kit.isToken(__argv, __i, "${token}")`).join('');
      this.lines.push(`if (__argc - __i >= ${words + after.least}${isStop}) { ${body} }`);
      return;
    }
    if (item.token !== undefined) this.token(item.token, item.is === 'token' && !after.isTop);
    if (item.is === 'token') return;
    if (item.isMultiple) this.repeated(item, after);
    else if (item.is === 'argument') this.argument(item, after.isTop);
    else if (item.is === 'block') this.sequence(item.items, after);
    else this.oneOf(item.items, after);
  }

  /** A word that must stand here; one that stands for a parameter is true then. */
  private token(token: string, isParameter: boolean): void {
    const at = this.next();
    this.lines.push(`if (!__kit.isToken(__argv, ${at}, "${token}")) __kit.failSyntax();`);
    if (isParameter) {
      const name = this.declare();
      this.lines.push(`${name} = true;`);
    }
  }

  /** The place of the next argument; that there is one is checked where it is not sure. */
  private next(): string {
    if (this.place !== undefined) return String(this.place++);
    this.lines.push('if (__i >= __argc) __kit.failSyntax();');
    return '__i++';
  }

  /** Declares the next parameter, with the value that it has where nothing is given. */
  private declare(): string {
    const parameter = this.command.parameters[this.slot];
    const name = `__${this.slot++}`;
    if (parameter === undefined) return name;
    const { type, isNullable, initial } = parameter;
    this.declarations.push(
      `let ${name}: ${written(type)}${isNullable ? ' | null' : ''} = ${initial ?? (isNullable ? 'null' : zeroOf(type))};`,
    );
    return name;
  }

  private argument({ kind }: Argument, isTop: boolean): void {
    const parameter = this.command.parameters[this.slot];
    const read = (at: string) => `__kit.${READERS[parameter?.type ?? ''] ?? ''}(__argv, ${at})`;
    if (isTop) {
      const at = this.next();
      this.lines.push(`const __${this.slot++} = ${read(at)};`);
      return;
    }
    const name = this.declare();
    const at = this.next();
    if (kind === 'key') this.lines.push(`__kit.declareKey(__argv, ${at.replace('++', '')});`);
    this.lines.push(`${name} = ${read(at)};`);
  }

  private repeated(item: Exclude<Item, { is: 'token' }>, after: After): void {
    const items: Item[] = item.is === 'argument' ? [item] : item.items;
    const words = items.reduce(
      (sum, each) => sum + leastOf({ ...each, isMultiple: false, token: each === item ? undefined : each.token } as Item),
      0,
    );
    const body = this.inside(() => {
      for (const each of items) this.element(each, each === item);
    });
    const isStop = after.stops.map((token) => ` && !__kit.isToken(__argv, __i, "${token}")`).join('');
    this.lines.push(`do { ${body} } while (__argc - __i >= ${words + after.least}${isStop});`);
  }

  /** One round of what repeats. */
  private element(item: Item, isWhole: boolean): void {
    if (item.token !== undefined && !isWhole) this.token(item.token, false);
    if (item.is === 'block') for (const each of item.items) this.element(each, false);
    if (item.is !== 'argument') return;
    const type = this.command.parameters[this.slot]?.type.replace('[]', '') ?? '';
    const name = this.declare();
    const at = this.next();
    this.lines.push(`${name}.push(__kit.${READERS[type] ?? ''}(__argv, ${at}));`);
  }

  /** One of several, of which those that begin with a word are tried first. */
  private oneOf(items: Item[], after: After): void {
    const branches = new Map<Item, string>();
    for (const item of items) {
      branches.set(
        item,
        this.inside(() => {
          this.item(item, { ...after, isTop: false });
        }),
      );
    }
    const byWord = items.filter((item) => firstTokens(item) !== undefined);
    const tests = byWord.map((item) => {
      const test = (firstTokens(item) ?? []).map((token) => `__kit.isToken(__argv, __i, "${token}")`).join(' || ');
      return `if (__i < __argc && (${test})) { ${branches.get(item) ?? ''} } else `;
    });
    const other = items.find((item) => firstTokens(item) === undefined);
    const last = other === undefined ? '__kit.failSyntax();' : (branches.get(other) ?? '');
    this.lines.push(`${tests.join('')}{ ${last} }`);
  }
}

/** Whether it begins with a word and may be left out. */
function isOption(item: Item): boolean {
  return item.isOptional && firstTokens(item) !== undefined;
}

/** A type as the compiler knows it without imports. */
function written(type: string): string {
  return type.replaceAll(/\bBytes\b/g, 'Uint8Array');
}

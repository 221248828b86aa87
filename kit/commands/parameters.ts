/** Which parameters of a handler a syntax asks for, and whether those that it has fit. */
import type { Argument, Item, Kind, Token } from './syntax.ts';
import { SyntaxFault } from './syntax.ts';

/** What a syntax asks for: one parameter. */
export interface Slot {
  item: Argument | Token;
  /** its type by default */
  type: string;
  /** what else it may be */
  types: string[];
  /** may not be given: it needs a value for that */
  isOptional: boolean;
  isArray: boolean;
}

/** A parameter of a handler. */
export interface Parameter {
  name: string;
  /** without `| null` and by the names of the kit: "Bytes", "f64", "string[]" */
  type: string;
  isNullable: boolean;
  /** what its value is where none is given, as it is written */
  initial?: string;
}

const TYPES: Record<Kind, string[]> = {
  string: ['string', 'Bytes'],
  key: ['string', 'Bytes'],
  pattern: ['string', 'Bytes'],
  integer: ['i64', 'i32'],
  'unix-time': ['i64'],
  double: ['f64'],
};
/** What a parameter is where nothing is given. */
const ZEROES: Record<string, string> = { string: '""', Bytes: 'new Uint8Array(0)', bool: 'false' };

/** The value of a type that stands for nothing. */
export function zeroOf(type: string): string {
  return type.endsWith('[]') ? '[]' : (ZEROES[type] ?? '0');
}

/**
 * The parameters that a syntax asks for, in their order. Throws a SyntaxFault for what parameters cannot
 * express.
 */
export function slotsOf(items: Item[], isOptional = false, isArray = false): Slot[] {
  return items.flatMap((item) => {
    const optional = isOptional || item.isOptional;
    const array = isArray || item.isMultiple;
    if (isArray && item.isOptional) throw new SyntaxFault(`${item.name} cannot be left out within what repeats`);
    switch (item.is) {
      case 'token':
        if (array) throw new SyntaxFault(`the word ${item.token} alone cannot repeat`);
        return optional ? [{ item, type: 'bool', types: ['bool'], isOptional: true, isArray: false }] : [];
      case 'argument': {
        const types = TYPES[item.kind].map((type) => (array ? `${type}[]` : type)).filter((type) => type !== 'i32[]');
        return [{ item, type: types[0] ?? '', types, isOptional: optional, isArray: array }];
      }
      case 'block':
        return slotsOf(item.items, optional, array);
      case 'oneOf':
        if (array) throw new SyntaxFault(`${item.name}: one of several cannot repeat`);
        return slotsOf(item.items, true, false);
    }
  });
}

/** Parameters that fit a syntax, in brackets. */
export function signatureOf(slots: Slot[]): string {
  const parameters = slots.map((slot) => {
    const needsValue = slot.isOptional && !slot.isArray && slot.type !== 'bool';
    return `${camel(slot.item.name)}: ${slot.type}${needsValue ? ` = ${zeroOf(slot.type)}` : ''}`;
  });
  return `(${parameters.join(', ')})`;
}

function camel(name: string): string {
  return name.replaceAll(/[-_]([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** How an argument would be declared that fits a parameter of another type; undefined: none does. */
export function argumentFor({ item, isArray, types }: Slot, type: string): string | undefined {
  const kinds: Kind[] = ['integer', 'double', 'string'];
  const kind = kinds.find((each) => TYPES[each].some((known) => `${known}${isArray ? '[]' : ''}` === type));
  if (kind === undefined || item.is === 'token' || types.includes(type)) return undefined;
  return kind === 'string' ? item.name : `${item.name}:${kind}`;
}

/** What is wrong with a parameter for its slot; undefined: nothing. */
export function misfit(slot: Slot, { name, type, isNullable, initial }: Parameter): string | undefined {
  const title = slot.item.is === 'token' ? `the word ${slot.item.token}` : `${slot.item.name}:${slot.item.kind}`;
  if (!slot.types.includes(type)) {
    return `${name} is of type ${type}, and ${title} of the syntax${slot.isArray ? ', which repeats,' : ''} needs ${slot.types.join(' or ')}`;
  }
  if (isNullable && (!slot.isOptional || slot.isArray || !['string', 'Bytes'].includes(type))) {
    return `${name} can never be null`;
  }
  if (slot.isOptional && !slot.isArray && type !== 'bool' && initial === undefined && !isNullable) {
    return `${title} of the syntax may be left out, and ${name} has no value for that`;
  }
  if (!slot.isOptional && initial !== undefined) return `${title} of the syntax is always given, and ${name} has a default value`;
  return undefined;
}

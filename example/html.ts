/** HTML as a tagged template whose values are escaped. */

/** Text that is HTML already: only `html` makes it. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/**
 * What may stand in a template: text, which is escaped, other templates, lists of both; nothing for `false`,
 * `null` and `undefined`.
 */
export type Child = Html | string | number | false | null | undefined | readonly Child[];

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/**
 * The text as it may stand in an element, or in an attribute in quotation marks. Control characters, which no
 * page shows, are left out.
 */
export function escaped(text: string): string {
  return text.replace(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/g, '').replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

/**
 * A piece of a page. Values stand between tags, or in attributes in quotation marks; never in a script, a
 * style or a tag's name.
 */
export function html(strings: TemplateStringsArray, ...values: Child[]): Html {
  return new Html(strings.map((string, index) => string + (index < values.length ? textOf(values[index]) : '')).join(''));
}

function textOf(child: Child): string {
  if (child instanceof Html) return child.text;
  if (Array.isArray(child)) return (child as readonly Child[]).map(textOf).join('');
  if (typeof child === 'number') return String(child);
  return typeof child === 'string' ? escaped(child) : '';
}

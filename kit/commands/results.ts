/** Which results of handlers are replies. */

const PLAIN = /^(?:string|Bytes|bool|[iu](?:8|16|32|64)|f32|f64)$/;

/** Why a type is no reply; undefined: it is one. */
export function resultProblem(type: string): string | undefined {
  if (type === 'void' || type === 'Reply') return undefined;
  const text = type.replace(/ \| null$/, '');
  if (text !== type && (/^(?:bool|[iuf]\d+)$/.test(text) || text === 'Reply')) return `${text} is never null`;
  return partProblem(text);
}

function partProblem(type: string): string | undefined {
  if (PLAIN.test(type)) return undefined;
  if (type.endsWith('[]')) return partProblem(type.slice(0, -2).replace(/^\((.*) \| null\)$/, '$1'));
  const [, key, value] = /^Map<([^,]+), (.*)>$/.exec(type) ?? [];
  if (key !== undefined && value !== undefined) {
    return PLAIN.test(key) ? partProblem(value.replace(/ \| null$/, '')) : `${key} is no key of a map`;
  }
  return `${type} is not one`;
}

/** What a loop over a string walks over. */

/** The characters of a text: a pair of surrogates is one. */
export function characters(text: string): string[] {
  const all: string[] = [];
  for (let at = 0, length = text.length; at < length;) {
    const size = <u32>text.codePointAt(at) > 0xffff ? 2 : 1;
    all.push(text.substring(at, at + size));
    at += size;
  }
  return all;
}

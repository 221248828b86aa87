/** What is read from a WebAssembly file, and added to it. */

const PAGE = 65_536;
const SECTION_CUSTOM = 0;
const SECTION_IMPORT = 2;
const IMPORT_MEMORY = 2;

/** The file with a custom section behind all others. */
export function withSection(wasm: Uint8Array, name: string, text: string): Uint8Array {
  const title = Buffer.from(name);
  const content = Buffer.concat([leb(title.length), title, Buffer.from(text)]);
  return Buffer.concat([wasm, Buffer.from([SECTION_CUSTOM]), leb(content.length), content]);
}

function leb(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 127) | 128);
  }
}

/** The bytes of memory that it asks for from the start. Static data ends in the last page of these. */
export function memoryEnd(wasm: Uint8Array): number {
  let at = 8;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[at++] ?? 0;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  const skipText = () => {
    const length = number();
    at += length;
  };
  while (at < wasm.length) {
    const section = wasm[at++];
    const end = number() + at;
    if (section === SECTION_IMPORT) {
      for (let count = number(); count > 0; count--) {
        skipText();
        skipText();
        const kind = wasm[at++];
        if (kind === IMPORT_MEMORY) {
          number();
          return number() * PAGE;
        }
        // A function has a number; of tables and globals there are none here.
        number();
      }
    }
    at = end;
  }
  return 0;
}

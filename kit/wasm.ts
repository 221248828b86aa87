/** What is read from a WebAssembly file, and added to it. */

const PAGE = 65_536;
/** `\0asm`, and the version. */
const HEADER_BYTES = 8;
const SECTION_CUSTOM = 0;
const SECTION_IMPORT = 2;
const IMPORT_MEMORY = 2;

/** The file with a custom section behind all others. */
export function withSection(wasm: Uint8Array, name: string, text: string): Buffer {
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

/** Reads numbers and texts, one after the other. */
class Reader {
  constructor(
    private readonly wasm: Uint8Array,
    public at: number,
  ) {}

  number(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.wasm[this.at++] ?? 0;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  }

  text(): string {
    const length = this.number();
    this.at += length;
    return Buffer.from(this.wasm.subarray(this.at - length, this.at)).toString();
  }
}

/** The sections: their kinds, a reader at the beginning of each, and where it ends. */
function* sectionsOf(wasm: Uint8Array): Generator<{ kind: number; reader: Reader; end: number }> {
  for (let at = HEADER_BYTES; at < wasm.length;) {
    const reader = new Reader(wasm, at + 1);
    const end = reader.number() + reader.at;
    yield { kind: wasm[at] ?? 0, reader, end };
    at = end;
  }
}

/** Whether a file begins as WebAssembly does. */
export function isWasm(bytes: Uint8Array): boolean {
  return bytes.length >= HEADER_BYTES && Buffer.from(bytes.subarray(0, 4)).toString('latin1') === '\0asm';
}

/** What a custom section of this name holds, if there is one. */
export function sectionText(wasm: Uint8Array, name: string): string | undefined {
  for (const { kind, reader, end } of sectionsOf(wasm))
    if (kind === SECTION_CUSTOM && reader.text() === name) return Buffer.from(wasm.subarray(reader.at, end)).toString();
  return undefined;
}

/** The bytes of memory that it asks for from the start. Static data ends in the last page of these. */
export function memoryEnd(wasm: Uint8Array): number {
  for (const { kind, reader } of sectionsOf(wasm)) {
    if (kind !== SECTION_IMPORT) continue;
    for (let count = reader.number(); count > 0; count--) {
      reader.text();
      reader.text();
      const imported = wasm[reader.at++];
      if (imported === IMPORT_MEMORY) {
        reader.number();
        return reader.number() * PAGE;
      }
      // A function has a number; of tables and globals there are none here.
      reader.number();
    }
  }
  return 0;
}

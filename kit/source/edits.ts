/** Changes to a file's text that leave every line where it is. */

interface Edit {
  from: number;
  to: number;
  text: string;
}

/** Changes of one text, at places of the original. */
export class Edits {
  private readonly edits: Edit[] = [];

  /** Puts text before a place; of several at one place the first comes first. */
  insert(at: number, text: string): void {
    this.replace(at, at, text);
  }

  /** Puts one line of text in the place of what is there; the lines that this had stay behind it. */
  replace(from: number, to: number, text: string): void {
    this.edits.push({ from, to, text });
  }

  /** The changed text, and where its characters were. */
  apply(original: string): Rewritten {
    const inOrder = this.edits.toSorted((a, b) => a.from - b.from || a.to - b.to);
    const pieces: { at: number; from: number; length: number }[] = [];
    let text = '';
    let done = 0;
    const keep = (to: number) => {
      pieces.push({ at: text.length, from: done, length: to - done });
      text += original.slice(done, to);
      done = to;
    };
    for (const edit of inOrder) {
      if (edit.from < done) throw new Error(`changes overlap at ${original.slice(edit.from, edit.from + 40)}`);
      keep(edit.from);
      text += edit.text + original.slice(edit.from, edit.to).replaceAll(/[^\n]/g, '');
      done = edit.to;
    }
    keep(original.length);
    return { text, originalAt: (at) => originalAt(pieces, at) };
  }
}

export interface Rewritten {
  text: string;
  /** The place in the original that a place of the text comes from, or the one before which it was put. */
  originalAt: (at: number) => number;
}

function originalAt(pieces: { at: number; from: number; length: number }[], at: number): number {
  const piece = pieces.findLast((each) => each.at <= at);
  if (piece === undefined) return 0;
  return piece.from + Math.min(at - piece.at, piece.length);
}

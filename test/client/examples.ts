/** The examples of docs/CLIENT.md: each is a program. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

export const ROOT = path.dirname(path.dirname(import.meta.dirname));

export interface Example {
  /** The heading that it stands under. */
  title: string;
  code: string;
  /** What it prints, line by line: the comments beside its console.log. Empty: it is not to be run. */
  prints: string[];
}

export function examples(): Example[] {
  const text = readFileSync(path.join(ROOT, 'docs/CLIENT.md'), 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```/gms)].map((match) => {
    const code = match[1] ?? '';
    const titles = [...text.slice(0, match.index).matchAll(/^#+ (.*)$/gm)].map((heading) => heading[1] ?? '');
    return {
      title: titles.slice(-1).join(),
      code,
      prints: [...code.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map((line) => line[1] ?? ''),
    };
  });
}

/** The last argument of `command(…)`: what the server tells of it. */
import ts from 'typescript';
import type { Faults } from '../source/faults.ts';

export interface About {
  summary?: string;
  flags: string[];
  /** names of keys that are only read */
  readKeys: string[];
  categories: string[];
  /** of the description, but flags, categories and keys */
  lines: string[];
}

const FLAGS = ['no-monitor', 'no-slowlog', 'admin', 'deny-script', 'fast'];
const MEMBERS = ['summary', 'complexity', 'since', 'flags', 'categories', 'readKeys'] as const;

/** Reads it: a summary, or an object of texts. Notes what is wrong. */
export function aboutOf(node: ts.Expression | undefined, faults: Faults): About {
  const about: About = { flags: [], readKeys: [], categories: [], lines: [] };
  if (node === undefined) return about;
  if (ts.isStringLiteralLike(node)) takeMember(about, 'summary', node.text, node, faults);
  else if (ts.isObjectLiteralExpression(node)) {
    for (const property of node.properties) {
      const name = MEMBERS.find((each) => property.name?.getText().replaceAll(/["']/g, '') === each);
      if (name === undefined || !ts.isPropertyAssignment(property)) {
        faults.add(
          property,
          `${property.name?.getText() ?? 'This'} is nothing that a command is described by`,
          `There are ${MEMBERS.join(', ')}.`,
        );
      } else if (!ts.isStringLiteralLike(property.initializer)) {
        faults.add(property.initializer, `The ${name} of a command is known when it is built`, `Write it as a text: ${name}: "…"`);
      } else takeMember(about, name, property.initializer.text, property.initializer, faults);
    }
  } else
    faults.add(
      node,
      'What describes a command is a text, or an object of texts',
      'Write "What it does", or { summary: "…", since: "1.0.0" }',
    );
  return about;
}

function takeMember(about: About, name: (typeof MEMBERS)[number], text: string, node: ts.Node, faults: Faults): void {
  const words = text.split(/[\s,]+/).filter((word) => word !== '');
  if (text.trim() === '' || !/^[ -~]*$/.test(text)) {
    faults.add(
      node,
      `The ${name} of a command is one line of ASCII text`,
      'Servers show it as it is: leave out line breaks and other letters.',
    );
  } else if (name === 'flags') {
    const unknown = words.find((word) => !FLAGS.includes(word));
    if (unknown !== undefined)
      faults.add(
        node,
        `${unknown} is no flag of a command`,
        `There are ${FLAGS.join(', ')}; whether it writes is told by command and query.`,
      );
    about.flags.push(...words);
  } else if (name === 'readKeys') about.readKeys.push(...words);
  else if (name === 'categories') {
    const wrong = words.find((word) => !/^@?[a-z0-9_-]+$/.test(word));
    if (wrong !== undefined) faults.add(node, `${wrong} is no name of a category`, 'Write it in small letters: "@limit"');
    about.categories.push(...words);
  } else {
    if (name === 'summary') about.summary = text.trim();
    about.lines.push(`${name}: ${text.trim()}`);
  }
}

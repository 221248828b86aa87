/** Options of a command: those of Node, and `--name value` with words that stand alone. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { UsageProblem } from './usage.ts';

/**
 * Reads a command's arguments.
 * @param named options that take a value, with what that is: "a folder"
 * @param alone options without one
 * @returns the values, `yes` of those that stand alone; and what is no option
 * Throws a UsageProblem.
 */
export function optionsOf<Named extends string, Alone extends string>(
  given: string[],
  named: Record<Named, string>,
  alone: Alone[] = [],
): { values: Partial<Record<Named | Alone, string>>; others: string[] } {
  const values: Partial<Record<string, string>> = {};
  const others: string[] = [];
  const rest = [...given];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [, name = '', joined] = /^--([\w-]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (!word.startsWith('-')) others.push(word);
    else if ((alone as string[]).includes(name) && joined === undefined) values[name] = 'yes';
    else if (Object.hasOwn(named, name)) {
      const value = joined ?? rest.shift();
      if (value === undefined || value === '') throw new UsageProblem(`--${name} needs ${named[name as Named]}.`);
      values[name] = value;
    } else throw new UsageProblem(`There is no option ${word}.`);
  }
  return { values: values, others };
}

/** What parseArgs of Node reads. Throws a UsageProblem with its words. */
export function parsed<const Config extends ParseArgsConfig>(config: Config): ReturnType<typeof parseArgs<Config>> {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new UsageProblem((error as Error).message);
  }
}

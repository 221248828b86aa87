#!/usr/bin/env node
/**
 * `npx redis-wasm <command>`: the program of the package, for people who have it installed and nothing else:
 * no Rust, no compiler, no TypeScript. Each command is a file beside this one, read only when it is asked
 * for.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { main, Problem, ROOT } from './process.ts';
import { asksForHelp, USAGES, usageOf, usageOfAll, UsageProblem, type CommandName } from './usage.ts';

interface Command {
  /** @returns the exit status */
  command: (given: string[]) => Promise<number> | number;
}

const COMMANDS: Record<CommandName, () => Promise<Command>> = {
  serve: () => import('./serve.ts'),
  config: () => import('./config.ts'),
  export: () => import('./export.ts'),
  import: () => import('./import.ts'),
  new: () => import('./new.ts'),
  build: () => import('./build.ts'),
  dev: () => import('./dev.ts'),
  deploy: () => import('./deploy.ts'),
  cluster: () => import('./cluster.ts'),
};

function isCommand(name: string): name is CommandName {
  return Object.hasOwn(USAGES, name);
}

function say(text: string): number {
  console.log(text);
  return 0;
}

function asksForVersion(word = ''): boolean {
  return ['--version', '-v', '-V', 'version'].includes(word);
}

/** The version of package.json. */
function version(): string {
  return (JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { version: string }).version;
}

async function run(name: CommandName, given: string[]): Promise<number> {
  const { command } = await COMMANDS[name]().catch((error: unknown) => {
    if (!String(error).includes("Cannot find package '@redis/client'")) throw error;
    throw new Problem(`${name} needs @redis/client, which is not installed: npm install @redis/client`);
  });
  try {
    return await command(given);
  } catch (error) {
    throw error instanceof UsageProblem ? new Problem(`${error.message}\n${usageOf(name)}`) : error;
  }
}

await main(async () => {
  const [name, ...given] = process.argv.slice(2);
  if (name === undefined) throw new Problem(usageOfAll());
  if (isCommand(name)) {
    if (asksForHelp(given)) return say(usageOf(name));
    return given.length === 1 && asksForVersion(given[0]) ? say(version()) : run(name, given);
  }
  if (name === 'help') return say(given[0] !== undefined && isCommand(given[0]) ? usageOf(given[0]) : usageOfAll());
  if (asksForHelp([name])) return say(usageOfAll());
  if (asksForVersion(name)) return say(version());
  throw new Problem(`There is no ${name.startsWith('-') ? 'option' : 'command'} ${name}.\n${usageOfAll()}`);
});

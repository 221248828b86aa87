#!/usr/bin/env node
/**
 * `npx redis-wasm-sessions <command>`: the program of the package, for people who have it installed and nothing else: no Rust, no
 * compiler, no TypeScript. Each command is a file beside this one, read only when it is asked for.
 */
import { main, Problem } from './process.ts';

interface Command {
  /** what the command takes, and in some words what it does */
  usage: [string, string];
  /** @returns the exit status */
  load: () => Promise<{ command: (given: string[]) => Promise<number> | number }>;
}

const COMMANDS: Record<string, Command> = {
  serve: {
    usage: ['serve [--server <path>] [redis-server arguments]', 'runs redis-server or valkey-server with both modules'],
    load: () => import('./serve.ts'),
  },
  config: {
    usage: ['config <folder>', 'puts the modules into a folder, for one include line in redis.conf'],
    load: () => import('./config.ts'),
  },
  export: {
    usage: [
      'export [--from <server>] [--to <server>] [--prefix <text>] [--prune]',
      "copies what the modules hold into the server's own keys",
    ],
    load: () => import('./export.ts'),
  },
  import: {
    usage: ['import [--from <server>] [--to <server>] [--prefix <text>]', 'copies it back'],
    load: () => import('./import.ts'),
  },
};

function usage(): string {
  const lines = Object.values(COMMANDS).map(({ usage: [words, meaning] }) => `  npx redis-wasm-sessions ${words}\n      ${meaning}`);
  return `usage:\n${lines.join('\n')}`;
}

await main(async () => {
  const [name, ...given] = process.argv.slice(2);
  if (name === undefined || name === 'help' || name === '--help') {
    console.log(usage());
    return name === undefined ? 1 : 0;
  }
  const chosen = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (chosen === undefined) throw new Problem(`There is no command ${name}.\n${usage()}`);
  const { command } = await chosen.load().catch((error: unknown) => {
    if (!String(error).includes("Cannot find package '@redis/client'")) throw error;
    throw new Problem(`${name} needs @redis/client, which is not installed: npm install @redis/client`);
  });
  return command(given);
});

/** How each command is used: its synopsis, what it does in some words, and its options. */
import { Problem } from './process.ts';

/** A Problem with the arguments: the usage of the command is shown behind it. */
export class UsageProblem extends Problem {}

export interface Usage {
  synopsis: string;
  summary: string;
  details: string;
}

export const USAGES = {
  serve: {
    synopsis: 'serve [--server <path>] [<redis.conf>] [redis-server arguments]',
    summary: 'runs redis-server or valkey-server with both modules',
    details: `  --server  the redis-server or valkey-server: by default what REDIS_SERVER names, else the one on PATH
All other arguments are the server's own, as redis-server --help shows them: --port 6380
The data is kept in the current folder, unless --dir or the redis.conf names one.`,
  },
  config: {
    synopsis: 'config <folder>',
    summary: 'puts the modules into a folder, for one line in redis.conf',
    details: `The folder is made where it is not there: /usr/local/lib/redis-wasm`,
  },
  export: {
    synopsis: 'export [--from <server>] [--to <server>] [--prefix <text>] [--prune]',
    summary: "copies what the modules hold into the server's own keys",
    details: `  --from    the server with the modules, redis://127.0.0.1:6379 by default; rediss:// for TLS, or the path of a socket
  --to      where the keys go: the same server by default
  --prefix  before each key: wasm: by default
  --prune   delete afterwards what is under the prefix and no longer in the modules
  --cacert, --cert, --key  for rediss://: the CA's certificate; ours and its key where the server asks for one`,
  },
  import: {
    synopsis: 'import [--from <server>] [--to <server>] [--prefix <text>]',
    summary: 'copies it back',
    details: `  --from    the server with the keys, redis://127.0.0.1:6379 by default; rediss:// for TLS, or the path of a socket
  --to      the server with the modules: the same one by default
  --prefix  before each key: wasm: by default
  --cacert, --cert, --key  for rediss://: the CA's certificate; ours and its key where the server asks for one`,
  },
  new: {
    synopsis: 'new <folder>',
    summary: 'makes a project for a module of your own: docs/KIT.md',
    details: `The folder is made where it is not there, and must be empty. It depends on this package.`,
  },
  build: {
    synopsis: 'build [<file.ts> …] [--out <folder>] [--name <name>] [--debug]',
    summary: 'compiles modules of your own: docs/KIT.md',
    details: `Without a file, every one in the current folder that declares a command.
  --out    where the .wasm files go: build by default
  --name   of the module, and of its file: by default the name of the source
  --debug  without optimisation, so that traces name every function`,
  },
  dev: {
    synopsis: 'dev [<file.ts> …] [--port <number>] [--server <path>]',
    summary: 'serves modules of your own, built and replaced at each change while it serves',
    details: `Without a file, every one in the current folder that declares a command.
  --port    6379 by default
  --server  the redis-server or valkey-server: by default what REDIS_SERVER names, else the one on PATH
The data is kept in .redis-wasm/data of the current folder, from one build to the next and from one start to the next.`,
  },
  deploy: {
    synopsis: 'deploy <file.wasm> --url <server> [--url <server> …] [--copy] [--dry-run] [--json]',
    summary: 'has every server of a cluster, or a primary and its replicas, serve a module: docs/OPERATIONS.md',
    details: `The file must lie in the wasm.dir of each server already. Servers that serve it are left alone.
  --url      one of the servers, with user and password: the others are found by it; rediss:// for TLS, or the path of a socket
  --copy     put the file into the wasm.dir of servers that run on this machine
  --dry-run  tell what would be done
  --json     one line of JSON in place of words
  --cacert, --cert, --key  for rediss://: the CA's certificate; ours and its key where the server asks for one`,
  },
  cluster: {
    synopsis:
      'cluster check|prepare --url <server> [--url <server> …] [--rotate --grace <seconds> [--ids <file>]] [--wait <seconds>] [--json]',
    summary: 'says whether slots can be moved, and has sessions ready for it: docs/OPERATIONS.md',
    details: `check    how many session ids lie outside of their user's slot; status 0 where slots can be moved, else 1
prepare  counts them down; status 0 when slots can be moved
  --url     one of the nodes, with user and password: the others are found by it; rediss:// for TLS, or the path of a socket
  --rotate  give these sessions new ids, in their users' slots: applications must learn them while the old ones answer
  --grace   how long the old ids answer, in seconds: a week (604800) at most
  --ids     append "<old id> <new id>" of each session to this file, which its owner alone may read
  --wait    look again until no such id is left, for so many seconds at most
  --json    one line of JSON in place of words
  --cacert, --cert, --key  for rediss://: the CA's certificate; ours and its key where the server asks for one`,
  },
} satisfies Record<string, Usage>;

export type CommandName = keyof typeof USAGES;

/** What `--help` of a command says. */
export function usageOf(name: CommandName): string {
  return `usage: npx redis-wasm ${USAGES[name].synopsis}\n${USAGES[name].details}`;
}

/** What `--help` says without a command. */
export function usageOfAll(): string {
  const lines = Object.values(USAGES).map(({ synopsis, summary }) => `  npx redis-wasm ${synopsis}\n      ${summary}`);
  return `usage:\n${lines.join('\n')}\n--help after a command says more of it; --version is that of this package.`;
}

/** Whether the arguments ask how something is used. */
export function asksForHelp(given: string[]): boolean {
  return given.some((word) => word === '--help' || word === '-h');
}

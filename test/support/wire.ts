/** What a command of client/ puts on the wire, without a server. */
import { BasicCommandParser } from '@redis/client/dist/lib/client/parser.js';
import type { Command } from '@redis/client/dist/lib/RESP/types.js';

interface Parsable {
  parseCommand: Command['parseCommand'];
}

function parsed(command: Parsable, given: readonly unknown[], keyPrefix?: string): BasicCommandParser {
  const parser = new BasicCommandParser(keyPrefix);
  command.parseCommand(parser, ...given);
  return parser;
}

/** The command's arguments, in their order. */
export function wire(command: Parsable, ...given: unknown[]): readonly (string | Buffer)[] {
  return parsed(command, given).redisArgs;
}

/** Those of them that a cluster routes by. */
export function keys(command: Parsable, ...given: unknown[]): readonly (string | Buffer)[] {
  return parsed(command, given).keys;
}

/** The arguments on a client that has the prefix `app:` for its keys. */
export function prefixed(command: Parsable, ...given: unknown[]): readonly (string | Buffer)[] {
  return parsed(command, given, 'app:').redisArgs;
}

/**
 * `npm run cli -- [-p port] [-s socket] COMMAND [arguments]`: sends one command and shows the reply, where
 * there is no redis-cli.
 */
import { parseArgs } from 'node:util';
import { createClient } from 'redis';
import { asksForHelp } from '../bin/usage.ts';
import { main, Problem } from './lib/process.ts';

const USAGE = 'usage: npm run cli -- [-p port] [-s socket] COMMAND [arguments]';

interface Given {
  port: string;
  socket?: string | undefined;
  command: string[];
}

/** Throws a Problem with the usage. */
function readArguments(given: string[]): Given {
  const at = given.findIndex((argument, index) => !argument.startsWith('-') && !/^-[ps]$/.test(given[index - 1] ?? ''));
  const end = at === -1 ? given.length : at;
  const options = { port: { type: 'string', short: 'p', default: '6379' }, socket: { type: 'string', short: 's' } } as const;
  try {
    return { ...parseArgs({ args: given.slice(0, end), options }).values, command: given.slice(end) };
  } catch (error) {
    throw new Problem(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
  }
}

/** A reply in the manner of redis-cli. */
function show(reply: unknown, indent = ''): string {
  if (reply === null || reply === undefined) return '(nil)';
  if (typeof reply === 'number') return `(integer) ${reply}`;
  if (typeof reply === 'string') return JSON.stringify(reply);
  if (!Array.isArray(reply)) return JSON.stringify(reply);
  if (reply.length === 0) return '(empty array)';
  return reply.map((element, index) => `${index === 0 ? '' : indent}${index + 1}) ${show(element, `${indent}   `)}`).join('\n');
}

await main(async () => {
  const given = process.argv.slice(2);
  if (asksForHelp(given.slice(0, 1))) {
    console.log(USAGE);
    return 0;
  }
  const { port, socket, command } = readArguments(given);
  if (command.length === 0) throw new Problem(USAGE);
  const where = socket === undefined ? { port: Number(port) } : { path: socket, tls: false as const };
  const client = createClient({ socket: { ...where, reconnectStrategy: false } });
  client.on('error', () => undefined);
  try {
    await client.connect();
    console.log(show(await client.sendCommand(command)));
  } catch (error) {
    throw new Problem(`(error) ${error instanceof Error ? error.message || error.name : String(error)}`);
  } finally {
    if (client.isOpen) client.destroy();
  }
  return 0;
});

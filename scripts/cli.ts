/** `npm run cli -- [-p port] [-s socket] COMMAND [arguments]`: sends one command and shows the reply, where there is no redis-cli. */
import { parseArgs } from 'node:util';
import { createClient } from 'redis';
import { main, Problem } from './lib/process.ts';

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
  const end = process.argv.slice(2).findIndex((argument, index, all) => !argument.startsWith('-') && !/^-[ps]$/.test(all[index - 1] ?? ''));
  const command = end === -1 ? [] : process.argv.slice(2 + end);
  const { values } = parseArgs({
    args: process.argv.slice(2, end === -1 ? undefined : 2 + end),
    options: { port: { type: 'string', short: 'p', default: '6379' }, socket: { type: 'string', short: 's' } },
  });
  if (command.length === 0) throw new Problem('usage: npm run cli -- [-p port] [-s socket] COMMAND [arguments]');
  const socket = values.socket === undefined ? { port: Number(values.port) } : { path: values.socket, tls: false as const };
  const client = createClient({ socket: { ...socket, reconnectStrategy: false } });
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

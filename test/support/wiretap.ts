/** What clients send to a server, seen on a socket between the two. */
import { createServer, connect, type Socket } from 'node:net';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { TestServer } from './server.ts';

export interface Wiretap {
  /** The socket to connect to in the server's place. */
  socket: string;
  /**
   * The commands that were sent since the last call, each with its arguments in one string, in their order.
   */
  commands(): string[];
}

/** The commands in bytes of the protocol. */
function parse(bytes: string): string[] {
  const commands: string[] = [];
  let rest = bytes;
  const line = () => {
    const end = rest.indexOf('\r\n');
    const [text, after] = [rest.slice(1, end), rest.slice(end + 2)];
    rest = after;
    return Number(text);
  };
  while (rest !== '') {
    const words = Array.from({ length: line() }, () => {
      const length = line();
      const word = rest.slice(0, length);
      rest = rest.slice(length + 2);
      return word;
    });
    commands.push(words.join(' '));
  }
  return commands;
}

/** A socket that hands all on to the server and back. */
export async function wiretap(server: TestServer): Promise<Wiretap> {
  const sockets: Socket[] = [];
  let sent = '';
  const listener = createServer((near) => {
    const far = connect(server.socket);
    sockets.push(near, far);
    near.on('data', (bytes) => (sent += bytes.toString('latin1')));
    near.pipe(far).pipe(near);
    for (const each of [near, far]) each.on('error', () => undefined);
  });
  const socket = path.join(server.folder, `wiretap-${Date.now()}`);
  await new Promise<void>((resolve) => listener.listen(socket, resolve));
  onTestFinished(() => {
    for (const each of sockets) each.destroy();
    listener.close();
  });
  return {
    socket,
    commands() {
      const commands = parse(sent);
      sent = '';
      return commands;
    },
  };
}

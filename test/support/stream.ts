/** The replication stream as a replica receives it: a client that asks for it and reads along. */
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { bulks, parseBulks } from './raw.ts';
import { eventually, type TestServer } from './server.ts';

export class ReplicationStream {
  readonly #head: TestServer;
  readonly #socket: Socket;
  #received = '';
  #synchronised = false;
  #marks = 0;

  /**
   * Becomes a replica of `server` until the test is over, or the server is ended; what it has so far is
   * skipped. `head`: the primary, if `server` is none.
   */
  static async of(server: TestServer, head = server): Promise<ReplicationStream> {
    const stream = new ReplicationStream(server, head);
    const close = () => void stream.#socket.destroy();
    onTestFinished(close);
    server.closeFirst({ close });
    stream.#socket.write(bulks('SYNC'));
    await eventually(
      () => stream.#skipSnapshot(),
      (done) => done,
    );
    await stream.commands();
    return stream;
  }

  private constructor(server: TestServer, head: TestServer) {
    this.#head = head;
    this.#socket = connect(server.socket);
    this.#socket.on('data', (bytes) => (this.#received += bytes.toString('latin1')));
  }

  /** The commands that were replicated since the last call, without those that keep the stream going. */
  async commands(): Promise<string[][]> {
    const mark = bulks('SET', 'mark', String(++this.#marks));
    await this.#head.send('SET', 'mark', String(this.#marks));
    const end = await eventually(
      () => this.#received.indexOf(mark),
      (index) => index !== -1,
    );
    if (end === -1) throw new Error('the replication stream has ended');
    const commands = parseCommands(this.#received.slice(0, end));
    this.#received = this.#received.slice(end + mark.length);
    return commands.filter(([name]) => !['PING', 'SELECT', 'REPLCONF'].includes(name?.toUpperCase() ?? ''));
  }

  /** The snapshot comes first: `$<length>`, then as many bytes, without a line's end. */
  #skipSnapshot(): boolean {
    if (this.#synchronised) return true;
    const text = this.#received.replace(/^\n+/, '');
    const lineEnd = text.indexOf('\r\n');
    if (lineEnd === -1) return false;
    const end = lineEnd + 2 + Number(text.slice(1, lineEnd));
    if (text.length < end) return false;
    this.#received = text.slice(end);
    this.#synchronised = true;
    return true;
  }
}

function parseCommands(bytes: string): string[][] {
  const commands: string[][] = [];
  for (let rest = bytes; rest !== '';) {
    const end = endOfCommand(rest);
    commands.push(parseBulks(rest.slice(0, end)));
    rest = rest.slice(end);
  }
  return commands;
}

/** Where the array of bulks at the beginning ends. */
function endOfCommand(bytes: string): number {
  let position = bytes.indexOf('\r\n') + 2;
  for (let left = Number(bytes.slice(1, position - 2)); left > 0; left--) {
    const line = bytes.indexOf('\r\n', position);
    position = line + 2 + Number(bytes.slice(position + 1, line)) + 2;
  }
  return position;
}

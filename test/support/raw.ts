/**
 * A connection that shows replies as they are on the wire, for tests that compare byte for byte.
 *
 * Bytes are written as JavaScript strings of the characters 0 … 255, one per byte (latin1), in arguments and
 * in replies: `send('CUSTOM.SET', 'key', '\xff\0')` answers `'+OK\r\n'`. Text beyond ASCII goes through
 * `utf8`.
 */
import { connect, type Socket } from 'node:net';

/** The UTF-8 bytes of a text as a byte string. */
export function utf8(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** A bulk reply of these bytes. */
export function bulk(bytes: string): string {
  return `$${bytes.length}\r\n${bytes}\r\n`;
}

/** An array reply of bulks. */
export function bulks(...elements: string[]): string {
  return `*${elements.length}\r\n${elements.map(bulk).join('')}`;
}

/** The elements of an array reply of bulks. */
export function parseBulks(reply: string): string[] {
  const elements: string[] = [];
  let rest = reply.slice(reply.indexOf('\r\n') + 2);
  while (rest !== '') {
    const line = rest.indexOf('\r\n');
    const start = line + 2;
    const length = Number(rest.slice(1, line));
    elements.push(rest.slice(start, start + length));
    rest = rest.slice(start + length + 2);
  }
  return elements;
}

/** The bytes of a bulk reply. */
export function parseBulk(reply: string): string {
  return reply.slice(reply.indexOf('\r\n') + 2, -2);
}

/** Where the reply that starts at `start` ends, or undefined while some of it is missing. */
function endOfReply(bytes: Buffer, start: number): number | undefined {
  const lineEnd = bytes.indexOf('\r\n', start);
  if (lineEnd === -1) return undefined;
  const type = String.fromCharCode(bytes[start] ?? 0);
  const afterLine = lineEnd + 2;
  if ('+-:_#,('.includes(type)) return afterLine;

  const count = Number(bytes.toString('latin1', start + 1, lineEnd));
  if (count === -1) return afterLine;
  if ('$=!'.includes(type)) {
    const end = afterLine + count + 2;
    return end <= bytes.length ? end : undefined;
  }
  if (!'*~>%'.includes(type)) throw new Error(`no reply begins with ${JSON.stringify(type)}`);
  let position = afterLine;
  for (let index = 0; index < (type === '%' ? 2 * count : count); index++) {
    const end = endOfReply(bytes, position);
    if (end === undefined) return undefined;
    position = end;
  }
  return position;
}

interface Waiting {
  resolve: (reply: string) => void;
  reject: (error: Error) => void;
}

export class RawConnection {
  #socket: Socket;
  #received: Buffer[] = [];
  #waiting: Waiting[] = [];

  /** Connects to a server's unix socket. */
  static async connect(path: string): Promise<RawConnection> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject);
    });
    return new RawConnection(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => {
      this.#received.push(chunk);
      this.#deliver();
    });
    const fail = () => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error('the server closed the connection'));
    };
    socket.on('error', fail).on('close', fail);
  }

  get isClosed(): boolean {
    return this.#socket.destroyed;
  }

  /** Sends one command and answers the bytes of its reply. Commands sent without waiting are pipelined. */
  send(...argv: string[]): Promise<string> {
    return this.sendBytes(bulks(...argv));
  }

  /** Sends bytes as they are, which make one request, and answers the bytes of the reply. */
  sendBytes(bytes: string): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        reject(new Error('the connection is closed'));
        return;
      }
      this.#waiting.push({ resolve, reject });
      this.#socket.write(Buffer.from(bytes, 'latin1'));
    });
  }

  /** The next reply that comes without a request: a push message, or one reply more than expected. */
  next(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#deliver();
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #deliver(): void {
    while (this.#waiting.length > 0 && this.#received.length > 0) {
      const bytes = this.#received.length === 1 ? this.#received[0]! : Buffer.concat(this.#received);
      const end = endOfReply(bytes, 0);
      this.#received = end === undefined ? [bytes] : end === bytes.length ? [] : [bytes.subarray(end)];
      if (end === undefined) return;
      this.#waiting.shift()!.resolve(bytes.toString('latin1', 0, end));
    }
  }
}

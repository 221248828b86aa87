/** The load: commands encoded beforehand, and a connection that does nothing but write them and count the replies' bytes. */
import { connect, type Socket } from 'node:net';

/** A command as its words. */
export type Words = (string | Buffer)[];

/** Commands encoded for one write, and the bytes that their replies take together. */
export interface Batch {
  request: Buffer;
  replyBytes: number;
  commands: number;
}

/** Encodes a command as the server reads it. */
export function encode(words: Words): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = Buffer.from(word);
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}

/**
 * Encodes commands in batches of `pipeline`.
 * @param replyBytes length of each reply, in bytes: every reply of a measured command has the same
 */
export function batches(commands: Words[], pipeline: number, replyBytes: number): Batch[] {
  const result: Batch[] = [];
  for (let start = 0; start < commands.length; start += pipeline) {
    const slice = commands.slice(start, start + pipeline);
    result.push({ request: Buffer.concat(slice.map(encode)), replyBytes: slice.length * replyBytes, commands: slice.length });
  }
  return result;
}

export class Connection {
  private awaited = 0;
  private done: (() => void) | undefined;
  private failed: ((error: Error) => void) | undefined;
  private head = '';
  private collected: Buffer[] | undefined;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      if (this.head.length < 200) this.head += chunk.subarray(0, 200).toString('latin1');
      this.collected?.push(chunk);
      this.awaited -= chunk.length;
      if (this.awaited === 0) this.done?.();
      else if (this.awaited < 0) this.failed?.(new Error(`a reply is longer than expected: ${JSON.stringify(this.head)}`));
    });
    socket.on('error', (error) => this.failed?.(error));
    socket.on('close', () => this.failed?.(new Error('the server closed the connection')));
  }

  static open(path: string): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Connection(socket));
      });
    });
  }

  /** Writes a batch and waits until as many bytes have come back as its replies take. */
  send(batch: Batch): Promise<void> {
    return new Promise((resolve, reject) => {
      this.awaited = batch.replyBytes;
      this.head = '';
      this.done = resolve;
      this.failed = reject;
      this.socket.write(batch.request);
    });
  }

  /** Writes a batch and answers its replies as text; for set-up, not for measuring. */
  async read(batch: Batch): Promise<string> {
    this.collected = [];
    await this.send(batch);
    const text = Buffer.concat(this.collected).toString('latin1');
    this.collected = undefined;
    return text;
  }

  /** Sends one command and answers its reply as text; for set-up, not for measuring. */
  ask(words: Words): Promise<string> {
    return new Promise((resolve, reject) => {
      const listener = (chunk: Buffer) => {
        this.socket.off('data', listener);
        resolve(chunk.toString());
      };
      this.failed = reject;
      this.done = undefined;
      this.awaited = Number.MAX_SAFE_INTEGER;
      this.socket.on('data', listener);
      this.socket.write(encode(words));
    });
  }

  close(): void {
    this.failed = undefined;
    this.socket.destroy();
  }
}

/** Sends all batches over `connections`, each taking the next batch when its last one is answered. */
export async function drive(connections: Connection[], all: Batch[]): Promise<void> {
  let next = 0;
  await Promise.all(
    connections.map(async (connection) => {
      for (let batch = all[next++]; batch !== undefined; batch = all[next++]) await connection.send(batch);
    }),
  );
}

/** A connection that only writes what was encoded beforehand, and counts the bytes of the replies. */
import { connect, type Socket } from 'node:net';
import { encode, type Batch, type Words } from './load.ts';

export class Connection {
  private awaited = 0;
  private done: (() => void) | undefined;
  private failed: ((error: Error) => void) | undefined;
  private head = '';

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      if (this.head.length < 200) this.head += chunk.subarray(0, 200).toString('latin1');
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
export async function drive(connections: Connection[], all: Iterable<Batch>): Promise<void> {
  const rest = all[Symbol.iterator]();
  await Promise.all(
    connections.map(async (connection) => {
      for (let next = rest.next(); !next.done; next = rest.next()) await connection.send(next.value);
    }),
  );
}

/** A browser that keeps one connection and its cookie, and does as little as it can besides. */
import { connect, type Socket } from 'node:net';

export class Browser {
  cookie = '';
  private text = '';
  private answered: ((head: string) => void) | undefined;
  private failed: ((error: Error) => void) | undefined;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.text += chunk.toString('latin1');
      const end = this.text.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(this.text)?.[1] ?? Number.NaN);
      if (Number.isNaN(length)) this.failed?.(new Error(`an answer without a length: ${this.text}`));
      if (this.text.length < end + 4 + length) return;
      const head = this.text.slice(0, end);
      this.text = '';
      this.answered?.(head);
    });
    socket.on('error', (error) => this.failed?.(error));
    socket.on('close', () => this.failed?.(new Error('the site has closed the connection')));
  }

  static open(port: number): Promise<Browser> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      socket.setNoDelay(true);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Browser(socket));
      });
    });
  }

  /** Asks for a page. Rejects when its status is not 200. */
  async page(path: string): Promise<void> {
    const cookie = this.cookie === '' ? '' : `cookie: ${this.cookie}\r\n`;
    const head = await new Promise<string>((resolve, reject) => {
      this.answered = resolve;
      this.failed = reject;
      if (this.socket.destroyed) throw new Error('the site has closed the connection');
      this.socket.write(`GET ${path} HTTP/1.1\r\nhost: site\r\n${cookie}\r\n`);
    });
    if (!head.startsWith('HTTP/1.1 200 ')) throw new Error(`${path} was answered with: ${head}`);
    const given = /\r\nset-cookie: ([^;]*)/i.exec(head)?.[1];
    if (given !== undefined) this.cookie = given;
  }

  close(): void {
    this.failed = undefined;
    this.socket.destroy();
  }
}

/**
 * Traffic of a constant live size: keys and users that are always the same, values and fields of all sizes
 * that come, change and go. Written to be cheap, so that the server has the work: commands are put into one
 * buffer, and of the replies only new ids are read.
 */
import { connect, type Socket } from 'node:net';

/** The keys and users of one client alone: it knows which sessions there are without asking. */
export interface Share {
  name: string;
  keys: number;
  users: number;
}

const PIPELINE = 256;
const FIELDS = 8;
const ID_BYTES = 36;
const TEXT_BYTES = 1 << 18;
const NONE = 0;
const AWAITED = 1;
const LIVE = 2;
/**
 * Sizes of values in bytes: the share of each kind in thousandths, the shortest, and how many lengths there
 * are.
 */
const SIZES = [
  { share: 700, shortest: 8, lengths: 57 },
  { share: 250, shortest: 65, lengths: 448 },
  { share: 49, shortest: 513, lengths: 3584 },
  { share: 1, shortest: 4097, lengths: 65_904 },
];
const LONGEST = 4097 + 65_904;
const COMMAND_BYTES = 256;
const [CR, PLUS, MINUS, COLON, DOLLAR] = [13, 43, 45, 58, 36];

export class Client {
  readonly #socket: Socket;
  readonly #share: Share;
  readonly #text: Buffer;
  readonly #out = Buffer.allocUnsafe(PIPELINE * COMMAND_BYTES + PIPELINE * LONGEST);
  #end = 0;
  /** Of each user: whether there is a session, and its id. */
  readonly #states: Uint8Array;
  readonly #ids: Buffer;
  /** Of each command of the batch: the user whose id its reply tells, or -1. */
  readonly #asked = new Int32Array(PIPELINE);
  #sent = 0;
  #answered = 0;
  #left = 0;
  /** Bytes of a value that are still to come, with the line's end. */
  #skip = 0;
  #rest: Buffer = Buffer.alloc(0);
  #random: number;
  #done: (() => void) | undefined;
  #failed: ((error: Error) => void) | undefined;

  private constructor(socket: Socket, share: Share, seed: number) {
    this.#socket = socket;
    this.#share = share;
    this.#random = seed | 1;
    this.#text = Buffer.from(Array.from({ length: TEXT_BYTES }, () => 97 + this.#next(26)));
    this.#states = new Uint8Array(share.users);
    this.#ids = Buffer.alloc(share.users * ID_BYTES);
    socket.on('data', (chunk: Buffer) => {
      this.#read(chunk);
    });
    socket.on('error', (error) => this.#failed?.(error));
    socket.on('close', () => this.#failed?.(new Error('the server closed the connection')));
  }

  static open(path: string, share: Share, seed: number): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once('error', reject).once('connect', () => {
        resolve(new Client(socket, share, seed));
      });
    });
  }

  /**
   * Sends `commands` commands, in batches, each when the last one is answered.
   * @throws Error with the reply at the first one that is an error
   */
  run(commands: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#left = commands;
      this.#done = resolve;
      this.#failed = reject;
      this.#send();
    });
  }

  close(): void {
    this.#failed = undefined;
    this.#socket.destroy();
  }

  /** A pseudo-random integer below `below` (Marsaglia's xorshift). */
  #next(below: number): number {
    let state = this.#random;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#random = state;
    return (state >>> 0) % below;
  }

  #send(): void {
    if (this.#left === 0) {
      this.#done?.();
      return;
    }
    this.#sent = Math.min(PIPELINE, this.#left);
    this.#left -= this.#sent;
    this.#answered = 0;
    this.#end = 0;
    for (let index = 0; index < this.#sent; index++) {
      this.#asked[index] = -1;
      const kind = this.#next(100);
      if (kind < 50) this.#onKey(kind);
      else this.#onUser(kind - 50, index);
    }
    this.#socket.write(Buffer.from(this.#out.subarray(0, this.#end)));
  }

  #onKey(kind: number): void {
    const key = `${this.#share.name}:${this.#next(this.#share.keys)}`;
    if (kind < 24) this.#put(3, 'CUSTOM.SET', key).#value();
    else if (kind < 38) this.#put(2, 'CUSTOM.GET', key);
    else if (kind < 41) this.#put(2, 'CUSTOM.EXISTS', key);
    else this.#put(2, 'CUSTOM.DEL', key);
  }

  #onUser(kind: number, index: number): void {
    const user = this.#next(this.#share.users);
    const state = this.#states[user];
    if (state === AWAITED) {
      this.#onKey(kind);
      return;
    }
    if (state === NONE || kind < 5) {
      this.#put(2, 'SESSION.CREATE', `${this.#share.name} user ${user}`);
      this.#asked[index] = user;
      this.#states[user] = AWAITED;
      return;
    }
    const id = this.#ids.toString('latin1', user * ID_BYTES, (user + 1) * ID_BYTES);
    const field = `field ${this.#next(FIELDS)}`;
    if (kind < 28) this.#put(4, 'SESSION.ADD_DATA', id, field).#value();
    else if (kind < 43) this.#put(3, 'SESSION.GET_DATA', id, field);
    else if (kind < 46) this.#put(2, 'SESSION.GET', id);
    else {
      this.#put(2, 'SESSION.DELETE', id);
      this.#states[user] = NONE;
    }
  }

  /** Writes the first words of a command of `count`. */
  #put(count: number, ...words: string[]): this {
    let text = `*${count}\r\n`;
    for (const word of words) text += `$${word.length}\r\n${word}\r\n`;
    this.#end += this.#out.write(text, this.#end, 'latin1');
    return this;
  }

  /** Writes the last word, a value. */
  #value(): void {
    let share = this.#next(1000);
    const size = SIZES.find((one) => (share -= one.share) < 0)!;
    const length = size.shortest + this.#next(size.lengths);
    this.#end += this.#out.write(`$${length}\r\n`, this.#end, 'latin1');
    const start = this.#next(TEXT_BYTES - length);
    this.#end += this.#text.copy(this.#out, this.#end, start, start + length);
    this.#end += this.#out.write('\r\n', this.#end, 'latin1');
  }

  #read(chunk: Buffer): void {
    let at = Math.min(this.#skip, chunk.length);
    this.#skip -= at;
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (at < bytes.length) {
      const end = bytes.indexOf(CR, at);
      if (end < 0 || end + 1 >= bytes.length) break;
      const next = this.#reply(bytes, at, end);
      if (next < 0) return;
      this.#skip = Math.max(0, next - bytes.length);
      at = Math.min(next, bytes.length);
    }
    this.#rest = bytes.subarray(at);
    if (this.#answered === this.#sent && this.#skip === 0 && this.#rest.length === 0) this.#send();
  }

  /**
   * Takes the reply whose first line is at `at` up to `end`; answers where the next one begins, -1 after an
   * error.
   */
  #reply(bytes: Buffer, at: number, end: number): number {
    const [kind, user] = [bytes[at], this.#asked[this.#answered++]!];
    if (user >= 0) {
      bytes.copy(this.#ids, user * ID_BYTES, end - ID_BYTES, end);
      this.#states[user] = LIVE;
    }
    if (kind === DOLLAR) {
      const length = Number(bytes.toString('latin1', at + 1, end));
      return length < 0 ? end + 2 : end + 2 + length + 2;
    }
    if (kind === PLUS || kind === COLON) return end + 2;
    const what = kind === MINUS ? 'an error' : 'no reply of these commands';
    this.#failed?.(new Error(`${what}: ${bytes.toString('latin1', at, Math.min(end, at + 200))}`));
    return -1;
  }
}

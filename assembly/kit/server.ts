/** The server's own commands, for authors: `redis.call`. */
import { lengthOf, pack, pointerOf, setArgument } from "../base/frame";
import { redisKeys } from "../base/redis-keys";
import { take } from "./memory/arena";
import { Reply } from "./reply";
import { bytesOf } from "./values/strings";

/** Words that a call has room for at first. */
const WORDS_MIN: i32 = 8;

/** A command of the server that is being put together. */
export class ServerCall {
  private words: usize = take(WORDS_MIN << 3);
  private room: i32 = WORDS_MIN;
  private count: i32 = 0;

  /** Adds a word: a text, Bytes, or a number as its shortest text. */
  with<T>(value: T): this {
    this.add(wordOf<T>(value));
    return this;
  }

  /** Adds each of them. */
  withAll<T>(values: T[]): this {
    for (let index = 0; index < values.length; index++) this.add(wordOf<T>(values[index]));
    return this;
  }

  private add(word: u64): void {
    if (this.count == this.room) {
      const words = take(this.room << 4);
      memory.copy(words, this.words, this.count << 3);
      this.words = words;
      this.room <<= 1;
    }
    setArgument(this.words, this.count++, pointerOf(word), lengthOf(word));
  }

  /** Runs it. An error that it answers ends the command with this error. */
  call(): Reply {
    const reply = this.tryCall();
    if (reply.isError) throw new Error(reply.error);
    return reply;
  }

  /** Runs it, and answers an error as well. */
  tryCall(): Reply {
    const answer = redisKeys.Call(this.words, this.count);
    const length = lengthOf(answer);
    const parts = take(length);
    memory.copy(parts, pointerOf(answer), length);
    return Reply.of(parts, parts + <usize>length);
  }
}

/** The bytes of a word, `length << 32 | pointer`. */
export function wordOf<T>(value: T): u64 {
  if (isString<T>()) return bytesOf(changetype<string>(value));
  if (isReference<T>()) {
    if (idof<T>() == idof<Uint8Array>()) {
      const bytes = changetype<Uint8Array>(value);
      return pack(bytes.dataStart, bytes.length);
    }
    return ERROR("a word of a command is a string, Bytes or a number");
  }
  return bytesOf(value.toString());
}

/** What `redis` is in an author's file, whose `redis.call(name, …words)` becomes a ServerCall. */
export class Server {
  begin(name: string): ServerCall {
    return new ServerCall().with<string>(name);
  }
}

export const server: Server = new Server();

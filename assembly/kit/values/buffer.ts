/** Byte strings that are being made and read: values, keys, effects, replies. */
import { extend, giveBack, take } from "../memory/arena";
import { copy } from "../../base/storage/bytes";

/** Bytes that a buffer has at first. */
const BYTES_MIN: u32 = 256;

/** Bytes that grow in the arena. */
@unmanaged
export class Writer {
  /** The first byte, the next one, and the end of the room. */
  start: usize;
  at: usize;
  end: usize;

  /** Begins anew, with room for so many bytes. */
  begin(bytes: u32 = BYTES_MIN): void {
    this.start = take(bytes);
    this.at = this.start;
    this.end = this.start + <usize>bytes;
  }

  /** Bytes that were written. */
  @inline
  get length(): u32 {
    return <u32>(this.at - this.start);
  }

  /** Makes room for so many bytes more, and answers where they go; the caller advances `at`. */
  @inline
  room(bytes: u32): usize {
    if (this.at + <usize>bytes > this.end) this.grow(bytes);
    return this.at;
  }

  /** Nothing more is written: the rest of the room goes to what comes next. */
  @inline
  finish(): void {
    giveBack(this.at, this.end);
    this.end = this.at;
  }

  private grow(bytes: u32): void {
    const used = this.length;
    const before = <u32>(this.end - this.start);
    const wanted = max(before << 1, used + bytes);
    if (!extend(this.start, before, wanted)) {
      const moved = take(wanted);
      memory.copy(moved, this.start, used);
      this.start = moved;
      this.at = moved + <usize>used;
    }
    this.end = this.start + <usize>wanted;
  }


  @inline
  byte(value: u32): void {
    store<u8>(this.room(1), <u8>value);
    this.at += 1;
  }

  /** A number in as many bytes as its type has, little-endian. */
  @inline
  fixed<T>(value: T): void {
    store<T>(this.room(sizeof<T>()), value);
    this.at += sizeof<T>();
  }

  /** A length in LEB128: nearly all are one byte. */
  @inline
  number(value: u32): void {
    if (value < 0x80) this.byte(value);
    else this.longNumber(value);
  }

  private longNumber(value: u32): void {
    let at = this.room(5);
    for (; value >= 0x80; value >>= 7) store<u8>(at++, (<u8>value) | 0x80);
    store<u8>(at, <u8>value);
    this.at = at + 1;
  }

  bytes(pointer: usize, length: u32): void {
    copy(this.room(length), pointer, length);
    this.at += <usize>length;
  }

  /** A length and so many bytes. */
  counted(pointer: usize, length: u32): void {
    this.number(length);
    this.bytes(pointer, length);
  }
}

/**
 * Bytes that are being read. What does not lie within them is read as 0 or empty, and `failed` is set.
 */
@unmanaged
export class Reader {
  at: usize;
  end: usize;
  failed: bool;

  begin(pointer: usize, length: u32): void {
    this.at = pointer;
    this.end = pointer + <usize>length;
    this.failed = false;
  }


  @inline
  get left(): u32 {
    return <u32>(this.end - this.at);
  }

  /** Whether so many bytes are left. */
  @inline
  has(bytes: u32): bool {
    if (bytes <= this.left) return true;
    this.failed = true;
    return false;
  }


  @inline
  fixed<T>(): T {
    if (!this.has(sizeof<T>())) return <T>0;
    const value = load<T>(this.at);
    this.at += sizeof<T>();
    return value;
  }

  /** A length in LEB128 of at most five bytes: nearly all are one. */
  @inline
  number(): u32 {
    const at = this.at;
    if (at >= this.end || load<u8>(at) >= 0x80) return this.longNumber();
    this.at = at + 1;
    return <u32>load<u8>(at);
  }

  private longNumber(): u32 {
    let value: u64 = 0;
    for (let shift: u64 = 0; shift < 35; shift += 7) {
      const byte = <u64>this.fixed<u8>();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (value > <u64>u32.MAX_VALUE) break;
        return <u32>value;
      }
    }
    this.failed = true;
    return 0;
  }

  /** Goes past so many bytes, and answers where they lie. */
  @inline
  skip(bytes: u32): usize {
    const at = this.at;
    if (this.has(bytes)) this.at += <usize>bytes;
    return at;
  }
}

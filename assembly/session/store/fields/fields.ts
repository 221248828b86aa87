/**
 * A session's data: fields with values, in the order of their first writing. Three forms, told apart by the
 * u32 that stands for them:
 *
 *     0                 no field
 *     address           packed (packed.ts): all in one block of at most 2 KiB
 *     address | 1       tabled (tabled.ts): an entry for each in a hash table, so that many answer in O(1)
 *
 * The content alone decides on the form, and on the size of a packed block: the smallest that the heap has.
 * So a session takes the same bytes on a replica and after a restart, whatever it held before. Where there is
 * no room for the smaller form at once, the larger one stays. How fields are written is told in puts.ts.
 */
import { keyLength, keyOf, valueLength, valueOf } from "../../../base/storage/entry";
import { free } from "../../../base/storage/heap";
import { pack } from "../../../base/frame";
import { Item, packedOf } from "./packed";
import { LINKS, nextEntry, releaseTabled, TABLED, tabledOf } from "./tabled";

/** How many fields there are. O(1). */
export function countFields(fields: u32): u32 {
  if (!fields) return 0;
  return fields & TABLED ? tabledOf(fields).count : <u32>packedOf(fields).count;
}

/**
 * The field's value (`length << 32 | pointer`, valid until the next write), 0 when absent. O(1), as packed
 * data is bounded.
 */
export function getField(fields: u32, name: usize, length: u32): u64 {
  if (!fields) return 0;
  if (fields & TABLED) {
    const entry = tabledOf(fields).find(name, length);
    return entry ? pack(valueOf(entry) + LINKS, valueLength(entry) - LINKS) : 0;
  }
  const at = packedOf(fields).find(name, length);
  return at ? pack(changetype<Item>(at).value, changetype<Item>(at).valueLength) : 0;
}

/** A walk over fields in order, and the field that it has come to. Nothing may change until its end. */
@unmanaged
class Walk {
  name: usize;
  nameLength: u32;
  value: usize;
  valueLength: u32;
  /** The item or entry that comes next, and where packed items end; 0: they are entries. */
  private at: usize;
  private end: usize;

  /** Begins a walk. */
  begin(fields: u32): void {
    this.at = 0;
    this.end = 0;
    if (!fields) return;
    if (fields & TABLED) {
      this.at = tabledOf(fields).first;
    } else {
      this.at = packedOf(fields).start;
      this.end = packedOf(fields).end;
    }
  }

  /** Whether there is a next field. */
  @inline
  get hasNext(): bool {
    return this.at != this.end;
  }

  /** Goes on to the next field; false after the last. O(1). */
  next(): bool {
    const at = this.at;
    if (at == this.end) return false;
    if (this.end) {
      const item = changetype<Item>(at);
      this.nameLength = item.nameLength;
      this.valueLength = item.valueLength;
      this.name = item.name;
      this.value = item.value;
      this.at = at + item.size;
    } else {
      this.nameLength = keyLength(at);
      this.valueLength = valueLength(at) - LINKS;
      this.name = keyOf(at);
      this.value = valueOf(at) + LINKS;
      this.at = nextEntry(at);
    }
    return true;
  }
}

/** The one walk; a command has one at a time. */
export const walk: Walk = changetype<Walk>(memory.data(offsetof<Walk>(), 8));

/** Bytes of the heap that the data takes. O(fields). */
export function fieldsMemory(fields: u32): u64 {
  if (!fields) return 0;
  return fields & TABLED ? tabledOf(fields).memory() : <u64>packedOf(fields).size;
}

/**
 * Whether the data holds together: lengths within their block, or table and chain of the same entries.
 * O(fields).
 */
export function checkFields(fields: u32): bool {
  if (!fields) return true;
  return fields & TABLED ? tabledOf(fields).holdsTogether() : packedOf(fields).check();
}

/**
 * Frees all fields, of much data only the first PIECE now. O(1), while fewer than WAITING_MAX fields wait.
 */
export function releaseFields(fields: u32): void {
  if (!fields) return;
  if (fields & TABLED) releaseTabled(tabledOf(fields));
  else free(<usize>fields, packedOf(fields).size);
}

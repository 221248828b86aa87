/** Whether a hash table holds together: for diagnostics. */
import { baseOf, chunkAt, distance, homeIn, localOf, positionOf, probesIn, STICKY, WIDE } from "./chunk";
import { Table } from "./table";

/**
 * Walks the whole table. O(entries).
 * @returns 0, or the first invariant that does not hold, a literal
 */
export function checkTable(table: Table): usize {
  const anything = table.count | table.stashCount | table.segments;
  if (!table.isStarted) return anything ? changetype<usize>("the number of entries") : 0;
  let entries = table.stashCount;
  let segments: u32 = 0;
  let wides: u32 = 0;
  let deepest: u32 = 0;
  const places = (<u32>1) << table.depth;
  for (let place: u32 = 0; place < places;) {
    const segment = table.segmentAt(place);
    if (!checkPlaces(table, place)) return changetype<usize>("the directory of the table");
    const prefix = table.depth ? (<u64>place) << (64 - <u64>table.depth) : 0;
    const broken = checkSegment(table, segment, prefix);
    if (broken) return broken;
    for (let index: u32 = 0; index < table.chunksOf(segment); index++) entries += popcnt(chunkAt(baseOf(segment), index).used);
    segments++;
    wides += u32((segment & WIDE) != 0);
    if (localOf(segment) == table.depth) deepest++;
    place += table.placesOf(segment);
  }
  if (segments != table.segments || wides != table.wides || deepest != table.deepest)
    return changetype<usize>("the table's number of segments");
  return entries == table.count ? 0 : changetype<usize>("the number of entries");
}

/**
 * Whether the segment that begins at this place of the directory has all of its places, and may begin there.
 */
function checkPlaces(table: Table, place: u32): bool {
  const segment = table.segmentAt(place);
  if (localOf(segment) > table.depth) return false;
  const width = table.placesOf(segment);
  if (place & (width - 1)) return false;
  for (let at = place; at < place + width; at++) if (table.segmentAt(at) != segment) return false;
  return true;
}

function checkSegment(table: Table, segment: u32, prefix: u64): usize {
  const base = baseOf(segment);
  for (let index: u32 = 0; index < table.chunksOf(segment); index++) {
    const chunk = chunkAt(base, index);
    if ((<u32>chunk.displaced) & ~chunk.used) return changetype<usize>("bits of empty slots of the table");
    for (let slots = chunk.used; slots; slots &= slots - 1) {
      const broken = checkSlot(table, segment, prefix, index, ctz(slots));
      if (broken) return broken;
    }
    const overflow = <u32>chunk.overflow;
    if (overflow != STICKY && overflow != countOverflow(table, segment, prefix, index)) {
      return changetype<usize>("an overflow count of the table");
    }
  }
  return 0;
}

/** Checks the entry in a slot of the chunk of this number. */
function checkSlot(table: Table, segment: u32, prefix: u64, index: u32, slot: u32): usize {
  const chunk = chunkAt(baseOf(segment), index);
  const entry = chunk.entry(slot);
  const hash = table.hashOfEntry(entry);
  const chunks = table.chunksOf(segment);
  const position = positionOf(hash, localOf(segment));
  const steps = distance(homeIn(position, chunks), index, chunks);
  if (!isWithin(hash, segment, prefix)) return changetype<usize>("an entry out of reach of its home");
  if (chunk.tag(slot) != (position & 255)) return changetype<usize>("a tag of the table");
  if (steps >= probesIn(chunks)) return changetype<usize>("an entry out of reach of its home");
  if (<u32>(steps != 0) != (((<u32>chunk.displaced) >> slot) & 1)) return changetype<usize>("a displaced bit of the table");
  return table.slotOf(entry) == chunk.slot(slot) ? 0 : changetype<usize>("an entry that a search does not find");
}

/** Whether a hash belongs into the segment, whose hashes begin with `prefix`. */
function isWithin(hash: u64, segment: u32, prefix: u64): bool {
  const local = <u64>localOf(segment);
  return !local || (hash ^ prefix) >> (64 - local) == 0;
}

/** Entries that were put beyond this chunk, counted anew. */
function countOverflow(table: Table, segment: u32, prefix: u64, index: u32): u32 {
  const local = localOf(segment);
  const chunks = table.chunksOf(segment);
  const probes = probesIn(chunks);
  let overflow: u32 = 0;
  for (let step: u32 = 1; step < probes; step++) {
    const at = (index + step) % chunks;
    const chunk = chunkAt(baseOf(segment), at);
    for (let slots = chunk.used; slots; slots &= slots - 1) {
      const home = homeIn(positionOf(table.hashOfEntry(chunk.entry(ctz(slots))), local), chunks);
      if (distance(home, index, chunks) < distance(home, at, chunks)) overflow++;
    }
  }
  for (let at: u32 = 0; at < table.stashCount; at++) {
    const hash = table.hashOfEntry(<usize>load<u32>(table.stashSlot(at)));
    if (!isWithin(hash, segment, prefix)) continue;
    if (distance(homeIn(positionOf(hash, local), chunks), index, chunks) < probes) overflow++;
  }
  return overflow;
}

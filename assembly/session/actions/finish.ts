/** What every write of this module ends with. */
import { endChange } from "../../base/change";
import { changed } from "../../base/register";
import { IdText } from "../ids/ids";
import { compactRecords } from "../store/moving";
import { signalOldIds } from "../store/old-ids";
import { releaseScratch } from "../texts/scratch";

/**
 * Ends the change and tells of it: the event, by the session's id, and to those who know the session by its
 * old ids. Addresses of records are void afterwards. O(old ids).
 * @param record the session; 0: it has no old ids, or they were told already
 * @param written bytes that the command stored
 */
export function finishWrite(event: usize, id: IdText, record: usize, written: u32): void {
  endChange();
  releaseScratch();
  changed(event, id.start, id.length);
  if (record) signalOldIds(record);
  compactRecords(written);
}

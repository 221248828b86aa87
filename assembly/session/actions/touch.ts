/** Accesses. */
import { beginChange, endChange } from "../../base/change";
import { isReplica } from "../../base/context";
import { redis } from "../../base/redis";
import { replicateTouch } from "../replication/effects";
import { nowMs } from "../store/clock";
import { asSession, idText, setAccessed } from "../store/record";

/**
 * Notes an access, on a primary only. Of the accesses in one second of the clock the first is replicated,
 * where anybody listens, so a replica lags by less than a second. Signals nothing: WATCH would abort on one's
 * own read.
 */
export function touch(record: usize, own: bool): void {
  const now = nowMs();
  const before = asSession(record).accessed;
  if (before == now || isReplica()) return;
  const tells = own && before / 1000 != now / 1000 && redis.EffectsWanted();
  beginChange();
  if (tells) replicateTouch(idText(record), now);
  setAccessed(record, now);
  endChange();
}

import { command, Table, now } from "redis-wasm/kit";

class Request {
  constructor(
    /** Of its body: another request with the same key is a mistake. */
    public digest: string,
    /** null: it is under way. */
    public answer: string | null,
  ) {}
}
const requests = new Table<string, Request>("requests");

command("ONCE.BEGIN", "key:key digest lease:integer", begin, "Null: do it now; else the answer of the first time");
function begin(key: string, digest: string, lease: i64): string | null {
  if (lease < 1) throw new Error("lease must be over 0");
  const known = requests.find(key);
  if (known == null) {
    requests.set(key, new Request(digest, null), now() + lease);
    return null;
  }
  if (known.digest != digest) throw new Error("MISMATCH this key belongs to another request");
  if (known.answer == null) throw new Error("INPROGRESS this request is under way");
  return known.answer;
}

command("ONCE.END", "key:key digest answer keep:integer", end, "Keeps the answer for so many ms");
function end(key: string, digest: string, answer: string, keep: i64): void {
  const known = requests.find(key);
  if (known == null || known.digest != digest) throw new Error("EXPIRED the lease of this request is over");
  requests.set(key, new Request(digest, answer), now() + keep);
}

command("ONCE.CANCEL", "key:key digest", cancel, "Forgets a request that failed, so that it can be tried again");
function cancel(key: string, digest: string): bool {
  const known = requests.find(key);
  return known != null && known.digest == digest && known.answer == null && requests.delete(key);
}

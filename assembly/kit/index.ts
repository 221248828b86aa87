/** What authors import as `redis-wasm/kit`. */
export { Entry, Page, SubTable, Table } from "./table";
export { SortedSubTable, SortedTable } from "./sorted";
export { KEEP } from "./transaction/view";
export { Reply } from "./reply";
export { setting, Setting } from "./module";
export { custom, session } from "./modules";
export { keys, Member } from "./keys";
export { server as redis } from "./server";
export { caller, info, log, now, publish, randomBytes, uuid } from "./hand";
export { equal, hmac, sha256 } from "./values/digest";

/** Bytes that are no text. */
export type Bytes = Uint8Array;

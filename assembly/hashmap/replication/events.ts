/** The names of the keyspace events: they are told after every write. */
export namespace Event {
  export const SET: usize = changetype<usize>("custom.set");
  export const DEL: usize = changetype<usize>("custom.del");
  export const APPEND: usize = changetype<usize>("custom.append");
  export const EXPIRE: usize = changetype<usize>("custom.expire");
  export const PERSIST: usize = changetype<usize>("custom.persist");
  export const EXPIRED: usize = changetype<usize>("custom.expired");
}

/** The names of the keyspace events: they are told after every write. */
export namespace Event {
  export const CREATE: usize = changetype<usize>("session.create");
  export const SET: usize = changetype<usize>("session.set");
  export const DELETE: usize = changetype<usize>("session.delete");
  export const EXPIRED: usize = changetype<usize>("session.expired");
  export const EVICTED: usize = changetype<usize>("session.evicted");
  export const EXPIRE: usize = changetype<usize>("session.expire");
  export const ASSIGN: usize = changetype<usize>("session.assign");
  export const ROTATE: usize = changetype<usize>("session.rotate");
}

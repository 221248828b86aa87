/** The names of the keyspace events, as bytes: they are told after every write. */
/** `session.create` */
export const EVENT_CREATE: usize = memory.data<u8>([115, 101, 115, 115, 105, 111, 110, 46, 99, 114, 101, 97, 116, 101]);
/** `session.set` */
export const EVENT_SET: usize = memory.data<u8>([115, 101, 115, 115, 105, 111, 110, 46, 115, 101, 116]);
/** `session.delete` */
export const EVENT_DELETE: usize = memory.data<u8>([115, 101, 115, 115, 105, 111, 110, 46, 100, 101, 108, 101, 116, 101]);
/** `session.expired` */
export const EVENT_EXPIRED: usize = memory.data<u8>([115, 101, 115, 115, 105, 111, 110, 46, 101, 120, 112, 105, 114, 101, 100]);
/** `session.evicted` */
export const EVENT_EVICTED: usize = memory.data<u8>([115, 101, 115, 115, 105, 111, 110, 46, 101, 118, 105, 99, 116, 101, 100]);
/** `session.expire` */
export const EVENT_EXPIRE: usize = memory.data<u8>([115, 101, 115, 115, 105, 111, 110, 46, 101, 120, 112, 105, 114, 101]);
/** `session.assign` */
export const EVENT_ASSIGN: usize = memory.data<u8>([115, 101, 115, 115, 105, 111, 110, 46, 97, 115, 115, 105, 103, 110]);
/** `session.rotate` */
export const EVENT_ROTATE: usize = memory.data<u8>([115, 101, 115, 115, 105, 111, 110, 46, 114, 111, 116, 97, 116, 101]);

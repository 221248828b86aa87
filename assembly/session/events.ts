/** The names of the keyspace events, as bytes: they are told after every write. */
/** `session.create` */
export const EVENT_CREATE: usize = memory.data<u8>([115, 101, 115, 115, 105, 111, 110, 46, 99, 114, 101, 97, 116, 101]);
/** `session.set` */
export const EVENT_SET: usize = memory.data<u8>([115, 101, 115, 115, 105, 111, 110, 46, 115, 101, 116]);
/** `session.delete` */
export const EVENT_DELETE: usize = memory.data<u8>([115, 101, 115, 115, 105, 111, 110, 46, 100, 101, 108, 101, 116, 101]);

/** The names of the keyspace events, as bytes: they are told after every write. */
/** `custom.set` */
export const EVENT_SET: usize = memory.data<u8>([99, 117, 115, 116, 111, 109, 46, 115, 101, 116]);
/** `custom.del` */
export const EVENT_DEL: usize = memory.data<u8>([99, 117, 115, 116, 111, 109, 46, 100, 101, 108]);
/** `custom.append` */
export const EVENT_APPEND: usize = memory.data<u8>([99, 117, 115, 116, 111, 109, 46, 97, 112, 112, 101, 110, 100]);
/** `custom.expire` */
export const EVENT_EXPIRE: usize = memory.data<u8>([99, 117, 115, 116, 111, 109, 46, 101, 120, 112, 105, 114, 101]);
/** `custom.persist` */
export const EVENT_PERSIST: usize = memory.data<u8>([99, 117, 115, 116, 111, 109, 46, 112, 101, 114, 115, 105, 115, 116]);
/** `custom.expired` */
export const EVENT_EXPIRED: usize = memory.data<u8>([99, 117, 115, 116, 111, 109, 46, 101, 120, 112, 105, 114, 101, 100]);

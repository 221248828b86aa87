/** The names of the keyspace events, as bytes: they are told after every write. */
/** `custom.set` */
export const EVENT_SET: usize = memory.data<u8>([99, 117, 115, 116, 111, 109, 46, 115, 101, 116]);
/** `custom.del` */
export const EVENT_DEL: usize = memory.data<u8>([99, 117, 115, 116, 111, 109, 46, 100, 101, 108]);

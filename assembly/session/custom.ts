/**
 * The storage that maps each user to the newest session: whatever serves the commands CUSTOM.*, linked directly or called by command.
 * A function that fails ends the running command, so it is called before anything of this module is committed.
 */

/** The value (`length << 32 | pointer`, valid until the next import call), 0 when there is none. */
// prettier-ignore
@external("CUSTOM", "get")
export declare function customGet(key: usize, keyLength: u32): u64;

/** Stores the value; 1. */
// prettier-ignore
@external("CUSTOM", "set")
export declare function customSet(key: usize, keyLength: u32, value: usize, valueLength: u32): u64;

/** How many entries were deleted: 0 or 1. */
// prettier-ignore
@external("CUSTOM", "del")
export declare function customDel(key: usize, keyLength: u32): u64;

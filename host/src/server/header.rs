//! Constants and structures of the server's module API.
//!
//! Source: `redismodule.h` of Redis 7.0 and later, which Valkey keeps. Only what this host uses is listed.

use std::ffi::{c_char, c_int, c_longlong, c_uint, c_void};

/// An opaque structure of the server.
macro_rules! opaque {
    ($($name:ident),*) => { $(#[repr(C)] pub struct $name { _private: [u8; 0] })* };
}
opaque!(Ctx, Str, User, CallReply, Command, Type, Io, InfoCtx, ServerInfo, BlockedClient, Key, ScanCursor, FilterCtx, Filter);

pub const OK: c_int = 0;
pub const ERR: c_int = 1;
pub const API_VERSION: c_int = 1;

pub const CTX_FLAGS_LUA: c_int = 1 << 0;
pub const CTX_FLAGS_MULTI: c_int = 1 << 1;
pub const CTX_FLAGS_SLAVE: c_int = 1 << 3;
pub const CTX_FLAGS_CLUSTER: c_int = 1 << 5;
pub const CTX_FLAGS_AOF: c_int = 1 << 6;
pub const CTX_FLAGS_REPLICATED: c_int = 1 << 12;
pub const CTX_FLAGS_LOADING: c_int = 1 << 13;
pub const CTX_FLAGS_DENY_BLOCKING: c_int = 1 << 21;
pub const CTX_FLAGS_RESP3: c_int = 1 << 22;
pub const CTX_FLAGS_ASYNC_LOADING: c_int = 1 << 23;

pub const OPTIONS_HANDLE_IO_ERRORS: c_int = 1 << 0;
pub const OPTIONS_HANDLE_REPL_ASYNC_LOAD: c_int = 1 << 2;

/// Keys that modules hold without the server's knowledge move with their slots, where it moves them at once.
pub const OPTIONS_HANDLE_ATOMIC_SLOT_MIGRATION: c_int = 1 << 5;

/// `CloseKey` tells nobody of a change: this library does, once a command has ended well.
pub const OPTIONS_NO_IMPLICIT_SIGNAL_MODIFIED: c_int = 1 << 1;

pub const KEY_READ: c_int = 1 << 0;
pub const KEY_WRITE: c_int = 1 << 1;
/// As `OBJECT` and `TTL` look at a key: its time of access stays.
pub const KEY_NO_TOUCH: c_int = 1 << 16;
pub const KEY_TYPE_EMPTY: c_int = 0;
pub const KEY_TYPE_STRING: c_int = 1;
pub const KEY_TYPE_LIST: c_int = 2;
pub const KEY_TYPE_HASH: c_int = 3;
pub const KEY_TYPE_ZSET: c_int = 5;
pub const NO_EXPIRE: c_longlong = -1;
pub const HASH_NONE: c_int = 0;
/// What `HashSet` takes in the place of a value for a field that is to go.
pub const HASH_DELETE: *mut Str = std::ptr::without_provenance_mut(1);
pub const LIST_HEAD: c_int = 0;
pub const LIST_TAIL: c_int = 1;

pub const NOTIFY_GENERIC: c_int = 1 << 2;
pub const NOTIFY_STRING: c_int = 1 << 3;
pub const NOTIFY_LIST: c_int = 1 << 4;
pub const NOTIFY_HASH: c_int = 1 << 6;
pub const NOTIFY_ZSET: c_int = 1 << 7;
/// A filter does not see what its own module calls.
pub const FILTER_NOSELF: c_int = 1 << 0;
pub const CLIENT_FLAG_SSL: u64 = 1 << 0;
pub const CLIENT_FLAG_PUBSUB: u64 = 1 << 1;
pub const CLIENT_FLAG_MULTI: u64 = 1 << 5;
/// Valkey 9.0 and later.
pub const CLIENT_FLAG_AUTHENTICATED: u64 = 1 << 11;

pub const CONFIG_IMMUTABLE: c_uint = 1 << 0;
pub const CONFIG_MEMORY: c_uint = 1 << 7;

/// Classes of events of keys: all of them but those of keys that are missed, are new, or come from a file.
pub const NOTIFY_CHANGES: c_int =
    (1 << 2) | (1 << 3) | (1 << 4) | (1 << 5) | (1 << 6) | (1 << 7) | (1 << 8) | (1 << 9) | (1 << 10) | (1 << 13);

pub const REPLY_STRING: c_int = 0;
pub const REPLY_ERROR: c_int = 1;
pub const REPLY_INTEGER: c_int = 2;
pub const REPLY_ARRAY: c_int = 3;
pub const REPLY_NULL: c_int = 4;
pub const REPLY_MAP: c_int = 5;
pub const REPLY_SET: c_int = 6;
pub const REPLY_BOOL: c_int = 7;
pub const REPLY_DOUBLE: c_int = 8;
pub const REPLY_BIG_NUMBER: c_int = 9;
pub const REPLY_VERBATIM: c_int = 10;

pub const AUX_BEFORE_RDB: c_int = 1 << 0;
pub const TYPE_METHOD_VERSION: u64 = 5;

pub const CMD_KEY_RO: u64 = 1 << 0;
pub const CMD_KEY_RW: u64 = 1 << 1;
pub const CMD_KEY_OW: u64 = 1 << 2;
pub const CMD_KEY_RM: u64 = 1 << 3;
pub const CMD_KEY_ACCESS: u64 = 1 << 4;
pub const CMD_KEY_UPDATE: u64 = 1 << 5;
pub const CMD_KEY_INSERT: u64 = 1 << 6;
pub const CMD_KEY_DELETE: u64 = 1 << 7;
/// That it may be wrong: the server asks the command itself for its keys, where that can tell.
pub const CMD_KEY_INCOMPLETE: u64 = 1 << 9;

pub const CMD_ARG_OPTIONAL: c_int = 1 << 0;
pub const CMD_ARG_MULTIPLE: c_int = 1 << 1;

pub const EVENT_ROLE_CHANGED: u64 = 0;
pub const EVENT_FLUSHDB: u64 = 2;
pub const EVENT_LOADING: u64 = 3;
pub const EVENT_CRON_LOOP: u64 = 8;
pub const EVENT_FORK_CHILD: u64 = 13;
pub const EVENT_REPL_ASYNC_LOAD: u64 = 14;
pub const EVENT_CONFIG: u64 = 16;
/// Of Redis 8.4 and later.
pub const EVENT_CLUSTER_SLOT_MIGRATION: u64 = 18;
pub const EVENT_CLUSTER_SLOT_MIGRATION_TRIM: u64 = 19;
/// Of Valkey; Redis 8.4 has another event of this number.
pub const EVENT_ATOMIC_SLOT_MIGRATION: u64 = 19;
pub const SUBEVENT_FORK_CHILD_BORN: u64 = 0;
pub const SUBEVENT_ROLE_NOW_PRIMARY: u64 = 0;
pub const SUBEVENT_FLUSHDB_START: u64 = 0;
pub const SUBEVENT_LOADING_RDB_START: u64 = 0;
pub const SUBEVENT_LOADING_REPL_START: u64 = 2;
pub const SUBEVENT_LOADING_ENDED: u64 = 3;
pub const SUBEVENT_LOADING_FAILED: u64 = 4;
pub const SUBEVENT_REPL_ASYNC_LOAD_STARTED: u64 = 0;
pub const SUBEVENT_REPL_ASYNC_LOAD_COMPLETED: u64 = 2;

pub type CommandFunc = unsafe extern "C" fn(*mut Ctx, *mut *mut Str, c_int) -> c_int;
pub type FreePrivDataFunc = unsafe extern "C" fn(*mut Ctx, *mut c_void);
pub type OneShotFunc = unsafe extern "C" fn(*mut c_void);
pub type TimerFunc = unsafe extern "C" fn(*mut Ctx, *mut c_void);
pub type KeyEventFunc = unsafe extern "C" fn(*mut Ctx, c_int, *const c_char, *mut Str) -> c_int;
pub type InfoFunc = unsafe extern "C" fn(*mut InfoCtx, c_int);
pub type EventFunc = unsafe extern "C" fn(*mut Ctx, Event, u64, *mut c_void);
pub type FilterFunc = unsafe extern "C" fn(*mut FilterCtx);
pub type ScanKeyFunc = unsafe extern "C" fn(*mut Key, *mut Str, *mut Str, *mut c_void);
pub type SaveFunc = unsafe extern "C" fn(*mut Io, *mut c_void);
pub type RewriteFunc = unsafe extern "C" fn(*mut Io, *mut Str, *mut c_void);
pub type FreeFunc = unsafe extern "C" fn(*mut c_void);
pub type LoadFunc = unsafe extern "C" fn(*mut Io, c_int) -> *mut c_void;
pub type AuxLoadFunc = unsafe extern "C" fn(*mut Io, c_int, c_int) -> c_int;
pub type AuxSaveFunc = unsafe extern "C" fn(*mut Io, c_int);
pub type GetNumericFunc = unsafe extern "C" fn(*const c_char, *mut c_void) -> c_longlong;
pub type SetNumericFunc = unsafe extern "C" fn(*const c_char, c_longlong, *mut c_void, *mut *mut Str) -> c_int;
pub type GetEnumFunc = unsafe extern "C" fn(*const c_char, *mut c_void) -> c_int;
pub type SetEnumFunc = unsafe extern "C" fn(*const c_char, c_int, *mut c_void, *mut *mut Str) -> c_int;
pub type GetStringFunc = unsafe extern "C" fn(*const c_char, *mut c_void) -> *mut Str;
pub type SetStringFunc = unsafe extern "C" fn(*const c_char, *mut Str, *mut c_void, *mut *mut Str) -> c_int;
pub type ApplyFunc = unsafe extern "C" fn(*mut Ctx, *mut c_void, *mut *mut Str) -> c_int;

/// `RedisModuleEvent`: passed by value.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Event {
    pub id: u64,
    pub data_version: u64,
}

/// `RedisModuleFlushInfoV1`.
#[repr(C)]
pub struct FlushInfo {
    pub version: u64,
    pub sync: i32,
    /// The database, -1 for all.
    pub database: i32,
}

/// `RedisModuleConfigChangeV1`.
#[repr(C)]
pub struct ConfigChange {
    pub version: u64,
    pub count: u32,
    pub names: *const *const c_char,
}

/// `RedisModuleClientInfoV1`.
#[repr(C)]
pub struct ClientInfo {
    pub version: u64,
    pub flags: u64,
    pub id: u64,
    pub address: [c_char; 46],
    pub port: u16,
    pub database: u16,
}

/// `RedisModuleTypeMethods`, version 5. What is `None` is called for a key that is there, and the types of
/// auxiliary data have none.
#[repr(C)]
#[derive(Default)]
pub struct TypeMethods {
    pub version: u64,
    /// Never `None`: the server calls it for whatever RESTORE or a file says is a key of the type.
    pub rdb_load: Option<LoadFunc>,
    pub rdb_save: Option<SaveFunc>,
    pub aof_rewrite: Option<RewriteFunc>,
    pub mem_usage: Option<unsafe extern "C" fn()>,
    pub digest: Option<unsafe extern "C" fn()>,
    pub free: Option<FreeFunc>,
    pub aux_load: Option<AuxLoadFunc>,
    pub aux_save: Option<AuxSaveFunc>,
    pub aux_save_triggers: c_int,
    pub free_effort: Option<unsafe extern "C" fn()>,
    pub unlink: Option<unsafe extern "C" fn()>,
    pub copy: Option<unsafe extern "C" fn()>,
    pub defrag: Option<unsafe extern "C" fn()>,
    pub mem_usage2: Option<unsafe extern "C" fn()>,
    pub free_effort2: Option<unsafe extern "C" fn()>,
    pub unlink2: Option<unsafe extern "C" fn()>,
    pub copy2: Option<unsafe extern "C" fn()>,
    pub aux_save2: Option<AuxSaveFunc>,
}

/// `RedisModuleCommandInfoVersion`.
#[repr(C)]
pub struct CommandInfoVersion {
    version: c_int,
    size_of_history_entry: usize,
    size_of_key_spec: usize,
    size_of_argument: usize,
}

pub static COMMAND_INFO_VERSION: CommandInfoVersion = CommandInfoVersion {
    version: 1,
    size_of_history_entry: size_of::<[*const c_char; 2]>(),
    size_of_key_spec: size_of::<KeySpec>(),
    size_of_argument: size_of::<CommandArg>(),
};

/// `RedisModuleCommandKeySpec`; of the ways to find keys, this host uses the range alone.
#[repr(C)]
pub struct KeySpec {
    pub notes: *const c_char,
    pub flags: u64,
    pub begin_search_type: c_uint,
    pub begin: KeySpecBegin,
    pub find_keys_type: c_uint,
    pub last_key: c_int,
    pub key_step: c_int,
    pub limit: c_int,
}

/// How `KeySpec::begin` is to be read; 0 ends a list.
pub const KSPEC_BS_INDEX: c_uint = 2;
pub const KSPEC_BS_KEYWORD: c_uint = 3;
const KSPEC_FK_RANGE: c_uint = 2;

#[repr(C)]
pub union KeySpecBegin {
    pub index: c_int,
    pub keyword: (*const c_char, c_int),
}

impl KeySpec {
    /// The end of a list of key specifications.
    pub const END: KeySpec = KeySpec {
        notes: std::ptr::null(),
        flags: 0,
        begin_search_type: 0,
        begin: KeySpecBegin { keyword: (std::ptr::null(), 0) },
        find_keys_type: 0,
        last_key: 0,
        key_step: 0,
        limit: 0,
    };

    /// Keys from where `begin` finds the first one; `last` is relative to it, or negative from the end.
    pub fn range(flags: u64, (begin_search_type, begin): (c_uint, KeySpecBegin), last: c_int, step: c_int) -> KeySpec {
        KeySpec { flags, begin_search_type, begin, find_keys_type: KSPEC_FK_RANGE, last_key: last, key_step: step, ..KeySpec::END }
    }
}

/// `RedisModuleCommandArg`.
#[repr(C)]
pub struct CommandArg {
    /// Null at the end of a list.
    pub name: *const c_char,
    pub kind: c_uint,
    pub key_spec_index: c_int,
    pub token: *const c_char,
    pub summary: *const c_char,
    pub since: *const c_char,
    pub flags: c_int,
    pub deprecated_since: *const c_char,
    pub subargs: *const CommandArg,
    pub display_text: *const c_char,
}

/// `RedisModuleCommandInfo`, version 1.
#[repr(C)]
pub struct CommandInfo {
    pub version: *const CommandInfoVersion,
    pub summary: *const c_char,
    pub complexity: *const c_char,
    pub since: *const c_char,
    pub history: *const c_void,
    pub tips: *const c_char,
    pub arity: c_int,
    pub key_specs: *const KeySpec,
    pub arguments: *const CommandArg,
}

/// What calls a function, and its flags: none of them writes; it may run when memory is short, where the
/// replica's data is stale; not in a cluster.
pub const SCRIPT_EVAL: c_int = 0;
pub const SCRIPT_FUNCTION: c_int = 1;
pub const SCRIPT_NO_WRITES: u64 = 1 << 0;
pub const SCRIPT_ALLOW_OOM: u64 = 1 << 1;
pub const SCRIPT_ALLOW_STALE: u64 = 1 << 2;
pub const SCRIPT_NO_CLUSTER: u64 = 1 << 3;

/// The functions of a scripting engine, of Valkey; their types differ by the version.
#[repr(C)]
pub struct EngineMethods {
    pub version: u64,
    pub compile: *const c_void,
    pub free: *const c_void,
    pub call: *const c_void,
    pub bytes: *const c_void,
    pub reset: *const c_void,
    pub memory: *const c_void,
    /// Version 4 alone.
    pub debugger: [*const c_void; 4],
}

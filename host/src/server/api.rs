//! The server's module API, as the server itself hands it over: each function is looked up by name when the
//! module is loaded.
//!
//! Source: `redismodule.h` of Redis 7.0 and later, which Valkey keeps. Only what this host calls is listed. A
//! function that the server lacks is `None`: those newer than 7.0 are optional, the others are checked once
//! by [`init`].
//!
//! Written out by hand rather than taken from a bindings crate: the list is short, it needs no libclang on
//! the user's machine, and the build is 40 crates and minutes smaller.

#![allow(non_snake_case, non_upper_case_globals)]

use std::ffi::{c_char, c_float, c_int, c_long, c_longlong, c_uchar, c_uint, c_ulonglong, c_void};

/// An opaque structure of the server.
macro_rules! opaque {
    ($($name:ident),*) => { $(#[repr(C)] pub struct $name { _private: [u8; 0] })* };
}
opaque!(Ctx, Str, User, CallReply, Command, Type, Io, InfoCtx, ServerInfo, BlockedClient, Key, FilterCtx, Filter);

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

pub const KEY_WRITE: c_int = 1 << 1;
/// A filter does not see what its own module calls.
pub const FILTER_NOSELF: c_int = 1 << 0;
pub const CLIENT_FLAG_MULTI: u64 = 1 << 5;
/// Valkey 9.0 and later.
pub const CLIENT_FLAG_AUTHENTICATED: u64 = 1 << 11;

pub const CONFIG_IMMUTABLE: c_uint = 1 << 0;
pub const CONFIG_MEMORY: c_uint = 1 << 7;

pub const REPLY_STRING: c_int = 0;
pub const REPLY_ERROR: c_int = 1;
pub const REPLY_INTEGER: c_int = 2;
pub const REPLY_ARRAY: c_int = 3;
pub const REPLY_NULL: c_int = 4;

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
pub type InfoFunc = unsafe extern "C" fn(*mut InfoCtx, c_int);
pub type EventFunc = unsafe extern "C" fn(*mut Ctx, Event, u64, *mut c_void);
pub type FilterFunc = unsafe extern "C" fn(*mut FilterCtx);
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

/// One optional static per function, and one loader for all.
macro_rules! api {
    ($( $(#[$kind:ident])? fn $name:ident($($argument:ident: $type:ty),* $(; $variadic:tt)?) $(-> $result:ty)?; )*) => {
        $(
            pub static mut $name: Option<unsafe extern "C" fn($($type),* $(, $variadic)?) $(-> $result)?> = None;
        )*

        /// Looks every function up.
        ///
        /// # Safety
        /// `get_api` is the server's own, called on its main thread.
        unsafe fn load(get_api: GetApi) -> Result<(), &'static str> {
            $(
                let mut pointer: *mut c_void = std::ptr::null_mut();
                // SAFETY: by the contract of this function; the name is a C string. The server's function of
                // this name has the type declared here, which is the header's.
                unsafe {
                    get_api(concat!("RedisModule_", stringify!($name), "\0").as_ptr().cast(), (&raw mut pointer).cast());
                    $name = std::mem::transmute::<*mut c_void, Option<unsafe extern "C" fn($($type),* $(, $variadic)?) $(-> $result)?>>(pointer);
                }
                let optional = false $(|| stringify!($kind) == "optional")?;
                if pointer.is_null() && !optional {
                    return Err(stringify!($name));
                }
            )*
            Ok(())
        }
    };
}

type GetApi = unsafe extern "C" fn(*const c_char, *mut c_void) -> c_int;

api! {
    fn SetModuleAttribs(ctx: *mut Ctx, name: *const c_char, version: c_int, api: c_int);
    fn SetModuleOptions(ctx: *mut Ctx, options: c_int);
    fn CreateCommand(ctx: *mut Ctx, name: *const c_char, function: CommandFunc, flags: *const c_char, first: c_int, last: c_int, step: c_int) -> c_int;
    fn GetCommand(ctx: *mut Ctx, name: *const c_char) -> *mut Command;
    #[optional] fn AddACLCategory(ctx: *mut Ctx, name: *const c_char) -> c_int;
    #[optional] fn SetCommandACLCategories(command: *mut Command, names: *const c_char) -> c_int;
    fn SetCommandInfo(command: *mut Command, info: *const CommandInfo) -> c_int;

    fn StringPtrLen(string: *const Str, length: *mut usize) -> *const c_char;
    fn CreateString(ctx: *mut Ctx, bytes: *const c_char, length: usize) -> *mut Str;
    fn FreeString(ctx: *mut Ctx, string: *mut Str);

    fn ReplyWithSimpleString(ctx: *mut Ctx, text: *const c_char) -> c_int;
    fn ReplyWithError(ctx: *mut Ctx, text: *const c_char) -> c_int;
    fn ReplyWithStringBuffer(ctx: *mut Ctx, bytes: *const c_char, length: usize) -> c_int;
    fn ReplyWithNull(ctx: *mut Ctx) -> c_int;
    fn ReplyWithLongLong(ctx: *mut Ctx, value: c_longlong) -> c_int;
    fn ReplyWithDouble(ctx: *mut Ctx, value: f64) -> c_int;
    fn ReplyWithArray(ctx: *mut Ctx, length: c_long) -> c_int;
    fn ReplySetArrayLength(ctx: *mut Ctx, length: c_long);
    fn ReplyWithMap(ctx: *mut Ctx, length: c_long) -> c_int;
    fn ReplySetMapLength(ctx: *mut Ctx, length: c_long);
    fn WrongArity(ctx: *mut Ctx) -> c_int;
    fn IsKeysPositionRequest(ctx: *mut Ctx) -> c_int;
    fn KeyAtPosWithFlags(ctx: *mut Ctx, position: c_int, flags: c_int);

    fn BlockClient(ctx: *mut Ctx, reply: Option<CommandFunc>, timeout: Option<CommandFunc>, free: Option<FreePrivDataFunc>, timeout_ms: c_longlong) -> *mut BlockedClient;
    fn UnblockClient(client: *mut BlockedClient, data: *mut c_void) -> c_int;
    fn GetBlockedClientPrivateData(ctx: *mut Ctx) -> *mut c_void;
    fn GetDetachedThreadSafeContext(ctx: *mut Ctx) -> *mut Ctx;
    fn FreeThreadSafeContext(ctx: *mut Ctx);
    fn EventLoopAddOneShot(function: OneShotFunc, data: *mut c_void) -> c_int;

    #[optional] fn GetClientNameById(ctx: *mut Ctx, client: u64) -> *mut Str;
    fn GetClientId(ctx: *mut Ctx) -> c_ulonglong;
    fn GetClientUserNameById(ctx: *mut Ctx, client: u64) -> *mut Str;
    fn GetCurrentUserName(ctx: *mut Ctx) -> *mut Str;
    fn GetModuleUserFromUserName(name: *mut Str) -> *mut User;
    fn FreeModuleUser(user: *mut User) -> c_int;
    fn ACLCheckCommandPermissions(user: *mut User, argv: *const *mut Str, argc: c_int) -> c_int;
    #[optional] fn ACLCheckPermissions(user: *mut User, argv: *const *mut Str, argc: c_int, database: c_int, reason: *mut c_int) -> c_int;
    fn ACLCheckKeyPermissions(user: *mut User, key: *mut Str, flags: c_int) -> c_int;

    fn Milliseconds() -> c_longlong;
    #[optional] fn CachedMicroseconds() -> c_longlong;
    fn CreateTimer(ctx: *mut Ctx, period_ms: c_longlong, callback: TimerFunc, data: *mut c_void) -> u64;
    fn StopTimer(ctx: *mut Ctx, timer: u64, data: *mut *mut c_void) -> c_int;
    fn GetSelectedDb(ctx: *mut Ctx) -> c_int;
    fn SelectDb(ctx: *mut Ctx, database: c_int) -> c_int;
    fn AvoidReplicaTraffic() -> c_int;
    fn GetRandomBytes(target: *mut c_uchar, length: usize);
    fn Log(ctx: *mut Ctx, level: *const c_char, format: *const c_char; ...);
    fn GetContextFlags(ctx: *mut Ctx) -> c_int;
    fn GetUsedMemoryRatio() -> c_float;
    fn GetServerInfo(ctx: *mut Ctx, section: *const c_char) -> *mut ServerInfo;
    fn ServerInfoGetFieldUnsigned(info: *mut ServerInfo, field: *const c_char, error: *mut c_int) -> c_ulonglong;
    fn FreeServerInfo(ctx: *mut Ctx, info: *mut ServerInfo);
    fn SubscribeToServerEvent(ctx: *mut Ctx, event: Event, callback: EventFunc) -> c_int;

    fn RegisterCommandFilter(ctx: *mut Ctx, filter: FilterFunc, flags: c_int) -> *mut Filter;
    fn CommandFilterArgsCount(filter: *mut FilterCtx) -> c_int;
    fn CommandFilterArgGet(filter: *mut FilterCtx, place: c_int) -> *mut Str;
    fn CommandFilterArgReplace(filter: *mut FilterCtx, place: c_int, word: *mut Str) -> c_int;
    #[optional] fn CommandFilterGetClientId(filter: *mut FilterCtx) -> c_ulonglong;
    fn GetClientInfoById(info: *mut ClientInfo, client: u64) -> c_int;
    fn GetServerVersion() -> c_int;

    fn OpenKey(ctx: *mut Ctx, name: *mut Str, mode: c_int) -> *mut Key;
    fn CloseKey(key: *mut Key);
    fn DeleteKey(key: *mut Key) -> c_int;
    fn ModuleTypeSetValue(key: *mut Key, kind: *mut Type, value: *mut c_void) -> c_int;
    fn ModuleTypeGetType(key: *mut Key) -> *mut Type;
    fn GetKeyNameFromIO(io: *mut Io) -> *const Str;
    #[optional] fn ClusterPropagateForSlotMigration(ctx: *mut Ctx, command: *const c_char, format: *const c_char; ...) -> c_int;
    fn EmitAOF(io: *mut Io, command: *const c_char, format: *const c_char; ...);

    fn Call(ctx: *mut Ctx, command: *const c_char, format: *const c_char; ...) -> *mut CallReply;
    fn CallReplyType(reply: *mut CallReply) -> c_int;
    fn CallReplyInteger(reply: *mut CallReply) -> c_longlong;
    fn CallReplyStringPtr(reply: *mut CallReply, length: *mut usize) -> *const c_char;
    fn CallReplyProto(reply: *mut CallReply, length: *mut usize) -> *const c_char;
    fn CallReplyArrayElement(reply: *mut CallReply, index: usize) -> *mut CallReply;
    fn FreeCallReply(reply: *mut CallReply);
    fn ReplyWithCallReply(ctx: *mut Ctx, reply: *mut CallReply) -> c_int;

    fn Replicate(ctx: *mut Ctx, command: *const c_char, format: *const c_char; ...) -> c_int;
    fn ReplicateVerbatim(ctx: *mut Ctx) -> c_int;
    fn SignalModifiedKey(ctx: *mut Ctx, key: *mut Str) -> c_int;
    fn PublishMessage(ctx: *mut Ctx, channel: *mut Str, message: *mut Str) -> c_int;
    fn NotifyKeyspaceEvent(ctx: *mut Ctx, kind: c_int, event: *const c_char, key: *mut Str) -> c_int;

    fn CreateDataType(ctx: *mut Ctx, name: *const c_char, version: c_int, methods: *const TypeMethods) -> *mut Type;
    fn SaveUnsigned(io: *mut Io, value: u64);
    fn SaveStringBuffer(io: *mut Io, bytes: *const c_char, length: usize);
    fn LoadUnsigned(io: *mut Io) -> u64;
    fn LoadStringBuffer(io: *mut Io, length: *mut usize) -> *mut c_char;
    fn IsIOError(io: *mut Io) -> c_int;
    fn Free(pointer: *mut c_void);

    fn RegisterInfoFunc(ctx: *mut Ctx, function: InfoFunc) -> c_int;
    fn InfoAddSection(ctx: *mut InfoCtx, name: *const c_char) -> c_int;
    fn InfoAddFieldCString(ctx: *mut InfoCtx, name: *const c_char, value: *const c_char) -> c_int;
    fn InfoAddFieldULongLong(ctx: *mut InfoCtx, name: *const c_char, value: c_ulonglong) -> c_int;

    fn RegisterNumericConfig(ctx: *mut Ctx, name: *const c_char, default: c_longlong, flags: c_uint, min: c_longlong, max: c_longlong, get: GetNumericFunc, set: SetNumericFunc, apply: Option<ApplyFunc>, data: *mut c_void) -> c_int;
    fn RegisterEnumConfig(ctx: *mut Ctx, name: *const c_char, default: c_int, flags: c_uint, names: *const *const c_char, values: *const c_int, count: c_int, get: GetEnumFunc, set: SetEnumFunc, apply: Option<ApplyFunc>, data: *mut c_void) -> c_int;
    fn RegisterStringConfig(ctx: *mut Ctx, name: *const c_char, default: *const c_char, flags: c_uint, get: GetStringFunc, set: SetStringFunc, apply: Option<ApplyFunc>, data: *mut c_void) -> c_int;
    fn LoadConfigs(ctx: *mut Ctx) -> c_int;
    #[optional] fn IsModuleNameBusy(name: *const c_char) -> c_int;
}

/// Looks up the server's functions; the first step of a load.
///
/// # Errors
/// The name of the first function that the server lacks and this host needs: the server is older than 7.0.
///
/// # Safety
/// `ctx` is the context that the server gave to `RedisModule_OnLoad`; called on the server's main thread.
pub unsafe fn init(ctx: *mut Ctx) -> Result<(), &'static str> {
    // SAFETY: the header's own way in: the first word of the context is the server's look-up function.
    unsafe { load(std::mem::transmute::<*mut c_void, GetApi>(*ctx.cast::<*mut c_void>())) }
}

/// Whether the server is Valkey, which names its functions twice.
///
/// # Safety
/// As [`init`].
pub unsafe fn is_valkey(ctx: *mut Ctx) -> bool {
    let mut pointer: *mut c_void = std::ptr::null_mut();
    // SAFETY: as in `init`.
    unsafe {
        let get_api = std::mem::transmute::<*mut c_void, GetApi>(*ctx.cast::<*mut c_void>());
        get_api(c"ValkeyModule_Alloc".as_ptr(), (&raw mut pointer).cast());
    }
    !pointer.is_null()
}

/// Whether the server's functions have been looked up, so that its log can be written.
pub fn is_ready() -> bool {
    // SAFETY: written by `init`, before the server calls anything else.
    unsafe { Log }.is_some()
}

/// Calls a function of the server: `rm!(ReplyWithNull(ctx))`. To be used inside `unsafe`: [`init`] has
/// answered Ok before anything of this host runs, so a required function is there; the arguments must be what
/// the header asks for.
#[macro_export]
macro_rules! rm {
    ($name:ident($($argument:expr),* $(,)?)) => { ($crate::server::api::$name.unwrap_unchecked())($($argument),*) };
}

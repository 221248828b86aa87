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

pub use super::header::*;

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
    fn RetainString(ctx: *mut Ctx, string: *mut Str);

    fn ReplyWithSimpleString(ctx: *mut Ctx, text: *const c_char) -> c_int;
    fn ReplyWithError(ctx: *mut Ctx, text: *const c_char) -> c_int;
    fn ReplyWithStringBuffer(ctx: *mut Ctx, bytes: *const c_char, length: usize) -> c_int;
    fn ReplyWithNull(ctx: *mut Ctx) -> c_int;
    fn ReplyWithLongLong(ctx: *mut Ctx, value: c_longlong) -> c_int;
    fn ReplyWithDouble(ctx: *mut Ctx, value: f64) -> c_int;
    fn ReplyWithArray(ctx: *mut Ctx, length: c_long) -> c_int;
    fn ReplySetArrayLength(ctx: *mut Ctx, length: c_long);
    fn ReplyWithMap(ctx: *mut Ctx, length: c_long) -> c_int;
    fn ReplyWithSet(ctx: *mut Ctx, length: c_long) -> c_int;
    fn ReplyWithBool(ctx: *mut Ctx, value: c_int) -> c_int;
    fn ReplyWithBigNumber(ctx: *mut Ctx, digits: *const c_char, length: usize) -> c_int;
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
    fn SetContextUser(ctx: *mut Ctx, user: *const User);
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
    fn KeyType(key: *mut Key) -> c_int;
    fn ValueLength(key: *mut Key) -> usize;
    fn GetAbsExpire(key: *mut Key) -> c_longlong;
    fn SetAbsExpire(key: *mut Key, deadline: c_longlong) -> c_int;
    fn StringSet(key: *mut Key, value: *mut Str) -> c_int;
    fn StringDMA(key: *mut Key, length: *mut usize, mode: c_int) -> *mut c_char;
    fn StringTruncate(key: *mut Key, length: usize) -> c_int;
    fn HashSet(key: *mut Key, flags: c_int; ...) -> c_int;
    fn HashGet(key: *mut Key, flags: c_int; ...) -> c_int;
    fn ScanCursorCreate() -> *mut ScanCursor;
    fn ScanCursorDestroy(cursor: *mut ScanCursor);
    fn ScanKey(key: *mut Key, cursor: *mut ScanCursor, callback: ScanKeyFunc, data: *mut c_void) -> c_int;
    fn ZsetAdd(key: *mut Key, score: f64, member: *mut Str, flags: *mut c_int) -> c_int;
    fn ZsetRem(key: *mut Key, member: *mut Str, removed: *mut c_int) -> c_int;
    fn ZsetScore(key: *mut Key, member: *mut Str, score: *mut f64) -> c_int;
    fn ZsetFirstInScoreRange(key: *mut Key, min: f64, max: f64, excludes_min: c_int, excludes_max: c_int) -> c_int;
    fn ZsetRangeCurrentElement(key: *mut Key, score: *mut f64) -> *mut Str;
    fn ZsetRangeNext(key: *mut Key) -> c_int;
    fn ZsetRangeEndReached(key: *mut Key) -> c_int;
    fn ZsetRangeStop(key: *mut Key);
    fn ListPush(key: *mut Key, end: c_int, value: *mut Str) -> c_int;
    fn ListPop(key: *mut Key, end: c_int) -> *mut Str;
    fn ListGet(key: *mut Key, index: c_long) -> *mut Str;
    fn ListSet(key: *mut Key, index: c_long, value: *mut Str) -> c_int;
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
    fn CallReplySetElement(reply: *mut CallReply, index: usize) -> *mut CallReply;
    fn CallReplyMapElement(reply: *mut CallReply, index: usize, key: *mut *mut CallReply, value: *mut *mut CallReply) -> c_int;
    fn CallReplyLength(reply: *mut CallReply) -> usize;
    fn CallReplyDouble(reply: *mut CallReply) -> f64;
    fn CallReplyBool(reply: *mut CallReply) -> c_int;
    fn CallReplyBigNumber(reply: *mut CallReply, length: *mut usize) -> *const c_char;
    fn CallReplyVerbatim(reply: *mut CallReply, length: *mut usize, format: *mut *const c_char) -> *const c_char;
    fn GetCommandKeysWithFlags(ctx: *mut Ctx, argv: *mut *mut Str, argc: c_int, count: *mut c_int, flags: *mut *mut c_int) -> *mut c_int;
    fn FreeCallReply(reply: *mut CallReply);
    fn ReplyWithCallReply(ctx: *mut Ctx, reply: *mut CallReply) -> c_int;

    fn Replicate(ctx: *mut Ctx, command: *const c_char, format: *const c_char; ...) -> c_int;
    fn ReplicateVerbatim(ctx: *mut Ctx) -> c_int;
    fn SignalModifiedKey(ctx: *mut Ctx, key: *mut Str) -> c_int;
    fn PublishMessage(ctx: *mut Ctx, channel: *mut Str, message: *mut Str) -> c_int;
    fn NotifyKeyspaceEvent(ctx: *mut Ctx, kind: c_int, event: *const c_char, key: *mut Str) -> c_int;
    fn SubscribeToKeyspaceEvents(ctx: *mut Ctx, kinds: c_int, callback: KeyEventFunc) -> c_int;
    #[optional] fn AddPostNotificationJob(ctx: *mut Ctx, callback: TimerFunc, data: *mut c_void, free: Option<FreeFunc>) -> c_int;

    fn CreateDataType(ctx: *mut Ctx, name: *const c_char, version: c_int, methods: *const TypeMethods) -> *mut Type;
    fn SaveUnsigned(io: *mut Io, value: u64);
    fn SaveStringBuffer(io: *mut Io, bytes: *const c_char, length: usize);
    fn LoadUnsigned(io: *mut Io) -> u64;
    fn LoadStringBuffer(io: *mut Io, length: *mut usize) -> *mut c_char;
    fn IsIOError(io: *mut Io) -> c_int;
    fn Alloc(bytes: usize) -> *mut c_void;
    fn Free(pointer: *mut c_void);

    fn RegisterInfoFunc(ctx: *mut Ctx, function: InfoFunc) -> c_int;
    fn InfoAddSection(ctx: *mut InfoCtx, name: *const c_char) -> c_int;
    fn InfoAddFieldCString(ctx: *mut InfoCtx, name: *const c_char, value: *const c_char) -> c_int;
    fn InfoAddFieldULongLong(ctx: *mut InfoCtx, name: *const c_char, value: c_ulonglong) -> c_int;

    fn RegisterNumericConfig(ctx: *mut Ctx, name: *const c_char, default: c_longlong, flags: c_uint, min: c_longlong, max: c_longlong, get: GetNumericFunc, set: SetNumericFunc, apply: Option<ApplyFunc>, data: *mut c_void) -> c_int;
    fn RegisterEnumConfig(ctx: *mut Ctx, name: *const c_char, default: c_int, flags: c_uint, names: *const *const c_char, values: *const c_int, count: c_int, get: GetEnumFunc, set: SetEnumFunc, apply: Option<ApplyFunc>, data: *mut c_void) -> c_int;
    fn RegisterStringConfig(ctx: *mut Ctx, name: *const c_char, default: *const c_char, flags: c_uint, get: GetStringFunc, set: SetStringFunc, apply: Option<ApplyFunc>, data: *mut c_void) -> c_int;
    fn LoadConfigs(ctx: *mut Ctx) -> c_int;
    #[optional] fn RegisterScriptingEngine(ctx: *mut Ctx, name: *const c_char, engine: *mut c_void, methods: *mut EngineMethods) -> c_int;
    #[optional] fn GetFunctionExecutionState(script: *mut c_void) -> c_int;
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

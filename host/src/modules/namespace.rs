//! What modules import: the namespace `redis`, function by function. Their documentation, for the people who
//! call them, is `assembly/base/redis.ts` and `redis-keys.ts`; the order is the same. Tests check the host,
//! that file and the fake server of the tests against this table.

use std::ffi::CStr;

use crate::guest::call::Phase;

/// The namespace of the host's own functions.
pub const HOST_NAMESPACE: &str = "redis";
/// The namespace that holds the memory, and what the AssemblyScript compiler expects there.
pub const ENV_NAMESPACE: &str = "env";
/// The host's own command: the effect of modules that export [`APPLY_EXPORT`], whose data the host looks
/// after.
pub const APPLY_COMMAND: &CStr = c"wasm.apply";
pub const APPLY_EXPORT: &str = "apply";
/// The host's own data type, in which their data are.
pub const KITS_TYPE: &CStr = c"wasm-kits";
/// The names that a module may export its table by: as AssemblyScript has it, and as LLVM.
pub const TABLES: [&str; 2] = ["table", "__indirect_function_table"];
/// Commands that one module may register, and all of them.
pub const COMMANDS_MAX: usize = 256;
/// Modules in all, those counted that are missing.
pub const MODULES_MAX: usize = 64;

/// A function that modules may import.
pub struct Function {
    pub name: &'static str,
    /// Its parameters and its result: `(name: type, …) -> type`. `bytes` stands for a pair of a pointer and a
    /// length, an i32 each.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests check the host against it"))]
    pub signature: &'static str,
    /// What a module may be doing when it calls it.
    pub phases: &'static [Phase],
}

/// In `onLoad()`.
const LOADING: &[Phase] = &[Phase::Load, Phase::LoadAgain];
/// In `settings()`, which runs in a scratch store alone.
const DECLARING: &[Phase] = &[];
/// In a command.
const COMMAND: &[Phase] = &[Phase::Command];
/// In a command, and in what runs at an interval or after an event.
const CALLING: &[Phase] = &[Phase::Command, Phase::Every, Phase::On];
/// In a command, in what runs at an interval or after an event, in `sweep()`, and in what these call.
pub const RUNNING: &[Phase] = &[Phase::Command, Phase::Every, Phase::On, Phase::Sweep, Phase::Reclaim];
/// The same, and in `exportSlots()`, or in `dropSlots()`.
const TELLING: &[Phase] = &[Phase::Command, Phase::Every, Phase::On, Phase::Sweep, Phase::Reclaim, Phase::Export];
const CHANGING: &[Phase] = &[Phase::Command, Phase::Every, Phase::On, Phase::Sweep, Phase::Reclaim, Phase::Drop];
/// The same, and in both.
const MOVING: &[Phase] = &[Phase::Command, Phase::Every, Phase::On, Phase::Sweep, Phase::Reclaim, Phase::Export, Phase::Drop];
/// In `auxSave()`, in `auxLoad()`, in either.
const SAVING: &[Phase] = &[Phase::AuxSave];
const READING: &[Phase] = &[Phase::AuxLoad];
const STREAMING: &[Phase] = &[Phase::AuxLoad, Phase::AuxSave];
/// In `info()`.
const INFO: &[Phase] = &[Phase::Info];
/// Whenever a module runs.
const ALWAYS: &[Phase] = &[
    Phase::Idle,
    Phase::Load,
    Phase::LoadAgain,
    Phase::Command,
    Phase::Every,
    Phase::On,
    Phase::AuxSave,
    Phase::AuxLoad,
    Phase::Info,
    Phase::Flush,
    Phase::Loaded,
    Phase::Sweep,
    Phase::Reclaim,
    Phase::Export,
    Phase::Drop,
];

macro_rules! functions {
    ($( $constant:ident: $name:literal, $signature:literal, $phases:ident; )*) => {
        $( pub const $constant: Function = Function { name: $name, signature: $signature, phases: $phases }; )*
        /// All of them.
        pub const ALL: &[&Function] = &[$( &$constant ),*];
    };
}

#[rustfmt::skip]
functions! {
    ADD_COMMAND: "AddCommand", "(text: bytes, handler: i32) -> i32", LOADING;
    CREATE_COMMAND: "CreateCommand",
        "(name: bytes, handler: i32, flags: bytes, firstKey: i32, lastKey: i32, keyStep: i32, arity: i32) -> i32", LOADING;
    SET_COMMAND_INFO: "SetCommandInfo", "(command: bytes, info: bytes) -> i32", LOADING;
    REGISTER_NUMERIC_CONFIG: "RegisterNumericConfig",
        "(name: bytes, defaultValue: i64, flags: i32, min: i64, max: i64, handle: i32) -> i32", DECLARING;
    GET_NUMERIC_CONFIG: "GetNumericConfig", "(handle: i32) -> i64", ALWAYS;
    REGISTER_SETTING: "RegisterSetting", "(name: bytes, defaultValue: i64, min: i64, max: i64, handle: i32) -> i32", DECLARING;
    GET_SETTING: "GetSetting", "(handle: i32) -> i64", ALWAYS;
    SERVED_BY: "ServedBy", "(namespace: bytes, file: bytes)", LOADING;
    EVERY: "Every", "(ms: i64, handler: i32)", LOADING;
    ON: "On", "(event: bytes, pattern: bytes, handler: i32)", LOADING;
    READ_ARGUMENT: "ReadArgument", "(argument: bytes, target: i32)", COMMAND;

    REPLY_WITH_SIMPLE_STRING: "ReplyWithSimpleString", "(text: bytes)", COMMAND;
    REPLY_WITH_ERROR: "ReplyWithError", "(text: bytes)", COMMAND;
    REPLY_WITH_STRING_BUFFER: "ReplyWithStringBuffer", "(bytes: bytes)", COMMAND;
    REPLY_WITH_NULL: "ReplyWithNull", "()", COMMAND;
    REPLY_WITH_LONG_LONG: "ReplyWithLongLong", "(value: i64)", COMMAND;
    REPLY_WITH_DOUBLE: "ReplyWithDouble", "(value: f64)", COMMAND;
    REPLY_WITH_ARRAY: "ReplyWithArray", "(length: i64)", COMMAND;
    REPLY_SET_ARRAY_LENGTH: "ReplySetArrayLength", "(length: i64)", COMMAND;
    REPLY_WITH_MAP: "ReplyWithMap", "(length: i64)", COMMAND;
    REPLY_SET_MAP_LENGTH: "ReplySetMapLength", "(length: i64)", COMMAND;
    REPLY_WITH_PARTS: "ReplyWithParts", "(parts: bytes)", COMMAND;
    WRONG_ARITY: "WrongArity", "()", COMMAND;
    FAIL: "Fail", "(text: bytes)", MOVING;
    ATTEMPT: "Attempt", "(handler: i32) -> i32", MOVING;

    MILLISECONDS: "Milliseconds", "() -> i64", ALWAYS;
    GET_RANDOM_BYTES: "GetRandomBytes", "(target: bytes)", ALWAYS;
    LOG: "Log", "(level: bytes, text: bytes)", ALWAYS;
    MAY_ACCESS: "MayAccess", "(key: bytes) -> i32", RUNNING;
    GET_CONTEXT_FLAGS: "GetContextFlags", "() -> i32", ALWAYS;
    GET_CURRENT_USER_NAME: "GetCurrentUserName", "() -> i64", RUNNING;
    GET_SELECTED_DB: "GetSelectedDb", "() -> i32", RUNNING;
    MAY_EXCEED: "MayExceed", "()", MOVING;
    DISCARD_MEMORY: "DiscardMemory", "(discarded: bytes)", CHANGING;

    REPLICATE_VERBATIM: "ReplicateVerbatim", "()", COMMAND;
    REPLICATE: "Replicate", "(command: bytes, argv: i32, argc: i32)", TELLING;
    REPLICATE_TABLES: "ReplicateTables", "(key: bytes, format: i32, argv: i32, argc: i32)", TELLING;
    COUNT_EFFECT: "CountEffect", "() -> i32", RUNNING;
    EFFECTS_WANTED: "EffectsWanted", "() -> i32", RUNNING;
    SIGNAL_MODIFIED_KEY: "SignalModifiedKey", "(key: bytes)", CHANGING;
    NOTIFY_KEYSPACE_EVENT: "NotifyKeyspaceEvent", "(type: i32, event: bytes, key: bytes)", RUNNING;
    KEY_CHANGED: "KeyChanged", "(type: i32, event: bytes, key: bytes, verbatim: i32)", RUNNING;
    PUBLISH_MESSAGE: "PublishMessage", "(channel: bytes, message: bytes)", RUNNING;

    CREATE_DATA_TYPE: "CreateDataType", "(name: bytes, version: i32) -> i32", LOADING;
    SAVE_UNSIGNED: "SaveUnsigned", "(value: i64)", SAVING;
    SAVE_STRING_BUFFER: "SaveStringBuffer", "(bytes: bytes)", SAVING;
    LOAD_UNSIGNED: "LoadUnsigned", "() -> i64", READING;
    LOAD_STRING_BUFFER: "LoadStringBuffer", "() -> i64", READING;
    IS_IO_ERROR: "IsIOError", "() -> i32", STREAMING;

    INFO_ADD_FIELD_U_LONG_LONG: "InfoAddFieldULongLong", "(name: bytes, value: i64)", INFO;
    INFO_ADD_FIELD_DOUBLE: "InfoAddFieldDouble", "(name: bytes, value: f64)", INFO;

    CALL: "Call", "(argv: i32, argc: i32) -> i64", CALLING;
    KEY_TYPE: "KeyType", "(key: bytes) -> i32", CALLING;
    VALUE_LENGTH: "ValueLength", "(key: bytes, type: i32) -> i64", CALLING;
    DELETE_KEY: "DeleteKey", "(key: bytes) -> i32", CALLING;
    GET_ABS_EXPIRE: "GetAbsExpire", "(key: bytes) -> i64", CALLING;
    SET_ABS_EXPIRE: "SetAbsExpire", "(key: bytes, deadline: i64) -> i32", CALLING;
    STRING_GET: "StringGet", "(key: bytes) -> i64", CALLING;
    STRING_SET: "StringSet", "(key: bytes, value: bytes, deadline: i64)", CALLING;
    STRING_DELETE_IF: "StringDeleteIf", "(key: bytes, value: bytes) -> i32", CALLING;
    STRING_APPEND: "StringAppend", "(key: bytes, value: bytes) -> i64", CALLING;
    STRING_INCREMENT: "StringIncrement", "(key: bytes, by: i64) -> i64", CALLING;
    HASH_GET: "HashGet", "(key: bytes, field: bytes) -> i64", CALLING;
    HASH_SET: "HashSet", "(key: bytes, field: bytes, value: bytes) -> i32", CALLING;
    HASH_DELETE: "HashDelete", "(key: bytes, field: bytes) -> i32", CALLING;
    HASH_INCREMENT: "HashIncrement", "(key: bytes, field: bytes, by: i64) -> i64", CALLING;
    HASH_GET_ALL: "HashGetAll", "(key: bytes) -> i64", CALLING;
    ZSET_ADD: "ZsetAdd", "(key: bytes, score: f64, member: bytes) -> i32", CALLING;
    ZSET_INCREMENT: "ZsetIncrement", "(key: bytes, by: f64, member: bytes) -> f64", CALLING;
    ZSET_REMOVE: "ZsetRemove", "(key: bytes, member: bytes) -> i32", CALLING;
    ZSET_SCORE: "ZsetScore", "(key: bytes, member: bytes) -> f64", CALLING;
    ZSET_RANGE: "ZsetRange", "(key: bytes, min: f64, max: f64, limit: i32) -> i64", CALLING;
    LIST_PUSH: "ListPush", "(key: bytes, end: i32, value: bytes) -> i64", CALLING;
    LIST_POP: "ListPop", "(key: bytes, end: i32) -> i64", CALLING;
    LIST_GET: "ListGet", "(key: bytes, index: i64) -> i64", CALLING;
    LIST_SET: "ListSet", "(key: bytes, index: i64, value: bytes)", CALLING;
}

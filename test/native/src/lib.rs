//! A native Redis module for the tests.
//!
//! It serves `CUSTOM.SET/GET/DEL/EXISTS/KEYS` from a map of its own, so that the tests can show the session
//! module working on a provider of `CUSTOM.*` that is no wasm at all, and `NATIVE.NOOP` and `NATIVE.OK`, the
//! cheapest commands a native module can have, against which the benchmarks measure the cost of an empty wasm
//! command. `NATIVE.CREATE user id` calls `SESSION.CREATE user ID id` as itself, on behalf of no user,
//! `NATIVE.CREATE_AS_USER user id` on behalf of the caller's. Nothing is persisted and nothing is replicated.

mod server;

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_int, c_long};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use server::api::{self, Ctx, Str};

type Entries = HashMap<Vec<u8>, Vec<u8>>;

static ENTRIES: LazyLock<Mutex<Entries>> = LazyLock::new(Mutex::default);

/// The map; commands run on the server's one thread, so the lock is never contended.
fn entries() -> MutexGuard<'static, Entries> {
    ENTRIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Registers a command whose body is given `[argument; count]` as bytes and its context, and is run with
/// exactly that many.
macro_rules! commands {
    ($( fn $name:ident($ctx:ident, $($argument:ident),*) $body:block )*) => { $(
        unsafe extern "C" fn $name($ctx: *mut Ctx, argv: *mut *mut Str, argc: c_int) -> c_int {
            let wanted: &[&str] = &[$(stringify!($argument)),*];
            // SAFETY: the server calls with the context of a running command and argc strings.
            unsafe {
                if argc as usize != wanted.len() + 1 {
                    return rm!(WrongArity($ctx));
                }
                #[allow(unused_mut, unused_variables)]
                let mut next = (1..).map(|index| bytes(*argv.add(index)));
                $( let $argument: Vec<u8> = next.next().unwrap_or_default(); )*
                $body
            }
        }
    )* };
}

commands! {
    fn set(ctx, key, value) {
        entries().insert(key, value);
        rm!(ReplyWithSimpleString(ctx, c"OK".as_ptr()))
    }

    fn get(ctx, key) {
        match entries().get(&key) {
            Some(value) => rm!(ReplyWithStringBuffer(ctx, value.as_ptr().cast(), value.len())),
            None => rm!(ReplyWithNull(ctx)),
        }
    }

    fn del(ctx, key) {
        rm!(ReplyWithLongLong(ctx, i64::from(entries().remove(&key).is_some())))
    }

    fn exists(ctx, key) {
        rm!(ReplyWithLongLong(ctx, i64::from(entries().contains_key(&key))))
    }

    fn keys(ctx, ) {
        let entries = entries();
        rm!(ReplyWithArray(ctx, entries.len() as c_long));
        for key in entries.keys() {
            rm!(ReplyWithStringBuffer(ctx, key.as_ptr().cast(), key.len()));
        }
        api::OK
    }

    fn noop(ctx, ) {
        rm!(ReplyWithNull(ctx))
    }

    fn ok(ctx, ) {
        rm!(ReplyWithSimpleString(ctx, c"OK".as_ptr()))
    }

    fn error(ctx, text) {
        rm!(ReplyWithError(ctx, CString::new(text).unwrap_or_default().as_ptr()))
    }

    fn create(ctx, user, id) {
        create_session(ctx, c"Ebcb", &user, &id)
    }

    fn create_as_user(ctx, user, id) {
        create_session(ctx, c"ECbcb", &user, &id)
    }
}

/// Calls `SESSION.CREATE user ID id` and replies what it answers. `format`: how the server is to call.
///
/// # Safety
/// `ctx` is the context of a running command.
unsafe fn create_session(ctx: *mut Ctx, format: &CStr, user: &[u8], id: &[u8]) -> c_int {
    let (user, id) = ((user.as_ptr(), user.len()), (id.as_ptr(), id.len()));
    // SAFETY: by this function's contract; the reply is freed once, after its last use.
    unsafe {
        let reply = rm!(Call(ctx, c"SESSION.CREATE".as_ptr(), format.as_ptr(), user.0, user.1, c"ID".as_ptr(), id.0, id.1));
        let result = rm!(ReplyWithCallReply(ctx, reply));
        rm!(FreeCallReply(reply));
        result
    }
}

/// The bytes of a string of the server.
///
/// # Safety
/// `string` is alive.
unsafe fn bytes(string: *const Str) -> Vec<u8> {
    let mut length = 0;
    // SAFETY: by this function's contract.
    unsafe { std::slice::from_raw_parts(rm!(StringPtrLen(string, &raw mut length)).cast::<u8>(), length) }.to_vec()
}

/// What the server calls to load this library.
///
/// # Safety
/// Called by the server, on its main thread.
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub unsafe extern "C" fn RedisModule_OnLoad(ctx: *mut Ctx, _argv: *mut *mut Str, _argc: c_int) -> c_int {
    const COMMANDS: [(&CStr, api::CommandFunc, &CStr, c_int); 10] = [
        (c"custom.set", set, c"write deny-oom fast", 1),
        (c"custom.get", get, c"readonly fast", 1),
        (c"custom.del", del, c"write fast", 1),
        (c"custom.exists", exists, c"readonly fast", 1),
        (c"custom.keys", keys, c"readonly", 0),
        (c"native.noop", noop, c"readonly fast", 0),
        (c"native.ok", ok, c"readonly fast", 0),
        (c"native.error", error, c"readonly fast", 0),
        (c"native.create", create, c"write", 1),
        (c"native.create_as_user", create_as_user, c"write", 1),
    ];
    // SAFETY: by this function's contract.
    unsafe {
        if api::init(ctx).is_err() {
            return api::ERR;
        }
        rm!(SetModuleAttribs(ctx, c"native".as_ptr(), 1, api::API_VERSION));
        for (name, function, flags, key) in COMMANDS {
            if rm!(CreateCommand(ctx, name.as_ptr(), function, flags.as_ptr(), key, key, key)) != api::OK {
                return api::ERR;
            }
        }
    }
    api::OK
}

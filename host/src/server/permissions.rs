//! What the user behind a command may do.

use std::ffi::c_int;

use super::api;
use super::context::Context;
use super::outermost;
use super::strings::{self, ServerString, Strings};
use super::text;
use crate::rm;

/// Whether the user behind the running command may run it with this key in the place of its first one, and
/// read and write the key. The server itself asks selector by selector: command and key must be covered by
/// the same one. Who has no user may: the replication stream, a file, another module that calls as itself,
/// and a sweep, which is the server's own doing.
pub fn may_access(key: ServerString<'_>) -> bool {
    const READ_AND_WRITE: c_int = (api::CMD_KEY_ACCESS | api::CMD_KEY_INSERT | api::CMD_KEY_UPDATE) as c_int;
    with_user(|ctx, command, name| {
        // SAFETY: a command runs, whose context and name these are; the user is freed once, after its last
        // use.
        unsafe {
            let user = rm!(GetModuleUserFromUserName(name.raw()));
            // A user that was deleted meanwhile.
            if user.is_null() {
                return false;
            }
            let call = [command.raw(), key.raw()];
            let allowed = may_run(ctx, user, &call) && rm!(ACLCheckKeyPermissions(user, key.raw(), READ_AND_WRITE)) == api::OK;
            rm!(FreeModuleUser(user));
            allowed
        }
    })
    .unwrap_or(true)
}

/// Whether the user behind the running command may run MODULE LOAD.
pub fn may_load_modules() -> bool {
    may_run_words(&Strings::new([&b"MODULE"[..], b"LOAD", b"host.so"]))
}

/// Whether the user behind the running command may run one of these words too.
pub fn may_run_words(words: &Strings<'_>) -> bool {
    with_user(|ctx, _, name| may_run_as(ctx, name, words)).unwrap_or(true)
}

/// Whether this user may run a command of these words in the context's database.
pub fn may_run_as(ctx: Context<'_>, user: ServerString<'_>, words: &Strings<'_>) -> bool {
    // SAFETY: the name is alive; the user is freed once, after its last use.
    unsafe {
        let user = rm!(GetModuleUserFromUserName(user.raw()));
        if user.is_null() {
            return false;
        }
        let allowed = may_run(ctx, user, words.all());
        rm!(FreeModuleUser(user));
        allowed
    }
}

/// Runs `action`, which runs a command of these words, with this user behind the context. Whether that may is
/// asked before: Redis 7.0 tells its log of a refusal by the context's client, which has no user.
///
/// # Errors
/// The error reply that says why not.
pub fn as_user<T>(ctx: Context<'_>, name: &[u8], words: &Strings<'_>, action: impl FnOnce() -> T) -> Result<T, String> {
    let command = words.words().next().unwrap_or_default();
    let run = |user: *mut api::User| {
        // SAFETY: the user is alive. What the server does not know it refuses by itself.
        if !unsafe { may_run(ctx, user, words.all()) } && ctx.has_command(&text::line(command)) {
            return Err(format!("NOPERM the user of wasm.run-as has no permission to run {} so", command.escape_ascii()));
        }
        // SAFETY: the user is alive until the context has none again.
        unsafe { rm!(SetContextUser(ctx.raw(), user)) };
        let result = action();
        // SAFETY: as above.
        unsafe { rm!(SetContextUser(ctx.raw(), std::ptr::null())) };
        Ok(result)
    };
    with_named(name, run).unwrap_or_else(|| Err(no_user(name)))
}

/// That `wasm.run-as` names nobody who is there.
pub fn no_user(name: &[u8]) -> String {
    format!("ERR wasm.run-as names the user {}, and there is none", name.escape_ascii())
}

/// Whether this user may read a key, or also change it; `None` where there is no such user.
pub fn may_use_key(name: &[u8], key: ServerString<'_>, writes: bool) -> Option<bool> {
    const READ: c_int = api::CMD_KEY_ACCESS as c_int;
    const WRITE: c_int = (api::CMD_KEY_INSERT | api::CMD_KEY_UPDATE | api::CMD_KEY_DELETE) as c_int;
    let flags = if writes { READ | WRITE } else { READ };
    // SAFETY: the user and the key are alive.
    with_named(name, |user| unsafe { rm!(ACLCheckKeyPermissions(user, key.raw(), flags)) } == api::OK)
}

/// Runs `action` with the user of this name, if there is one.
fn with_named<T>(name: &[u8], action: impl FnOnce(*mut api::User) -> T) -> Option<T> {
    // SAFETY: the name is alive; the user is freed once, after its last use.
    let user = strings::with_string(name, |name| unsafe { rm!(GetModuleUserFromUserName(name.raw())) });
    if user.is_null() {
        return None;
    }
    let result = action(user);
    // SAFETY: as above.
    unsafe { _ = rm!(FreeModuleUser(user)) };
    Some(result)
}

/// The client behind the running command, for the log: its user, its number and its name.
pub fn client(ctx: Context<'_>) -> String {
    let user = String::from_utf8_lossy(&user_name()).into_owned();
    // SAFETY: the context of a running command; the name is freed once.
    let (number, name) = unsafe {
        let number = rm!(GetClientId(ctx.raw()));
        let name = api::GetClientNameById.map_or(std::ptr::null_mut(), |ask| ask(ctx.raw(), number));
        if name.is_null() {
            (number, String::new())
        } else {
            let text = String::from_utf8_lossy(ServerString::new(name).bytes()).into_owned();
            rm!(FreeString(ctx.raw(), name));
            (number, text)
        }
    };
    format!("user {user:?}, client {number} {name:?}")
}

/// The name of the user behind the running command; empty where there is none.
pub fn user_name() -> Vec<u8> {
    with_user(|_, _, name| name.bytes().to_vec()).unwrap_or_default()
}

/// Runs `action` with the context and the name of the command that came from outside, and the name of the
/// user behind it; `None` where no user is.
fn with_user<T>(action: impl FnOnce(Context<'_>, ServerString<'_>, ServerString<'_>) -> T) -> Option<T> {
    outermost::with_command(|ctx, command| {
        if outermost::from_stream() || !has_user(ctx) {
            return None;
        }
        // SAFETY: the context of a running command; the name is freed once, after its last use.
        unsafe {
            let name = rm!(GetCurrentUserName(ctx.raw()));
            if name.is_null() {
                return None;
            }
            let result = action(ctx, command, ServerString::new(name));
            rm!(FreeString(ctx.raw(), name));
            Some(result)
        }
    })
    .flatten()
}

/// Whether the user may run this command in the context's database. A server that has rules of databases
/// (Valkey 9.1) refuses whom they limit where it is not told of one.
///
/// # Safety
/// `user` is alive, and `call` holds strings of the server.
unsafe fn may_run(ctx: Context<'_>, user: *mut api::User, call: &[*mut api::Str]) -> bool {
    let count = call.len() as c_int;
    // SAFETY: by this function's contract; set by `api::init`, before anything runs; the reason may be null.
    let result = unsafe {
        match api::ACLCheckPermissions {
            Some(check) => check(user, call.as_ptr(), count, rm!(GetSelectedDb(ctx.raw())), std::ptr::null_mut()),
            None => rm!(ACLCheckCommandPermissions(user, call.as_ptr(), count)),
        }
    };
    result == api::OK
}

/// Whether a user stands behind the context. Redis 7.0 reads the name of one that is not there, so this is
/// asked first: a call on behalf of the user, of a command that no server has, fails for another reason.
fn has_user(ctx: Context<'_>) -> bool {
    // SAFETY: the context of a running command; errno is always there, and no reply is expected.
    unsafe {
        *libc::__errno_location() = 0;
        let reply = rm!(Call(ctx.raw(), c"wasm.-".as_ptr(), c"C".as_ptr()));
        if !reply.is_null() {
            rm!(FreeCallReply(reply));
        }
        *libc::__errno_location() != libc::ENOTSUP
    }
}

/// Whether the client behind the running command is one that the server lists: no script's, and no module's
/// that calls.
pub fn is_listed_client(ctx: Context<'_>) -> bool {
    // SAFETY: the context of a running command; the name is freed once.
    unsafe {
        let name = rm!(GetClientUserNameById(ctx.raw(), rm!(GetClientId(ctx.raw()))));
        if !name.is_null() {
            rm!(FreeString(std::ptr::null_mut(), name));
        }
        !name.is_null()
    }
}

//! A look at each command before the server does anything about it.

use std::ffi::c_int;

use super::api::{self, ClientInfo, FilterCtx};
use super::context::{self, Context};
use super::permissions;
use super::strings::{self, ServerString, Strings};
use crate::rm;

/// A command that a client has sent. Nothing is known of it yet: neither whether the client may run it nor
/// whether it is one.
#[derive(Clone, Copy)]
pub struct Sent {
    raw: *mut FilterCtx,
}

/// Has the server call `filter` for each command; false where it refuses.
pub fn register(ctx: Context<'_>, filter: api::FilterFunc) -> bool {
    // SAFETY: the context of a load; the filter stays as long as the library does.
    unsafe { !rm!(RegisterCommandFilter(ctx.raw(), filter, api::FILTER_NOSELF)).is_null() }
}

impl Sent {
    /// # Safety
    /// `raw` is what the server gave to a filter that is running.
    pub unsafe fn new(raw: *mut FilterCtx) -> Sent {
        Sent { raw }
    }

    /// How many words it has, its name counted.
    #[inline]
    pub fn count(self) -> c_int {
        // SAFETY: by the type's contract, here and below.
        unsafe { rm!(CommandFilterArgsCount(self.raw)) }
    }

    /// The word at this place, if there is one.
    #[inline]
    pub fn word<'a>(self, place: c_int) -> Option<&'a [u8]> {
        // SAFETY: as above; the words stay while the filter runs, but for those that it replaces.
        unsafe {
            let word = rm!(CommandFilterArgGet(self.raw, place));
            (!word.is_null()).then(|| ServerString::new(word).bytes())
        }
    }

    /// Puts another word in the place of one that is there.
    pub fn replace(self, place: c_int, word: &[u8]) {
        // SAFETY: as above; the server frees both words.
        unsafe { _ = rm!(CommandFilterArgReplace(self.raw, place, strings::create(word))) };
    }

    /// Who has sent it; `None` where the server does not tell (Redis 7.0).
    pub fn client(self) -> Option<u64> {
        // SAFETY: as above.
        unsafe { api::CommandFilterGetClientId.map(|ask| ask(self.raw)) }
    }
}

/// What a client's command will come to.
#[derive(Debug, PartialEq)]
pub enum Standing {
    /// The server runs it.
    May,
    /// It is part of a transaction, which runs later, or of a script or another module's command; or the
    /// server is to refuse it, since the client subscribes, or a script or a load runs for long.
    Part,
    /// The server refuses it.
    MayNot,
}

/// What becomes of a command of this client that has these words.
pub fn standing(ctx: Context<'_>, client: u64, words: &Strings<'_>) -> Standing {
    // What stands for a client without a connection must not be asked about.
    if context::server_flags() & api::CTX_FLAGS_LOADING != 0 {
        return Standing::Part;
    }
    let mut info = ClientInfo { version: 1, flags: 0, id: 0, address: [0; 46], port: 0, database: 0 };
    // SAFETY: the server fills in what is as its header has it.
    if unsafe { rm!(GetClientInfoById((&raw mut info), client)) } != api::OK {
        return Standing::Part;
    }
    // SAFETY: the name is freed once, after its last use.
    let may = unsafe {
        let name = rm!(GetClientUserNameById(ctx.raw(), client));
        if name.is_null() {
            return Standing::MayNot;
        }
        let user = ServerString::new(name);
        let may = is_authenticated(ctx, &info, user.bytes()) && permissions::may_run_as(ctx, user, words);
        rm!(FreeString(std::ptr::null_mut(), name));
        may
    };
    let is_busy = context::server_flags() & (api::CTX_FLAGS_LUA | api::CTX_FLAGS_LOADING) != 0;
    match may {
        false => Standing::MayNot,
        true if is_busy || info.flags & (api::CLIENT_FLAG_MULTI | api::CLIENT_FLAG_PUBSUB) != 0 => Standing::Part,
        true => Standing::May,
    }
}

/// Whether a client of this user has authenticated itself, or need not.
fn is_authenticated(ctx: Context<'_>, info: &ClientInfo, user: &[u8]) -> bool {
    /// The first release of Valkey that tells.
    const TELLS: c_int = 9 << 16;
    if context::version() >= TELLS {
        return info.flags & api::CLIENT_FLAG_AUTHENTICATED != 0;
    }
    // Who has another name has told its password. Of those without, the default user may be anybody.
    user != b"default"
        || ctx.ask(c"ACL", &[c"GETUSER", c"default"]).is_some_and(|answer| answer.texts_at(1).iter().any(|flag| flag == "nopass"))
}

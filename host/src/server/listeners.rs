//! Who takes what a write replicates: replicas, the backlog that is kept for those that will come back, the
//! append-only file.
//!
//! Nobody begins to listen unseen: a new replica and a new append-only file both start from a snapshot that a
//! fork writes, a change of settings asks for the file, and a replica that is promoted changes its role. All
//! of these are heard here. That nobody listens any longer is asked of the server once a second.

use std::cell::Cell;
use std::ffi::c_int;
use std::time::{Duration, Instant};

use super::api;
use super::context::Context;
use crate::rm;

/// How long an answer of the server holds, whatever happens to the clock on the wall.
const HOLDS: Duration = Duration::from_secs(1);

struct Listeners {
    present: Cell<bool>,
    /// Whether the server is to be asked again.
    stale: Cell<bool>,
    /// Whether an effect is to be let through that may be late.
    due: Cell<bool>,
    /// When the two were set last.
    set: Cell<Option<Instant>>,
}

// SAFETY: the server calls modules from its main thread alone.
unsafe impl Sync for Listeners {}

static LISTENERS: Listeners = Listeners { present: Cell::new(true), stale: Cell::new(true), due: Cell::new(true), set: Cell::new(None) };

/// Whether an effect that may be late, as that of an access is, should be queued now: anybody listens, or no
/// such effect was let through for a second. The latter keeps the server's count of changes going, which its
/// save points look at.
#[inline]
pub fn wanted(ctx: Context<'_>) -> bool {
    LISTENERS.due.replace(false) || are_present(ctx)
}

/// Whether anybody may take what is replicated now. Where nobody does, all that a new listener starts from is
/// written later.
#[inline]
pub fn are_present(ctx: Context<'_>) -> bool {
    if LISTENERS.stale.replace(false) {
        LISTENERS.present.set(present(ctx));
    }
    LISTENERS.present.get()
}

/// The server's cron: what it has answered is asked again when it is old.
pub fn on_cron() {
    let now = Instant::now();
    if LISTENERS.set.get().is_none_or(|set| now >= set + HOLDS) {
        LISTENERS.set.set(Some(now));
        LISTENERS.stale.set(true);
        LISTENERS.due.set(true);
    }
}

fn present(ctx: Context<'_>) -> bool {
    if ctx.flags() & api::CTX_FLAGS_AOF != 0 {
        return true;
    }
    // SAFETY: the context of a running call; the information is freed once, after its last use.
    unsafe {
        let info = rm!(GetServerInfo(ctx.raw(), c"replication".as_ptr()));
        // A field that this server does not have reads as "somebody listens".
        let listens = [c"connected_slaves", c"repl_backlog_active"].iter().any(|field| {
            let mut missing: c_int = 0;
            rm!(ServerInfoGetFieldUnsigned(info, field.as_ptr(), &raw mut missing)) > 0 || missing != api::OK
        });
        rm!(FreeServerInfo(ctx.raw(), info));
        listens
    }
}

/// A fork, another role of this server, or other settings: somebody may listen from now on.
pub fn may_begin() {
    LISTENERS.present.set(true);
}

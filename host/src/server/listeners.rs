//! Who takes what a write replicates: replicas, the backlog that is kept for those that will come back, the
//! append-only file.
//!
//! Nobody begins to listen unseen: a new replica and a new append-only file both start from a snapshot that a
//! fork writes, and a replica that is promoted changes its role. Both events are heard here. That nobody
//! listens any longer is asked of the server once a second.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::time::{Duration, Instant};

use super::api::{self, Ctx, Event};
use super::context::Context;
use crate::rm;

/// How long an answer of the server holds, whatever happens to the clock on the wall.
const HOLDS: Duration = Duration::from_secs(1);

struct Listeners {
    present: Cell<bool>,
    /// When the server was asked last.
    asked: Cell<Option<Instant>>,
}

// SAFETY: the server calls modules from its main thread alone.
unsafe impl Sync for Listeners {}

static LISTENERS: Listeners = Listeners { present: Cell::new(true), asked: Cell::new(None) };

/// Whether an effect that may be late, as that of an access is, should be queued now: anybody listens, or no
/// such effect was let through for a second. The latter keeps the server's count of changes going, which its
/// save points look at.
pub fn wanted(ctx: Context<'_>) -> bool {
    let now = Instant::now();
    if LISTENERS.asked.get().is_some_and(|asked| now < asked + HOLDS) {
        return LISTENERS.present.get();
    }
    LISTENERS.asked.set(Some(now));
    LISTENERS.present.set(present(ctx));
    true
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

/// A fork, or another role of this server: somebody may listen from now on.
///
/// # Safety
/// The server calls this with an event's own data.
pub unsafe extern "C" fn on_change(_: *mut Ctx, _: Event, _: u64, _: *mut c_void) {
    LISTENERS.present.set(true);
}

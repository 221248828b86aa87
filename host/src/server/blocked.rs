//! Clients that wait for an answer, and work that comes back to the server's thread from another one.

use std::ffi::{c_int, c_void};

use super::api::{self, BlockedClient, Ctx};
use super::context::Context;
use crate::rm;

/// A client that waits.
pub struct Blocked {
    client: *mut BlockedClient,
    /// A context of the module's own, for the time without a command.
    ctx: *mut Ctx,
}

// SAFETY: another thread carries it back to the server's, and calls nothing of it.
unsafe impl Send for Blocked {}

/// Has the client of the running command wait: `answer` answers it, and `free` frees what it was handed.
pub fn block(ctx: Context<'_>, answer: api::CommandFunc, free: api::FreePrivDataFunc) -> Blocked {
    const NEVER_MS: i64 = 0;
    // SAFETY: the context of a running command whose client may be blocked: the caller has asked.
    unsafe {
        let client = rm!(BlockClient(ctx.raw(), Some(answer), None, Some(free), NEVER_MS));
        Blocked { client, ctx: rm!(GetDetachedThreadSafeContext(ctx.raw())) }
    }
}

impl Blocked {
    /// Runs `action` with a context, on the server's thread.
    pub fn with_context<T>(&self, action: impl FnOnce(Context<'_>) -> T) -> T {
        // SAFETY: the context lives until the client is answered, and this is the server's thread.
        action(unsafe { Context::new(self.ctx) })
    }

    /// Answers the client, as `outcome` says; it may be gone.
    pub fn unblock<T>(self, outcome: Box<T>) {
        // SAFETY: blocked once, and unblocked once; the context is freed after its last use.
        unsafe {
            rm!(UnblockClient(self.client, Box::into_raw(outcome).cast()));
            rm!(FreeThreadSafeContext(self.ctx));
        }
    }
}

/// What [`Blocked::unblock`] was given, for the client that is being answered.
pub fn outcome(ctx: Context<'_>) -> *mut c_void {
    // SAFETY: the context of an answer.
    unsafe { rm!(GetBlockedClientPrivateData(ctx.raw())) }
}

/// Has the server's thread call `function` with `data`, soon. Of any thread.
pub fn on_main_thread<T>(function: api::OneShotFunc, data: Box<T>) {
    let data = Box::into_raw(data);
    // SAFETY: the server takes this call from any thread, and hands the data over once.
    let added: c_int = unsafe { rm!(EventLoopAddOneShot(function, data.cast())) };
    debug_assert_eq!(added, api::OK, "it refuses a null function alone");
}

//! Slots of a cluster that move to another node, with what modules hold in them. Servers move their own keys
//! alone: `hand_over.rs` moves one slot where an operator opens it, `atomic.rs` and `task.rs` many at once
//! where the server does so (Valkey 9, Redis 8.4). `anchor.rs` is the key by which the data travels,
//! `release.rs` what becomes of it here.

pub mod anchor;
pub mod atomic;
pub mod hand_over;
pub mod release;
pub mod task;

use crate::modules::loaded::Host;
use crate::server::api;
use crate::server::context::{self, Context, Detached};

/// Registers what stands in files and in the stream, and in a cluster the command that opens slots.
///
/// # Errors
/// What the server refused.
pub fn register(host: &Host, ctx: Context<'_>) -> Result<(), String> {
    let kind = anchor::register(ctx)?;
    release::register(host, ctx)?;
    host.anchor.set(kind).ok();
    host.own.set(Detached::new(ctx)).ok();
    if is_clustered() { hand_over::register(host, ctx) } else { Ok(()) }
}

/// Tells the server what this library takes care of.
pub fn set_options(ctx: Context<'_>) {
    let moves = if atomic::is_known(ctx) { api::OPTIONS_HANDLE_ATOMIC_SLOT_MIGRATION } else { 0 };
    let keeps = api::OPTIONS_HANDLE_IO_ERRORS | api::OPTIONS_HANDLE_REPL_ASYNC_LOAD;
    ctx.set_options(keeps | api::OPTIONS_NO_IMPLICIT_SIGNAL_MODIFIED | moves);
}

/// Hears of slots that move, in a cluster. The last step of a load: a server keeps the filter of a load that
/// has failed.
///
/// # Errors
/// What the server refused.
pub fn begin(ctx: Context<'_>) -> Result<(), String> {
    if !is_clustered() {
        return Ok(());
    }
    atomic::register(ctx);
    task::register(ctx);
    hand_over::begin(ctx)
}

fn is_clustered() -> bool {
    context::server_flags() & api::CTX_FLAGS_CLUSTER != 0
}

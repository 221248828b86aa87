//! Slots of a cluster that move to another node, with what modules hold in them. Servers move their own keys
//! alone: `hand_over.rs` moves one slot where an operator opens it, `atomic.rs` and `task.rs` many at once where
//! the server does so (Valkey 9, Redis 8.4). `anchor.rs` is the key by which the data travels, `release.rs` what becomes of it here.

pub mod anchor;
pub mod atomic;
pub mod hand_over;
pub mod release;
pub mod task;

use crate::modules::loaded::Host;
use crate::server::api;
use crate::server::context::{self, Context, Detached};

/// Registers what a server in a cluster needs; any other is left as it is, but for what files may hold.
///
/// # Errors
/// What the server refused.
pub fn register(host: &Host, ctx: Context<'_>) -> Result<(), String> {
    let kind = anchor::register(ctx)?;
    release::register(host, ctx)?;
    host.anchor.set(kind).ok();
    host.own.set(Detached::new(ctx)).ok();
    if context::server_flags() & api::CTX_FLAGS_CLUSTER != 0 {
        hand_over::register(host, ctx)?;
        atomic::register(ctx);
        task::register(ctx);
    }
    Ok(())
}

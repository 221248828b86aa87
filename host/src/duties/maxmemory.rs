//! Memory that is short: what lives in linear memory counts in the server's `maxmemory`, and what has expired
//! is reclaimed before a write is refused.

use crate::duties::sweep;
use crate::guest::group::Group;
use crate::guest::limits::ROOM;
use crate::modules::loaded::Host;
use crate::server::context::{Context, used_memory_ratio};
use crate::server::outermost::{self, Outer};
use crate::server::strings::Arguments;

/// Reclaims what has expired where memory is short, of `maxmemory` or of `wasm.max-memory`; then answers
/// whether the server, with what lives in linear memory counted in, is over `maxmemory`, and this call is to
/// be refused for it: only the outermost one, only under `noeviction`, and never one that must be obeyed. No
/// group is entered yet. `may_replicate`: whether the server knows that the command may.
pub fn reclaim_or_refuse(host: &Host, ctx: Context<'_>, outer: &Outer, arguments: Arguments<'_>, may_replicate: bool) -> bool {
    let maxmemory = host.maxmemory.get();
    let is_full = host.groups.iter().any(Group::is_full);
    if (maxmemory == 0 && !is_full) || !outer.is_outermost() || outermost::obeys() {
        return false;
    }
    // Asked once: what reclaiming queues has left the server's memory when the command has ended.
    let own = (f64::from(used_memory_ratio()) * maxmemory as f64) as u64;
    let exceeds = |room: u64| maxmemory != 0 && own + live_bytes(host) + room > maxmemory;
    let stored = if is_full { arguments.bytes() } else { 0 };
    let is_short = || exceeds(ROOM) || host.groups.iter().any(|group| group.is_short(ROOM + stored));
    if !is_short() {
        return false;
    }
    if may_replicate {
        sweep::reclaim_while(host, ctx, is_short);
    }
    exceeds(0)
}

/// Bytes of all linear memories that are in use.
fn live_bytes(host: &Host) -> u64 {
    let of_modules: u64 = host.groups.iter().map(Group::memory_bytes).map(|(reserved, free)| reserved.saturating_sub(free)).sum();
    of_modules + host.libraries.sum(false).bytes + host.libraries.sum(true).bytes
}

/// Asks the server for `maxmemory` and its policy: at load, and when a setting changes.
pub fn refresh(host: &Host, ctx: Context<'_>) {
    let (limit, policy) = (ctx.setting(c"maxmemory"), ctx.setting(c"maxmemory-policy"));
    let refuses = policy.as_deref() == Some("noeviction");
    let limit = limit.and_then(|limit| limit.parse().ok()).unwrap_or(0);
    host.maxmemory.set(if refuses { limit } else { 0 });
}

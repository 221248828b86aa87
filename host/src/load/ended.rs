//! The end of a load from a file, an append-only file or a primary.

use crate::calls::apply;
use crate::duties::rdb;
use crate::modules::loaded::Host;
use crate::server::context::Context;
use crate::server::log;

/// A load has ended well: the effects that came with it follow it, and the log tells what came.
pub fn tell(host: &Host, ctx: Context<'_>) {
    apply::apply_kept(host, ctx);
    rdb::tell_loaded(host);
    host.kept.each(|name, _| {
        let name = name.escape_ascii();
        log::notice(Some(ctx), &format!("the module {name} is not loaded: its data are kept for it"));
    });
}

//! The end of a load from a file, an append-only file or a primary.

use super::{files, install};
use crate::calls::apply;
use crate::duties::rdb;
use crate::guest::ids::MemberId;
use crate::modules::link;
use crate::modules::loaded::{Host, REFUSED};
use crate::modules::module::Running;
use crate::server::context::{self, Context};
use crate::server::{api, log};
use crate::slots::release;

/// What modules of `wasm.dir` run has taken its data: it is what to take where their files cannot be.
pub fn note_served(host: &Host, ctx: Context<'_>) {
    if context::server_flags() & (api::CTX_FLAGS_LOADING | api::CTX_FLAGS_ASYNC_LOADING) == 0 {
        (0..host.modules.len()).for_each(|place| host.note_served(ctx, MemberId(place)));
    }
}

/// Modules that have refused their data run what served last, if that takes them.
fn fall_back(host: &Host, ctx: Context<'_>) {
    let Some(folder) = host.folder.get() else { return };
    for (place, module) in host.modules.iter().enumerate().filter(|(_, module)| module.missing().as_deref() == Some(REFUSED)) {
        let name = module.name();
        let installed = files::served(ctx, &host.engine, host.cache.get(), folder, name, &[])
            .and_then(|file| Ok((link::by_command(&file, "what served last was loaded in the place of its file")?, file)))
            .and_then(|(links, file)| install::install(host, ctx, MemberId(place), Running { file, links }));
        let told = match installed {
            Ok(()) => format!("module {name}: what served last is loaded in the place of its file"),
            Err(reason) => format!("module {name}: it is missing, and its data are kept for it; what served last: {reason}"),
        };
        log::warning(Some(ctx), &told);
    }
}

/// A load has ended well: the effects that came with it follow it, and the log tells what came.
pub fn tell(host: &Host, ctx: Context<'_>) {
    fall_back(host, ctx);
    apply::apply_kept(host, ctx);
    release::on_loaded(host);
    rdb::tell_loaded(host);
    host.kept.each(|name, _| {
        let name = name.escape_ascii();
        log::notice(Some(ctx), &format!("the module {name} is not loaded: its data are kept for it"));
    });
}

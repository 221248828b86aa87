//! MODULE UNLOAD, which is refused: EXEC would run a queued command that the server has freed.

use std::cell::Cell;
use std::ffi::{c_int, c_void};

use crate::server::context::Context;
use crate::server::{api, blocked, guard, log};

struct Static(Cell<bool>);

// SAFETY: the server calls modules from its main thread alone.
unsafe impl Sync for Static {}

/// Whether the server is still within the command that loads a module of this library: it unloads that by
/// itself after LOADEX with an unknown setting, and ends where it may not.
static LOADS: Static = Static(Cell::new(false));

/// A module of this library is being loaded: the server may unload it until its command has ended.
pub fn allow_for_now() {
    LOADS.0.set(true);
    blocked::on_main_thread(refuse_again, Box::new(()));
}

/// No module of this library is being loaded any more.
pub fn refuse() {
    LOADS.0.set(false);
}

unsafe extern "C" fn refuse_again(_: *mut c_void) {
    guard::guarded(refuse);
}

/// Whether the server may unload a module of this library.
pub fn answer(ctx: Context<'_>) -> c_int {
    if LOADS.0.get() {
        return api::OK;
    }
    log::warning(Some(ctx), "MODULE UNLOAD is refused: WASM.UNLOAD unloads a module, and a restart without it this library");
    api::ERR
}

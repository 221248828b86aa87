//! A load beside the present data, as a replica does with `repl-diskless-load swapdb`: what comes goes into fresh stores, in which every
//! module is instantiated once more, while the present ones go on serving reads. When the load is complete the two change places; when it
//! fails the fresh ones are dropped, and nothing has happened.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::rc::Rc;

use crate::abi::MemberId;
use crate::api::{self, Ctx, Event};
use crate::group::{Group, Handler};
use crate::host::{self, Host};
use crate::{instantiate, persistence};

/// What a load beside the present data goes to.
#[derive(Default)]
pub struct Fresh {
    loading: RefCell<Loading>,
    /// Whether the load that runs, or was the last one, is beside the present data: some servers give it up before they tell that it failed.
    beside: Cell<bool>,
}

#[derive(Default)]
enum Loading {
    /// No such load runs.
    #[default]
    No,
    /// Fresh groups could not be made: what comes for them is refused.
    Refused,
    Into(Rc<Stores>),
}

/// The present groups once more, in the same order, and the handlers of all command slots in them.
struct Stores {
    groups: Vec<Group>,
    handlers: Vec<Handler>,
}

/// Runs `action` with the group that a module's data is to be loaded into; `None` where there is none, and the load is to be refused.
pub fn with_target<T>(member: MemberId, action: impl FnOnce(&Group) -> T) -> Option<T> {
    let host = host::get()?;
    // Kept alive here, not borrowed: other events may come from within a load.
    let stores = match &*host.fresh.loading.borrow() {
        Loading::No => None,
        Loading::Refused => return None,
        Loading::Into(stores) => Some(stores.clone()),
    };
    let groups = stores.as_ref().map_or(&host.groups, |stores| &stores.groups);
    Some(action(&groups[host.modules[member].group]))
}

/// A load of any kind begins.
pub fn note_load() {
    if let Some(host) = host::get() {
        host.fresh.beside.set(!matches!(&*host.fresh.loading.borrow(), Loading::No));
    }
}

/// Whether the load that runs, or was the last one, is beside the present data.
pub fn was_beside() -> bool {
    host::get().is_some_and(|host| host.fresh.beside.get())
}

/// A load beside the present data has begun, is complete or was given up.
///
/// # Safety
/// The server calls this with an event's own data.
pub unsafe extern "C" fn on_async_load(ctx: *mut Ctx, _: Event, subevent: u64, _: *mut c_void) {
    host::guarded(|| {
        let Some(host) = host::get() else { return };
        match subevent {
            api::SUBEVENT_REPL_ASYNC_LOAD_STARTED => begin(ctx, host),
            api::SUBEVENT_REPL_ASYNC_LOAD_COMPLETED => complete(ctx, host),
            // Given up: what came of it goes.
            _ => drop(host.fresh.loading.take()),
        }
    });
}

fn begin(ctx: *mut Ctx, host: &Host) {
    let loading = match instantiate::again(ctx, host) {
        Ok((groups, handlers)) => Loading::Into(Rc::new(Stores { groups, handlers })),
        Err(reason) => {
            host::log(ctx, c"warning", &format!("no second memory to load beside the present data: {reason}"));
            Loading::Refused
        }
    };
    host.fresh.loading.replace(loading);
    host.fresh.beside.set(true);
}

fn complete(ctx: *mut Ctx, host: &Host) {
    match host.fresh.loading.take() {
        Loading::No => {}
        // Nothing came for any module, or the load would have been refused.
        Loading::Refused => persistence::flush_all(ctx),
        Loading::Into(stores) => {
            for (present, fresh) in host.groups.iter().zip(&stores.groups) {
                if !present.swap(fresh) {
                    host::give_up("a full synchronisation ended within a module's own command");
                }
            }
            for (slot, handler) in host::slots().iter().zip(&stores.handlers) {
                // SAFETY: no group is entered: each has just been swapped, which refuses one that is.
                unsafe { slot.set_handler(handler.clone()) };
            }
            persistence::tell_loaded();
        }
    }
}

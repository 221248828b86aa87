//! A load beside the present data, as a replica does with `repl-diskless-load swapdb`: what comes goes into
//! fresh stores, in which every module is instantiated once more, while the present ones go on serving reads.
//! When the load is complete the two change places; when it fails the fresh ones are dropped, and nothing has
//! happened.

use std::cell::RefCell;
use std::rc::Rc;

use super::{ended, instantiate};
use crate::duties::rdb;
use crate::modules::kept::Kept;
use crate::modules::loaded::{Host, REFUSED};
use crate::modules::target::{Loading, Stores};
use crate::server::context::Context;
use crate::server::log;

/// A load beside the present data begins.
pub fn begin(host: &Host, ctx: Context<'_>) {
    let loading = match instantiate::again(host, ctx) {
        Ok((groups, handlers)) => Loading::Into(Rc::new(Stores { groups, handlers, kept: Kept::default(), refused: RefCell::default() })),
        Err(reason) => {
            log::warning(Some(ctx), &format!("no second memory to load beside the present data: {reason}"));
            Loading::Refused
        }
    };
    host.target.loading.replace(loading);
    host.target.beside.set(true);
}

/// It was given up: what came of it goes.
pub fn give_up(host: &Host) {
    drop(host.target.loading.take());
}

/// It is complete: what came takes the place of the present data.
pub fn complete(host: &Host, ctx: Context<'_>) {
    match host.target.loading.take() {
        Loading::No => {}
        // Nothing came for any module, or the load would have been refused.
        Loading::Refused => rdb::flush_all(host, ctx),
        Loading::Into(stores) => {
            for (present, fresh) in host.groups.iter().zip(&stores.groups) {
                if !present.swap(fresh) {
                    log::give_up("a full synchronisation ended within a module's own command");
                }
            }
            for (slot, handler) in host.slots.iter().zip(&stores.handlers) {
                // No call into the slot's group runs: it has just been swapped.
                slot.handler.replace(handler.clone().filter(|_| !slot.is_parked()));
            }
            stores.refused.borrow().iter().for_each(|&member| host.miss(member, REFUSED));
            host.kept.swap(&stores.kept);
            ended::tell(host, ctx);
        }
    }
}

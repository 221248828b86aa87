//! The server's events, and what hears of them.

use std::ffi::{CStr, c_void};

use super::{ended, fresh};
use crate::calls::triggers::{every, on};
use crate::duties::{append_only, folders, maxmemory, rdb, sweep};
use crate::modules::kept::Kept;
use crate::modules::loaded::{self, Host};
use crate::server::api::{self, ConfigChange, Ctx, Event, FlushInfo};
use crate::server::context::Context;
use crate::server::guard::guarded;
use crate::server::listeners;
use crate::slots::{atomic, release};

/// Subscribes to all of them; the server keeps one callback per event and module.
///
/// # Errors
/// The event that the server refused.
pub fn subscribe(ctx: Context<'_>) -> Result<(), String> {
    let events: [(u64, api::EventFunc); 7] = [
        (api::EVENT_FLUSHDB, on_flush),
        (api::EVENT_REPL_ASYNC_LOAD, on_async_load),
        (api::EVENT_LOADING, on_loading),
        (api::EVENT_CONFIG, on_config),
        (api::EVENT_CRON_LOOP, on_cron),
        (api::EVENT_FORK_CHILD, on_fork),
        (api::EVENT_ROLE_CHANGED, on_role),
    ];
    match events.iter().find(|(id, callback)| !ctx.subscribe(*id, *callback)) {
        Some((id, _)) => Err(format!("the server refused a subscription to its event {id}")),
        None => Ok(()),
    }
}

/// Runs `action` for an event, with the host and the event's context.
///
/// # Safety
/// `ctx` is the context of an event that is being told.
unsafe fn on_event(ctx: *mut Ctx, action: impl FnOnce(&Host, Context<'_>)) {
    guarded(|| {
        // SAFETY: by this function's contract.
        let ctx = unsafe { Context::new(ctx) };
        if let Some(host) = loaded::get() {
            action(host, ctx);
        }
    });
}

/// FLUSHALL, a full sync, a reload: every module's data goes. Flushing one database does not concern a
/// namespace of the whole server.
unsafe extern "C" fn on_flush(ctx: *mut Ctx, _: Event, subevent: u64, data: *mut c_void) {
    // SAFETY: the data of this event.
    let database = unsafe { data.cast::<FlushInfo>().as_ref() }.map_or(0, |info| info.database);
    if subevent == api::SUBEVENT_FLUSHDB_START && database == -1 {
        // SAFETY: the server calls this with an event's own context.
        unsafe { on_event(ctx, rdb::flush_all) };
    }
}

/// A load that failed: what some modules had taken from it goes too, so that no two of them hold data of
/// different times. A load beside the present data leaves that as it is. Of one that ended well the log tells
/// what came.
unsafe extern "C" fn on_loading(ctx: *mut Ctx, _: Event, subevent: u64, _: *mut c_void) {
    let action = |host: &Host, ctx: Context<'_>| match subevent {
        api::SUBEVENT_LOADING_FAILED if !host.target.beside.get() => rdb::flush_all(host, ctx),
        api::SUBEVENT_LOADING_ENDED if !host.target.beside.get() => ended::tell(host, ctx),
        api::SUBEVENT_LOADING_RDB_START..=api::SUBEVENT_LOADING_REPL_START => {
            host.target.note_load();
            if !host.target.beside.get() {
                host.moving.forget_marks();
            }
            host.with_kept(Kept::begin_load);
        }
        _ => {}
    };
    // SAFETY: the server calls this with an event's own context.
    unsafe { on_event(ctx, action) };
}

/// A load beside the present data has begun, is complete or was given up.
unsafe extern "C" fn on_async_load(ctx: *mut Ctx, _: Event, subevent: u64, _: *mut c_void) {
    let action = |host: &Host, ctx: Context<'_>| match subevent {
        api::SUBEVENT_REPL_ASYNC_LOAD_STARTED => fresh::begin(host, ctx),
        api::SUBEVENT_REPL_ASYNC_LOAD_COMPLETED => fresh::complete(host, ctx),
        _ => fresh::give_up(host),
    };
    // SAFETY: the server calls this with an event's own context.
    unsafe { on_event(ctx, action) };
}

unsafe extern "C" fn on_config(ctx: *mut Ctx, _: Event, _: u64, data: *mut c_void) {
    let action = |host: &Host, ctx: Context<'_>| {
        listeners::may_begin();
        // SAFETY: the data of this event: the names are C strings, as many as told.
        let names: Vec<&CStr> = unsafe {
            let change = data.cast::<ConfigChange>().as_ref();
            change.map_or(Vec::new(), |change| (0..change.count as usize).map(|index| CStr::from_ptr(*change.names.add(index))).collect())
        };
        append_only::on_config(host, ctx, &names);
        folders::on_config(host, ctx, &names);
        maxmemory::refresh(host, ctx);
    };
    // SAFETY: the server calls this with an event's own context.
    unsafe { on_event(ctx, action) };
}

/// Another role: replicas may follow from now on, and a primary looks at whose slots its data lies in.
unsafe extern "C" fn on_role(ctx: *mut Ctx, _: Event, subevent: u64, _: *mut c_void) {
    listeners::may_begin();
    if subevent == api::SUBEVENT_ROLE_NOW_PRIMARY {
        // SAFETY: the server calls this with an event's own context.
        unsafe { on_event(ctx, |host, _| host.moving.is_promoted.set(true)) };
    }
}

unsafe extern "C" fn on_fork(ctx: *mut Ctx, _: Event, subevent: u64, _: *mut c_void) {
    listeners::may_begin();
    if subevent == api::SUBEVENT_FORK_CHILD_BORN {
        // SAFETY: the server calls this with an event's own context.
        unsafe { on_event(ctx, |host, _| atomic::on_fork(host)) };
    }
}

unsafe extern "C" fn on_cron(ctx: *mut Ctx, _: Event, _: u64, _: *mut c_void) {
    let action = |host: &Host, ctx: Context<'_>| {
        listeners::on_cron();
        sweep::on_cron(host, ctx);
        every::on_cron(host, ctx);
        on::on_cron(host, ctx);
        ended::note_served(host, ctx);
        release::on_cron(host);
        atomic::on_cron(host);
    };
    // SAFETY: the server calls this with an event's own context.
    unsafe { on_event(ctx, action) };
}

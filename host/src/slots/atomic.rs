//! Many slots at once: `CLUSTER MIGRATESLOTS` of Valkey 9. The server forks a child that writes its keys in
//! these slots as commands, and sends what is written meanwhile behind them. A key of the host's own, the
//! anchor, has that child write what modules hold too. Effects that are written meanwhile go by their keys.
//!
//! The move ends well whether or not the child came past the anchor. So one that was not there at a fork has
//! the move cancelled, and nothing is dropped after such a move.

use std::ffi::{CStr, c_char, c_int, c_void};

use super::{anchor, release};
use crate::calls::moved;
use crate::duties::slots;
use crate::modules::loaded::{self, Host};
use crate::modules::moving::Move;
use crate::modules::slot_set::SlotSet;
use crate::server::api::{self, Ctx, Event};
use crate::server::context::{self, Context, Detached};
use crate::server::guard::guarded;
use crate::server::{blocked, log, outermost};

/// The first release that moves slots so.
const SINCE: c_int = 9 << 16;

/// Whether this server moves slots so.
pub fn is_known(ctx: Context<'_>) -> bool {
    ctx.is_valkey() && context::version() >= SINCE
}

/// Has the server tell of such moves, where it knows them.
pub fn register(ctx: Context<'_>) {
    if is_known(ctx) && !ctx.subscribe(api::EVENT_ATOMIC_SLOT_MIGRATION, on_event) {
        log::warning(Some(ctx), "the server does not tell of slots that it moves: CLUSTER MIGRATESLOTS leaves behind what modules hold");
    }
}

/// `ValkeyModuleAtomicSlotMigrationInfoV1`.
#[repr(C)]
struct Info {
    version: u64,
    job: [c_char; 41],
    ranges: *const [c_int; 2],
    count: u32,
}

const IMPORT_STARTED: u64 = 0;
const EXPORT_STARTED: u64 = 1;
const IMPORT_ABORTED: u64 = 2;
const EXPORT_ABORTED: u64 = 3;
const IMPORT_COMPLETED: u64 = 4;
const EXPORT_COMPLETED: u64 = 5;

unsafe extern "C" fn on_event(_: *mut Ctx, _: Event, subevent: u64, data: *mut c_void) {
    // SAFETY: the data of this event: the job's name is a C string, and there are as many ranges as told.
    let (job, slots) = unsafe {
        let Some(info) = data.cast::<Info>().as_ref() else { return };
        let ranges = std::slice::from_raw_parts(info.ranges, info.count as usize);
        let job = CStr::from_ptr(info.job.as_ptr()).to_string_lossy().into_owned();
        (job, SlotSet::of_ranges(ranges.iter().map(|range| (range[0] as u16, range[1] as u16))))
    };
    guarded(|| {
        let Some(host) = loaded::get() else { return };
        let Some(own) = host.own.get() else { return };
        let ctx = own.context();
        match subevent {
            IMPORT_STARTED => begin_import(host, ctx, job, slots),
            IMPORT_ABORTED => end_import(host, ctx, &job, &slots, false),
            IMPORT_COMPLETED => end_import(host, ctx, &job, &slots, true),
            EXPORT_STARTED => begin_export(host, ctx, job, slots),
            EXPORT_ABORTED => end_export(host, ctx, &job, false),
            EXPORT_COMPLETED => end_export(host, ctx, &job, true),
            _ => {}
        }
    });
}

// ── What comes ─────────────────────────────────────────────────────────────────────────────────────────────

/// Slots are about to come. What an earlier move has left here goes first.
pub(super) fn begin_import(host: &Host, ctx: Context<'_>, job: String, slots: SlotSet) {
    moved::finish(host, ctx, &slots);
    host.moving.take_back(&slots);
    host.moving.moves.borrow_mut().insert(job, Move { slots, is_import: true, anchor: None, broken: None });
    note_imports(host);
}

/// They are here, or will not come: then what has come is dropped. A replica hears of that from its primary.
pub(super) fn end_import(host: &Host, ctx: Context<'_>, job: &str, slots: &SlotSet, is_complete: bool) {
    host.moving.moves.borrow_mut().remove(job);
    note_imports(host);
    let flags = context::server_flags();
    if is_complete {
        // Until this node, or the primary that it follows, is seen to have the slots.
        host.moving.imported.borrow_mut().add_all(slots);
        if flags & (api::CTX_FLAGS_LOADING | api::CTX_FLAGS_SLAVE) == 0 {
            release::note_taken(host, ctx, slots);
        }
        return;
    }
    if flags & api::CTX_FLAGS_LOADING != 0 {
        moved::finish(host, ctx, slots);
    } else if flags & api::CTX_FLAGS_SLAVE == 0 {
        // The cron tells them: within the server's command that cancels, it would have that replicated.
        host.moving.owed.borrow_mut().add_all(slots);
    }
}

/// While slots come their effects look like a primary's, and this server need not obey them: one that fails
/// has the move fail.
fn note_imports(host: &Host) {
    outermost::set_importing(host.moving.moves.borrow().values().any(|one| one.is_import));
}

// ── What goes ──────────────────────────────────────────────────────────────────────────────────────────────

/// Slots are about to go, and the child that writes them is not forked yet.
fn begin_export(host: &Host, ctx: Context<'_>, job: String, slots: SlotSet) {
    moved::finish(host, ctx, &host.moving.leaving());
    let made = slots::check(host).and_then(|()| anchor::create(host, ctx, &slots, Vec::new()));
    if made.is_err() {
        cancel_soon();
    }
    let (anchor, broken) = (made.as_ref().ok().cloned(), made.err());
    host.moving.moves.borrow_mut().insert(job, Move { slots, is_import: false, anchor, broken });
    host.moving.note();
}

/// Slots are about to go by a task of Redis 8.4, which asks for what modules hold.
pub(super) fn begin_task(host: &Host, ctx: Context<'_>, task: String, slots: SlotSet) {
    moved::finish(host, ctx, &host.moving.leaving());
    let broken = slots::check(host).err();
    if broken.is_some() {
        cancel_soon();
    }
    host.moving.moves.borrow_mut().insert(task, Move { slots, is_import: false, anchor: None, broken });
    host.moving.note();
}

/// Such a task has ended.
pub(super) fn end_task(host: &Host, task: &str) {
    host.moving.moves.borrow_mut().remove(task);
    host.moving.note();
}

/// They are gone, or stay.
fn end_export(host: &Host, ctx: Context<'_>, job: &str, is_complete: bool) {
    let Some(one) = host.moving.moves.borrow_mut().remove(job) else { return };
    host.moving.note();
    if let Some(name) = &one.anchor {
        // A primary that follows another one by now has nobody else to delete it.
        ctx.delete_key_here(name.as_bytes());
        // Replicas that came meanwhile have got it with all else. The cron tells them: within the server's
        // command that cancels, it would have that replicated.
        host.moving.spent.borrow_mut().push(name.as_bytes().into());
    }
    if !is_complete {
        // The other node may have been told already that it may take them.
        host.moving.doubt(&one.slots);
        return;
    }
    match one.broken {
        None => release::drop(host, ctx, &one.slots),
        Some(reason) => {
            let slots = &one.slots;
            log::warning(Some(ctx), &format!("the slots {slots} are gone, and what modules hold in them has stayed here: {reason}"));
        }
    }
}

/// The server has forked: an anchor that was not there by then has not been written.
pub fn on_fork(host: &Host) {
    let Some(ctx) = exporting(host) else { return };
    for one in host.moving.moves.borrow_mut().values_mut().filter(|one| is_lost(host, ctx, one)) {
        one.broken = Some("the key that takes them along was deleted".into());
        cancel_soon();
    }
}

/// The server's cron: an anchor that was deleted is put back, if the child is not forked yet.
pub fn on_cron(host: &Host) {
    let Some(ctx) = exporting(host) else { return };
    for one in host.moving.moves.borrow().values().filter(|one| is_lost(host, ctx, one)) {
        anchor::create(host, ctx, &one.slots, Vec::new()).ok();
    }
}

/// The context by which anchors are looked for, while slots go.
fn exporting(host: &Host) -> Option<Context<'_>> {
    if host.moving.exports.get() { host.own.get().map(Detached::context) } else { None }
}

/// Whether the move is not broken yet, and its anchor is not there.
fn is_lost(host: &Host, ctx: Context<'_>, one: &Move) -> bool {
    one.broken.is_none() && one.anchor.as_ref().is_some_and(|name| !anchor::is_there(host, ctx, name))
}

/// Cancels all such moves away from here, once the server is at no event.
fn cancel_soon() {
    blocked::on_main_thread(cancel, Box::new(()));
}

unsafe extern "C" fn cancel(data: *mut c_void) {
    // SAFETY: what `cancel_soon` has handed over.
    drop(unsafe { Box::from_raw(data.cast::<()>()) });
    guarded(|| {
        let Some(host) = loaded::get() else { return };
        let Some(own) = host.own.get() else { return };
        let broken: Vec<String> = host.moving.moves.borrow().values().filter_map(|one| one.broken.clone()).collect();
        moved::cancel(own.context(), &broken.join("; "));
    });
}

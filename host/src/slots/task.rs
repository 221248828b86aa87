//! Many slots at once: `CLUSTER MIGRATION IMPORT` of Redis 8.4. The server asks modules for what they hold,
//! in the child that it has forked for the snapshot, before it writes its own keys. Written after its header;
//! it has not been run on such a server.

use std::ffi::{CStr, c_char, c_void};

use super::{atomic, release};
use crate::calls::moved;
use crate::duties::{rdb, slots};
use crate::guest::call::Sink;
use crate::modules::loaded::{self, Host};
use crate::modules::slot_set::SlotSet;
use crate::server::api::{self, Ctx, Event};
use crate::server::context::{self, Context};
use crate::server::guard::guarded;
use crate::server::log;
use crate::server::strings::Strings;

/// Has the server tell of such moves, where it knows them.
pub fn register(ctx: Context<'_>) {
    if !Context::sends_slots() {
        return;
    }
    let is_told =
        ctx.subscribe(api::EVENT_CLUSTER_SLOT_MIGRATION, on_task) && ctx.subscribe(api::EVENT_CLUSTER_SLOT_MIGRATION_TRIM, on_trim);
    if !is_told {
        log::warning(Some(ctx), "the server does not tell of slots that it moves: CLUSTER MIGRATION leaves behind what modules hold");
    }
}

/// `RedisModuleSlotRangeArray`: so many ranges lie behind the number.
#[repr(C)]
struct Ranges {
    count: i32,
    first: [[u16; 2]; 0],
}

/// `RedisModuleClusterSlotMigrationInfoV1`.
#[repr(C)]
struct TaskInfo {
    version: u64,
    source: [c_char; 41],
    destination: [c_char; 41],
    task: *const c_char,
    slots: *const Ranges,
}

/// `RedisModuleClusterSlotMigrationTrimInfoV1`.
#[repr(C)]
struct TrimInfo {
    version: u64,
    slots: *const Ranges,
}

const IMPORT_STARTED: u64 = 0;
const IMPORT_FAILED: u64 = 1;
const IMPORT_COMPLETED: u64 = 2;
const MIGRATE_STARTED: u64 = 3;
const MIGRATE_FAILED: u64 = 4;
const MIGRATE_COMPLETED: u64 = 5;
const MODULE_PROPAGATE: u64 = 6;
const TRIM_STARTED: u64 = 0;
const TRIM_BACKGROUND: u64 = 2;

/// # Safety
/// `ranges` is null, or what the server tells of slots.
unsafe fn slots_of(ranges: *const Ranges) -> SlotSet {
    // SAFETY: by this function's contract; there are as many ranges as told.
    let all = unsafe {
        let Some(ranges) = ranges.as_ref() else { return SlotSet::default() };
        std::slice::from_raw_parts(ranges.first.as_ptr(), ranges.count.max(0).unsigned_abs() as usize)
    };
    SlotSet::of_ranges(all.iter().map(|range| (range[0], range[1])))
}

unsafe extern "C" fn on_task(ctx: *mut Ctx, _: Event, subevent: u64, data: *mut c_void) {
    // SAFETY: the data of this event; the task's name is a C string.
    let (ctx, task, slots) = unsafe {
        let Some(info) = data.cast::<TaskInfo>().as_ref() else { return };
        (Context::new(ctx), CStr::from_ptr(info.task).to_string_lossy().into_owned(), slots_of(info.slots))
    };
    guarded(|| {
        let Some(host) = loaded::get() else { return };
        let Some(own) = host.own.get() else { return };
        match subevent {
            IMPORT_STARTED => atomic::begin_import(host, own.context(), task, slots),
            IMPORT_FAILED => atomic::end_import(host, own.context(), &task, &slots, false),
            IMPORT_COMPLETED => atomic::end_import(host, own.context(), &task, &slots, true),
            MIGRATE_STARTED => atomic::begin_task(host, own.context(), task, slots),
            // What lies in the slots is dropped when the server drops its own keys.
            MIGRATE_FAILED | MIGRATE_COMPLETED => atomic::end_task(host, &task),
            MODULE_PROPAGATE => propagate(host, ctx, &slots),
            _ => {}
        }
    });
}

/// In the child: what modules hold goes before the server's own keys. Where it cannot, the child ends, and
/// the move fails.
fn propagate(host: &Host, ctx: Context<'_>, slots: &SlotSet) {
    let failure = std::cell::Cell::new(None);
    let send = |name: &CStr, arguments: &Strings<'_>| {
        if let Err(number) = ctx.send_with_slots(name, arguments) {
            failure.set(Some(number));
        }
    };
    let exported = slots::export(host, slots, Sink(&send));
    let reason = match (exported, failure.get()) {
        (Ok(()), None) => return,
        (Ok(()), Some(number)) => std::io::Error::from_raw_os_error(number).to_string(),
        (Err(reason), _) => reason,
    };
    log::warning(None, &format!("the slots {slots} do not move: {reason}"));
    rdb::end_child();
}

/// The server drops its keys in slots that are another node's by now.
unsafe extern "C" fn on_trim(_: *mut Ctx, _: Event, subevent: u64, data: *mut c_void) {
    // SAFETY: the data of this event.
    let slots = unsafe {
        let Some(info) = data.cast::<TrimInfo>().as_ref() else { return };
        slots_of(info.slots)
    };
    guarded(|| {
        let Some(host) = loaded::get() else { return };
        let Some(own) = host.own.get() else { return };
        if !matches!(subevent, TRIM_STARTED | TRIM_BACKGROUND) {
            return;
        }
        if context::server_flags() & api::CTX_FLAGS_SLAVE == 0 {
            release::drop(host, own.context(), &slots);
        } else {
            moved::finish(host, own.context(), &slots);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_structures_lie_as_the_header_has_them() {
        assert_eq!((offset_of!(TaskInfo, source), offset_of!(TaskInfo, destination)), (8, 49));
        assert_eq!((offset_of!(TaskInfo, task), offset_of!(TaskInfo, slots), size_of::<TaskInfo>()), (96, 104, 112));
        assert_eq!((offset_of!(TrimInfo, slots), size_of::<TrimInfo>()), (8, 16));
        assert_eq!((offset_of!(Ranges, first), size_of::<Ranges>()), (4, 4));
    }

    #[test]
    fn ranges_lie_behind_their_number() {
        // A number of 32 bits, then pairs of 16 bits, as a little-endian machine has them.
        let lent: [u16; 6] = [2, 0, 3, 5, 16383, 16383];
        // SAFETY: as many ranges as the number says.
        assert_eq!(unsafe { slots_of(lent.as_ptr().cast()) }.to_string(), "3-5,16383");
        // SAFETY: null is allowed.
        assert!(unsafe { slots_of(std::ptr::null()) }.is_empty());
    }

    unsafe extern "C" fn refuse(_: *mut Ctx, name: *const c_char, format: *const c_char, _: *mut c_void, count: usize) -> std::ffi::c_int {
        // SAFETY: C strings, from the caller below.
        let (name, format) = unsafe { (CStr::from_ptr(name), CStr::from_ptr(format)) };
        assert_eq!((name, format), (c"some.set", c"v"));
        // SAFETY: errno is always there.
        unsafe { *libc::__errno_location() = if count == 0 { 0 } else { libc::ERANGE } };
        if count == 0 { api::OK } else { api::ERR }
    }

    #[test]
    fn what_the_server_refuses_is_told() {
        type Propagate = unsafe extern "C" fn(*mut Ctx, *const c_char, *const c_char, ...) -> std::ffi::c_int;
        // SAFETY: a function of fixed parameters takes what one of variable ones is called with on this
        // machine; no other test reads the static.
        unsafe { api::ClusterPropagateForSlotMigration = Some(std::mem::transmute::<*const c_void, Propagate>(refuse as *const c_void)) };
        // SAFETY: the fake looks at no context.
        let ctx = unsafe { Context::new(std::ptr::null_mut()) };
        assert_eq!(ctx.send_with_slots(c"some.set", &Strings::new([])), Ok(()));
        assert!(Context::sends_slots());
        // SAFETY: put back.
        unsafe { api::ClusterPropagateForSlotMigration = None };
        assert!(!Context::sends_slots());
    }
}

//! What one load made.
//!
//! The server calls modules from one thread. What is here is written while a load runs, when no command does,
//! and read afterwards; what changes later stands in cells.

use std::cell::Cell;
use std::ffi::CString;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, AtomicPtr, Ordering::Relaxed};

use super::file::WasmFile;
use super::kept::Kept;
use super::link::Link;
use super::namespace::COMMANDS_MAX;
use super::shelf::Shelf;
use super::slot::Slot;
use super::sweeper::{Sweeper, Turn};
use super::target::{Loading, Target};
use crate::describe::description::Description;
use crate::describe::tell::Categories;
use crate::engine::clock::Ticker;
use crate::guest::codes::Codes;
use crate::guest::faults::Identity;
use crate::guest::group::{Group, Member};
use crate::guest::ids::{GroupId, MemberId, SlotId};

/// Everything that one load made.
pub struct Host {
    pub modules: Shelf<LoadedModule>,
    pub groups: Shelf<Group>,
    pub slots: Shelf<Slot>,
    pub types: Shelf<DataType>,
    /// The server's `maxmemory` in bytes where its policy is `noeviction`, else 0.
    pub maxmemory: Cell<u64>,
    /// What is kept for modules that are not loaded.
    pub kept: Kept,
    /// Where a load goes that runs beside the present data.
    pub target: Target,
    /// How often a change of the server's settings was undone because it would have lost data.
    pub settings_undone: Cell<u64>,
    /// The server's categories of permissions.
    pub categories: Categories,
    /// The timer that has modules reclaim what has expired.
    pub sweeper: Sweeper,
    /// The process that the server runs in: a save's child has another.
    pub pid: u32,
    /// Ends with the host.
    _ticker: Ticker,
}

/// A module that runs, and what it is known for.
pub struct LoadedModule {
    pub file: WasmFile,
    pub links: Vec<(String, Link)>,
    /// The group that it runs in, and its place there.
    pub group: GroupId,
    pub place: usize,
    pub identity: Rc<Identity>,
    pub codes: Codes,
    /// When it is to reclaim what has expired.
    pub turn: Turn,
}

/// A data type that a module registered: it holds no keys, only auxiliary data.
pub struct DataType {
    pub member: MemberId,
    pub name: CString,
}

/// Data types in all.
pub const TYPES_MAX: usize = 16;

/// The one host of this process, null while nothing is loaded.
static HOST: AtomicPtr<Host> = AtomicPtr::new(std::ptr::null_mut());

/// Makes `host` the one of this process; it lives until [`remove`].
pub fn install(host: Host) {
    HOST.store(Box::into_raw(Box::new(host)), Relaxed);
}

/// Drops the host after a load that failed: nothing of it is registered any longer.
pub fn remove() {
    let host = HOST.swap(std::ptr::null_mut(), Relaxed);
    if !host.is_null() {
        // SAFETY: it came from Box::into_raw in `install`, and nothing refers to it after a failed load.
        drop(unsafe { Box::from_raw(host) });
    }
}

/// The host, once a load has begun.
#[inline]
pub fn get() -> Option<&'static Host> {
    // SAFETY: null, or made by `install` and dropped by `remove` alone, which runs when nothing else does.
    unsafe { HOST.load(Relaxed).as_ref() }
}

impl Host {
    /// A host with room for `count` modules.
    pub fn new(count: usize, ticker: Ticker) -> Host {
        Host {
            modules: Shelf::with_room(count),
            groups: Shelf::with_room(count),
            slots: Shelf::with_room(COMMANDS_MAX),
            types: Shelf::with_room(TYPES_MAX),
            maxmemory: Cell::new(0),
            kept: Kept::default(),
            target: Target::default(),
            settings_undone: Cell::new(0),
            categories: Categories::default(),
            sweeper: Sweeper::default(),
            pid: std::process::id(),
            _ticker: ticker,
        }
    }

    /// The group that a module runs in.
    #[inline]
    pub fn group_of(&self, member: MemberId) -> &Group {
        &self.groups[self.modules[member.0].group.0]
    }

    /// What the host calls of a module that runs.
    pub fn functions_of(&self, member: MemberId) -> Option<Rc<Member>> {
        let module = self.modules.get(member.0)?;
        self.groups[module.group.0].member(module.place)
    }

    /// Runs `action` with the group that a module's data is to be loaded into; `None` where there is none,
    /// and the load is to be refused.
    pub fn with_target<T>(&self, member: MemberId, action: impl FnOnce(&Group) -> T) -> Option<T> {
        // Kept alive here, not borrowed: other events may come from within a load.
        let stores = match &*self.target.loading.borrow() {
            Loading::No => None,
            Loading::Refused => return None,
            Loading::Into(stores) => Some(stores.clone()),
        };
        let group = self.modules[member.0].group.0;
        Some(action(stores.as_ref().map_or(&self.groups[group], |stores| &stores.groups[group])))
    }

    /// As [`Host::with_target`], with where what is kept of a load goes to.
    pub fn with_kept<T>(&self, action: impl FnOnce(&Kept) -> T) -> Option<T> {
        let stores = match &*self.target.loading.borrow() {
            Loading::No => None,
            Loading::Refused => return None,
            Loading::Into(stores) => Some(stores.clone()),
        };
        Some(action(stores.as_ref().map_or(&self.kept, |stores| &stores.kept)))
    }

    /// The module of this name whose data the host looks after.
    pub fn applier(&self, name: &[u8]) -> Option<MemberId> {
        self.modules.iter().position(|module| module.file.name.as_bytes() == name && module.file.applies()).map(MemberId)
    }

    /// What a module said of its command, named in lower case, when it was asked.
    pub fn description(&self, member: MemberId, command: &str) -> Option<&Description> {
        self.modules.get(member.0)?.file.descriptions.get(command)
    }

    /// The file that ordinarily serves a namespace, as the module that imports from it says.
    pub fn served_by(&self, member: MemberId, namespace: &str) -> Option<&str> {
        self.modules.get(member.0)?.file.served_by.get(namespace).map(String::as_str)
    }

    /// The present value of a module's setting.
    pub fn setting(&self, member: MemberId, handle: i32) -> Option<i64> {
        self.modules.get(member.0)?.file.settings.get(&handle).map(|cell: &&AtomicI64| cell.load(Relaxed))
    }

    /// The present value of a module's setting in `wasm.settings`.
    pub fn kit_setting(&self, member: MemberId, handle: i32) -> Option<i64> {
        self.modules.get(member.0)?.file.kit_settings.get(&handle).map(|cell: &&AtomicI64| cell.load(Relaxed))
    }

    /// Commands that a module has served.
    pub fn commands_served(&self, member: MemberId) -> u64 {
        self.slots.iter().filter(|slot| slot.member == member).map(|slot| slot.calls.get()).sum()
    }

    /// The command of this name, if a module of the group that `member` runs in writes by it. `last`: the
    /// slot to look at first, and what is found.
    #[inline]
    pub fn written_by(&self, member: MemberId, name: &[u8], last: &mut SlotId) -> Option<&Slot> {
        self.writer_that(member, last, |slot| slot.name.to_bytes() == name || slot.name.to_bytes().eq_ignore_ascii_case(name))
    }

    /// Any command that a module of the group that `member` runs in writes by. `last`: as above.
    #[inline]
    pub fn writer(&self, member: MemberId, last: &mut SlotId) -> Option<&Slot> {
        self.writer_that(member, last, |_| true)
    }

    #[inline]
    fn writer_that(&self, member: MemberId, last: &mut SlotId, is_it: impl Fn(&Slot) -> bool) -> Option<&Slot> {
        let group = self.modules[member.0].group;
        let is_it = |slot: &Slot| slot.write && slot.group == group && is_it(slot);
        if !self.slots.get(last.0).is_some_and(is_it) {
            last.0 = self.slots.iter().position(is_it)?;
        }
        self.slots.get(last.0)
    }

    /// Whether this process is a child that the server has forked.
    pub fn is_in_child(&self) -> bool {
        self.pid != std::process::id()
    }
}

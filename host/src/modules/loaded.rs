//! What one load made.
//!
//! The server calls modules from one thread. What is here is written while a load runs, when no command does,
//! and read afterwards; what changes later stands in cells.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_int};
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, AtomicPtr, Ordering::Relaxed};

use wasmtime::Engine;

use super::folder::{self, Folder};
use super::kept::Kept;
use super::libraries::{Command, Libraries, Owner};
use super::link::Link;
use super::module::{LoadedModule, Presence, Running};
use super::moving::Moving;
use super::namespace::{COMMANDS_MAX, MODULES_MAX};
use super::shelf::Shelf;
use super::slot::Slot;
use super::sweeper::Sweeper;
use super::target::{Loading, Target};
use super::triggers::Triggers;
use crate::describe::tell::Categories;
use crate::engine::cache::Cache;
use crate::engine::clock::Ticker;
use crate::guest::group::{Group, Member};
use crate::guest::ids::{MemberId, SlotId};
use crate::server::context::{Context, Detached};
use crate::server::keys::KeyType;

/// Everything that one load made.
pub struct Host {
    pub engine: Engine,
    pub modules: Shelf<LoadedModule>,
    /// Files that run as libraries of functions.
    pub libraries: Libraries,
    pub groups: Shelf<Group>,
    pub slots: Shelf<Slot>,
    pub types: Shelf<DataType>,
    /// The server's `maxmemory` in bytes where its policy is `noeviction`, else 0.
    pub maxmemory: Cell<u64>,
    /// What is kept for modules that are not loaded.
    pub kept: Kept,
    /// `wasm.dir`, where one is named.
    pub folder: OnceCell<Folder>,
    /// `wasm.cache`, where one is named.
    pub cache: OnceCell<Cache>,
    /// The server's `dir` while it lies apart from both.
    pub data_folder: RefCell<String>,
    /// Where a load goes that runs beside the present data.
    pub target: Target,
    /// How often a change of the server's settings was undone because it would have lost data.
    pub settings_undone: Cell<u64>,
    /// Commands of the server's by their names in capitals, and whether they only read.
    pub readers: RefCell<BTreeMap<Vec<u8>, bool>>,
    /// The server's categories of permissions.
    pub categories: Categories,
    /// A context for what no call of the server has lent one; only in a cluster.
    pub own: OnceCell<Detached>,
    /// The type of the key that takes a slot's data to another node; only in a cluster.
    pub anchor: OnceCell<KeyType>,
    /// Slots of the cluster that are on their way to another node.
    pub moving: Moving,
    /// The timer that has modules reclaim what has expired.
    pub sweeper: Sweeper,
    /// What has modules run at intervals and after events.
    pub triggers: Triggers,
    /// A file while it is instantiated to take the place of what its module runs.
    pub candidate: RefCell<Option<(MemberId, Rc<Running>)>>,
    /// The process that the server runs in: a save's child has another.
    pub pid: u32,
    /// Ends with the host.
    _ticker: Ticker,
}

/// A data type that a module registered: it holds no keys, only auxiliary data.
pub struct DataType {
    pub member: MemberId,
    pub name: CString,
    /// Its encoding.
    pub version: c_int,
}

/// Why a module is missing that has refused its part of a file.
pub const REFUSED: &str = "it refuses the data that it has in a file";

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
    pub fn new(engine: Engine, ticker: Ticker) -> Host {
        Host {
            engine,
            modules: Shelf::with_room(MODULES_MAX),
            libraries: Libraries::default(),
            groups: Shelf::with_room(MODULES_MAX),
            slots: Shelf::with_room(COMMANDS_MAX),
            types: Shelf::with_room(TYPES_MAX),
            maxmemory: Cell::new(0),
            kept: Kept::default(),
            folder: OnceCell::new(),
            cache: OnceCell::new(),
            data_folder: RefCell::default(),
            target: Target::default(),
            settings_undone: Cell::new(0),
            readers: RefCell::default(),
            categories: Categories::default(),
            own: OnceCell::new(),
            anchor: OnceCell::new(),
            moving: Moving::default(),
            sweeper: Sweeper::default(),
            triggers: Triggers::default(),
            candidate: RefCell::default(),
            pid: std::process::id(),
            _ticker: ticker,
        }
    }

    /// The group that a module runs in.
    #[inline]
    pub fn group_of(&self, member: MemberId) -> &Group {
        &self.groups[self.modules[member.0].group.get().0]
    }

    /// What the host calls of a module that runs.
    pub fn functions_of(&self, member: MemberId) -> Option<Rc<Member>> {
        let module = self.modules.get(member.0)?;
        self.groups[module.group.get().0].member(&module.identity)
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
        let group = self.modules[member.0].group.get().0;
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

    /// The module of this name, whether it is there or missing.
    pub fn named(&self, name: &[u8]) -> Option<MemberId> {
        self.modules.iter().position(|module| module.name().as_bytes() == name).map(MemberId)
    }

    /// The module that is there whose data has this name.
    pub fn keeper(&self, name: &[u8]) -> Option<MemberId> {
        let is_it = |module: &LoadedModule| *module.data_name() == *name && module.running().is_some();
        self.modules.iter().position(is_it).map(MemberId)
    }

    /// What a module runs, or what is being instantiated to take its place; `None` where it is missing.
    pub fn running(&self, member: MemberId) -> Option<Rc<Running>> {
        let candidate = self.candidate.borrow().as_ref().filter(|(of, _)| *of == member).map(|(_, running)| running.clone());
        candidate.or_else(|| self.owner(member)?.running())
    }

    /// Refuses `wasm.dir` and `wasm.cache` where the server writes its own files.
    ///
    /// # Errors
    /// The folder is one of the server's, holds one or lies in one.
    pub fn check_folders(&self, ctx: Context<'_>) -> Result<(), String> {
        if let Some(folder) = self.folder.get() {
            folder.apart(ctx)?;
        }
        self.cache.get().map_or(Ok(()), |cache| folder::apart(ctx, "wasm.cache", cache.folder()))
    }

    /// A module that is linked directly to this one, if there is any.
    pub fn linked_to(&self, member: MemberId) -> Option<MemberId> {
        let is_linked = |module: &LoadedModule| {
            module.running().is_some_and(|running| running.links.iter().any(|(_, link)| *link == Link::Direct(member)))
        };
        self.modules.iter().position(is_linked).map(MemberId)
    }

    /// Notes that what a module of `wasm.dir` runs is what is to be taken where its file cannot be.
    pub fn note_served(&self, ctx: Context<'_>, member: MemberId) {
        let module = &self.modules[member.0];
        if let (Some(folder), Some(running), false) = (self.folder.get(), module.running(), module.is_given.get()) {
            let bytes = running.file.bytes.take();
            if !bytes.is_empty()
                && let Some(staged) = folder.stage(module.name(), &bytes)
            {
                staged.keep(ctx, module.name());
            }
        }
    }

    /// A module has refused what it has in the file that is being loaded: it is missing once that is loaded.
    pub fn note_refusal(&self, member: MemberId) {
        match &*self.target.loading.borrow() {
            Loading::Into(stores) => stores.refused.borrow_mut().push(member),
            _ => self.miss(member, REFUSED),
        }
    }

    /// A module is missing from now on, for this reason: clients hear that its commands are unknown.
    pub fn miss(&self, member: MemberId, reason: &str) {
        let module = &self.modules[member.0];
        self.slots.iter().filter(|slot| slot.member.get() == member).for_each(Slot::park);
        module.become_(Presence::Missing(reason.into()));
        let group = self.group_of(member);
        group.remove(&module.identity);
        if group.is_empty() {
            // Where a call into it runs, its memory stays until the module is back.
            group.swap(&Group::new(&self.engine, 0));
        }
    }

    /// The present value of a module's setting.
    pub fn setting(&self, member: MemberId, handle: i32) -> Option<i64> {
        self.running(member)?.file.settings.get(&handle).map(|cell: &&AtomicI64| cell.load(Relaxed))
    }

    /// The present value of a module's setting in `wasm.settings`.
    pub fn kit_setting(&self, member: MemberId, handle: i32) -> Option<i64> {
        self.running(member)?.file.kit_settings.get(&handle).map(|cell: &&AtomicI64| cell.load(Relaxed))
    }

    /// The module of this number, also where it runs as a library.
    pub fn owner(&self, member: MemberId) -> Option<Owner<'_>> {
        match self.modules.get(member.0) {
            Some(module) => Some(Owner::Module(module)),
            None => self.libraries.module(member).map(Owner::Library),
        }
    }

    /// What runs under this number.
    #[inline]
    pub fn command(&self, number: SlotId) -> Option<Command<'_>> {
        match self.slots.get(number.0) {
            Some(slot) => Some(Command::Slot(slot)),
            None => self.libraries.function(number),
        }
    }

    /// The slot of the command of this name, in any case.
    pub fn slot_named(&self, name: &CStr) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.is_named(name))
    }

    /// Commands that a module has served.
    pub fn commands_served(&self, member: MemberId) -> u64 {
        self.slots.iter().filter(|slot| slot.member.get() == member).map(|slot| slot.calls.get()).sum()
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
        let group = self.modules.get(member.0)?.group.get();
        let is_it = |slot: &Slot| slot.write && slot.group.get() == group && is_it(slot);
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

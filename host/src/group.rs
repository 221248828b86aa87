//! A linked group: one store and one linear memory, in which one module runs, or several that are linked directly.

use std::cell::{Cell, UnsafeCell};
use std::ffi::{CStr, CString, c_int};

use wasmtime::{AsContextMut, Engine, Global, Memory, ResourceLimiter, Store, TypedFunc, UpdateDeadline};

use crate::api::{Ctx, InfoCtx, Io, Str};
use crate::back_off::BackOff;
use crate::command::fault;
use crate::engine::TICK_MS;
use crate::file::LOAD_MS;
use crate::memory::Region;
use crate::reply::Replies;
use crate::trap::TimedOut;
use crate::{config, host};

/// What a group is doing; a host function that makes no sense in it is refused.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Phase {
    Idle,
    Load,
    /// `onLoad()` in a second store, of what the server knows already.
    LoadAgain,
    Command,
    AuxSave,
    AuxLoad,
    Info,
    Flush,
    /// After a load, to tell of what has come.
    Loaded,
    /// A step of reclaiming what has expired; no command runs.
    Sweep,
    /// The same within a command, before it runs: that one's time and context hold.
    Reclaim,
}

/// The running call, as the host's functions see it.
pub struct Call {
    pub phase: Phase,
    /// Null but in a load's, a command's and a sweep's phase: the server takes null for its log and its flags.
    pub ctx: *mut Ctx,
    pub io: *mut Io,
    pub info: *mut InfoCtx,
    /// The arguments as the server holds them, the command's name first.
    pub argv: *mut *mut Str,
    pub argc: c_int,
    /// The address of the arguments' frame in linear memory.
    pub frame: u32,
    pub replies: Replies,
    /// Whether the running command may replicate: the server has told it apart from those that only read.
    pub may_replicate: bool,
    /// The slot of the command that was replicated last: most likely that of the next one too.
    pub effect: usize,
    /// How often the time limit has struck while it could not end the call.
    pub overtime: u64,
    /// Whether the call may take [`ASIDE_MS`] alone.
    pub aside: bool,
    /// Bytes that the call has handed over so far, by [`To`].
    handed: [u64; 3],
}

/// What takes the bytes that a call hands over. Each has a limit of its own, for modules that never end; what they are bounded by otherwise
/// must be reached first.
#[derive(Clone, Copy)]
pub enum To {
    /// A client's reply, which the server bounds by its limits of output buffers.
    Client,
    /// An RDB file, which the disk bounds.
    File,
    /// Effects, signals, lines of the log, fields of INFO: memory of the server's that nothing else bounds.
    Server,
}

/// What the server keeps beside each byte string that is handed over, in bytes.
const HANDED_EACH: u64 = 16;
/// As much for each value in a file, so that a module that never ends does so in seconds with the smallest ones.
const SAVED_EACH: u64 = 64;
/// Bytes that a call may hand over to the server for each of its memory. The end of a session, which takes 70 bytes of it, is the most that is
/// handed over for a byte: 490. It is handed over within a commit, which this must not end.
const SERVER_EACH: u64 = 8;
/// Bytes that a call may hand over in any case: to the server, …
const SERVER_MIN: u64 = 64 << 20;
/// … to a client or a file.
const STREAMED_MIN: u64 = 1 << 30;

impl To {
    /// What each byte string counts beside its own bytes.
    #[inline]
    fn each(self) -> u64 {
        match self {
            To::File => SAVED_EACH,
            To::Client | To::Server => HANDED_EACH,
        }
    }

    /// The most bytes that a call with `argc` arguments may hand over, out of a linear memory of `memory` bytes.
    fn limit(self, memory: u64, argc: c_int) -> u64 {
        match self {
            // Each argument may ask for as much as there is.
            To::Client => STREAMED_MIN + memory * (2 + u64::from(argc.unsigned_abs())),
            // Each 8 bytes may be a value of its own.
            To::File => STREAMED_MIN + memory * (1 + SAVED_EACH / 8),
            To::Server => SERVER_MIN + memory * SERVER_EACH,
        }
    }
}

impl Call {
    /// Counts `length` bytes that the server will copy into memory, or a file, of its own.
    ///
    /// # Errors
    /// The call has handed over more than [`To::limit`] has it, where the linear memory has `memory` bytes: more than it can know.
    #[inline]
    pub fn hand(&mut self, to: To, length: u64, memory: usize) -> wasmtime::Result<()> {
        let handed = &mut self.handed[to as usize];
        *handed += length + to.each();
        if *handed > SERVER_MIN && *handed > to.limit(memory as u64, self.argc) {
            return Err(wasmtime::Error::msg("it hands the server more in one call than its memory could hold"));
        }
        Ok(())
    }

    /// Begins a call of the host, in which nothing has been handed over.
    #[inline]
    pub fn begin(&mut self, phase: Phase) {
        self.phase = phase;
        self.handed = [0; 3];
    }
}

/// A module's function that runs a command, given the number of arguments and the address of their frame.
#[derive(Clone)]
pub enum Handler {
    /// `(argc, argv) → ()`: replies by calls alone.
    Replies(TypedFunc<(i32, i32), ()>),
    /// `(argc, argv) → i64`: its result may be the reply, as `command.rs` has it.
    Answers(TypedFunc<(i32, i32), u64>),
}

/// What the store of a group carries.
pub struct State {
    pub memory: Option<Memory>,
    /// Bytes on their way in: a command's arguments …
    pub arguments: Region,
    /// … and what import calls and reads from a file answer.
    pub results: Region,
    pub call: Call,
    /// The exported global `committing` of each member that has one.
    pub committing: Vec<Global>,
    /// In [`Phase::LoadAgain`]: the commands that were registered, in lower case, with their handlers in this store.
    pub handlers: Vec<(CString, Handler)>,
    /// In [`Phase::Load`]: the first of what a module registers that was refused, and why.
    pub refused: Option<String>,
    pub limits: Limits,
}

impl State {
    fn new() -> State {
        State {
            memory: None,
            arguments: Region::default(),
            results: Region::default(),
            call: Call {
                phase: Phase::Idle,
                ctx: std::ptr::null_mut(),
                io: std::ptr::null_mut(),
                info: std::ptr::null_mut(),
                argv: std::ptr::null_mut(),
                argc: 0,
                frame: 0,
                replies: Replies::default(),
                may_replicate: false,
                effect: 0,
                overtime: 0,
                aside: false,
                handed: [0; 3],
            },
            committing: Vec::new(),
            handlers: Vec::new(),
            refused: None,
            limits: Limits::default(),
        }
    }
}

/// A module that runs in a group, and the exports that the host calls.
pub struct Member {
    pub flush: Option<TypedFunc<(), ()>>,
    pub aux_save: Option<TypedFunc<(), ()>>,
    pub aux_load: Option<TypedFunc<i32, i32>>,
    pub is_empty: Option<TypedFunc<(), i32>>,
    pub loaded: Option<TypedFunc<(), ()>>,
    pub info: Option<TypedFunc<(), ()>>,
    pub free_bytes: Option<TypedFunc<(), u64>>,
    pub sweep: Option<TypedFunc<(), i32>>,
    /// What it last told by `free_bytes`.
    pub free_last: Cell<u64>,
    /// After a call that ran too long, of `free_bytes` and of `info`.
    pub free_back_off: BackOff,
    pub info_back_off: BackOff,
}

/// One store and what runs in it. The server is one thread; a call that comes back into its own group is refused, so the store is
/// never borrowed twice.
pub struct Group {
    busy: Cell<bool>,
    /// A call ended in the middle of a commit: what is in memory may be inconsistent.
    pub damaged: Cell<bool>,
    store: UnsafeCell<Store<State>>,
    members: UnsafeCell<Vec<Member>>,
    /// The pages that its memory has at first.
    pub pages: u64,
}

impl Group {
    /// A group without members, whose memory will have `pages` at first.
    pub fn new(engine: &Engine, pages: u64) -> Group {
        let mut store = Store::new(engine, State::new());
        store.limiter(|state| &mut state.limits);
        store.epoch_deadline_callback(|mut context| {
            let committing = is_committing(&mut context);
            let call = &mut context.data_mut().call;
            call.overtime += 1;
            if call.aside {
                if committing && call.overtime < patience_aside(call.phase) {
                    return Ok(UpdateDeadline::Continue(ticks_aside()));
                }
                let is_shorter = ASIDE_MS < config::time_limit();
                return Err(wasmtime::Error::new(if is_shorter { TimedOut::Aside } else { TimedOut::Limit }));
            }
            if (committing || host::obeys()) && call.overtime < patience(call.argc) {
                return Ok(UpdateDeadline::Continue(ticks()));
            }
            Err(wasmtime::Error::new(TimedOut::Limit))
        });
        Group { busy: Cell::new(false), damaged: Cell::new(false), store: UnsafeCell::new(store), members: UnsafeCell::default(), pages }
    }

    /// Its modules, in the order of the arguments. What is taken from here is used while the group is entered.
    #[inline]
    pub fn members(&self) -> &[Member] {
        // SAFETY: changed by `add` alone, while a group is built, and by `swap`, which no call into the group outlives.
        unsafe { &*self.members.get() }
    }

    /// Adds a member, while the group is being built.
    pub fn add(&self, member: Member) {
        // SAFETY: nothing of a group that is being built is borrowed.
        unsafe { &mut *self.members.get() }.push(member);
    }

    /// Changes the contents of both groups, which hold the same modules; false, and nothing is changed, while a call into either runs.
    pub fn swap(&self, other: &Group) -> bool {
        if self.busy.get() || other.busy.get() || std::ptr::eq(self, other) {
            return false;
        }
        // SAFETY: neither group is entered, so nothing of either is borrowed, and the server is one thread.
        unsafe {
            std::ptr::swap(self.store.get(), other.store.get());
            std::ptr::swap(self.members.get(), other.members.get());
        }
        self.damaged.swap(&other.damaged);
        true
    }

    /// The store, for one call; `None` while another call into this group runs.
    #[inline]
    pub fn enter(&self) -> Option<Entered<'_>> {
        if self.busy.replace(true) {
            return None;
        }
        // SAFETY: `busy` was false, so no other Entered of this group exists, and the server is one thread.
        let store = unsafe { &mut *self.store.get() };
        store.set_epoch_deadline(ticks());
        store.data_mut().call.overtime = 0;
        Some(Entered { group: self, store })
    }

    /// After a call that failed: whether it did so in the middle of a commit, which leaves the group damaged.
    pub fn note_failure(&self, store: &mut Store<State>) -> bool {
        let committing = store.data().committing.clone();
        let mut damaged = false;
        for global in committing {
            damaged |= global.get(&mut *store).i32() != Some(0);
            // The global is an i32 that the module declared mutable: link.rs has checked it.
            let _ = global.set(&mut *store, wasmtime::Val::I32(0));
        }
        self.damaged.set(self.damaged.get() || damaged);
        damaged
    }

    /// Bytes of linear memory: (reserved, free), free being whole pages that the members' heaps have at hand, and the host's own regions, which
    /// hold nothing between calls. (0, 0) while a call runs.
    pub fn memory_bytes(&self) -> (u64, u64) {
        let Some(mut entered) = self.enter() else { return (0, 0) };
        entered.memory_bytes()
    }

    /// Whether the memory was about to reach its limit when it grew last. False while a call runs.
    #[inline]
    pub fn is_full(&self) -> bool {
        // SAFETY: the group is not entered, so nothing of it is borrowed, and the server is one thread.
        !self.busy.get() && unsafe { &*self.store.get() }.data().limits.full
    }

    /// Whether the memory is full and has less than `bytes` left within its limit. It is full until a quarter is left.
    pub fn is_short(&self, bytes: u64) -> bool {
        if !self.is_full() {
            return false;
        }
        let (reserved, free) = self.memory_bytes();
        let limit = limit();
        let left = limit.saturating_sub(reserved.saturating_sub(free));
        if left > limit / 4
            && let Some(entered) = self.enter()
        {
            entered.store.data_mut().limits.full = false;
        }
        left < bytes
    }
}

/// Whether any member of the store's group is in the middle of a commit.
pub fn is_committing(store: &mut impl AsContextMut<Data = State>) -> bool {
    let committing = store.as_context().data().committing.clone();
    committing.iter().any(|global| global.get(&mut *store).i32() != Some(0))
}

/// How many time limits a commit of a command with `argc` arguments, or what must be obeyed, may run on for before it is given up: clients choose
/// how much one changes, and what is given up is damaged, or ends a server that must obey. Another server has done that within limits of its own.
fn patience(argc: c_int) -> u64 {
    const LIMITS_MIN: u64 = 10;
    const MS_MIN: u64 = 5000;
    const ARGUMENTS_PER_MS: u64 = 100;
    let ms = MS_MIN + u64::from(argc.unsigned_abs()) / ARGUMENTS_PER_MS;
    LIMITS_MIN.max(ms / config::time_limit().max(1))
}

/// How many times [`ASIDE_MS`] a commit in a call that no command waits for may run on for. Only a sweep has anything to commit. What one step
/// frees may take the system some time, but a module cannot stretch its time by a commit that never ends.
fn patience_aside(phase: Phase) -> u64 {
    if matches!(phase, Phase::Sweep | Phase::Reclaim) { 10 } else { 1 }
}

/// The time limit in ticks of the engine's clock.
#[inline]
pub fn ticks() -> u64 {
    match config::time_limit() {
        0 => u64::MAX >> 1,
        limit_ms => limit_ms / TICK_MS + 1,
    }
}

/// Milliseconds that a call may take which no command of its module waits for: a step of its sweep, `freeBytes()`, `info()`.
pub const ASIDE_MS: u64 = 50;

/// As [`ticks`], for such a call.
fn ticks_aside() -> u64 {
    match config::time_limit() {
        0 => ticks(),
        limit_ms => limit_ms.min(ASIDE_MS) / TICK_MS + 1,
    }
}

/// A group while a call into it runs.
pub struct Entered<'a> {
    pub group: &'a Group,
    pub store: &'a mut Store<State>,
}

impl Entered<'_> {
    /// As [`Group::memory_bytes`], from within a call.
    pub fn memory_bytes(&mut self) -> (u64, u64) {
        let Some(memory) = self.store.data().memory else { return (0, 0) };
        let mut free = self.store.data().limits.host_bytes;
        let group = self.group;
        for (index, member) in group.members().iter().enumerate() {
            let Some(free_bytes) = &member.free_bytes else { continue };
            if !member.free_back_off.lasts() {
                match self.aside(Phase::Idle, &member.free_back_off, |store| free_bytes.call(store.as_context_mut(), ())) {
                    Ok(bytes) => member.free_last.set(bytes),
                    Err(error) => fault_in(self, index, c"freeBytes", &error),
                }
            }
            free = u64::saturating_add(free, member.free_last.get());
        }
        (memory.data_size(&*self.store) as u64, free)
    }

    /// Whether the call is, or ended, in the middle of a commit.
    pub fn is_committing(&mut self) -> bool {
        is_committing(self.store)
    }

    /// Gives the call the time that a load may take.
    pub fn allow_load(&mut self) {
        self.store.set_epoch_deadline(ticks().max(LOAD_MS / TICK_MS));
    }

    /// Has the call take [`ASIDE_MS`] at most, and a sweep that is in the middle of a commit by then ten times that.
    pub fn limit_aside(&mut self) {
        self.store.set_epoch_deadline(ticks_aside());
        let call = &mut self.store.data_mut().call;
        call.aside = true;
        call.overtime = 0;
    }

    /// As [`Entered::during`], for a call that no command waits for; where it runs too long, the module is left alone for `back_off`.
    pub fn aside<T>(
        &mut self,
        phase: Phase,
        back_off: &BackOff,
        action: impl FnOnce(&mut Store<State>) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        self.limit_aside();
        let result = self.during(phase, |_, store| action(store));
        self.store.data_mut().call.aside = false;
        match &result {
            Err(error) if error.downcast_ref::<TimedOut>().is_some() => _ = back_off.begin(),
            _ => back_off.end(),
        }
        result
    }

    /// Runs `action` in `phase`, and puts the group back to rest.
    pub fn during<T>(&mut self, phase: Phase, action: impl FnOnce(&Group, &mut Store<State>) -> T) -> T {
        self.store.data_mut().call.begin(phase);
        let result = action(self.group, self.store);
        self.store.data_mut().call.phase = Phase::Idle;
        result
    }
}

/// Counts and logs a fault of the member `index` that concerns no client.
#[cold]
pub fn fault_in(entered: &mut Entered<'_>, index: usize, running: &CStr, error: &wasmtime::Error) {
    if let Some(member) = host::member_of(entered.group, index) {
        fault(member, running, entered, std::ptr::null_mut(), error);
    }
}

impl Drop for Entered<'_> {
    /// Ends the call: what it brought in need not stay resident.
    #[inline]
    fn drop(&mut self) {
        let state = self.store.data();
        if state.arguments.is_large() || state.results.is_large() {
            release_regions(self.store);
        }
        self.group.busy.set(false);
    }
}

/// Gives the memory of the host's regions back to the system.
#[cold]
fn release_regions(store: &mut Store<State>) {
    let State { memory: Some(memory), mut arguments, mut results, .. } = *store.data() else { return };
    for region in [&mut arguments, &mut results] {
        region.decommit(&mut store.as_context_mut(), memory);
    }
    let state = store.data_mut();
    (state.arguments, state.results) = (arguments, results);
}

/// The limits of what a group may allocate. `wasm.max-memory` is for what clients write: it refuses nothing that was acknowledged already.
#[derive(Default)]
pub struct Limits {
    /// Whether the host grows the memory now, for its own regions.
    pub by_host: bool,
    /// Bytes that the host has grown the memory by for itself, which do not count. What stays of them between calls is at most some MiB.
    host_bytes: u64,
    /// Bytes that the running load, or command, may take beyond the limit.
    beyond: u64,
    /// Bytes of the growth that is being tried.
    tried: u64,
    /// Whether writes have brought the memory to within [`ROOM`] of its limit.
    full: bool,
}

/// Bytes that are to be left for what a command stores: where there are fewer, what has expired is reclaimed first.
pub const ROOM: u64 = 1 << 20;

/// Bytes that writes may bring a memory to.
fn limit() -> u64 {
    config::max_memory().min(ADDRESSABLE - RESERVE)
}

/// Elements of one table: the handlers of a module, with room to spare.
pub const TABLE_ELEMENTS_MAX: usize = 1 << 16;
/// Bytes that a memory of 32-bit addresses can have, and how many of them are kept for the host's regions, loads and what must be obeyed: a
/// file holds as much as was written, but memory that is filled in another order may need somewhat more for it.
const ADDRESSABLE: u64 = 1 << 32;
const RESERVE: u64 = 128 << 20;
/// Bytes that a load may take beyond the limit: this, and for each byte that it reads this many. A module that only takes memory while it
/// loads does not get far, and the shortest records take less.
const LOAD_MIN: u64 = 4 << 20;
const LOAD_EACH: u64 = 16;

impl Limits {
    /// A load begins: it may take [`LOAD_MIN`] and what [`Limits::note_read`] gives.
    pub fn begin_load(&mut self) {
        self.beyond = LOAD_MIN;
    }

    /// The running load has read `length` bytes.
    pub fn note_read(&mut self, length: usize) {
        self.beyond = self.beyond.saturating_add(LOAD_EACH * length as u64);
    }

    pub fn end_load(&mut self) {
        self.beyond = 0;
    }

    /// A command begins: one that stores nothing needs memory for its reply alone, and may take a quarter of the limit more.
    #[inline]
    pub fn begin_command(&mut self, stores: bool) {
        self.beyond = if stores { 0 } else { config::max_memory() / 4 };
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.tried = (desired - current) as u64;
        let limit = config::max_memory();
        if self.by_host {
            // What comes in is in the server's memory too, which bounds the regions. What no memory could keep is refused here.
            let allowed = self.tried <= limit + self.beyond || host::obeys();
            self.host_bytes += if allowed { self.tried } else { 0 };
            return Ok(allowed);
        }
        let limit = self::limit() + self.host_bytes;
        self.full |= desired as u64 + ROOM > limit;
        Ok(host::obeys() || desired as u64 <= limit + self.beyond)
    }

    /// Past the end of the address space, or of the system's memory.
    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        if host::obeys() {
            host::give_up("a write that must be obeyed does not fit into the memory");
        }
        self.host_bytes -= if self.by_host { self.tried } else { 0 };
        Ok(())
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}

//! A linked group: one store and one linear memory, in which one module runs, or several that are linked
//! directly.

use std::cell::{Cell, OnceCell, RefCell, RefMut};
use std::ffi::{CStr, CString, c_int};
use std::rc::Rc;

use wasmtime::{AsContextMut, Engine, Error, Store, TypedFunc, UpdateDeadline};

use super::back_off::BackOff;
use super::call::{Lent, Phase};
use super::committing::{self, is_committing};
use super::faults::Identity;
use super::limits;
use super::stacks;
use super::state::{State, Triggers};
use crate::engine::clock::{self, ASIDE_MS};
use crate::engine::trap::{self, Failed, TimedOut};
use crate::server::{config, log, outermost, text};

/// A module that runs in a group, and the exports that the host calls.
pub struct Member {
    pub identity: Rc<Identity>,
    pub flush: Option<TypedFunc<(), ()>>,
    pub aux_save: Option<TypedFunc<(), ()>>,
    pub aux_load: Option<TypedFunc<i32, i32>>,
    pub is_empty: Option<TypedFunc<(), i32>>,
    pub loaded: Option<TypedFunc<(), ()>>,
    pub info: Option<TypedFunc<(), ()>>,
    pub free_bytes: Option<TypedFunc<(), u64>>,
    pub sweep: Option<TypedFunc<(), i32>>,
    pub apply: Option<TypedFunc<(i32, i32, i32), ()>>,
    pub leave: Option<TypedFunc<(), u64>>,
    pub join: Option<TypedFunc<(u32, u32), i32>>,
    pub export_slots: Option<TypedFunc<u32, ()>>,
    pub drop_slots: Option<TypedFunc<(u32, i32), i32>>,
    pub count_slots: Option<TypedFunc<u32, i64>>,
    pub strays: Option<TypedFunc<(), i64>>,
    /// What it has registered that the host runs by itself.
    pub triggers: OnceCell<Triggers>,
    /// What it last told by `free_bytes`.
    pub free_last: Cell<u64>,
    /// After a call that ran too long, of `free_bytes` and of `info`.
    pub free_back_off: BackOff,
    pub info_back_off: BackOff,
}

/// One store and what runs in it. A call that comes back into its own group is refused, so the store is never
/// borrowed twice.
pub struct Group {
    /// A call ended in the middle of a commit: what is in memory may be inconsistent.
    pub damaged: Cell<bool>,
    store: RefCell<Store<State>>,
    members: RefCell<Vec<Rc<Member>>>,
    /// The pages that its memory has at first.
    pub pages: Cell<u64>,
    /// How often other files have taken over in its memory.
    pub taken_over: Cell<u32>,
}

impl Group {
    /// A group without members, whose memory will have `pages` at first.
    pub fn new(engine: &Engine, pages: u64) -> Group {
        let mut store = Store::new(engine, State::default());
        store.limiter(|state| &mut state.limits);
        store.epoch_deadline_callback(|mut context| {
            let committing = is_committing(&mut context);
            let call = &mut context.data_mut().call;
            let earned = std::mem::take(&mut call.streamed) / STREAMED_PER_TICK;
            if earned > 0 {
                return Ok(UpdateDeadline::Continue(earned));
            }
            if let Some(script) = call.lent.script {
                if !committing && script.is_killed() {
                    return Err(wasmtime::Error::new(Failed(KILLED.to_vec())));
                }
                call.watched += clock::WATCH_TICKS;
                if call.watched < clock::ticks() {
                    return Ok(UpdateDeadline::Continue(clock::WATCH_TICKS));
                }
            }
            call.overtime += 1;
            if call.aside {
                if committing && call.overtime < patience_aside(call.phase) {
                    return Ok(UpdateDeadline::Continue(clock::ticks_aside()));
                }
                let is_shorter = ASIDE_MS < config::time_limit();
                return Err(wasmtime::Error::new(if is_shorter { TimedOut::Aside } else { TimedOut::Limit }));
            }
            if (committing || outermost::obeys()) && call.overtime < patience(call.lent.arguments.count()) {
                return Ok(UpdateDeadline::Continue(clock::ticks()));
            }
            Err(wasmtime::Error::new(TimedOut::Limit))
        });
        Group {
            damaged: Cell::new(false),
            store: RefCell::new(store),
            members: RefCell::default(),
            pages: Cell::new(pages),
            taken_over: Cell::new(0),
        }
    }

    /// Whether no module runs in it.
    pub fn is_empty(&self) -> bool {
        self.members.borrow().is_empty()
    }

    /// What the host calls of this module, if it is there.
    pub fn member(&self, module: &Identity) -> Option<Rc<Member>> {
        self.members.borrow().iter().find(|member| std::ptr::eq(&*member.identity, module)).cloned()
    }

    /// Others are its members from now on; answers those that were.
    pub fn replace(&self, members: Vec<Rc<Member>>) -> Vec<Rc<Member>> {
        self.members.replace(members)
    }

    /// The module is not called any more. Its instance stays in the store as long as the others do.
    pub fn remove(&self, module: &Identity) {
        self.members.borrow_mut().retain(|member| !std::ptr::eq(&*member.identity, module));
    }

    /// Adds a member, while the group is being built.
    pub fn add(&self, member: Member) {
        self.members.borrow_mut().push(Rc::new(member));
    }

    /// Changes the contents of both groups, which hold the same modules; false, and nothing is changed, while
    /// a call into either runs.
    pub fn swap(&self, other: &Group) -> bool {
        let (Ok(mut own), Ok(mut others)) = (self.store.try_borrow_mut(), other.store.try_borrow_mut()) else { return false };
        std::mem::swap(&mut *own, &mut *others);
        self.members.swap(&other.members);
        self.damaged.swap(&other.damaged);
        self.pages.swap(&other.pages);
        self.taken_over.swap(&other.taken_over);
        true
    }

    /// The store, for one call that the server lends nothing for; `None` while another call into this group
    /// runs.
    #[inline]
    pub fn enter(&self) -> Option<Entered<'_>> {
        self.enter_with(Lent::NOTHING)
    }

    /// The store, for one call; `None` while another call into this group runs.
    #[inline]
    pub fn enter_with<'a>(&'a self, lent: Lent<'a>) -> Option<Entered<'a>> {
        let mut store = self.store.try_borrow_mut().ok()?;
        store.set_epoch_deadline(if lent.script.is_some() { clock::WATCH_TICKS.min(clock::ticks()) } else { clock::ticks() });
        let call = &mut store.data_mut().call;
        call.overtime = 0;
        call.watched = 0;
        // SAFETY: forgotten when the Entered is dropped, which does not outlive what is lent. Where it is
        // leaked, nobody else enters.
        call.lent = unsafe { lent.forever() };
        stacks::begin(&mut *store);
        Some(Entered { group: self, store })
    }

    /// After a call that failed: whether it did so in the middle of a commit, which leaves the group damaged.
    pub fn note_failure(&self, store: &mut Store<State>) -> bool {
        let damaged = is_committing(store);
        committing::clear(store);
        self.damaged.set(self.damaged.get() || damaged);
        damaged
    }

    /// Bytes of linear memory: (reserved, free), free being whole pages that the members' heaps have at hand,
    /// and the host's own regions, which hold nothing between calls. (0, 0) while a call runs.
    pub fn memory_bytes(&self) -> (u64, u64) {
        let Some(mut entered) = self.enter() else { return (0, 0) };
        entered.memory_bytes()
    }

    /// Bytes of linear memory that are reserved; 0 while a call runs.
    pub fn reserved_bytes(&self) -> u64 {
        let store = self.store.try_borrow().ok();
        store.and_then(|store| Some(store.data().memory?.data_size(&*store) as u64)).unwrap_or(0)
    }

    /// Whether the memory was about to reach its limit when it grew last. False while a call runs.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.store.try_borrow().is_ok_and(|store| store.data().limits.full)
    }

    /// Whether the memory is full and has less than `bytes` left within its limit. It is full until a quarter
    /// is left.
    pub fn is_short(&self, bytes: u64) -> bool {
        if !self.is_full() {
            return false;
        }
        let (reserved, free) = self.memory_bytes();
        let limit = limits::limit();
        let left = limit.saturating_sub(reserved.saturating_sub(free));
        if left > limit / 4
            && let Some(mut entered) = self.enter()
        {
            entered.store.data_mut().limits.full = false;
        }
        left < bytes
    }
}

/// The error of a function that FUNCTION KILL or SCRIPT KILL has ended.
const KILLED: &[u8] = b"ERR the function was killed by FUNCTION KILL or SCRIPT KILL";

/// How many time limits a commit of a command with `argc` arguments, or what must be obeyed, may run on for
/// before it is given up: clients choose how much one changes, and what is given up is damaged, or ends a
/// server that must obey. Another server has done that within limits of its own.
fn patience(argc: c_int) -> u64 {
    const LIMITS_MIN: u64 = 10;
    const MS_MIN: u64 = 5000;
    const ARGUMENTS_PER_MS: u64 = 100;
    let ms = MS_MIN + u64::from(argc.unsigned_abs()) / ARGUMENTS_PER_MS;
    LIMITS_MIN.max(ms / config::time_limit().max(1))
}

/// How many times [`ASIDE_MS`] a commit in a call that no command waits for may run on for. Only a sweep has
/// anything to commit. What one step frees may take the system some time, but a module cannot stretch its
/// time by a commit that never ends.
fn patience_aside(phase: Phase) -> u64 {
    if matches!(phase, Phase::Sweep | Phase::Reclaim) { 10 } else { 1 }
}

/// Bytes by which a save, or a load, earns one tick beside its time limit: far less than what the shipped
/// modules do in one. However much there is, it has time, and what does nearly nothing for long is ended.
const STREAMED_PER_TICK: u64 = 16 << 10;

/// A group while a call into it runs.
pub struct Entered<'a> {
    pub group: &'a Group,
    pub store: RefMut<'a, Store<State>>,
}

impl Entered<'_> {
    /// As [`Group::memory_bytes`], from within a call.
    pub fn memory_bytes(&mut self) -> (u64, u64) {
        let Some(memory) = self.store.data().memory else { return (0, 0) };
        let mut free = self.store.data().limits.host_bytes;
        let group = self.group;
        let members = group.members.borrow().clone();
        for member in members {
            let Some(free_bytes) = &member.free_bytes else { continue };
            if !member.free_back_off.lasts() {
                match self.aside(Phase::Idle, &member.free_back_off, |store| free_bytes.call(store.as_context_mut(), ())) {
                    Ok(bytes) => member.free_last.set(bytes),
                    Err(error) => _ = self.fault(&member.identity, c"freeBytes", &error),
                }
            }
            free = u64::saturating_add(free, member.free_last.get());
        }
        (memory.data_size(&*self.store) as u64, free)
    }

    /// Counts and logs a fault of a member, in the command or export `running`; answers the error reply that
    /// tells of it.
    #[cold]
    pub fn fault(&mut self, member: &Identity, running: &CStr, error: &Error) -> CString {
        let (name, what) = (&member.name, trap::describe(error));
        let ctx = self.store.data().call.lent.ctx;
        let functions = trap::functions(error);
        log::warning(ctx, &format!("module {name}: {what}; running: {}; functions: {functions}", running.to_string_lossy()));
        self.count_fault(member, error);
        text::line(format!("ERR module {name}: {what}").as_bytes())
    }

    /// As [`Entered::fault`], and logs no more than that the group is damaged by it.
    #[cold]
    pub fn count_fault(&mut self, member: &Identity, error: &Error) {
        let Identity { name, faults } = member;
        faults.count(error.downcast_ref::<TimedOut>().is_some());
        if self.group.note_failure(&mut self.store) {
            log::warning(
                self.store.data().call.lent.ctx,
                &format!("module {name}: this was in the middle of a write: its linked group refuses writes and saves from now on"),
            );
        }
    }

    /// Whether the call is, or ended, in the middle of a commit.
    pub fn is_committing(&mut self) -> bool {
        is_committing(&mut *self.store)
    }

    /// Gives the call the time that a load may take.
    pub fn allow_load(&mut self) {
        self.store.set_epoch_deadline(clock::ticks_of_load());
    }

    /// Has the call take [`ASIDE_MS`] at most, and a sweep that is in the middle of a commit by then ten
    /// times that.
    pub fn limit_aside(&mut self) {
        self.store.set_epoch_deadline(clock::ticks_aside());
        let call = &mut self.store.data_mut().call;
        call.aside = true;
        call.overtime = 0;
    }

    /// As [`Entered::during`], for a call that no command waits for; where it runs too long, the module is
    /// left alone for `back_off`.
    pub fn aside<T>(
        &mut self,
        phase: Phase,
        back_off: &BackOff,
        action: impl FnOnce(&mut Store<State>) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        self.limit_aside();
        let result = self.during(phase, action);
        self.store.data_mut().call.aside = false;
        match &result {
            Err(error) if error.downcast_ref::<TimedOut>().is_some() => _ = back_off.begin(),
            _ => back_off.end(),
        }
        result
    }

    /// Runs `action` in `phase`, and puts the group back to rest.
    pub fn during<T>(&mut self, phase: Phase, action: impl FnOnce(&mut Store<State>) -> wasmtime::Result<T>) -> wasmtime::Result<T> {
        self.store.data_mut().call.begin(phase);
        let result = action(&mut self.store);
        self.store.data_mut().call.phase = Phase::Idle;
        if result.is_err() {
            self.rewind();
        }
        result
    }

    /// After a call that did not return: the members' stacks are where they were before it.
    #[cold]
    pub fn rewind(&mut self) {
        stacks::rewind(&mut *self.store);
    }
}

impl Drop for Entered<'_> {
    /// Ends the call: what it brought in need not stay resident.
    #[inline]
    fn drop(&mut self) {
        let state = self.store.data();
        if state.arguments.is_large() || state.results.is_large() {
            release_regions(&mut self.store);
        }
        self.store.data_mut().call.lent = Lent::NOTHING;
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

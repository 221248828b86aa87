//! The host's state: what is loaded, and the outermost call that is running.
//!
//! The server calls modules from one thread. What is here is written while a load runs, when no command does, and read afterwards;
//! what changes later stands in cells.

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::ffi::{CStr, c_int};
use std::sync::atomic::{AtomicI64, AtomicPtr, Ordering::Relaxed};

use crate::abi::MemberId;
use crate::api::{self, CallReply, Ctx, Str};
use crate::command::Slot;
use crate::description::Description;
use crate::docs::Categories;
use crate::engine::{DEPTH_MAX, Ticker};
use crate::faults::Faults;
use crate::file::WasmFile;
use crate::fresh::Fresh;
use crate::group::{Group, ROOM};
use crate::link::Link;
use crate::persistence::DataType;
use crate::sweep::{self, Sweeper, Turn};
use crate::{command, rm};

/// Everything that one load made.
pub struct Host {
    pub modules: Vec<LoadedModule>,
    pub groups: Vec<Group>,
    slots: UnsafeCell<Vec<Slot>>,
    types: UnsafeCell<Vec<DataType>>,
    /// The server's `maxmemory` in bytes where its policy is `noeviction`, else 0.
    maxmemory: Cell<u64>,
    /// The server's own reply `+OK`, to be sent again: its function for statuses allocates and searches the text for line breaks first.
    /// Never freed: to free it the server looks at the context that it was made in, which ends with the load.
    pub ok: Cell<*mut CallReply>,
    /// Where a load goes that runs beside the present data.
    pub fresh: Fresh,
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
    pub group: usize,
    pub index: usize,
    pub faults: Faults,
    /// When it is to reclaim what has expired.
    pub turn: Turn,
}

/// The one host of this process, null while nothing is loaded.
static HOST: AtomicPtr<Host> = AtomicPtr::new(std::ptr::null_mut());

impl Host {
    pub fn new(ticker: Ticker) -> Host {
        Host {
            modules: Vec::new(),
            groups: Vec::new(),
            slots: UnsafeCell::default(),
            types: UnsafeCell::default(),
            maxmemory: Cell::new(0),
            ok: Cell::new(std::ptr::null_mut()),
            fresh: Fresh::default(),
            settings_undone: Cell::new(0),
            categories: Categories::default(),
            sweeper: Sweeper::default(),
            pid: std::process::id(),
            _ticker: ticker,
        }
    }
}

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
pub fn get() -> Option<&'static Host> {
    // SAFETY: null, or made by `install` and dropped by `remove` alone, which runs when nothing else does.
    unsafe { HOST.load(Relaxed).as_ref() }
}

/// The host, to be filled by the running load.
///
/// # Safety
/// Called within `RedisModule_OnLoad` alone, with no other reference to the host alive.
pub unsafe fn get_mut() -> Option<&'static mut Host> {
    // SAFETY: by this function's contract.
    unsafe { HOST.load(Relaxed).as_mut() }
}

fn expect() -> &'static Host {
    get().expect("the host is installed before anything runs in it")
}

/// The command number `index`.
#[inline]
pub fn slot(index: usize) -> Option<&'static Slot> {
    let host = get()?;
    // SAFETY: slots are pushed while a load runs alone, when no command of this host does.
    unsafe { &*host.slots.get() }.get(index)
}

/// The commands, to be added to; while a load runs alone.
pub fn slots_mut() -> &'static mut Vec<Slot> {
    // SAFETY: see `slot`.
    unsafe { &mut *expect().slots.get() }
}

/// The commands that were registered.
pub fn slots() -> &'static [Slot] {
    // SAFETY: see `slot`.
    unsafe { &*expect().slots.get() }
}

/// The data types that modules registered, to be added to while a load runs alone.
pub fn types_mut() -> &'static mut Vec<DataType> {
    // SAFETY: see `slot`.
    unsafe { &mut *expect().types.get() }
}

/// The group that a module runs in.
#[inline]
pub fn group_of(member: MemberId) -> &'static Group {
    let host = expect();
    &host.groups[host.modules[member].group]
}

/// The module at a place in one of the present groups.
pub fn member_of(group: &Group, index: usize) -> Option<MemberId> {
    let host = get()?;
    host.modules.iter().position(|module| module.index == index && std::ptr::eq(&raw const host.groups[module.group], group))
}

/// A module's place in its group.
pub fn index_of(member: MemberId) -> usize {
    expect().modules[member].index
}

/// What a module said of its command, named in lower case, when it was asked.
pub fn description(member: MemberId, command: &str) -> Option<&'static Description> {
    get()?.modules.get(member)?.file.descriptions.get(command)
}

pub fn module_name(member: MemberId) -> &'static str {
    get().and_then(|host| host.modules.get(member)).map_or("?", |module| &module.file.name)
}

/// The present value of a module's setting.
pub fn setting(member: MemberId, handle: i32) -> Option<i64> {
    get()?.modules.get(member)?.file.settings.get(&handle).map(|cell: &&AtomicI64| cell.load(Relaxed))
}

/// Commands that a module has served.
pub fn commands_served(host: &Host, member: MemberId) -> u64 {
    // SAFETY: see `slot`.
    let slots = unsafe { &*host.slots.get() };
    slots.iter().filter(|slot| slot.member == member).map(|slot| slot.calls.get()).sum()
}

pub fn count_fault(member: MemberId, timeout: bool) {
    expect().modules[member].faults.count(timeout);
}

/// Runs `action`, which the server has called: a panic in it must not cross into the server. It is logged, and becomes `None`.
#[inline]
pub fn guarded<T>(action: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(action)).map_err(|payload| note_panic(&*payload)).ok()
}

#[cold]
fn note_panic(payload: &(dyn Any + Send)) {
    // SAFETY: set by `api::init`, before the server calls anything else.
    let logs = unsafe { api::Log };
    if logs.is_some() {
        log(std::ptr::null_mut(), c"warning", &format!("the host failed: {}", panic_text(payload)));
    }
}

/// What a panic was raised with.
fn panic_text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("?")
}

/// A line in the server's log.
pub fn log(ctx: *mut Ctx, level: &CStr, message: &str) {
    let message = crate::text::line(message.as_bytes());
    // SAFETY: the server allows a null context; both texts are C strings.
    unsafe { rm!(Log(ctx, level.as_ptr(), c"%s".as_ptr(), message.as_ptr())) };
}

/// Ends the server: going on would leave this replica, or this load, silently different from its source.
pub fn give_up(message: &str) -> ! {
    log(std::ptr::null_mut(), c"warning", &format!("{message}: this server ends, since its data would diverge"));
    std::process::exit(1);
}

// ── The outermost call ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/// The command by which the server entered this host; calls nested in it inherit what was decided for it.
struct Outermost {
    /// Null while none runs.
    ctx: Cell<*mut Ctx>,
    /// The command's name, as it was called; null in a sweep, also in one before a command.
    command: Cell<*mut Str>,
    /// Commands of this host that run within each other.
    depth: Cell<u32>,
    write: Cell<bool>,
    /// The context's flags, once they were asked for.
    flags: Cell<Option<c_int>>,
}

// SAFETY: the server calls modules from its main thread alone; a fork child has one thread too.
unsafe impl Sync for Outermost {}

static OUTERMOST: Outermost = Outermost {
    ctx: Cell::new(std::ptr::null_mut()),
    command: Cell::new(std::ptr::null_mut()),
    depth: Cell::new(0),
    write: Cell::new(false),
    flags: Cell::new(None),
};

/// Marks a call as the outermost one, if it is, until it is dropped.
pub struct Outer {
    outermost: bool,
}

impl Outer {
    /// `command`: its name as it was called, null where no command runs.
    #[inline]
    pub fn begin(ctx: *mut Ctx, command: *mut Str, write: bool) -> Outer {
        let outermost = OUTERMOST.ctx.get().is_null();
        if outermost {
            OUTERMOST.ctx.set(ctx);
            OUTERMOST.command.set(command);
            OUTERMOST.write.set(write);
            OUTERMOST.flags.set(None);
        }
        OUTERMOST.depth.set(OUTERMOST.depth.get() + 1);
        Outer { outermost }
    }

    /// Whether the call repeats what was decided elsewhere and is the outermost one: what fails in a nested one is its caller's to judge.
    pub fn is_from_stream(&self) -> bool {
        self.outermost && from_stream()
    }

    /// Whether more commands run within each other than the server's stack is known to hold.
    #[inline]
    pub fn is_too_deep(&self) -> bool {
        OUTERMOST.depth.get() > DEPTH_MAX
    }
}

impl Drop for Outer {
    #[inline]
    fn drop(&mut self) {
        OUTERMOST.depth.set(OUTERMOST.depth.get() - 1);
        if self.outermost {
            OUTERMOST.ctx.set(std::ptr::null_mut());
        }
    }
}

/// The context and the name of the command that came from outside; `None` when none runs.
pub fn outermost() -> Option<(*mut Ctx, *mut Str)> {
    let (ctx, command) = (OUTERMOST.ctx.get(), OUTERMOST.command.get());
    (!ctx.is_null() && !command.is_null()).then_some((ctx, command))
}

/// Runs `action` as the server's own doing, within whatever command runs.
pub fn by_the_server<T>(action: impl FnOnce() -> T) -> T {
    let command = OUTERMOST.command.replace(std::ptr::null_mut());
    let result = action();
    OUTERMOST.command.set(command);
    result
}

/// The context flags of the outermost call; `None` when none runs. Asked of the server at most once per call.
pub fn outer_flags() -> Option<c_int> {
    let ctx = OUTERMOST.ctx.get();
    if ctx.is_null() {
        return None;
    }
    if OUTERMOST.flags.get().is_none() {
        // SAFETY: the outermost call is running, and this is its context.
        OUTERMOST.flags.set(Some(unsafe { rm!(GetContextFlags(ctx)) }));
    }
    OUTERMOST.flags.get()
}

/// Whether the running call must be obeyed: it repeats what was decided elsewhere (replication stream, append-only file), or writes on a
/// replica. Then nothing is refused for memory or size, and time is ample.
pub fn obeys() -> bool {
    let Some(flags) = outer_flags() else { return false };
    streamed(flags) || (OUTERMOST.write.get() && flags & api::CTX_FLAGS_SLAVE != 0)
}

/// Whether the running command comes from the replication stream or the append-only file.
pub fn from_stream() -> bool {
    outer_flags().is_some_and(streamed)
}

/// A load beside the present data runs no commands itself: those that come meanwhile are clients'.
fn streamed(flags: c_int) -> bool {
    let loading = flags & (api::CTX_FLAGS_LOADING | api::CTX_FLAGS_ASYNC_LOADING) == api::CTX_FLAGS_LOADING;
    loading || flags & api::CTX_FLAGS_REPLICATED != 0
}

// ── Memory that is short ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Whether the server, with what lives in linear memory counted in, is over `maxmemory`, and this call may be refused for it: only the
/// outermost one, only under `noeviction`, and never one that must be obeyed. Where memory is short, of `maxmemory` or of
/// `wasm.max-memory`, what has expired is reclaimed first. No group is entered yet.
///
/// # Safety
/// The context and the arguments of a running command. `may_replicate`: whether the server knows that it may.
pub unsafe fn over_maxmemory(ctx: *mut Ctx, argv: *mut *mut Str, argc: c_int, may_replicate: bool) -> bool {
    let host = expect();
    let maxmemory = host.maxmemory.get();
    let is_full = host.groups.iter().any(Group::is_full);
    if (maxmemory == 0 && !is_full) || OUTERMOST.ctx.get() != ctx || obeys() {
        return false;
    }
    // SAFETY: takes no argument. Asked once: what reclaiming queues has left the server's memory when the command has ended.
    let own = (f64::from(unsafe { rm!(GetUsedMemoryRatio()) }) * maxmemory as f64) as u64;
    let exceeds = |room: u64| maxmemory != 0 && own + live_bytes(host) + room > maxmemory;
    // SAFETY: by this function's contract.
    let stored = if is_full { unsafe { command::length(argv, argc) } } else { 0 };
    let is_short = || exceeds(ROOM) || host.groups.iter().any(|group| group.is_short(ROOM + stored));
    if !is_short() {
        return false;
    }
    if may_replicate {
        // SAFETY: by this function's contract.
        unsafe { sweep::reclaim_while(host, ctx, is_short) };
    }
    exceeds(0)
}

/// Bytes of all linear memories that are in use.
fn live_bytes(host: &Host) -> u64 {
    host.groups.iter().map(|group| group.memory_bytes()).map(|(reserved, free)| reserved.saturating_sub(free)).sum()
}

/// Asks the server for `maxmemory` and its policy: at load, and when a setting changes.
///
/// # Safety
/// `ctx` is the context of a running call from the server.
pub unsafe fn refresh_maxmemory(ctx: *mut Ctx) {
    // SAFETY: by this function's contract.
    let (limit, policy) = unsafe { (server_setting(ctx, c"maxmemory"), server_setting(ctx, c"maxmemory-policy")) };
    let refuses = policy.as_deref() == Some("noeviction");
    let limit = limit.and_then(|limit| limit.parse().ok()).unwrap_or(0);
    expect().maxmemory.set(if refuses { limit } else { 0 });
}

/// Keeps a reply `+OK` of the server's to send again: UNWATCH does nothing here and answers so.
///
/// # Safety
/// As [`refresh_maxmemory`].
pub unsafe fn keep_ok(ctx: *mut Ctx) {
    // SAFETY: by this function's contract; a reply that is another is freed once.
    unsafe {
        let reply = rm!(Call(ctx, c"UNWATCH".as_ptr(), c"".as_ptr()));
        if reply.is_null() {
            return;
        }
        let mut length = 0;
        let proto = rm!(CallReplyProto(reply, &raw mut length));
        if std::slice::from_raw_parts(proto.cast::<u8>(), length) == b"+OK\r\n" {
            expect().ok.set(reply);
        } else {
            rm!(FreeCallReply(reply));
        }
    }
}

/// The kept reply `+OK`, null where the server gave none.
#[inline]
pub fn ok_reply() -> *mut CallReply {
    get().map_or(std::ptr::null_mut(), |host| host.ok.get())
}

/// The value of one of the server's settings.
///
/// # Safety
/// As [`refresh_maxmemory`].
pub unsafe fn server_setting(ctx: *mut Ctx, name: &CStr) -> Option<String> {
    // SAFETY: by this function's contract; the reply is freed once, after its last use.
    unsafe {
        let reply = rm!(Call(ctx, c"CONFIG".as_ptr(), c"cc".as_ptr(), c"GET".as_ptr(), name.as_ptr()));
        if reply.is_null() {
            return None;
        }
        let element = rm!(CallReplyArrayElement(reply, 1));
        let mut value = None;
        if !element.is_null() {
            let mut length = 0;
            let bytes = rm!(CallReplyStringPtr(element, &raw mut length));
            if !bytes.is_null() {
                value = Some(String::from_utf8_lossy(std::slice::from_raw_parts(bytes.cast(), length)).into_owned());
            }
        }
        rm!(FreeCallReply(reply));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_at_the_guard() {
        assert_eq!(guarded(|| 7), Some(7));
        assert_eq!(guarded(|| -> i32 { panic!("on purpose") }), None);
    }

    #[test]
    fn what_a_panic_says_is_told() {
        let told = |action: fn()| panic_text(&*std::panic::catch_unwind(action).unwrap_err()).to_string();
        assert_eq!(told(|| panic!("on purpose")), "on purpose");
        assert_eq!(told(|| panic!("number {}", 7)), "number 7");
        assert_eq!(told(|| std::panic::panic_any(7)), "?");
    }
}

//! Reclaiming what has expired: modules do it by their export `sweep`, one bounded step at each call. A timer calls it, and a command that
//! stores does where memory is short.
//!
//! Only a primary that may replicate now sweeps: what a step does reaches replicas as effects, and a replica waits for those. While clients
//! are paused for a failover the server ends when anything is replicated. What one turn of the timer replicates is one transaction; what a
//! command reclaims is replicated before its own effects, in the same transaction.
//!
//! The server's timers go by the clock on the wall: where that is set back, they come that much later. So all times here are of the
//! monotonic clock, and the server's cron, which goes by it too, sets a timer anew that is overdue.

use std::cell::Cell;
use std::ffi::{CStr, c_void};
use std::time::{Duration, Instant};

use wasmtime::{AsContextMut, Error};

use crate::abi::MemberId;
use crate::api::{self, Ctx, Event};
use crate::back_off::BackOff;
use crate::command::fault;
use crate::group::Phase;
use crate::host::{self, Host, Outer};
use crate::trap::{Failed, TimedOut};
use crate::{rm, text};

/// How often a module that has nothing more to do is asked again.
const PERIOD: Duration = Duration::from_millis(30);
/// How long one turn of the timer sweeps, but for its last step. Each turn that leaves something to do doubles it for the next one, up to …
const SLICE: Duration = Duration::from_micros(100);
/// … this: with the pause after it, a quarter of the time, which is what the server spends on expired keys of its own.
const SLICE_MAX: Duration = Duration::from_micros(333);
/// The pause until the next turn while there is more to do: clients' commands come between.
const PAUSE: Duration = Duration::from_millis(1);
/// How many times as long as a turn took the server has for its clients before the next one.
const REST: u32 = 3;
/// How late a timer is taken for one that waits for a clock that was set back.
const OVERDUE: Duration = Duration::from_millis(100);
/// How long a command reclaims before it runs, but for its last step.
const COMMAND_SLICE: Duration = Duration::from_micros(250);

/// The timer, and whose turn it is.
#[derive(Default)]
pub struct Sweeper {
    /// The timer that the server holds, and when it is due.
    timer: Cell<Option<(u64, Instant)>>,
    /// How long the next turn sweeps; less than [`SLICE`] stands for that.
    slice: Cell<Duration>,
    /// The module that the next turn begins with.
    first: Cell<MemberId>,
}

/// When a module is to be swept next.
#[derive(Default)]
pub struct Turn {
    /// `None`: at once.
    due: Cell<Option<Instant>>,
    back_off: BackOff,
}

/// The server's own cron starts the timer, some ms after the load: a load that fails, or that the server undoes by itself afterwards,
/// leaves none behind. And it sets one anew that is overdue.
///
/// # Safety
/// The server calls this with an event's own data.
pub unsafe extern "C" fn on_cron(ctx: *mut Ctx, _: Event, _: u64, _: *mut c_void) {
    host::guarded(|| {
        let Some(host) = host::get() else { return };
        match host.sweeper.timer.get() {
            None if !(0..host.modules.len()).any(|member| has_sweep(host, member)) => {}
            Some((_, due)) if Instant::now() < due + OVERDUE => {}
            // SAFETY: the context of a running event. A timer that the server no longer has is not stopped.
            overdue => unsafe {
                if let Some((timer, _)) = overdue {
                    rm!(StopTimer(ctx, timer, std::ptr::null_mut()));
                }
                arm(host, ctx, PAUSE);
            },
        }
    });
}

/// # Safety
/// `ctx` is the context of a running event or timer.
unsafe fn arm(host: &Host, ctx: *mut Ctx, after: Duration) {
    let period_ms = after.as_millis().max(1) as i64;
    // SAFETY: by this function's contract.
    let timer = unsafe { rm!(CreateTimer(ctx, period_ms, on_timer, std::ptr::null_mut())) };
    host.sweeper.timer.set(Some((timer, Instant::now() + after)));
}

unsafe extern "C" fn on_timer(ctx: *mut Ctx, _: *mut c_void) {
    let Some(host) = host::get() else { return };
    host.sweeper.timer.set(None);
    // SAFETY: the context of the running timer, here and below. After a panic the server's cron starts the timer again.
    host::guarded(|| unsafe {
        let after = if may_sweep(ctx) { turn(host, ctx) } else { PERIOD };
        arm(host, ctx, after);
    });
}

fn has_sweep(host: &Host, member: MemberId) -> bool {
    let module = &host.modules[member];
    host.groups[module.group].members().get(module.index).is_some_and(|functions| functions.sweep.is_some())
}

/// Whether this server decides what expires, and may tell others now.
///
/// # Safety
/// `ctx` is the context of the running timer, or command, here and below.
unsafe fn may_sweep(ctx: *mut Ctx) -> bool {
    const NOT_NOW: i32 = api::CTX_FLAGS_SLAVE | api::CTX_FLAGS_LOADING | api::CTX_FLAGS_ASYNC_LOADING;
    // SAFETY: by this function's contract.
    unsafe { rm!(GetContextFlags(ctx)) & NOT_NOW == 0 && rm!(AvoidReplicaTraffic()) == 0 }
}

/// One turn of the timer: a slice of sweeping. Answers how long the next one has time.
unsafe fn turn(host: &Host, ctx: *mut Ctx) -> Duration {
    let begun = Instant::now();
    let slice = host.sweeper.slice.get().max(SLICE);
    // SAFETY: by this function's contract.
    while unsafe { step_by(host, ctx, begun, Phase::Sweep) } && begun.elapsed() < slice {}
    let is_behind = next(host, begun).is_some();
    host.sweeper.slice.set(if is_behind { (slice * 2).min(SLICE_MAX) } else { SLICE });
    (if is_behind { PAUSE } else { PERIOD }).max(begun.elapsed() * REST)
}

/// Reclaims, before a command runs that stores, while memory `is_short` and there is something to reclaim, for a slice at most.
///
/// # Safety
/// `ctx` is the context of a command that is about to run, and may replicate; no group is entered.
pub unsafe fn reclaim_while(host: &Host, ctx: *mut Ctx, is_short: impl Fn() -> bool) {
    let begun = Instant::now();
    // What had nothing more to do a pause ago is asked again, what is left alone after a fault is not.
    let by = begun + PERIOD - PAUSE;
    // SAFETY: by this function's contract. What is reclaimed belongs to no database: it is signalled where the timer's turns signal it.
    unsafe {
        if next(host, by).is_none() || !may_sweep(ctx) || !replicates(ctx) {
            return;
        }
        let database = rm!(GetSelectedDb(ctx));
        rm!(SelectDb(ctx, 0));
        host::by_the_server(|| while step_by(host, ctx, by, Phase::Reclaim) && begun.elapsed() < COMMAND_SLICE && is_short() {});
        rm!(SelectDb(ctx, database));
    }
}

/// Whether what is replicated within this command reaches others: not where another module calls it, which may keep that from them. Its
/// client is none that the server lists; nor is a script's, which keeps nothing back.
unsafe fn replicates(ctx: *mut Ctx) -> bool {
    // SAFETY: by this function's contract; the name is freed once.
    unsafe {
        if rm!(GetContextFlags(ctx)) & api::CTX_FLAGS_LUA != 0 {
            return true;
        }
        let name = rm!(GetClientUserNameById(ctx, rm!(GetClientId(ctx))));
        if name.is_null() {
            return false;
        }
        rm!(FreeString(std::ptr::null_mut(), name));
        true
    }
}

/// The module whose turn it is among those that are due by then.
fn next(host: &Host, by: Instant) -> Option<MemberId> {
    let (first, count) = (host.sweeper.first.get(), host.modules.len());
    let is_due = |member: MemberId| has_sweep(host, member) && host.modules[member].turn.due.get().is_none_or(|due| due <= by);
    (first..first + count).map(|number| number % count).find(|&member| is_due(member))
}

/// One step of the module whose turn it is; false where none is due by then.
unsafe fn step_by(host: &Host, ctx: *mut Ctx, by: Instant, phase: Phase) -> bool {
    let Some(member) = next(host, by) else { return false };
    host.sweeper.first.set(member + 1);
    // SAFETY: by this function's contract.
    let wait = unsafe { step(host, member, ctx, phase) };
    host.modules[member].turn.due.set(wait.map(|wait| Instant::now() + wait));
    true
}

/// One step of one module: how long it is to be left alone now, or `None` when it has more to do.
unsafe fn step(host: &Host, member: MemberId, ctx: *mut Ctx, phase: Phase) -> Option<Duration> {
    let module = &host.modules[member];
    let group = &host.groups[module.group];
    if group.damaged.get() {
        return Some(PERIOD);
    }
    let Some(mut entered) = group.enter() else { return Some(PERIOD) };
    let Some(sweep) = &group.members()[module.index].sweep else { return Some(PERIOD) };
    let outer = Outer::begin(ctx, std::ptr::null_mut(), true);
    let call = &mut entered.store.data_mut().call;
    call.ctx = ctx;
    // No command of this group runs: an argument of an earlier one must not be taken for a key of this call's.
    call.argv = std::ptr::null_mut();
    call.argc = 0;
    entered.limit_aside();
    let result = entered.during(phase, |_, store| sweep.call(store.as_context_mut(), ()));
    let call = &mut entered.store.data_mut().call;
    call.ctx = std::ptr::null_mut();
    call.aside = false;
    let error = match result {
        Ok(more) if call.overtime == 0 => {
            module.turn.back_off.end();
            return if more == 1 { None } else { Some(PERIOD) };
        }
        // It was in the middle of a commit when its time was up, so it was not ended.
        Ok(_) => Error::new(TimedOut::Aside),
        Err(error) => error,
    };
    let committing = entered.is_committing();
    match error.downcast_ref::<Failed>() {
        Some(Failed(message)) if !committing => {
            let message = text::line(message);
            host::log(ctx, c"warning", &format!("module {}: its sweep failed: {}", module.file.name, message.to_string_lossy()));
        }
        _ => drop(fault(member, SWEEP, &mut entered, ctx, &error)),
    }
    drop(outer);
    Some(module.turn.back_off.begin())
}

/// The export's name, for the log.
const SWEEP: &CStr = c"sweep";

//! Reclaiming what has expired: modules do it by their export `sweep`, one bounded step at each call, and a timer calls it.
//!
//! Only a primary that may replicate now sweeps: what a step does reaches replicas as effects, and a replica waits for those. While clients
//! are paused for a failover the server ends when anything is replicated. What one turn of the timer replicates is one transaction.

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
/// How long one turn of the timer sweeps at most, but for its last step …
const SLICE: Duration = Duration::from_micros(100);
/// … and the pause until the next one while there is more to do: clients' commands come between.
const PAUSE: Duration = Duration::from_millis(1);
/// How many times as long as a turn took the server has for its clients before the next one.
const REST: u32 = 4;

/// The timer, and whose turn it is.
#[derive(Default)]
pub struct Sweeper {
    /// Whether the server holds a timer of this host.
    ticking: Cell<bool>,
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
/// leaves none behind.
///
/// # Safety
/// The server calls this with an event's own data.
pub unsafe extern "C" fn on_cron(ctx: *mut Ctx, _: Event, _: u64, _: *mut c_void) {
    host::guarded(|| {
        let Some(host) = host::get() else { return };
        if !host.sweeper.ticking.get() && (0..host.modules.len()).any(|member| has_sweep(host, member)) {
            // SAFETY: the context of a running event.
            unsafe { arm(host, ctx, PAUSE) };
        }
    });
}

/// # Safety
/// `ctx` is the context of a running event or timer.
unsafe fn arm(host: &Host, ctx: *mut Ctx, after: Duration) {
    let period_ms = after.as_millis().max(1) as i64;
    // SAFETY: by this function's contract.
    unsafe { rm!(CreateTimer(ctx, period_ms, on_timer, std::ptr::null_mut())) };
    host.sweeper.ticking.set(true);
}

unsafe extern "C" fn on_timer(ctx: *mut Ctx, _: *mut c_void) {
    let Some(host) = host::get() else { return };
    host.sweeper.ticking.set(false);
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
/// `ctx` is the context of the running timer, here and below.
unsafe fn may_sweep(ctx: *mut Ctx) -> bool {
    const NOT_NOW: i32 = api::CTX_FLAGS_SLAVE | api::CTX_FLAGS_LOADING | api::CTX_FLAGS_ASYNC_LOADING;
    // SAFETY: by this function's contract.
    unsafe { rm!(GetContextFlags(ctx)) & NOT_NOW == 0 && rm!(AvoidReplicaTraffic()) == 0 }
}

/// One turn of the timer: a slice of sweeping. Answers how long the next one has time.
unsafe fn turn(host: &Host, ctx: *mut Ctx) -> Duration {
    let begun = Instant::now();
    let count = host.modules.len();
    let is_due = |member: MemberId| has_sweep(host, member) && host.modules[member].turn.due.get().is_none_or(|due| due <= begun);
    loop {
        let first = host.sweeper.first.get();
        let Some(member) = (first..first + count).map(|number| number % count).find(|&member| is_due(member)) else {
            return PERIOD.max(begun.elapsed() * REST);
        };
        host.sweeper.first.set(member + 1);
        // SAFETY: by this function's contract.
        let wait = unsafe { step(host, member, ctx) };
        let now = Instant::now();
        host.modules[member].turn.due.set(wait.map(|wait| now + wait));
        if now - begun >= SLICE {
            let pause = if (0..count).any(is_due) { PAUSE } else { PERIOD };
            return pause.max((now - begun) * REST);
        }
    }
}

/// One step of one module: how long it is to be left alone now, or `None` when it has more to do.
unsafe fn step(host: &Host, member: MemberId, ctx: *mut Ctx) -> Option<Duration> {
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
    // No command runs: an argument of an earlier one must not be taken for a key of this call's.
    call.argv = std::ptr::null_mut();
    call.argc = 0;
    entered.limit_aside();
    let result = entered.during(Phase::Sweep, |_, store| sweep.call(store.as_context_mut(), ()));
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

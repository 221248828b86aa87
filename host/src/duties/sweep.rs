//! Reclaiming what has expired: modules do it by their export `sweep`, one bounded step at each call. A timer
//! calls it, and a command that stores does where memory is short.
//!
//! Only a primary that may replicate now sweeps: what a step does reaches replicas as effects, and a replica
//! waits for those. While clients are paused for a failover the server ends when anything is replicated. What
//! one turn of the timer replicates is one transaction; what a command reclaims is replicated before its own
//! effects, in the same transaction.
//!
//! The server's timers go by the clock on the wall: where that is set back, they come that much later. So all
//! times here are of the monotonic clock, and the server's cron, which goes by it too, sets a timer anew that
//! is overdue.

use std::ffi::{CStr, c_void};
use std::time::{Duration, Instant};

use wasmtime::{AsContextMut, Error};

use crate::engine::trap::{Failed, TimedOut};
use crate::guest::call::{Lent, Phase};
use crate::guest::ids::MemberId;
use crate::modules::loaded::{self, Host};
use crate::server::api::{self, Ctx};
use crate::server::context::{Context, avoids_replica_traffic};
use crate::server::guard::guarded;
use crate::server::{log, outermost, permissions, text};

/// How often a module that has nothing more to do is asked again.
const PERIOD: Duration = Duration::from_millis(30);
/// How long one turn of the timer sweeps, but for its last step. Each turn that leaves something to do
/// doubles it for the next one, up to …
const SLICE: Duration = Duration::from_micros(100);
/// … this: with the pause after it, a quarter of the time, which is what the server spends on expired keys of
/// its own.
const SLICE_MAX: Duration = Duration::from_micros(333);
/// The pause until the next turn while there is more to do: clients' commands come between.
const PAUSE: Duration = Duration::from_millis(1);
/// How many times as long as a turn took the server has for its clients before the next one.
const REST: u32 = 3;
/// How late a timer is taken for one that waits for a clock that was set back.
const OVERDUE: Duration = Duration::from_millis(100);
/// How long a command reclaims before it runs, but for its last step.
const COMMAND_SLICE: Duration = Duration::from_micros(250);

/// The server's own cron starts the timer, some ms after the load: a load that fails, or that the server
/// undoes by itself afterwards, leaves none behind. And it sets one anew that is overdue.
pub fn on_cron(host: &Host, ctx: Context<'_>) {
    match host.sweeper.timer.get() {
        None if !(0..host.modules.len()).any(|place| has_sweep(host, MemberId(place))) => {}
        Some((_, due)) if Instant::now() < due + OVERDUE => {}
        overdue => {
            if let Some((timer, _)) = overdue {
                ctx.stop_timer(timer);
            }
            arm(host, ctx, PAUSE);
        }
    }
}

fn arm(host: &Host, ctx: Context<'_>, after: Duration) {
    let timer = ctx.start_timer(after, on_timer);
    host.sweeper.timer.set(Some((timer, Instant::now() + after)));
}

unsafe extern "C" fn on_timer(ctx: *mut Ctx, _: *mut c_void) {
    // SAFETY: the context of the running timer.
    let ctx = unsafe { Context::new(ctx) };
    // After a panic the server's cron starts the timer again.
    guarded(|| {
        let Some(host) = loaded::get() else { return };
        host.sweeper.timer.set(None);
        let after = if may_sweep(ctx) { turn(host, ctx) } else { PERIOD };
        arm(host, ctx, after);
    });
}

fn has_sweep(host: &Host, member: MemberId) -> bool {
    host.functions_of(member).is_some_and(|functions| functions.sweep.is_some())
}

/// Whether this server decides what expires, and may tell others now. While slots come from another node that
/// one decides: what lengthens an entry's time may be on its way.
fn may_sweep(ctx: Context<'_>) -> bool {
    if outermost::is_importing() {
        return false;
    }
    const NOT_NOW: i32 = api::CTX_FLAGS_SLAVE | api::CTX_FLAGS_LOADING | api::CTX_FLAGS_ASYNC_LOADING;
    ctx.flags() & NOT_NOW == 0 && !avoids_replica_traffic()
}

/// One turn of the timer: a slice of sweeping. Answers how long the next one has time.
fn turn(host: &Host, ctx: Context<'_>) -> Duration {
    let begun = Instant::now();
    let slice = host.sweeper.slice.get().max(SLICE);
    while step_by(host, ctx, begun, Phase::Sweep) && begun.elapsed() < slice {}
    let is_behind = next(host, begun).is_some();
    host.sweeper.slice.set(if is_behind { (slice * 2).min(SLICE_MAX) } else { SLICE });
    (if is_behind { PAUSE } else { PERIOD }).max(begun.elapsed() * REST)
}

/// Reclaims, before a command runs that stores and may replicate, while memory `is_short` and there is
/// something to reclaim, for a slice at most. No group is entered.
pub fn reclaim_while(host: &Host, ctx: Context<'_>, is_short: impl Fn() -> bool) {
    let begun = Instant::now();
    // What had nothing more to do a pause ago is asked again, what is left alone after a fault is not.
    let by = begun + PERIOD - PAUSE;
    if next(host, by).is_none() || !may_sweep(ctx) || !replicates(ctx) {
        return;
    }
    // What is reclaimed belongs to no database: it is signalled where the timer's turns signal it.
    ctx.in_database(0, || {
        outermost::by_the_server(|| while step_by(host, ctx, by, Phase::Reclaim) && begun.elapsed() < COMMAND_SLICE && is_short() {});
    });
}

/// Whether what is replicated within this command reaches others: not where another module calls it, which
/// may keep that from them. Its client is none that the server lists; nor is a script's, which keeps nothing
/// back.
fn replicates(ctx: Context<'_>) -> bool {
    ctx.flags() & api::CTX_FLAGS_LUA != 0 || permissions::is_listed_client(ctx)
}

/// The module whose turn it is among those that are due by then.
fn next(host: &Host, by: Instant) -> Option<MemberId> {
    let (first, count) = (host.sweeper.first.get(), host.modules.len());
    let is_due = |place: usize| has_sweep(host, MemberId(place)) && host.modules[place].turn.due.get().is_none_or(|due| due <= by);
    (first..first + count).map(|number| number % count).find(|&place| is_due(place)).map(MemberId)
}

/// One step of the module whose turn it is; false where none is due by then.
fn step_by(host: &Host, ctx: Context<'_>, by: Instant, phase: Phase) -> bool {
    let Some(member) = next(host, by) else { return false };
    host.sweeper.first.set(member.0 + 1);
    let wait = outermost::within(ctx, None, true, |_| step(host, member, ctx, phase));
    host.modules[member.0].turn.due.set(wait.map(|wait| Instant::now() + wait));
    true
}

/// One step of one module: how long it is to be left alone now, or `None` when it has more to do.
fn step(host: &Host, member: MemberId, ctx: Context<'_>, phase: Phase) -> Option<Duration> {
    let module = &host.modules[member.0];
    let group = &host.groups[module.group.get().0];
    if group.damaged.get() {
        return Some(PERIOD);
    }
    let functions = group.member(&module.identity);
    let Some(sweep) = functions.as_ref().and_then(|functions| functions.sweep.as_ref()) else { return Some(PERIOD) };
    // No command of this group runs: no argument of one is lent.
    let Some(mut entered) = group.enter_with(Lent::context(ctx)) else { return Some(PERIOD) };
    entered.limit_aside();
    let result = entered.during(phase, |store| sweep.call(store.as_context_mut(), ()));
    let call = &mut entered.store.data_mut().call;
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
            log::warning(Some(ctx), &format!("module {}: its sweep failed: {}", module.name(), message.to_string_lossy()));
        }
        _ => drop(entered.fault(&module.identity, SWEEP, &error)),
    }
    Some(module.turn.back_off.begin())
}

/// The export's name, for the log.
const SWEEP: &CStr = c"sweep";

//! `every`: what modules do at intervals. One handler runs at each turn of a timer, so that what it writes is
//! one unit for replicas and files, and clients' commands come between.
//!
//! A turn that is due while nothing may run comes once that is over, and those that have passed meanwhile are
//! left out. An interval begins with the module, and anew where this server becomes a primary.
//!
//! The server's timers go by the clock on the wall: where that is set back, they come that much later. So all
//! times here are of the monotonic clock, and the server's cron, which goes by it too, sets the timer anew
//! that is overdue.

use std::ffi::c_void;
use std::time::{Duration, Instant};

use super::{Failure, OVERDUE, PAUSE, Turn, log_seldom, run};
use crate::guest::call::Phase;
use crate::guest::ids::MemberId;
use crate::modules::loaded::{self, Host};
use crate::modules::triggers::{Every, count};
use crate::server::api::Ctx;
use crate::server::context::Context;
use crate::server::guard::guarded;
use crate::server::outermost;
use crate::server::strings::Strings;

/// The time for clients until the next handler, at least; else as long as the one before took.
const REST_MIN: Duration = Duration::from_millis(1);
/// How many times as long as a run of it took a handler is left alone.
const REST: u32 = 3;

/// The server's own cron: it starts the timer, and sets one anew that is overdue, or later than the next turn
/// is by now.
pub fn on_cron(host: &Host, ctx: Context<'_>) {
    if Turn::of(ctx) == Turn::Elsewhere {
        return each(host, |_, _, every| every.due.set(None));
    }
    let Some(next) = next(host) else { return };
    let timer = host.triggers.timer.get();
    if timer.is_some_and(|(_, due)| due <= next && Instant::now() < due + OVERDUE) {
        return;
    }
    if let Some((timer, _)) = timer {
        ctx.stop_timer(timer);
    }
    arm(host, ctx, next);
}

fn arm(host: &Host, ctx: Context<'_>, at: Instant) {
    // A timer counts whole milliseconds.
    let after = at.saturating_duration_since(Instant::now()).max(REST_MIN) + (REST_MIN - Duration::from_nanos(1));
    host.triggers.timer.set(Some((ctx.start_timer(after, on_timer), Instant::now() + after)));
}

unsafe extern "C" fn on_timer(ctx: *mut Ctx, _: *mut c_void) {
    // SAFETY: the context of the running timer.
    let ctx = unsafe { Context::new(ctx) };
    // After a panic the server's cron starts the timer again.
    guarded(|| {
        let Some(host) = loaded::get() else { return };
        host.triggers.timer.set(None);
        let begun = Instant::now();
        let rest = if Turn::of(ctx) == Turn::Now && !outermost::is_importing() {
            turn(host, ctx, begun);
            begun.elapsed().max(REST_MIN)
        } else {
            PAUSE
        };
        if let Some(next) = next(host) {
            arm(host, ctx, next.max(Instant::now() + rest));
        }
    });
}

/// Calls `action` with each handler that is there: its module, and its number there.
fn each(host: &Host, mut action: impl FnMut(MemberId, usize, &Every)) {
    for (place, module) in host.modules.iter().enumerate() {
        let Some(running) = module.running() else { continue };
        running.file.triggers.every.iter().enumerate().for_each(|(number, every)| action(MemberId(place), number, every));
    }
}

/// When the next turn is of all.
fn next(host: &Host) -> Option<Instant> {
    let mut next: Option<Instant> = None;
    each(host, |_, _, every| {
        let due = due(every);
        next = Some(next.map_or(due, |next| next.min(due)));
    });
    next
}

/// When the next turn of this one is.
fn due(every: &Every) -> Instant {
    let due = every.due.get().unwrap_or_else(|| Instant::now() + every.period);
    every.due.set(Some(due));
    due
}

/// Runs the handler that has been due for longest.
fn turn(host: &Host, ctx: Context<'_>, now: Instant) {
    let mut first: Option<(Instant, MemberId, usize)> = None;
    each(host, |member, number, every| {
        let due = due(every);
        if due <= now && first.is_none_or(|(first, ..)| due < first) {
            first = Some((due, member, number));
        }
    });
    let Some((due, member, number)) = first else { return };
    let module = &host.modules[member.0];
    let (Some(running), Some(functions)) = (module.running(), host.functions_of(member)) else { return };
    let (every, registered) = (&running.file.triggers.every[number], functions.triggers.get());
    let Some(handler) = registered.and_then(|registered| registered.every.get(number)) else { return };
    let result = run(host, ctx, member, handler, Phase::Every, &Strings::new([&b"every"[..]]));
    let counts = &module.counts;
    count(&counts.every_runs, 1);
    let took = now.elapsed();
    let ms = every.period.as_millis();
    let shown = format!("every({ms})");
    let mut wait = took * REST;
    if wait > every.period {
        count(&counts.every_slow, 1);
        log_seldom(host, ctx, member, &shown, &format!("it took {} ms, so its next turn comes later", took.as_millis()));
    }
    match result {
        Ok(()) => every.back_off.end(),
        Err(Failure { reason, .. }) => {
            count(&counts.every_failed, 1);
            wait = wait.max(every.back_off.begin());
            log_seldom(host, ctx, member, &shown, &format!("it failed, and is tried again in {} ms: {reason}", wait.as_millis().max(ms)));
        }
    }
    // Turns that have passed by then are not caught up with.
    let planned = due + every.period;
    let late = (Instant::now() + wait).saturating_duration_since(planned);
    let passed = late.as_nanos().div_ceil(every.period.as_nanos()).min(u128::from(u32::MAX)) as u32;
    count(&counts.every_missed, passed.into());
    every.due.set(Some(planned + every.period * passed));
}

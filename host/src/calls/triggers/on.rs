//! `on`: what modules do after events of keys, be they the server's own or those of modules.
//!
//! The server tells of an event in the middle of what causes it, and a module's own command may be what runs.
//! So an event is noted, and handlers are run when that has ended, within what it replicates: by a job of the
//! server's (7.2 and later), else by a timer that comes before the server waits for clients again.
//!
//! A handler's own writes may be events, after which handlers are run. What comes of one event is done before
//! the server goes on, so this must end: handlers cause each other a few times at most, and what is beyond is
//! dropped. So is what finds no room to wait.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::time::{Duration, Instant};

use super::{Failure, OVERDUE, PAUSE, Turn, log_seldom, run};
use crate::guest::call::Phase;
use crate::guest::ids::MemberId;
use crate::modules::loaded::{self, Host};
use crate::modules::slot_set::slot_of;
use crate::modules::triggers::{Event, count};
use crate::server::api::{self, Ctx, Str};
use crate::server::context::Context;
use crate::server::guard::guarded;
use crate::server::outermost;
use crate::server::strings::{ServerString, Strings};

/// Handlers that cause each other.
const DEPTH_MAX: u32 = 4;
/// How long the events that wait are worked off at once. Those that are left come by a timer.
const SLICE: Duration = Duration::from_millis(100);

/// Has the server tell of events, if any module wants to hear of them. At the end of a load, since a server
/// may go on telling one that has failed; and when a module has come later.
pub fn subscribe(host: &Host, ctx: Context<'_>) {
    let wants = || host.modules.iter().any(|module| module.running().is_some_and(|running| !running.file.triggers.on.is_empty()));
    if !host.triggers.is_subscribed.get() && wants() {
        host.triggers.is_subscribed.set(ctx.subscribe_to_keys(on_event));
    }
}

/// The server's own cron: what it was to call for and did not, it calls for now.
pub fn on_cron(host: &Host, ctx: Context<'_>) {
    let triggers = &host.triggers;
    if triggers.waiting() > 0 && triggers.asked.get().is_none_or(|asked| asked.elapsed() > OVERDUE) {
        if let Some(timer) = triggers.waking.take() {
            ctx.stop_timer(timer);
        }
        wake(host, ctx, Duration::ZERO);
    }
}

unsafe extern "C" fn on_event(ctx: *mut Ctx, _: c_int, event: *const c_char, key: *mut Str) -> c_int {
    // SAFETY: the server calls with the context, the name and the key of an event that it tells.
    let (ctx, event, key) = unsafe { (Context::new(ctx), CStr::from_ptr(event), ServerString::new(key)) };
    guarded(|| {
        if let Some(host) = loaded::get() {
            note(host, ctx, event.to_bytes(), key.bytes());
        }
    });
    api::OK
}

/// Notes an event that a module wants to hear of.
fn note(host: &Host, ctx: Context<'_>, event: &[u8], key: &[u8]) {
    let is_heard = |place: &usize| host.modules[*place].hears(event, key);
    if !(0..host.modules.len()).any(|place| is_heard(&place)) || Turn::of(ctx) == Turn::Elsewhere {
        return;
    }
    // What comes with slots of another node was an event there.
    if outermost::is_importing() && host.moving.takes(slot_of(key)) {
        return;
    }
    let depth = host.triggers.depth.get();
    let reason = if depth >= DEPTH_MAX {
        format!("it is dropped: handlers have caused each other {depth} times before it")
    } else if host.triggers.put(Event { name: event.into(), key: key.into(), database: ctx.database(), depth }) {
        if depth == 0 && host.triggers.asked.get().is_none() {
            ask(host, ctx);
        }
        return;
    } else {
        format!("it is dropped: {} events wait already", host.triggers.waiting())
    };
    for place in (0..host.modules.len()).filter(is_heard) {
        drop_event(host, ctx, MemberId(place), event, &reason);
    }
}

/// A module is not told of an event.
#[cold]
fn drop_event(host: &Host, ctx: Context<'_>, member: MemberId, event: &[u8], reason: &str) {
    count(&host.modules[member.0].counts.on_dropped, 1);
    log_seldom(host, ctx, member, &format!("the event {}", event.escape_ascii()), reason);
}

/// Has the server call when what runs now has ended.
fn ask(host: &Host, ctx: Context<'_>) {
    if ctx.start_job(on_job) {
        host.triggers.asked.set(Some(Instant::now()));
    } else {
        wake(host, ctx, Duration::ZERO);
    }
}

/// Has the server call by a timer.
fn wake(host: &Host, ctx: Context<'_>, after: Duration) {
    host.triggers.waking.set(Some(ctx.start_timer(after, on_timer)));
    host.triggers.asked.set(Some(Instant::now() + after));
}

unsafe extern "C" fn on_timer(ctx: *mut Ctx, _: *mut c_void) {
    // SAFETY: the context of the running timer.
    let ctx = unsafe { Context::new(ctx) };
    guarded(|| {
        let Some(host) = loaded::get() else { return };
        host.triggers.waking.set(None);
        work_off(host, ctx);
    });
}

unsafe extern "C" fn on_job(ctx: *mut Ctx, _: *mut c_void) {
    // SAFETY: the context of the running job.
    let ctx = unsafe { Context::new(ctx) };
    guarded(|| loaded::get().map(|host| work_off(host, ctx)));
}

/// Runs handlers after the events that wait.
fn work_off(host: &Host, ctx: Context<'_>) {
    let triggers = &host.triggers;
    triggers.asked.set(None);
    match Turn::of(ctx) {
        _ if triggers.waiting() == 0 => return,
        Turn::Later => return wake(host, ctx, PAUSE),
        Turn::Elsewhere => {
            while let Some(event) = triggers.take() {
                let listeners = (0..host.modules.len()).filter(|&place| host.modules[place].hears(&event.name, &event.key));
                listeners.for_each(|place| {
                    drop_event(host, ctx, MemberId(place), &event.name, "it is dropped: this server is a replica by now")
                });
            }
            return;
        }
        Turn::Now => {}
    }
    let _rest = Rest(host);
    let begun = Instant::now();
    while begun.elapsed() < SLICE {
        let Some(event) = triggers.take() else { return };
        triggers.depth.set(event.depth + 1);
        ctx.in_database(event.database, || tell(host, ctx, &event));
    }
    if triggers.waiting() > 0 && triggers.waking.get().is_none() {
        wake(host, ctx, Duration::from_millis(1));
    }
}

/// While it is there handlers run; nothing that is left behind has it seem so for good.
struct Rest<'a>(&'a Host);

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.0.triggers.depth.set(0);
    }
}

/// Runs the handlers of all modules that want to hear of an event.
fn tell(host: &Host, ctx: Context<'_>, event: &Event) {
    let words = Strings::new([b"on", &*event.key, &*event.name]);
    for (place, module) in host.modules.iter().enumerate() {
        let member = MemberId(place);
        let (Some(running), Some(functions)) = (module.running(), host.functions_of(member)) else { continue };
        let Some(registered) = functions.triggers.get() else { continue };
        for (on, handler) in running.file.triggers.on.iter().zip(&registered.on) {
            if !on.hears(&event.name, &event.key) {
                continue;
            }
            if on.back_off.lasts() {
                drop_event(host, ctx, member, &event.name, &format!("it is dropped: {} has run too long before", on.shown()));
                continue;
            }
            count(&module.counts.on_runs, 1);
            match run(host, ctx, member, handler, Phase::On, &words) {
                Ok(()) => on.back_off.end(),
                Err(Failure { reason, timed_out }) => {
                    count(&module.counts.on_failed, 1);
                    if timed_out {
                        on.back_off.begin();
                    }
                    log_seldom(
                        host,
                        ctx,
                        member,
                        &on.shown(),
                        &format!("it failed after an event {}: {reason}", event.name.escape_ascii()),
                    );
                }
            }
        }
    }
}

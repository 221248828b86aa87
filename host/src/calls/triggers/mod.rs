//! What modules do without a command: `every` at intervals, `on` after events of keys. Each run is a call as
//! a command's, with what that may do, and its writes are told as those of a command. Nobody is answered, and
//! no user is behind it.
//!
//! Only a server that decides what is written runs anything, and not while it may tell nobody: what
//! replicates while clients are paused for a failover ends the server.

pub mod every;
pub mod on;

use std::time::Duration;

use super::frame;
use super::refuse::DAMAGED;
use super::server_call;
use crate::engine::trap::{self, Failed, TimedOut};
use crate::guest::call::{Lent, Phase};
use crate::guest::ids::MemberId;
use crate::guest::state::Handler;
use crate::modules::loaded::Host;
use crate::server::context::{Context, avoids_replica_traffic};
use crate::server::strings::Strings;
use crate::server::{api, clock, log, outermost, text};

/// The pause until it is asked again whether anything may be run.
const PAUSE: Duration = Duration::from_millis(30);
/// How late a timer is taken for one that waits for a clock on the wall that was set back.
const OVERDUE: Duration = Duration::from_millis(100);

/// Whether this server may run anything now.
#[derive(PartialEq)]
enum Turn {
    Now,
    /// It may tell nobody what it writes.
    Later,
    /// Another server decides what is written, or a file.
    Elsewhere,
}

impl Turn {
    fn of(ctx: Context<'_>) -> Turn {
        const ELSEWHERE: i32 = api::CTX_FLAGS_SLAVE | api::CTX_FLAGS_LOADING | api::CTX_FLAGS_ASYNC_LOADING;
        match () {
            () if ctx.flags() & ELSEWHERE != 0 => Turn::Elsewhere,
            () if avoids_replica_traffic() => Turn::Later,
            () => Turn::Now,
        }
    }
}

/// Why a handler did not end well.
struct Failure {
    reason: String,
    timed_out: bool,
}

/// Runs a handler of a module with these words, of which the first stands in the place of a command's name.
fn run(host: &Host, ctx: Context<'_>, member: MemberId, handler: &Handler, phase: Phase, words: &Strings<'_>) -> Result<(), Failure> {
    let failed = |reason: &str| Failure { reason: reason.into(), timed_out: false };
    let module = &host.modules[member.0];
    let group = host.group_of(member);
    if group.damaged.get() {
        return Err(failed(DAMAGED));
    }
    let arguments = words.arguments();
    outermost::within(ctx, None, true, |_| {
        let mut entered = group.enter_with(Lent::command(ctx, arguments)).ok_or_else(|| failed("its group is busy"))?;
        let result = frame::place(&mut entered.store, arguments, None).and_then(|frame| {
            let state = entered.store.data_mut();
            state.limits.begin_command(true);
            let call = &mut state.call;
            call.replies.mute();
            call.begin(phase);
            call.may_replicate = true;
            call.frame = frame;
            call.begun_ms = if phase == Phase::On { clock::command_ms() } else { clock::now_ms() };
            handler.run(&mut entered.store, (arguments.count() - 1, frame.cast_signed()))
        });
        let call = &mut entered.store.data_mut().call;
        call.phase = Phase::Idle;
        server_call::end(call, ctx, result.is_ok());
        let Err(error) = result else { return Ok(()) };
        entered.rewind();
        match error.downcast_ref::<Failed>() {
            Some(Failed(message)) if !entered.is_committing() => Err(failed(&text::line(message).to_string_lossy())),
            _ => {
                entered.count_fault(&module.identity, &error);
                let reason = format!("{}; functions: {}", trap::describe(&error), trap::functions(&error));
                Err(Failure { reason, timed_out: error.downcast_ref::<TimedOut>().is_some() })
            }
        }
    })
}

/// Logs what a module's handler did, unless another line of its handlers was logged just now.
fn log_seldom(host: &Host, ctx: Context<'_>, member: MemberId, shown: &str, what: &str) {
    let module = &host.modules[member.0];
    if let Some(beside) = module.counts.log.begin() {
        log::warning(Some(ctx), &format!("module {}: {shown}: {what}{beside}", module.name()));
    }
}

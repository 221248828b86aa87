//! Commands: how the server's call reaches a module's handler, and what comes back.
//!
//! A command is one slot of a table. The server calls the trampoline `run::<N>`, which knows its slot by its
//! number: the command's name is never looked at again.

use std::ffi::c_int;

use wasmtime::{AsContextMut, Error, Result, Store};

use super::refuse::{DAMAGED, give_up, refuse, refuse_effect, refuse_unknown};
use super::{apply, deed, frame, moved, server_call};
use crate::describe::find::Finder;
use crate::duties::maxmemory;
use crate::engine::stack::DEPTH_MAX;
use crate::engine::trap::Failed;
use crate::guest::call::{Lent, Phase};
use crate::guest::group::{Entered, Group};
use crate::guest::ids::SlotId;
use crate::guest::memory;
use crate::guest::part::Reply;
use crate::guest::state::{Handler, State};
use crate::modules::loaded::{self, Host};
use crate::modules::namespace::COMMANDS_MAX;
use crate::modules::slot::Slot;
use crate::server::api::{self, Ctx, Str};
use crate::server::context::Context;
use crate::server::guard::answering;
use crate::server::outermost::{self, Outer};
use crate::server::strings::{Arguments, Word};
use crate::server::text;

/// What the server calls for command number `N`.
unsafe extern "C" fn run<const N: usize>(ctx: *mut Ctx, argv: *mut *mut Str, argc: c_int) -> c_int {
    // SAFETY: the server calls with the context and the arguments of a running command.
    let (ctx, arguments) = unsafe { (Context::new(ctx), Arguments::new(argv, argc)) };
    answering(ctx, || {
        if let Some(host) = loaded::get()
            && let Some(slot) = host.slots.get(N)
        {
            match &*slot.finder.borrow() {
                Some(finder) if ctx.is_asked_for_keys() => return tell_keys(finder, ctx, arguments),
                _ => {}
            }
            dispatch(host, SlotId(N), slot, ctx, arguments);
        }
    })
}

/// Tells the server where the keys are: it runs nothing.
#[cold]
fn tell_keys(finder: &Finder, ctx: Context<'_>, arguments: Arguments<'_>) {
    let words: Vec<&[u8]> = arguments.iter().map(|word| word.bytes()).collect();
    for (place, flags) in finder.places(&words) {
        ctx.tell_key(place, flags);
    }
}

#[inline]
fn dispatch(host: &Host, number: SlotId, slot: &Slot, ctx: Context<'_>, arguments: Arguments<'_>) {
    let group = &host.groups[slot.group.get().0];
    outermost::within(ctx, Some(arguments.get(0)), slot.write, |outer| {
        if outer.is_deeper_than(DEPTH_MAX) {
            let name = &slot.module.borrow().name;
            return refuse(ctx, &format!("ERR module {name}: commands call each other more than {DEPTH_MAX} deep"));
        }
        if slot.is_parked() {
            return answer_parked(host, slot, outer, ctx, arguments);
        }
        if host.moving.is_any() && moved::is_redirected(host, slot, outer, ctx, arguments) {
            return;
        }
        // Nothing is entered before it is admitted: reclaiming may have to enter any group.
        let is_plain = !(slot.effect || slot.deny_oom || slot.write) && slot.takes(arguments.count());
        if !is_plain && !admit(host, slot, group, outer, ctx, arguments) {
            return;
        }
        let Some(mut entered) = group.enter_with(Lent::command(ctx, arguments)) else {
            let name = &slot.module.borrow().name;
            return refuse(ctx, &format!("ERR module {name}: it called itself through a command"));
        };
        slot.calls.set(slot.calls.get() + 1);
        entered.store.data_mut().call.command = number;
        execute(host, slot, &mut entered, outer, ctx, arguments);
    });
}

/// Runs what has been admitted, and answers.
#[inline]
pub fn execute(host: &Host, slot: &Slot, entered: &mut Entered<'_>, outer: &Outer, ctx: Context<'_>, arguments: Arguments<'_>) {
    let result = call(slot, entered, ctx, arguments);
    server_call::end(&mut entered.store.data_mut().call, ctx, result.is_ok());
    match result {
        Ok(()) => {
            if slot.effect {
                // For this server's own file, and its replicas where it is no replica itself: those of one
                // take its primary's stream.
                apply::replicate_verbatim(host, slot, ctx, arguments);
            }
            let replies = &mut entered.store.data_mut().call.replies;
            if !replies.complete() {
                replies.finish(ctx);
            }
        }
        Err(error) => end(slot, entered, outer, ctx, &error),
    }
}

/// Answers a command that no module has any longer: what the stream brings is kept until one has, and so is
/// what another module writes by it for an effect of its own.
#[cold]
fn answer_parked(host: &Host, slot: &Slot, outer: &Outer, ctx: Context<'_>, arguments: Arguments<'_>) {
    if !(outer.is_from_stream() || slot.write && outermost::from_stream()) {
        return refuse_unknown(ctx, arguments);
    }
    if outermost::may_refuse() {
        return refuse_effect(ctx, &slot.shown(), &deed::unserved(slot.name.to_bytes()));
    }
    apply::keep_command(host, slot, arguments);
    if outer.is_outermost() {
        apply::wrap(host, slot, ctx, arguments.iter().skip(1).map(Word::Held));
    }
    ctx.reply_status(c"OK");
}

/// Copies the arguments into linear memory and runs the handler.
fn call(slot: &Slot, entered: &mut Entered<'_>, ctx: Context<'_>, arguments: Arguments<'_>) -> Result<()> {
    // First of all: arguments that are refused get a reply too.
    entered.store.data_mut().call.replies.reset();
    entered.store.data_mut().limits.begin_command(slot.deny_oom);
    let frame = frame::place(&mut entered.store, arguments, slot.late.get())?;
    let state = &mut entered.store.data_mut().call;
    state.begin(Phase::Command);
    state.may_replicate = slot.may_replicate && !state.lent.script.is_some_and(|script| script.reads_only);
    state.frame = frame;
    let given = (arguments.count() - 1, frame.cast_signed());
    let result = match &*slot.handler.borrow() {
        Some(Handler::Answers(handler)) => match handler.call(entered.store.as_context_mut(), given) {
            Ok(result) => answer(&mut entered.store, ctx, result),
            Err(error) => Err(error),
        },
        Some(Handler::Replies(handler)) => handler.call(entered.store.as_context_mut(), given),
        None => Err(Error::msg("no module has the command")),
    };
    entered.store.data_mut().call.phase = Phase::Idle;
    result
}

/// A handler's result that says: replied already. No byte string lies this low.
const REPLIED: u64 = 1;
/// A handler's result that stands for `+OK`.
const OK: u64 = 2;
/// The low half of a handler's result whose high half is an integer.
const INTEGER: u32 = 3;

/// Replies with a handler's result: a byte string as `length << 32 | pointer`, an integer as
/// `value << 32 | 3`, 0 for null, or one of the words above.
#[inline]
fn answer(store: &mut Store<State>, ctx: Context<'_>, result: u64) -> Result<()> {
    if result == REPLIED {
        return Ok(());
    }
    let memory = store.data().memory.ok_or_else(|| Error::msg("it has no memory"))?;
    let (all, state) = memory.data_and_store_mut(store);
    let reply = match result {
        0 => Reply::Null,
        OK => Reply::Status(b"OK"),
        _ if result as u32 == INTEGER => Reply::Integer(result.cast_signed() >> 32),
        _ => Reply::Bulk(memory::slice(all, result as u32, (result >> 32) as u32)?),
    };
    state.call.replies.send(ctx, reply);
    Ok(())
}

/// Whether the server's state lets this command run; if not, it has been answered.
fn admit(host: &Host, slot: &Slot, group: &Group, outer: &Outer, ctx: Context<'_>, arguments: Arguments<'_>) -> bool {
    if slot.effect && !outermost::from_stream() {
        refuse_unknown(ctx, arguments);
        return false;
    }
    if outer.is_from_stream() && !host.kept.is_empty() {
        // What the file had is older.
        apply::apply_kept(host, ctx);
    }
    if !slot.takes(arguments.count()) {
        if outer.is_from_stream() {
            refuse_effect(ctx, &slot.shown(), "it came with another number of arguments");
            return false;
        }
        ctx.wrong_arity();
        return false;
    }
    if slot.write && group.damaged.get() {
        if outer.is_from_stream() {
            refuse_effect(ctx, &slot.shown(), DAMAGED);
            return false;
        }
        refuse(ctx, DAMAGED);
        return false;
    }
    if slot.deny_oom && maxmemory::reclaim_or_refuse(host, ctx, outer, arguments, slot.may_replicate) {
        refuse(ctx, "OOM command not allowed when used memory > 'maxmemory'.");
        return false;
    }
    true
}

/// Ends a command that did not return: with the error that it chose, or with what went wrong.
#[cold]
fn end(slot: &Slot, entered: &mut Entered<'_>, outer: &Outer, ctx: Context<'_>, error: &Error) {
    entered.rewind();
    let committing = entered.is_committing();
    let message = match error.downcast_ref::<Failed>() {
        Some(Failed(text)) if !committing => text::line(text),
        _ => entered.fault(&slot.module.borrow(), &slot.name, error),
    };
    let is_obeyed = slot.effect || (slot.may_replicate && outer.is_from_stream());
    if is_obeyed && !outermost::may_refuse() {
        give_up(&slot.shown(), &message.to_string_lossy());
    }
    entered.store.data_mut().call.replies.fail(ctx, &message);
}

/// The trampolines, one per slot.
pub static TRAMPOLINES: [api::CommandFunc; COMMANDS_MAX] = trampolines();

const fn trampolines() -> [api::CommandFunc; COMMANDS_MAX] {
    macro_rules! row {
        ($table:ident, $row:literal: $($column:literal)*) => { $( $table[$row * 16 + $column] = run::<{ $row * 16 + $column }>; )* };
    }
    macro_rules! rows {
        ($table:ident: $($row:literal)*) => { $( row!($table, $row: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15); )* };
    }
    let mut table: [api::CommandFunc; COMMANDS_MAX] = [run::<0>; COMMANDS_MAX];
    rows!(table: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    table
}

//! What tells others of a write: replicas and the append-only file, WATCH and client-side caching,
//! subscribers.

use std::ffi::CStr;

use smallvec::SmallVec;
use wasmtime::{Error, Linker, Result};

use super::{Guest, NS, allow, context, handed, host, not_now, owner, parts, with_key};
use crate::calls::frame::argument_at;
use crate::calls::{apply, moved};
use crate::describe::declaration::NAME_BYTES_MAX;
use crate::guest::call::{Call, Phase, To};
use crate::guest::ids::MemberId;
use crate::guest::memory;
use crate::guest::state::State;
use crate::modules::libraries::Owner;
use crate::modules::namespace::{
    APPLY_COMMAND, COUNT_EFFECT, EFFECTS_WANTED, Function, KEY_CHANGED, NOTIFY_KEYSPACE_EVENT, PUBLISH_MESSAGE, REPLICATE,
    REPLICATE_TABLES, REPLICATE_VERBATIM, SIGNAL_MODIFIED_KEY,
};
use crate::server::strings::{Strings, Word, with_string};
use crate::server::{listeners, outermost, text};

/// Arguments of one effect beyond those of the running command.
const EFFECT_ARGUMENTS_MAX: u32 = 1 << 16;

pub(super) fn define(linker: &mut Linker<State>, member: MemberId) -> Result<()> {
    replication(linker, member)?;
    notifications(linker)
}

/// Refuses what must not replicate now: the server exits when a command that it did not hold back does while
/// clients' writes are paused.
#[inline]
fn allow_effect(guest: &Guest<'_>, function: &Function) -> Result<()> {
    allow(guest, function)?;
    let call = &guest.data().call;
    if call.may_replicate || call.phase != Phase::Command { Ok(()) } else { Err(not_now(function)) }
}

#[cold]
fn not_its_own(name: &[u8]) -> Error {
    // Whatever bytes the module gave, on one line.
    let name = name[..name.len().min(NAME_BYTES_MAX)].escape_ascii();
    Error::msg(format!("it replicates {name}, which is no command that its linked group writes by"))
}

/// Counts the running command as an effect. Once is what a write needs; each time beyond that counts as one
/// of the same arguments.
#[inline]
fn count_verbatim(call: &mut Call, memory: usize) -> Result<()> {
    if std::mem::replace(&mut call.verbatim, true) {
        let arguments = call.lent.arguments;
        call.hand(To::Server, arguments.bytes() + u64::from(arguments.count().unsigned_abs()) * memory::EACH, memory)?;
    }
    Ok(())
}

/// Replicates the running command as it came.
#[inline]
fn replicate_verbatim(call: &mut Call, function: &Function, memory: usize) -> Result<()> {
    if call.silent {
        return Ok(());
    }
    count_verbatim(call, memory)?;
    let slot = host()?.slots.get(call.command.0).ok_or_else(|| not_now(function))?;
    apply::replicate_verbatim(host()?, slot, context(call, function)?, call.lent.arguments);
    Ok(())
}

/// Counts a change that nobody takes, as save points do. A command that is alone may be replicated as it
/// came, which costs least: the server drops it, and should a replica wait for its snapshot by now, that is
/// written later. Within a transaction the append-only file could begin before what was queued leaves. Once
/// in a call, since all of its arguments count each time.
#[inline]
fn count_change(call: &mut Call, function: &Function, name: &CStr, memory: usize) -> Result<()> {
    let ctx = context(call, function)?;
    if call.verbatim || !outermost::is_alone() {
        ctx.replicate_nothing(name);
        return Ok(());
    }
    count_verbatim(call, memory)?;
    ctx.replicate_verbatim();
    Ok(())
}

/// An effect's argument, which lies in the memory `all`: most are the running command's own, unless the
/// module has written over them.
#[inline]
fn word<'a>(call: &Call, all: &'a [u8], bytes: &'a [u8]) -> Word<'a> {
    let pointer = (bytes.as_ptr().addr() - all.as_ptr().addr()) as u32;
    match argument_at(call, all, pointer, bytes.len() as u32) {
        Some(argument) if argument.bytes() == bytes => Word::Held(argument),
        _ => Word::Bytes(bytes),
    }
}

fn replication(linker: &mut Linker<State>, member: MemberId) -> Result<()> {
    linker.func_wrap(NS, REPLICATE_VERBATIM.name, |mut guest: Guest<'_>| -> Result<()> {
        allow_effect(&guest, &REPLICATE_VERBATIM)?;
        let (all, state) = parts(&mut guest)?;
        replicate_verbatim(&mut state.call, &REPLICATE_VERBATIM, all.len())
    })?;
    linker.func_wrap(NS, EFFECTS_WANTED.name, |guest: Guest<'_>| -> Result<i32> {
        allow(&guest, &EFFECTS_WANTED)?;
        Ok(listeners::wanted(context(&guest.data().call, &EFFECTS_WANTED)?).into())
    })?;
    linker.func_wrap(NS, REPLICATE.name, move |mut guest: Guest<'_>, name: u32, name_length: u32, argv: u32, argc: i32| -> Result<()> {
        allow_effect(&guest, &REPLICATE)?;
        let (all, state) = parts(&mut guest)?;
        let call = &mut state.call;
        let name = handed(all, call, name, name_length)?;
        let arguments = effect_arguments(call, all, argv, argc)?;
        let host = host()?;
        let slot = host.written_by(member, name, &mut call.effect).ok_or_else(|| not_its_own(name))?;
        if let Some(sink) = call.lent.sink {
            call.streamed += memory::sum(&arguments);
            apply::export(host, slot, sink, &arguments);
            return Ok(());
        }
        let ctx = context(call, &REPLICATE)?;
        if call.silent {
            return Ok(());
        }
        if !listeners::are_present(ctx) {
            return count_change(call, &REPLICATE, &slot.name, all.len());
        }
        apply::replicate(host, slot, ctx, arguments.iter().map(|bytes| word(call, all, bytes)));
        Ok(())
    })?;
    tables(linker, member)?;
    linker.func_wrap(NS, COUNT_EFFECT.name, move |mut guest: Guest<'_>| -> Result<i32> {
        allow_effect(&guest, &COUNT_EFFECT)?;
        let (all, state) = parts(&mut guest)?;
        let call = &mut state.call;
        if call.silent {
            return Ok(0);
        }
        if listeners::are_present(context(call, &COUNT_EFFECT)?) {
            return Ok(1);
        }
        let name = host()?.writer(member, &mut call.effect).map_or(APPLY_COMMAND, |slot| &slot.name);
        count_change(call, &COUNT_EFFECT, name, all.len())?;
        Ok(0)
    })?;
    Ok(())
}

/// The effect of a module whose data the host looks after: `wasm.apply <key> <module> <format> <argument> …`.
fn tables(linker: &mut Linker<State>, member: MemberId) -> Result<()> {
    linker.func_wrap(
        NS,
        REPLICATE_TABLES.name,
        move |mut guest: Guest<'_>, key: u32, key_length: u32, format: i32, argv: u32, argc: i32| -> Result<()> {
            allow_effect(&guest, &REPLICATE_TABLES)?;
            let host = host()?;
            if !host.running(member).is_some_and(|running| running.file.applies()) {
                return Err(Error::msg("it replicates tables and does not export apply"));
            }
            let (format, owner) = (format.to_string(), owner(member)?);
            if matches!(owner, Owner::Library(_)) {
                return Err(Error::msg("a function has no tables"));
            }
            let module = owner.name().as_bytes();
            let (all, state) = parts(&mut guest)?;
            let call = &mut state.call;
            let key = handed(all, call, key, key_length)?;
            let arguments = effect_arguments(call, all, argv, argc)?;
            if let Some(sink) = call.lent.sink {
                call.streamed += memory::sum(&arguments);
                let head = [key, module, format.as_bytes()];
                (sink.0)(APPLY_COMMAND, &Strings::new(head.iter().chain(&arguments).copied()));
                return Ok(());
            }
            let ctx = context(call, &REPLICATE_TABLES)?;
            if call.silent {
                return Ok(());
            }
            if key.is_empty() {
                moved::note_whole(host, ctx);
            }
            if !listeners::are_present(ctx) {
                return count_change(call, &REPLICATE_TABLES, APPLY_COMMAND, all.len());
            }
            let head = [word(call, all, key), Word::Bytes(module), Word::Bytes(format.as_bytes())];
            let words = head.into_iter().chain(arguments.iter().map(|bytes| word(call, all, bytes)));
            ctx.replicate(APPLY_COMMAND, &Strings::of_words(words));
            Ok(())
        },
    )?;
    Ok(())
}

/// The `argc` arguments of an effect at `argv`, counted before any of them is collected: a count costs the
/// module nothing.
fn effect_arguments<'a>(call: &mut Call, all: &'a [u8], argv: u32, argc: i32) -> Result<SmallVec<[&'a [u8]; 8]>> {
    let count = argc.cast_unsigned();
    if count > call.lent.arguments.count().unsigned_abs() + EFFECT_ARGUMENTS_MAX {
        return Err(Error::msg(format!("it replicates {count} arguments at once, more than it may")));
    }
    let arguments = memory::pairs(all, argv, count)?;
    call.hand(To::Server, memory::sum(&arguments), all.len())?;
    Ok(arguments)
}

fn notifications(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        NS,
        PUBLISH_MESSAGE.name,
        |mut guest: Guest<'_>, channel: u32, channel_length: u32, message: u32, length: u32| -> Result<()> {
            allow(&guest, &PUBLISH_MESSAGE)?;
            let (all, state) = parts(&mut guest)?;
            let channel = handed(all, &mut state.call, channel, channel_length)?;
            let message = handed(all, &mut state.call, message, length)?;
            let ctx = context(&state.call, &PUBLISH_MESSAGE)?;
            // What comes from the stream was published where it was decided, and that is in the stream too.
            if outermost::from_stream() {
                return Ok(());
            }
            let onwards = state.call.may_replicate || state.call.phase != Phase::Command;
            with_string(channel, |channel| with_string(message, |message| ctx.publish(channel, message, onwards)));
            Ok(())
        },
    )?;
    linker.func_wrap(NS, SIGNAL_MODIFIED_KEY.name, |mut guest: Guest<'_>, pointer: u32, length: u32| -> Result<()> {
        allow(&guest, &SIGNAL_MODIFIED_KEY)?;
        let (all, state) = parts(&mut guest)?;
        handed(all, &mut state.call, pointer, length)?;
        let ctx = context(&state.call, &SIGNAL_MODIFIED_KEY)?;
        with_key(state, all, pointer, length, |key| ctx.signal_modified(key))
    })?;
    linker.func_wrap(
        NS,
        NOTIFY_KEYSPACE_EVENT.name,
        |mut guest: Guest<'_>, kind: i32, event: u32, event_length: u32, pointer: u32, length: u32| -> Result<()> {
            allow(&guest, &NOTIFY_KEYSPACE_EVENT)?;
            let (all, state) = parts(&mut guest)?;
            let event = handed(all, &mut state.call, event, event_length)?;
            handed(all, &mut state.call, pointer, length)?;
            let ctx = context(&state.call, &NOTIFY_KEYSPACE_EVENT)?;
            with_key(state, all, pointer, length, |key| text::with_line(event, |event| ctx.notify(kind, event, key)))
        },
    )?;
    linker.func_wrap(
        NS,
        KEY_CHANGED.name,
        |mut guest: Guest<'_>, kind: i32, event: u32, event_length: u32, pointer: u32, length: u32, verbatim: i32| -> Result<()> {
            allow(&guest, &KEY_CHANGED)?;
            if verbatim != 0 && (guest.data().call.phase != Phase::Command || !guest.data().call.may_replicate) {
                return Err(not_now(&KEY_CHANGED));
            }
            let (all, state) = parts(&mut guest)?;
            let event = handed(all, &mut state.call, event, event_length)?;
            handed(all, &mut state.call, pointer, length)?;
            if verbatim != 0 {
                replicate_verbatim(&mut state.call, &KEY_CHANGED, all.len())?;
            }
            let ctx = context(&state.call, &KEY_CHANGED)?;
            with_key(state, all, pointer, length, |key| {
                text::with_line(event, |event| {
                    ctx.signal_modified(key);
                    ctx.notify(kind, event, key);
                });
            })
        },
    )?;
    Ok(())
}

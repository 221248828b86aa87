//! Replies to the running command, and its failure.

use wasmtime::{Error, Linker, Result};

use super::{Guest, NS, allow, another_type, bytes, context, in_table, owner, parts};
use crate::engine::trap::Failed;
use crate::guest::call::To;
use crate::guest::committing::is_committing;
use crate::guest::ids::MemberId;
use crate::guest::memory;
use crate::guest::part::{Container, Reply};
use crate::guest::reply::{CLOSED_BYTES, OPEN_MAX};
use crate::guest::stacks;
use crate::guest::state::State;
use crate::modules::namespace::{
    ATTEMPT, FAIL, Function, REPLY_SET_ARRAY_LENGTH, REPLY_SET_MAP_LENGTH, REPLY_WITH_ARRAY, REPLY_WITH_DOUBLE, REPLY_WITH_ERROR,
    REPLY_WITH_LONG_LONG, REPLY_WITH_MAP, REPLY_WITH_NULL, REPLY_WITH_PARTS, REPLY_WITH_SIMPLE_STRING, REPLY_WITH_STRING_BUFFER,
    WRONG_ARITY,
};
use crate::server::text;

pub(super) fn define(linker: &mut Linker<State>, member: MemberId) -> Result<()> {
    const NOTHING: (u32, u32) = (0, 0);
    linker.func_wrap(NS, REPLY_WITH_SIMPLE_STRING.name, |mut guest: Guest<'_>, pointer: u32, length: u32| -> Result<()> {
        reply(&mut guest, &REPLY_WITH_SIMPLE_STRING, (pointer, length), |text| Reply::Status(text::cut(text)))
    })?;
    linker.func_wrap(NS, REPLY_WITH_ERROR.name, move |mut guest: Guest<'_>, pointer: u32, length: u32| -> Result<()> {
        allow(&guest, &REPLY_WITH_ERROR)?;
        let (all, state) = parts(&mut guest)?;
        let call = &mut state.call;
        let text = memory::slice(all, pointer, length)?;
        call.hand(To::Client, length.into(), all.len())?;
        let text = owner(member)?.codes.admit(text::cut(text));
        call.replies.send(context(call, &REPLY_WITH_ERROR)?, Reply::Error(&text));
        Ok(())
    })?;
    linker.func_wrap(NS, REPLY_WITH_STRING_BUFFER.name, |mut guest: Guest<'_>, pointer: u32, length: u32| -> Result<()> {
        reply(&mut guest, &REPLY_WITH_STRING_BUFFER, (pointer, length), |bytes| Reply::Bulk(bytes))
    })?;
    linker.func_wrap(NS, REPLY_WITH_NULL.name, |mut guest: Guest<'_>| -> Result<()> {
        reply(&mut guest, &REPLY_WITH_NULL, NOTHING, |_| Reply::Null)
    })?;
    linker.func_wrap(NS, REPLY_WITH_LONG_LONG.name, |mut guest: Guest<'_>, value: i64| -> Result<()> {
        reply(&mut guest, &REPLY_WITH_LONG_LONG, NOTHING, |_| Reply::Integer(value))
    })?;
    linker.func_wrap(NS, REPLY_WITH_DOUBLE.name, |mut guest: Guest<'_>, value: f64| -> Result<()> {
        reply(&mut guest, &REPLY_WITH_DOUBLE, NOTHING, |_| Reply::Double(value))
    })?;
    linker.func_wrap(NS, WRONG_ARITY.name, |mut guest: Guest<'_>| -> Result<()> {
        reply(&mut guest, &WRONG_ARITY, NOTHING, |_| Reply::WrongArity)
    })?;
    written(linker)?;
    containers(linker)?;
    failures(linker, member)
}

/// Replies with the bytes at (`pointer`, `length`).
#[inline]
fn reply(guest: &mut Guest<'_>, function: &Function, (pointer, length): (u32, u32), make: impl FnOnce(&[u8]) -> Reply<'_>) -> Result<()> {
    allow(guest, function)?;
    let (all, state) = parts(guest)?;
    let call = &mut state.call;
    let bytes = memory::slice(all, pointer, length)?;
    call.hand(To::Client, length.into(), all.len())?;
    call.replies.send(context(call, function)?, make(bytes));
    Ok(())
}

/// Replies that the module has written one after the other, in the form in which the host holds parts.
fn written(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NS, REPLY_WITH_PARTS.name, |mut guest: Guest<'_>, pointer: u32, length: u32| -> Result<()> {
        allow(&guest, &REPLY_WITH_PARTS)?;
        let (all, state) = parts(&mut guest)?;
        let call = &mut state.call;
        let context = context(call, &REPLY_WITH_PARTS)?;
        let mut rest = memory::slice(all, pointer, length)?;
        while !rest.is_empty() {
            let before = rest.len();
            let part = Reply::decode_written(&mut rest).ok_or_else(|| Error::msg("bytes that are no parts of a reply"))?;
            call.hand(To::Client, (before - rest.len()) as u64, all.len())?;
            match part {
                Reply::Open(_, _) if !call.replies.may_open() => return Err(too_deep()),
                Reply::Open(container, length) => call.replies.open(context, container, length),
                Reply::Status(text) => call.replies.send(context, Reply::Status(text::cut(text))),
                // The server sends them as they are.
                Reply::BigNumber(digits) if !is_number(digits) => return Err(Error::msg("a number that has no digits")),
                _ => call.replies.send(context, part),
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// Whether these are digits, behind a sign or none.
fn is_number(bytes: &[u8]) -> bool {
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

#[cold]
fn too_deep() -> Error {
    Error::msg(format!("more than {OPEN_MAX} arrays within each other"))
}

fn containers(linker: &mut Linker<State>) -> Result<()> {
    const KINDS: [(Container, &Function, &Function); 2] =
        [(Container::Array, &REPLY_WITH_ARRAY, &REPLY_SET_ARRAY_LENGTH), (Container::Map, &REPLY_WITH_MAP, &REPLY_SET_MAP_LENGTH)];
    for (container, open, set_length) in KINDS {
        linker.func_wrap(NS, open.name, move |mut guest: Guest<'_>, length: i64| -> Result<()> {
            allow(&guest, open)?;
            let (all, state) = parts(&mut guest)?;
            let call = &mut state.call;
            call.hand(To::Client, 0, all.len())?;
            if !call.replies.may_open() {
                return Err(too_deep());
            }
            call.replies.open(context(call, open)?, container, length);
            Ok(())
        })?;
        linker.func_wrap(NS, set_length.name, move |mut guest: Guest<'_>, length: i64| -> Result<()> {
            allow(&guest, set_length)?;
            let (all, state) = parts(&mut guest)?;
            let call = &mut state.call;
            call.hand(To::Client, CLOSED_BYTES, all.len())?;
            call.replies.set_length(context(call, set_length)?, container, length);
            Ok(())
        })?;
    }
    Ok(())
}

fn failures(linker: &mut Linker<State>, member: MemberId) -> Result<()> {
    linker.func_wrap(NS, FAIL.name, move |mut guest: Guest<'_>, pointer: u32, length: u32| -> Result<()> {
        let (text, _) = bytes(&mut guest, &FAIL, pointer, length)?;
        let text = owner(member)?.codes.admit(text::cut(text));
        Err(Error::new(Failed(text.into_owned())))
    })?;
    linker.func_wrap(NS, ATTEMPT.name, |mut guest: Guest<'_>, handler: i32| -> Result<i32> {
        allow(&guest, &ATTEMPT)?;
        if is_committing(&mut guest) {
            return Err(Error::msg("an attempt inside a commit"));
        }
        let function = in_table(&mut guest, handler)?;
        let function = function.typed::<(), ()>(&guest).map_err(|_| another_type(handler))?;
        let before = stacks::positions(&mut guest);
        match function.call(&mut guest, ()) {
            Ok(()) => Ok(0),
            // What is half changed cannot be gone on with.
            Err(error) if error.downcast_ref::<Failed>().is_some() && !is_committing(&mut guest) => {
                stacks::put_back(&mut guest, &before);
                Ok(1)
            }
            Err(error) => Err(error),
        }
    })?;
    Ok(())
}

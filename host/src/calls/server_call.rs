//! `redis.Call`: a command of the server, run for the running command. It has the permissions of the user
//! behind that, or of the one that `wasm.run-as` names where there is none, the rules of scripts, and their
//! rules of memory; what it writes replicates by itself, within the unit of the running command.
//!
//! What it writes stays, whatever becomes of the running command. So what that has done to keys by itself
//! before is settled first: replicas get both in their order.
//!
//! In a cluster the host looks at the keys before the server is asked: a key of another slot or node has
//! Valkey 9.1 refuse each later call of any module.

use std::ffi::{CStr, CString};

use wasmtime::{Error, Result};

use super::own::{failed, owned, run_as};
use crate::guest::call::Call;
use crate::guest::part::{Container, HEAD_BYTES, Reply};
use crate::guest::reply::OPEN_MAX;
use crate::modules::loaded::Host;
use crate::modules::slot_set::slot_of;
use crate::server::context::Context;
use crate::server::permissions;
use crate::server::reply::{Item, Value};
use crate::server::strings::Strings;
use crate::server::{api, outermost};

/// Bytes that a reply may have, as the rest of what a command of the kit makes.
const REPLY_BYTES_MAX: usize = 64 << 20;
/// Commands of which is known whether they only read.
const KNOWN_MAX: usize = 1024;

/// Runs the command of these words, and answers its reply as parts (`guest/part.rs`).
///
/// # Errors
/// The reply is larger, or deeper, than a module may get.
pub fn call(host: &Host, call: &mut Call, words: &[&[u8]]) -> Result<Vec<u8>> {
    let ctx = call.lent.ctx.ok_or_else(|| Error::msg("the server is called outside a command"))?;
    let refused = |text: String| {
        let mut parts = Vec::new();
        Reply::Error(text.as_bytes()).write(&mut parts);
        Ok(parts)
    };
    let Some((name, rest)) = words.split_first() else { return Err(failed("ERR redis.call needs the name of a command")) };
    let Ok(name) = CString::new(*name) else { return refused("ERR a command's name holds a NUL".into()) };
    if name.to_bytes().eq_ignore_ascii_case(b"FLUSHALL") {
        return refused("ERR redis.call: FLUSHALL would drop what the running module holds".into());
    }
    let user = if call.is_by_the_host() { Some(run_as()?) } else { None };
    let arguments = Strings::new(rest.iter().copied());
    if outermost::flags().is_some_and(|flags| flags & api::CTX_FLAGS_CLUSTER != 0)
        && let Err(reason) = check_keys(host, call, ctx, words)
    {
        return refused(reason);
    }
    if call.may_replicate && !call.journal.is_empty() {
        if only_reads(host, ctx, &name) {
            call.journal.delete_doomed(ctx, None).map_err(failed)?;
        } else {
            settle(call, ctx);
        }
    }
    let run = || ctx.call_for_user(&name, &arguments, !call.may_replicate);
    let answered = match user {
        None => run(),
        Some(user) => match permissions::as_user(ctx, user, &Strings::new(words.iter().copied()), run) {
            Ok(answered) => answered,
            Err(reason) => return refused(reason),
        },
    };
    match answered {
        Ok(answer) => {
            let bytes = answer.proto().len();
            if bytes > REPLY_BYTES_MAX {
                return Err(failed(format!("ERR {}: a reply of {bytes} bytes is more than a command may have", name.to_string_lossy())));
            }
            let mut parts = Vec::with_capacity(bytes + HEAD_BYTES);
            encode(&mut parts, answer.item(), 0)?;
            Ok(parts)
        }
        Err(errno) => refused(format!("ERR {}: {}", name.to_string_lossy(), std::io::Error::from_raw_os_error(errno))),
    }
}

/// Ends what the running command has done to the server's own keys: it is told of, or taken back.
#[inline]
pub fn end(call: &mut Call, ctx: Context<'_>, is_well: bool) {
    match () {
        () if call.journal.is_empty() => {}
        () if is_well => settle(call, ctx),
        () => call.journal.undo(ctx),
    }
}

/// Tells of what the running command has done to the server's own keys.
fn settle(call: &mut Call, ctx: Context<'_>) {
    call.journal.settle(ctx, call.may_replicate);
}

/// Whether a command only reads, as the server says of it.
fn only_reads(host: &Host, ctx: Context<'_>, name: &CStr) -> bool {
    let key = name.to_bytes().to_ascii_uppercase();
    if let Some(known) = host.readers.borrow().get(&key) {
        return *known;
    }
    let answer = ctx.call(c"COMMAND", &Strings::new([&b"INFO"[..], name.to_bytes()])).ok();
    let flags = answer.as_ref().and_then(|answer| answer.item().element(0)?.element(2));
    let is_readonly = |item: Item<'_>| matches!(item.value(), Value::Status(b"readonly") | Value::Text(b"readonly"));
    let reads = flags.is_some_and(|flags| (0..).map_while(|index| flags.element(index)).any(is_readonly));
    let mut readers = host.readers.borrow_mut();
    if readers.len() >= KNOWN_MAX {
        readers.clear();
    }
    readers.insert(key, reads);
    reads
}

/// In a cluster a call reaches the slot of the keys that the running command declares; where it declares
/// none, one slot that is this node's.
///
/// # Errors
/// The error reply that says so.
fn check_keys(host: &Host, call: &mut Call, ctx: Context<'_>, words: &[&[u8]]) -> std::result::Result<(), String> {
    let strings = Strings::new(words.iter().copied());
    let slots: Vec<u16> = ctx.places_of_keys(&strings).iter().filter_map(|place| words.get(*place)).map(|key| slot_of(key)).collect();
    let Some(first) = slots.first().copied() else { return Ok(()) };
    let declared = declared_slot(host, call);
    if slots.iter().any(|slot| *slot != declared.unwrap_or(first)) {
        return Err("CROSSSLOT redis.call reaches a key in another slot than that of the command's own keys".into());
    }
    if declared.is_none() && !owned(call, ctx, first) {
        return Err(format!("ERR redis.call reaches slot {first}, which is not this node's"));
    }
    Ok(())
}

/// The slot of the keys that the running command declares.
fn declared_slot(host: &Host, call: &Call) -> Option<u16> {
    if call.is_by_the_host() {
        return None;
    }
    let words: Vec<&[u8]> = call.lent.arguments.iter().map(|word| word.bytes()).collect();
    let place = host.command(call.command)?.first_key(&words)?;
    Some(slot_of(words[place]))
}

/// Adds an answer's part, and what it holds.
///
/// # Errors
/// It is deeper than a module may get.
fn encode(parts: &mut Vec<u8>, item: Item<'_>, depth: usize) -> Result<()> {
    if depth > OPEN_MAX {
        return Err(failed("ERR redis.call: the reply is too deep"));
    }
    let elements = |parts: &mut Vec<u8>, container: Container, length: usize| -> Result<()> {
        Reply::Open(container, length as i64).write(parts);
        (0..length).map_while(|index| item.element(index)).try_for_each(|element| encode(parts, element, depth + 1))
    };
    match item.value() {
        Value::Null | Value::Other => Reply::Null.write(parts),
        Value::Bool(value) => Reply::Bool(value).write(parts),
        Value::Integer(value) => Reply::Integer(value).write(parts),
        Value::Double(value) => Reply::Double(value).write(parts),
        Value::Text(bytes) => Reply::Bulk(bytes).write(parts),
        Value::Status(text) => Reply::Status(text).write(parts),
        Value::Error(text) => Reply::Error(text).write(parts),
        Value::BigNumber(digits) => Reply::BigNumber(digits).write(parts),
        Value::Array(length) => elements(parts, Container::Array, length)?,
        Value::Set(length) => elements(parts, Container::Set, length)?,
        Value::Map(length) => {
            Reply::Open(Container::Map, length as i64).write(parts);
            for pair in (0..length).map_while(|index| item.pair(index)) {
                pair.into_iter().try_for_each(|half| encode(parts, half, depth + 1))?;
            }
        }
    }
    Ok(())
}

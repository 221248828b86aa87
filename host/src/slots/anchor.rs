//! The key that takes what modules hold in slots to another node.
//!
//! ```text
//!   wasm.slot:{…}      lies in the slot that it takes along, or in one of several
//!
//!   in a file          1, the slots as text, the effects: { u32 words, { u32 length, bytes } … } …
//!   rewritten          the effects themselves, as commands
//! ```
//!
//! MIGRATE takes it to another node as it stands in a file, where it is taken apart: the effects are applied
//! as the key is loaded. Its replicas and its append-only file get the same key by RESTORE. A server that
//! moves slots by itself has a child write it as commands instead. In any other file it holds nothing.

use std::ffi::{CStr, c_int, c_void};

use crate::calls::{apply, moved};
use crate::duties::{rdb, slots};
use crate::guest::call::Sink;
use crate::modules::loaded::{self, Host};
use crate::modules::slot_set::{SlotSet, key_in};
use crate::server::api::{self, Io, Str, TypeMethods};
use crate::server::context::{self, Context};
use crate::server::guard::guarded;
use crate::server::keys::KeyType;
use crate::server::stream::Stream;
use crate::server::strings::{Arguments, ServerString, Strings};
use crate::server::{log, outermost};

const TYPE: &CStr = c"wasm-slot";
const VERSION: c_int = 1;
const FORMAT: u64 = 1;
/// What the names of these keys begin with.
const PREFIX: &str = "wasm.slot:";

/// The value of such a key.
pub struct Anchor {
    slots: SlotSet,
    /// What the slots hold, where that is to be in a file.
    effects: Vec<u8>,
}

/// Registers the type.
///
/// # Errors
/// The server refused it.
pub fn register(ctx: Context<'_>) -> Result<KeyType, String> {
    let methods = TypeMethods {
        version: api::TYPE_METHOD_VERSION,
        rdb_load: Some(load),
        rdb_save: Some(save),
        aof_rewrite: Some(rewrite),
        free: Some(free),
        ..TypeMethods::default()
    };
    ctx.create_key_type(TYPE, VERSION, &methods).ok_or_else(|| "the data type wasm-slot".into())
}

/// Makes the key for these slots, and answers its name.
///
/// # Errors
/// The server refused it.
pub fn create(host: &Host, ctx: Context<'_>, slots: &SlotSet, effects: Vec<u8>) -> Result<String, String> {
    let name = name_of(slots);
    host.moving.spent.borrow_mut().retain(|spent| **spent != *name.as_bytes());
    let value = Box::into_raw(Box::new(Anchor { slots: slots.clone(), effects }));
    if host.anchor.get().is_some_and(|kind| ctx.set_key(name.as_bytes(), *kind, value.cast())) {
        return Ok(name);
    }
    // SAFETY: made above, and nobody has it.
    drop(unsafe { Box::from_raw(value) });
    Err("the server refuses the key that takes the data along".into())
}

/// Whether the key that has brought the data of these slots here is still there, on replicas too.
pub fn is_spent(host: &Host, slots: &SlotSet) -> bool {
    let name = name_of(slots);
    host.moving.spent.borrow().iter().any(|spent| **spent == *name.as_bytes())
}

/// Whether the key is there.
pub fn is_there(host: &Host, ctx: Context<'_>, name: &str) -> bool {
    host.anchor.get().is_some_and(|kind| ctx.has_key(name.as_bytes(), *kind))
}

/// The key that takes these slots along, of which there is one at least.
fn name_of(slots: &SlotSet) -> String {
    key_in(PREFIX, slots.iter().next().unwrap_or(0))
}

/// What modules hold in these slots, as it stands in a file.
///
/// # Errors
/// Why something would be left behind.
pub fn effects_of(host: &Host, slots: &SlotSet) -> Result<Vec<u8>, String> {
    let all = std::cell::RefCell::new(Vec::new());
    let add = |name: &CStr, arguments: &Strings<'_>| {
        let mut all = all.borrow_mut();
        all.extend((arguments.len() as u32 + 1).to_le_bytes());
        let mut word = |bytes: &[u8]| {
            all.extend((bytes.len() as u32).to_le_bytes());
            all.extend(bytes);
        };
        word(name.to_bytes());
        arguments.words().for_each(&mut word);
    };
    slots::export(host, slots, Sink(&add))?;
    Ok(all.into_inner())
}

// ── What the server calls ──────────────────────────────────────────────────────────────────────────────────

unsafe extern "C" fn free(value: *mut c_void) {
    // SAFETY: made by `create` or `load`; the server frees it once.
    guarded(|| drop(unsafe { Box::from_raw(value.cast::<Anchor>()) }));
}

unsafe extern "C" fn save(io: *mut Io, value: *mut c_void) {
    // SAFETY: the stream of the running save, and the value of a key of this type.
    let (stream, anchor) = unsafe { (Stream::new(io), &*value.cast::<Anchor>()) };
    guarded(|| {
        stream.save_unsigned(FORMAT);
        stream.save_bytes(anchor.slots.to_string().as_bytes());
        stream.save_bytes(&anchor.effects);
    });
}

/// Writes what the slots hold as commands: in a child that the server has forked for that. Clients may put
/// another such key in the place of one, so the move of that name says which slots; a key of no move writes
/// nothing.
unsafe extern "C" fn rewrite(io: *mut Io, key: *mut Str, _value: *mut c_void) {
    // SAFETY: the stream of the running save, and the name of a key.
    let (stream, key) = unsafe { (Stream::new(io), ServerString::new(key)) };
    let emit = |name: &CStr, arguments: &Strings<'_>| stream.emit(name, arguments);
    let written = guarded(|| -> Result<(), String> {
        let Some(host) = loaded::get() else { return Ok(()) };
        let Some(slots) = host.moving.slots_taken_by(key.bytes()) else { return Ok(()) };
        slots::export(host, &slots, Sink(&emit)).map_err(|reason| format!("the slots {slots} do not move: {reason}"))
    });
    if let Some(Ok(())) = written {
        return;
    }
    if let Some(Err(reason)) = written {
        log::warning(None, &reason);
    }
    rdb::fail_save(stream);
}

unsafe extern "C" fn load(io: *mut Io, _encoding: c_int) -> *mut c_void {
    // SAFETY: the stream of the running load.
    let stream = unsafe { Stream::new(io) };
    let loaded = guarded(|| load_anchor(stream));
    match loaded {
        Some(Ok(anchor)) => Box::into_raw(Box::new(anchor)).cast(),
        Some(Err(reason)) => {
            log::warning(None, &format!("the data of a slot is refused: {reason}"));
            std::ptr::null_mut()
        }
        None => std::ptr::null_mut(),
    }
}

fn load_anchor(stream: Stream<'_>) -> Result<Anchor, String> {
    let host = loaded::get().ok_or("nothing is loaded")?;
    let format = stream.load_unsigned();
    let (Some(slots), Some(effects)) = (stream.load_copy(), stream.load_copy()) else { return Err("it is cut off".into()) };
    if format != FORMAT {
        return Err(format!("its format {format} is not known: replace host.so by the release of the node that it comes from"));
    }
    let slots = str::from_utf8(&slots).ok().and_then(SlotSet::parse).ok_or("it names no slots")?;
    let name = name_of(&slots);
    let own_name = stream.key_name().unwrap_or_else(|| name.clone().into_bytes());
    if !effects.is_empty() {
        if *own_name != *name.as_bytes() {
            return Err("it has another name than such keys have".into());
        }
        take(host, &slots, &effects)?;
    }
    // Clients may have renamed one that brings nothing: a file with it is no worse for that.
    host.moving.spent.borrow_mut().push(own_name.into());
    Ok(Anchor { slots, effects: Vec::new() })
}

/// Takes what another node has had in these slots, in the place of what is here. Where this server obeys, as
/// a replica or from a file, it takes whatever comes.
///
/// # Errors
/// Why it is refused: nothing of it is here then.
fn take(host: &Host, slots: &SlotSet, effects: &[u8]) -> Result<(), String> {
    const OBEYS: c_int = api::CTX_FLAGS_SLAVE | api::CTX_FLAGS_LOADING;
    let ctx = host.own.get().ok_or("nothing is loaded")?.context();
    let obeys = context::server_flags() & OBEYS != 0;
    if !obeys {
        let nodes = ctx.cluster_nodes();
        let own = nodes.iter().find(|node| node.is_myself).ok_or("this server is in no cluster")?;
        if !slots.iter().all(|slot| own.importing.contains(&slot)) {
            return Err(format!("this node does not import the slots {slots}"));
        }
    }
    moved::finish(host, ctx, slots);
    let each = |action: &dyn Fn(Arguments<'_>) -> Result<(), String>| {
        split(effects).try_for_each(|effect| action(Strings::new(effect?).arguments()))
    };
    let applied = if obeys {
        outermost::obeying(ctx, || each(&|effect| apply::obey_export(host, ctx, effect)))
    } else {
        host.moving.taking.replace(slots.clone());
        let apply = || outermost::taking(|| each(&|effect| apply::apply_export(host, ctx, effect, slots)));
        let applied = outermost::within(ctx, None, true, |_| apply());
        host.moving.taking.take();
        applied
    };
    if applied.is_err() {
        moved::finish(host, ctx, slots);
        return applied;
    }
    host.moving.take_back(slots);
    host.moving.imported.borrow_mut().add_all(slots);
    Ok(())
}

/// The words of each effect.
fn split(mut rest: &[u8]) -> impl Iterator<Item = Result<Vec<&[u8]>, String>> {
    let next = move || -> Option<Result<Vec<&[u8]>, String>> {
        if rest.is_empty() {
            return None;
        }
        let cut = || Some(Err("an effect is cut off".to_string()));
        let Some(count) = number(&mut rest) else {
            rest = &[];
            return cut();
        };
        let mut words = Vec::new();
        for _ in 0..count {
            let Some(word) = number(&mut rest).and_then(|length| rest.split_off(..length as usize)) else {
                rest = &[];
                return cut();
            };
            words.push(word);
        }
        Some(if words.is_empty() { Err("an effect has no words".into()) } else { Ok(words) })
    };
    std::iter::from_fn(next)
}

/// The u32 that `bytes` begins with, which is taken off.
fn number(bytes: &mut &[u8]) -> Option<u32> {
    bytes.split_off(..size_of::<u32>()).map(|number| u32::from_le_bytes(number.try_into().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(bytes: &[u8]) -> Vec<Result<Vec<&[u8]>, String>> {
        split(bytes).take(5).collect()
    }

    #[test]
    fn effects_are_split_into_their_words() {
        let bytes = [2, 0, 0, 0, 1, 0, 0, 0, b'a', 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, b'b', b'c'];
        assert_eq!(words(&bytes), [Ok(vec![&b"a"[..], b""]), Ok(vec![&b"bc"[..]])]);
        assert!(words(b"").is_empty());
    }

    #[test]
    fn what_is_cut_off_is_refused_once() {
        for cut in [&[1, 0, 0][..], &[1, 0, 0, 0], &[1, 0, 0, 0, 9, 0, 0, 0, b'a'], &[255, 255, 255, 255, 1], &[0, 0, 0, 0]] {
            let all = words(cut);
            assert!(all.len() == 1 && all[0].is_err(), "{cut:?}: {all:?}");
        }
    }
}

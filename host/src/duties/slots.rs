//! What modules hold in slots of a cluster: told as effects for another node, counted, and dropped. A module
//! does it by its exports `exportSlots`, `countSlots` and `dropSlots`.

use std::ffi::CStr;
use std::time::Instant;

use wasmtime::{AsContextMut, Error, Result, Store};

use crate::engine::clock::Ticker;
use crate::guest::call::{Lent, Phase, Sink};
use crate::guest::group::{Entered, Group, Member};
use crate::guest::ids::MemberId;
use crate::guest::memory;
use crate::guest::state::State;
use crate::modules::loaded::Host;
use crate::modules::module::LoadedModule;
use crate::modules::slot_set::SlotSet;
use crate::server::context::Context;

/// Has every module tell all that it holds in these slots, as the effects that would make it.
///
/// # Errors
/// Why something would be left behind.
pub fn export(host: &Host, slots: &SlotSet, sink: Sink<'_>) -> Result<(), String> {
    check(host)?;
    // Also where what is exported does not go, in the end, modules may have made an index of it.
    host.moving.indexed.set(Some(Instant::now()));
    // A fork child has no ticker of its own yet.
    let _ticker = host.is_in_child().then(|| Ticker::start(&host.engine)).transpose().map_err(|error| error.to_string())?;
    each(host, |module, group, member| {
        let Some(export) = &member.export_slots else { return Ok(()) };
        let mut entered = group.enter_with(Lent::sink(sink)).ok_or("a call into it runs")?;
        enter(&mut entered, module, (Phase::Export, c"exportSlots"), slots, |store, slots| export.call(store.as_context_mut(), slots))
    })
}

/// How many entries, of whatever kind, the modules hold in these slots.
///
/// # Errors
/// Why a module does not tell.
pub fn count(host: &Host, slots: &SlotSet) -> Result<u64, String> {
    let mut total = 0;
    each(host, |module, group, member| {
        let Some(count) = &member.count_slots else { return Ok(()) };
        let mut entered = group.enter().ok_or("a call into it runs")?;
        let counted =
            enter(&mut entered, module, (Phase::Idle, c"countSlots"), slots, |store, slots| count.call(store.as_context_mut(), slots))?;
        total += counted.unsigned_abs();
        Ok(())
    })?;
    Ok(total)
}

/// Has every module drop what it holds in these slots, some `most` entries of each, 0: all; whether there may
/// be more.
///
/// # Errors
/// Why a module does not: the log tells more.
pub fn drop(host: &Host, ctx: Context<'_>, slots: &SlotSet, most: i32) -> Result<bool, String> {
    let mut is_more = false;
    each(host, |module, group, member| {
        is_more |= drop_some(ctx, (module, group, member), slots, most)?;
        Ok(())
    })?;
    Ok(is_more)
}

/// Has a module drop all that it holds in these slots, in the group that it runs in or is about to run in.
///
/// # Errors
/// Why it does not: the log tells more.
pub fn drop_of(module: &LoadedModule, group: &Group, ctx: Context<'_>, slots: &SlotSet) -> Result<(), String> {
    let member = group.member(&module.identity).ok_or("it is not there")?;
    drop_some(ctx, (module, group, &member), slots, 0).map(|_| ())
}

fn drop_some(
    ctx: Context<'_>,
    (module, group, member): (&LoadedModule, &Group, &Member),
    slots: &SlotSet,
    most: i32,
) -> Result<bool, String> {
    let Some(drop) = &member.drop_slots else { return Ok(false) };
    let mut entered = group.enter_with(Lent::context(ctx)).ok_or("a call into it runs")?;
    let more =
        enter(&mut entered, module, (Phase::Drop, c"dropSlots"), slots, |store, slots| drop.call(store.as_context_mut(), (slots, most)))?;
    Ok(more != 0)
}

/// How many ids lie in another slot than what they belong to.
fn strays(host: &Host) -> u64 {
    let mut total = 0;
    let counted = each(host, |_, group, member| {
        let Some(strays) = &member.strays else { return Ok(()) };
        let mut entered = group.enter().ok_or("a call into it runs")?;
        let counted = entered.during(Phase::Idle, |store| strays.call(store.as_context_mut(), ()));
        total += counted.map_err(|error| error.to_string())?.unsigned_abs();
        Ok(())
    });
    if counted.is_ok() { total } else { 0 }
}

/// That no data would be left behind: no module lacks what moves it, and none is kept for one that is
/// missing.
pub fn check(host: &Host) -> Result<(), String> {
    let mut kept = None;
    host.kept.each(|name, _| {
        let known = host.modules.iter().find(|module| *module.data_name() == *name);
        kept = Some(known.map_or_else(|| String::from_utf8_lossy(name).into_owned(), |module| module.name().into()));
    });
    if let Some(name) = kept {
        return Err(format!("data is kept for the module {name}, which is not loaded: WASM.LOAD it, or WASM.UNLOAD {name} DROP"));
    }
    if host.moving.strays.get() != Some(0) {
        // None comes in a cluster but by a load.
        host.moving.strays.set(Some(strays(host)));
    }
    if let Some(count) = host.moving.strays.get().filter(|count| *count > 0) {
        return Err(format!(
            "{count} ids lie in other slots than their users, and would be left behind: npx --no redis-wasm cluster prepare"
        ));
    }
    each(host, |_, group, member| {
        if group.damaged.get() {
            return Err("its data is in doubt".into());
        }
        if member.aux_save.is_some() && (member.export_slots.is_none() || member.drop_slots.is_none()) {
            return Err("its file is of a time before slots could move with their data: replace it".into());
        }
        Ok(())
    })
}

/// Runs `action` for every module that is there.
fn each(host: &Host, mut action: impl FnMut(&LoadedModule, &Group, &Member) -> Result<(), String>) -> Result<(), String> {
    for (place, module) in host.modules.iter().enumerate() {
        let Some(functions) = host.functions_of(MemberId(place)) else { continue };
        action(module, host.group_of(MemberId(place)), &functions).map_err(|reason| format!("module {}: {reason}", module.name()))?;
    }
    Ok(())
}

/// Calls an export with the address of the slots in the module's memory.
fn enter<T>(
    entered: &mut Entered<'_>,
    module: &LoadedModule,
    (phase, name): (Phase, &CStr),
    slots: &SlotSet,
    call: impl FnOnce(&mut Store<State>, u32) -> Result<T>,
) -> Result<T, String> {
    let result = entered.during(phase, |store| {
        let slots = lend(store, slots.bytes())?;
        call(store, slots)
    });
    result.map_err(|error| entered.fault(&module.identity, name, &error).to_string_lossy().into_owned())
}

/// Copies bytes into the part of the memory that commands' arguments go to, and answers their address.
fn lend(store: &mut Store<State>, bytes: &[u8]) -> Result<u32> {
    let memory = store.data().memory.ok_or_else(|| Error::msg("it has no memory"))?;
    let mut region = store.data().arguments;
    let place = region.reserve(&mut store.as_context_mut(), memory, bytes.len() as u64);
    store.data_mut().arguments = region;
    let place = place?.ok_or_else(|| Error::msg("its memory is full"))?;
    memory::slice_mut(memory.data_mut(store), place, bytes.len() as u32)?.copy_from_slice(bytes);
    Ok(place)
}

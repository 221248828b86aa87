//! Another file of a module takes over in the memory in which the present one runs: the data stays where it
//! is. All members of the group are instantiated once more, since they are linked to each other; each hands
//! its state to itself, as `assembly/base/storage/carry.ts` lists it.
//!
//! ```text
//! address u32 | bytes u32 | 0 u64          an area of static data: put back
//! 0 u32       | any u32   | value u64      taken by the module itself
//! ```

use std::rc::Rc;

use wasmtime::{AsContextMut, Error, Global, Result, Store};

use super::instantiate::{self, Registered};
use crate::guest::call::{Lent, Phase};
use crate::guest::group::{Group, Member};
use crate::guest::ids::MemberId;
use crate::guest::memory::{self, PAGE};
use crate::guest::state::{Committing, State};
use crate::modules::file::WasmFile;
use crate::modules::loaded::Host;
use crate::modules::module::Running;
use crate::server::context::Context;

/// How often this is done in one store, where the group has so many MiB of data. What was instantiated before
/// stays there, half a MiB each time. Little data is saved and loaded in no time.
fn times_max(mib: u64) -> u64 {
    const TIMES: u64 = 16;
    // Then a twentieth of the data.
    const MIB_EACH: u64 = 10;
    if mib == 0 { 0 } else { TIMES.max(mib / MIB_EACH) }
}

/// Bytes of one entry of a list, and of a list.
const EACH: usize = 16;
const LIST_MAX: u32 = 64 << 10;

/// What a group was before, to be put back.
pub struct Before {
    members: Vec<Rc<Member>>,
    committing: Vec<Committing>,
    stack_pointers: Vec<Global>,
    /// Where static data lies, and what was there.
    statics: Vec<(u32, Vec<u8>)>,
}

/// Has the candidate of `member` take over in its group's memory; answers what was there, and what all
/// members have registered.
///
/// # Errors
/// Why it cannot; all is as it was.
pub fn take_over(host: &Host, ctx: Context<'_>, member: MemberId) -> std::result::Result<(Before, Vec<Registered>), String> {
    let module = &host.modules[member.0];
    let group = host.group_of(member);
    let present = module.running().ok_or("it is missing")?;
    let candidate = host.running(member).ok_or("it is missing")?;
    let members: Vec<(MemberId, Rc<Running>)> = instantiate::members_of(host, module.group.get());
    let (reserved, free) = group.memory_bytes();
    let mib = reserved.saturating_sub(free) >> 20;
    if u64::from(group.taken_over.get()) >= times_max(mib) {
        return Err(format!("{} files have run in this memory", group.taken_over.get() + 1));
    }
    if present.file.layout.is_none() || present.file.layout != candidate.file.layout {
        return Err("its data may lie otherwise than before".into());
    }
    let pages = |running: &Running| running.file.memory.as_ref().map_or(u64::MAX, wasmtime::MemoryType::minimum);
    if pages(&candidate) > group.pages.get() {
        return Err("its static data is longer than before".into());
    }
    let mut lists = Vec::new();
    for (of, _) in &members {
        lists.push(leave(host, group, *of).map_err(|error| format!("{error:#}"))?);
    }
    let before = empty(group, &members, &present.file).map_err(|error| format!("{error:#}"))?;
    let taken = instantiate::members_in(host, ctx, group, &members, |of, instance| {
        let place = members.iter().position(|(member, _)| *member == of).expect("one of them");
        join(group, instance, &lists[place], &before.statics)
    });
    // What was instantiated stays in the store, whether it serves or not.
    group.taken_over.set(group.taken_over.get() + 1);
    match taken {
        Ok(registered) => Ok((before, registered)),
        Err(reason) => {
            put_back(group, before);
            Err(reason)
        }
    }
}

/// Puts a group back to what it was.
pub fn put_back(group: &Group, before: Before) {
    let Before { members, committing, stack_pointers, statics } = before;
    group.replace(members);
    let Some(mut entered) = group.enter() else { return };
    let state = entered.store.data_mut();
    state.committing = committing;
    state.stack_pointers = stack_pointers;
    state.handlers.clear();
    let Some(memory) = state.memory else { return };
    for (start, bytes) in statics {
        if let Ok(target) = memory::slice_mut(memory.data_mut(&mut *entered.store), start, bytes.len() as u32) {
            target.copy_from_slice(&bytes);
        }
    }
}

/// Has a member list its state.
fn leave(host: &Host, group: &Group, member: MemberId) -> Result<Vec<u8>> {
    let functions = host.functions_of(member).ok_or_else(|| Error::msg("it is not there"))?;
    let leave = functions.leave.as_ref().ok_or_else(|| Error::msg("a module of its group does not export leave and join"))?;
    let mut entered = group.enter().ok_or_else(|| Error::msg("a call into it runs"))?;
    let list = entered.during(Phase::Leave, |store| leave.call(store.as_context_mut(), ()))?;
    let (pointer, length) = (list as u32, (list >> 32) as u32);
    if length > LIST_MAX || !(length as usize).is_multiple_of(EACH) {
        return Err(Error::msg("what it lists is no state"));
    }
    let memory = entered.store.data().memory.ok_or_else(|| Error::msg("it has no memory"))?;
    Ok(memory::slice(memory.data(&*entered.store), pointer, length)?.to_vec())
}

/// Takes the members and their static data out of a group.
fn empty(group: &Group, members: &[(MemberId, Rc<Running>)], present: &WasmFile) -> Result<Before> {
    let mut entered = group.enter().ok_or_else(|| Error::msg("a call into it runs"))?;
    let store: &mut Store<State> = &mut entered.store;
    let memory = store.data().memory.ok_or_else(|| Error::msg("it has no memory"))?;
    let mut statics = Vec::new();
    for file in members.iter().map(|(_, running)| &running.file).chain([present]) {
        let (start, end) = file.static_range.ok_or_else(|| Error::msg("where its static data lies cannot be told"))?;
        let start = start / PAGE * PAGE;
        let range =
            memory.data_mut(&mut *store).get_mut(start as usize..end as usize).ok_or_else(|| Error::msg("its memory is too small"))?;
        statics.push((start as u32, range.to_vec()));
    }
    for (start, bytes) in &statics {
        memory::slice_mut(memory.data_mut(&mut *store), *start, bytes.len() as u32)?.fill(0);
    }
    let state = store.data_mut();
    let committing = std::mem::take(&mut state.committing);
    let stack_pointers = std::mem::take(&mut state.stack_pointers);
    drop(entered);
    Ok(Before { members: group.replace(Vec::new()), committing, stack_pointers, statics })
}

/// Has a member that was instantiated once more take what it has left.
fn join(group: &Group, member: &Member, list: &[u8], statics: &[(u32, Vec<u8>)]) -> std::result::Result<(), String> {
    let take = || -> Result<i32> {
        let join = member.join.as_ref().ok_or_else(|| Error::msg("it does not export leave and join"))?;
        let mut entered = group.enter_with(Lent::NOTHING).ok_or_else(|| Error::msg("a call into it runs"))?;
        let store: &mut Store<State> = &mut entered.store;
        let memory = store.data().memory.ok_or_else(|| Error::msg("it has no memory"))?;
        let mut results = store.data().results;
        let pointer = results.reserve(&mut store.as_context_mut(), memory, list.len() as u64)?;
        store.data_mut().results = results;
        let pointer = pointer.ok_or_else(|| Error::msg("there is no memory"))?;
        memory::slice_mut(memory.data_mut(&mut *store), pointer, list.len() as u32)?.copy_from_slice(list);
        let answer = entered.during(Phase::Leave, |store| join.call(store.as_context_mut(), (pointer, list.len() as u32)))?;
        for entry in list.as_chunks::<EACH>().0 {
            let word = |at: usize| u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]]);
            let (address, length) = (word(0), word(4));
            if address == 0 {
                continue;
            }
            let bytes = statics.iter().find_map(|(start, bytes)| {
                let from = address.checked_sub(*start)? as usize;
                bytes.get(from..from + length as usize)
            });
            let bytes = bytes.ok_or_else(|| Error::msg("its state is no static data"))?;
            memory::slice_mut(memory.data_mut(&mut *entered.store), address, length)?.copy_from_slice(bytes);
        }
        Ok(answer)
    };
    match take() {
        Ok(0) => Ok(()),
        Ok(_) => Err("its data lies otherwise than before".into()),
        Err(error) => Err(format!("{error:#}")),
    }
}

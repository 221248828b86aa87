//! From a plan to modules that run: a group's memory, each module's imports, its instance, its `onLoad()`.

use std::cell::Cell;

use wasmtime::{AsContextMut, Engine, Extern, Instance, Linker, Memory, MemoryType, Mutability, Store, TypedFunc, WasmParams, WasmResults};

use crate::abi::{self, MemberId};
use crate::api::Ctx;
use crate::back_off::BackOff;
use crate::faults::Faults;
use crate::file::{ENV_NAMESPACE, WasmFile};
use crate::group::{Group, Handler, Member, Phase, State};
use crate::host::{Host, LoadedModule};
use crate::link::{Link, Plan};
use crate::sweep::Turn;
use crate::{call, host, trap};

/// Instantiates every file in the order of the arguments and runs its `onLoad()`, which registers its commands. What was made stands in
/// the installed host.
///
/// # Errors
/// The place of the module that failed, and the reason.
///
/// # Safety
/// Called within `RedisModule_OnLoad`, with its context, and with no other reference to the installed host alive.
pub unsafe fn all(ctx: *mut Ctx, engine: &Engine, files: Vec<WasmFile>, plan: &Plan) -> Result<(), (MemberId, String)> {
    let mut instances: Vec<Instance> = Vec::new();
    let mut numbers: Vec<usize> = plan.group.clone();
    numbers.sort_unstable();
    numbers.dedup();
    for &number in &numbers {
        let group = Group::new(engine, initial_pages(&files, plan, number));
        // SAFETY: by this function's contract.
        unsafe { host::get_mut() }.expect("installed").groups.push(group);
    }
    for (member, file) in files.into_iter().enumerate() {
        let group = numbers.binary_search(&plan.group[member]).expect("every group has a number");
        // SAFETY: by this function's contract.
        let host = unsafe { host::get_mut() }.expect("installed");
        let index = host.groups[group].members().len();
        let links: Vec<(String, Link)> = plan.links[member].iter().map(|(namespace, link)| (namespace.clone(), link.clone())).collect();
        let faults = Faults::new().map_err(|error| (member, format!("no memory to count its faults in: {error}")))?;
        host.modules.push(LoadedModule { file, links, group, index, faults, turn: Turn::default() });
        let group = host::group_of(member);
        let instance = build(engine, group, member, &instances).map_err(|error| (member, trap::describe_link(&error)))?;
        instances.push(instance);
        on_load(ctx, group, Phase::Load, &instance).map_err(|reason| (member, reason))?;
    }
    Ok(())
}

/// Instantiates what is loaded once more, in stores of its own and linked as it is: the groups, and a handler for each command slot.
///
/// # Errors
/// The reason, which names the module.
pub fn again(ctx: *mut Ctx, host: &Host) -> Result<(Vec<Group>, Vec<Handler>), String> {
    let mut groups = Vec::new();
    let mut instances: Vec<Instance> = Vec::new();
    let mut handlers: Vec<Option<Handler>> = vec![None; host::slots().len()];
    for (member, module) in host.modules.iter().enumerate() {
        let named = |reason: String| format!("module {}: {reason}", module.file.name);
        let engine = module.file.module.engine();
        // A group's number is that of its first member among the groups.
        if groups.len() == module.group {
            groups.push(Group::new(engine, host.groups[module.group].pages));
        }
        let group = &groups[module.group];
        let instance = build(engine, group, member, &instances).map_err(|error| named(trap::describe_link(&error)))?;
        instances.push(instance);
        on_load(ctx, group, Phase::LoadAgain, &instance).map_err(named)?;
        let registered = group.enter().map(|entered| std::mem::take(&mut entered.store.data_mut().handlers)).unwrap_or_default();
        for (slot, handler) in host::slots().iter().zip(&mut handlers).filter(|(slot, _)| slot.member == member) {
            *handler = registered.iter().find(|(name, _)| *name == slot.name).map(|(_, handler)| handler.clone());
        }
    }
    let handlers: Option<Vec<Handler>> = handlers.into_iter().collect();
    Ok((groups, handlers.ok_or("a module registers other commands when it is loaded again")?))
}

/// The pages that a group's memory has at first: enough for every member.
fn initial_pages(files: &[WasmFile], plan: &Plan, number: usize) -> u64 {
    let members = files.iter().zip(&plan.group).filter(|&(_, &group)| group == number);
    members.filter_map(|(file, _)| file.memory.as_ref()).map(MemoryType::minimum).max().unwrap_or(0)
}

/// Instantiates a module in `group`, which it becomes a member of, linked to `instances`, those of the modules before it.
fn build(engine: &Engine, group: &Group, member: MemberId, instances: &[Instance]) -> wasmtime::Result<Instance> {
    let host = host::get().expect("installed");
    let module = &host.modules[member];
    let file = &module.file;
    let mut entered = group.enter().ok_or_else(|| wasmtime::Error::msg("its group is busy"))?;
    entered.allow_load();
    let store: &mut Store<State> = entered.store;
    let mut linker = Linker::new(engine);
    if let Some(imported) = &file.memory {
        let memory = match store.data().memory {
            Some(memory) => memory,
            None => Memory::new(&mut *store, MemoryType::new(group.pages as u32, imported.maximum().map(|maximum| maximum as u32)))?,
        };
        store.data_mut().memory = Some(memory);
        linker.define(&*store, ENV_NAMESPACE, "memory", memory)?;
    }
    abi::define(&mut linker, member)?;
    for (namespace, link) in &module.links {
        for (name, function) in &file.imports[namespace] {
            match link {
                Link::Direct(provider) => {
                    let export =
                        instances[*provider].get_func(&mut *store, name).ok_or_else(|| wasmtime::Error::msg("an export is gone"))?;
                    linker.define(&*store, namespace, name, export)?;
                }
                Link::Command(_) => {
                    call::define(&mut linker, namespace, name, function, file.served_by.get(namespace).map(String::as_str))?
                }
            }
        }
    }
    let instance = linker.instantiate(&mut *store, &file.module)?;
    if file.memory.is_none()
        && let Some(Extern::Memory(memory)) = instance.get_export(&mut *store, "memory")
    {
        store.data_mut().memory = Some(memory);
    }
    if let Some(Extern::Global(global)) = instance.get_export(&mut *store, "committing") {
        let kind = global.ty(&*store);
        if kind.mutability() != Mutability::Var || !kind.content().is_i32() {
            return Err(wasmtime::Error::msg("its export committing is no mutable i32"));
        }
        store.data_mut().committing.push(global);
    }
    reserve_arguments(store)?;
    let functions = Member {
        flush: optional(store, &instance, "flush")?,
        aux_save: optional(store, &instance, "auxSave")?,
        aux_load: optional(store, &instance, "auxLoad")?,
        is_empty: optional(store, &instance, "isEmpty")?,
        loaded: optional(store, &instance, "loaded")?,
        info: optional(store, &instance, "info")?,
        free_bytes: optional(store, &instance, "freeBytes")?,
        sweep: optional(store, &instance, "sweep")?,
        free_last: Cell::new(0),
        free_back_off: BackOff::default(),
        info_back_off: BackOff::default(),
    };
    group.add(functions);
    Ok(instance)
}

/// The part of the memory that ordinary commands' arguments go to, before the first one comes.
fn reserve_arguments(store: &mut Store<State>) -> wasmtime::Result<()> {
    let Some(memory) = store.data().memory else { return Err(wasmtime::Error::msg("it has no memory")) };
    let mut region = store.data().arguments;
    let reserved = region.reserve(&mut store.as_context_mut(), memory, 1);
    store.data_mut().arguments = region;
    reserved.map(|_| ()).ok_or_else(|| wasmtime::Error::msg("wasm.max-memory is too small for it"))
}

/// An export that the host calls, if it is there; of another type it is refused.
fn optional<P: WasmParams, R: WasmResults>(
    store: &mut Store<State>,
    instance: &Instance,
    name: &str,
) -> wasmtime::Result<Option<TypedFunc<P, R>>> {
    match instance.get_func(&mut *store, name) {
        None => Ok(None),
        Some(function) => match function.typed(&*store) {
            Ok(function) => Ok(Some(function)),
            Err(_) => Err(wasmtime::Error::msg(format!("its export {name} has another type than the host calls"))),
        },
    }
}

fn on_load(ctx: *mut Ctx, group: &Group, phase: Phase, instance: &Instance) -> Result<(), String> {
    let mut entered = group.enter().ok_or("its group is busy")?;
    entered.allow_load();
    entered.store.data_mut().call.ctx = ctx;
    let code =
        entered.during(phase, |_, store| instance.get_typed_func::<(), i32>(&mut *store, "onLoad")?.call(store.as_context_mut(), ()));
    let state = entered.store.data_mut();
    state.call.ctx = std::ptr::null_mut();
    match (code, state.refused.take()) {
        (Ok(0), _) => Ok(()),
        (Ok(_), Some(refused)) => Err(format!("the server refused what its onLoad() registers: {refused}")),
        (Ok(code), None) => Err(format!("its onLoad() answered {code}")),
        (Err(error), _) => Err(trap::located(&error)),
    }
}

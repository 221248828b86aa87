//! From a plan to modules that run: a group's memory, each module's imports, its instance, its `onLoad()`.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use wasmtime::{
    AsContextMut, Error, Extern, Instance, Linker, Memory, MemoryType, Mutability, Result, Store, TypedFunc, WasmParams, WasmResults,
};

use crate::calls::{by_command, imports};
use crate::describe::declaration::Declaration;
use crate::engine::inspect::STACK_POINTER;
use crate::engine::trap;
use crate::guest::back_off::BackOff;
use crate::guest::call::{Lent, Phase};
use crate::guest::committing::WORD_BYTES;
use crate::guest::faults::{Faults, Identity};
use crate::guest::group::{Group, Member};
use crate::guest::ids::{GroupId, MemberId};
use crate::guest::memory;
use crate::guest::state::{Committing, Handler, State};
use crate::modules::file::{ALLOCATE, WasmFile};
use crate::modules::link::{Link, Plan};
use crate::modules::loaded::Host;
use crate::modules::module::{LoadedModule, Presence, Running};
use crate::modules::namespace::{APPLY_EXPORT, ENV_NAMESPACE, MODULES_MAX};
use crate::modules::slot::Slot;
use crate::server::context::Context;
use crate::server::log;

/// Instantiates every file in its order and runs its `onLoad()`, which registers its commands. The first
/// `given` were given as arguments. What was made stands in `host`.
///
/// # Errors
/// The module that failed, and the reason. One that was not given as an argument is missing then.
pub fn all(host: &Host, ctx: Context<'_>, files: Vec<WasmFile>, given: usize, plan: &Plan) -> std::result::Result<(), (MemberId, String)> {
    if files.len() > MODULES_MAX {
        return Err((MemberId(MODULES_MAX), too_many()));
    }
    let mut instances: Vec<Option<Instance>> = Vec::new();
    let mut firsts: Vec<MemberId> = plan.group.clone();
    firsts.sort_unstable();
    firsts.dedup();
    for &first in &firsts {
        host.groups.push(Group::new(&host.engine, initial_pages(&files, plan, first)));
    }
    for (place, file) in files.into_iter().enumerate() {
        let is_given = place < given;
        let group = GroupId(firsts.binary_search(&plan.group[place]).expect("every group has a number"));
        let links: Vec<(String, Link)> = plan.links[place].iter().map(|(namespace, link)| (namespace.clone(), link.clone())).collect();
        let member = add(host, &file.name, group, is_given).map_err(|reason| (MemberId(place), reason))?;
        let running = Rc::new(Running { file, links });
        host.candidate.replace(Some((member, running.clone())));
        let group = &host.groups[group.0];
        let instance = build(host, group, member, &running, &instances)
            .map_err(|error| trap::describe_link(&error))
            .and_then(|instance| on_load(ctx, host, (group, member), Phase::Load, &instance).map(|()| instance));
        host.candidate.replace(None);
        instances.push(instance.as_ref().ok().copied());
        match instance {
            Ok(_) => host.modules[member.0].become_(Presence::Serving(running)),
            Err(reason) if is_given => return Err((member, reason)),
            Err(reason) => {
                log::warning(Some(ctx), &format!("module {}: it is missing: {reason}", running.file.name));
                host.miss(member, &reason);
            }
        }
    }
    Ok(())
}

/// Adds a module to those that are known, which is missing until it serves.
///
/// # Errors
/// There are too many.
pub fn add(host: &Host, name: &str, group: GroupId, is_given: bool) -> std::result::Result<MemberId, String> {
    if host.modules.len() == MODULES_MAX {
        return Err(too_many());
    }
    let faults = Faults::new().map_err(|error| format!("no memory to count its faults in: {error}"))?;
    let identity = Rc::new(Identity { name: name.into(), faults });
    Ok(MemberId(host.modules.push(LoadedModule::new(identity, group, is_given))))
}

fn too_many() -> String {
    format!("more than {MODULES_MAX} modules")
}

/// Adds a module in a group of its own to those that are known, which is missing until it serves.
///
/// # Errors
/// There are too many.
pub fn add_alone(host: &Host, name: &str) -> std::result::Result<MemberId, String> {
    if host.modules.len() == MODULES_MAX || host.groups.len() == MODULES_MAX {
        return Err(too_many());
    }
    let group = GroupId(host.groups.push(Group::new(&host.engine, 0)));
    add(host, name, group, false)
}

/// Has a module that is missing run in a group of its own, where others have its group too: whether it may
/// share a memory, and where its static data then lies, is decided at a start alone.
pub fn set_apart(host: &Host, member: MemberId) {
    let module = &host.modules[member.0];
    if host.modules.iter().filter(|other| other.group == module.group).count() > 1 {
        // Every group has a module then, so there are no more of them.
        module.group.set(GroupId(host.groups.push(Group::new(&host.engine, 0))));
    }
}

/// Forgets the module that [`add_alone`] has added last, which has never served.
pub fn forget_last(host: &Host) {
    // SAFETY: no command, event or timer can have been lent what has never served, and nobody calls this
    // with what it has borrowed of it.
    unsafe {
        host.modules.pop();
        host.groups.pop();
    }
}

/// Notes modules that are missing: their names, and why.
///
/// # Errors
/// There are too many.
pub fn note_missing(host: &Host, missing: Vec<(String, String)>) -> std::result::Result<(), String> {
    for (name, reason) in missing {
        host.miss(add_alone(host, &name)?, &reason);
    }
    Ok(())
}

/// What a member has registered when it was instantiated once more.
pub struct Registered {
    pub member: MemberId,
    pub declaration: Declaration,
    pub handler: Handler,
}

/// Instantiates what is loaded once more, in stores of its own and linked as it is: the groups, and a handler
/// for each command slot that is served.
///
/// # Errors
/// The reason, which names the module.
pub fn again(host: &Host, ctx: Context<'_>) -> std::result::Result<(Vec<Group>, Vec<Option<Handler>>), String> {
    let mut groups = Vec::new();
    let mut registered = Vec::new();
    for number in 0..host.groups.len() {
        let (group, all) = group_again(host, ctx, GroupId(number), None)?;
        groups.push(group);
        registered.extend(all);
    }
    let handler = |slot: &Slot| {
        let found = registered.iter().find(|each| each.member == slot.member.get() && slot.is_named(&each.declaration.name));
        match found {
            _ if slot.is_parked() => Ok(None),
            Some(registered) => Ok(Some(registered.handler.clone())),
            None => Err("a module registers other commands when it is loaded again".to_string()),
        }
    };
    let handlers = host.slots.iter().map(handler).collect::<std::result::Result<Vec<_>, String>>()?;
    Ok((groups, handlers))
}

/// The members of a group that are there, and the candidate, in their order.
pub fn members_of(host: &Host, number: GroupId) -> Vec<(MemberId, Rc<Running>)> {
    let members = (0..host.modules.len()).map(MemberId).filter(|member| host.modules[member.0].group.get() == number);
    members.filter_map(|member| Some((member, host.running(member)?))).collect()
}

/// Instantiates the members of a group once more, those that are there and the candidate, in a store of its
/// own, `without` one.
///
/// # Errors
/// The reason, which names the module.
pub fn group_again(
    host: &Host,
    ctx: Context<'_>,
    number: GroupId,
    without: Option<MemberId>,
) -> std::result::Result<(Group, Vec<Registered>), String> {
    let members: Vec<_> = members_of(host, number).into_iter().filter(|(member, _)| Some(*member) != without).collect();
    let pages = members.iter().filter_map(|(_, running)| running.file.memory.as_ref()).map(MemoryType::minimum).max().unwrap_or(0);
    let group = Group::new(&host.engine, pages.max(host.groups[number.0].pages.get()));
    let registered = members_in(host, ctx, &group, &members, |_, _| Ok(()))?;
    Ok((group, registered))
}

/// Instantiates members in a group, and runs each one's `onLoad()` after `prepare`; answers what they have
/// registered.
///
/// # Errors
/// The reason, which names the module.
pub fn members_in(
    host: &Host,
    ctx: Context<'_>,
    group: &Group,
    members: &[(MemberId, Rc<Running>)],
    prepare: impl Fn(MemberId, &Member) -> std::result::Result<(), String>,
) -> std::result::Result<Vec<Registered>, String> {
    let places = members.iter().map(|(member, _)| member.0 + 1).max().unwrap_or(0);
    let mut instances: Vec<Option<Instance>> = vec![None; places.max(host.modules.len())];
    let mut registered = Vec::new();
    for (member, running) in members {
        let named = |reason: String| format!("module {}: {reason}", running.file.name);
        let instance = build(host, group, *member, running, &instances).map_err(|error| named(trap::describe_link(&error)))?;
        instances[member.0] = Some(instance);
        if let Some(functions) = host.owner(*member).and_then(|owner| group.member(&owner.identity)) {
            prepare(*member, &functions).map_err(named)?;
        }
        on_load(ctx, host, (group, *member), Phase::LoadAgain, &instance).map_err(named)?;
        let handlers = group.enter().map(|mut entered| std::mem::take(&mut entered.store.data_mut().handlers)).unwrap_or_default();
        registered.extend(handlers.into_iter().map(|(declaration, handler)| Registered { member: *member, declaration, handler }));
    }
    Ok(registered)
}

/// The pages that a group's memory has at first: enough for every member.
fn initial_pages(files: &[WasmFile], plan: &Plan, first: MemberId) -> u64 {
    let members = files.iter().zip(&plan.group).filter(|&(_, &group)| group == first);
    members.filter_map(|(file, _)| file.memory.as_ref()).map(MemoryType::minimum).max().unwrap_or(0)
}

/// Instantiates a module in `group`, which it becomes a member of, linked to `instances`, those of the
/// modules before it.
fn build(host: &Host, group: &Group, member: MemberId, running: &Running, instances: &[Option<Instance>]) -> Result<Instance> {
    let Running { file, links } = running;
    let mut entered = group.enter().ok_or_else(|| Error::msg("its group is busy"))?;
    entered.allow_load();
    let store: &mut Store<State> = &mut entered.store;
    let mut linker = Linker::new(&host.engine);
    if let Some(imported) = &file.memory {
        let memory = match store.data().memory {
            Some(memory) => memory,
            None => Memory::new(&mut *store, MemoryType::new(group.pages.get() as u32, imported.maximum().map(|maximum| maximum as u32)))?,
        };
        store.data_mut().memory = Some(memory);
        linker.define(&*store, ENV_NAMESPACE, "memory", memory)?;
    }
    imports::define(&mut linker, member)?;
    for (namespace, link) in links {
        for (name, function) in &file.imports[namespace] {
            match link {
                Link::Direct(provider) => {
                    let instance = instances[provider.0].ok_or_else(|| Error::msg("a module that it is linked to is missing"))?;
                    let export = instance.get_func(&mut *store, name).ok_or_else(|| Error::msg("an export is gone"))?;
                    linker.define(&*store, namespace, name, export)?;
                }
                Link::Command(_) => {
                    by_command::define(&mut linker, member, namespace, name, function)?;
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
    if let Some(pointer) = instance.get_global(&mut *store, STACK_POINTER) {
        store.data_mut().stack_pointers.push(pointer);
    }
    if let Some(committing) = committing(store, &instance)? {
        store.data_mut().committing.push(committing);
    }
    if file.gives_memory() {
        store.data_mut().limits.allocate = optional(store, &instance, ALLOCATE)?;
    }
    reserve_arguments(store)?;
    group.add(Member {
        identity: host.owner(member).ok_or_else(|| Error::msg("it is not there"))?.identity.clone(),
        flush: optional(store, &instance, "flush")?,
        aux_save: optional(store, &instance, "auxSave")?,
        aux_load: optional(store, &instance, "auxLoad")?,
        is_empty: optional(store, &instance, "isEmpty")?,
        loaded: optional(store, &instance, "loaded")?,
        info: optional(store, &instance, "info")?,
        free_bytes: optional(store, &instance, "freeBytes")?,
        sweep: optional(store, &instance, "sweep")?,
        apply: optional(store, &instance, APPLY_EXPORT)?,
        leave: optional(store, &instance, "leave")?,
        join: optional(store, &instance, "join")?,
        export_slots: optional(store, &instance, "exportSlots")?,
        drop_slots: optional(store, &instance, "dropSlots")?,
        count_slots: optional(store, &instance, "countSlots")?,
        strays: optional(store, &instance, "strays")?,
        triggers: OnceCell::new(),
        free_last: Cell::new(0),
        free_back_off: BackOff::default(),
        info_back_off: BackOff::default(),
    });
    Ok(instance)
}

/// Where the module says that it is in the middle of a commit: a mutable global, or a word of its memory, as
/// C and Rust have it, whose address a function answers or an immutable global holds.
fn committing(store: &mut Store<State>, instance: &Instance) -> Result<Option<Committing>> {
    const NAME: &str = "committing";
    let address = match instance.get_export(&mut *store, NAME) {
        None => return Ok(None),
        Some(Extern::Global(global)) => {
            let kind = global.ty(&*store);
            if kind.mutability() == Mutability::Var && kind.content().is_i32() {
                return Ok(Some(Committing::Global(global)));
            }
            global.get(&mut *store).i32().unwrap_or(0).cast_unsigned()
        }
        Some(_) => match optional::<(), u32>(store, instance, NAME)? {
            Some(function) => function.call(store.as_context_mut(), ())?,
            None => 0,
        },
    };
    let memory = store.data().memory.ok_or_else(|| Error::msg("it has no memory"))?;
    match memory::slice(memory.data(&*store), address, WORD_BYTES) {
        Ok(_) if address != 0 => Ok(Some(Committing::Word(address))),
        _ => Err(Error::msg("its export committing is neither a mutable i32 nor the address of one")),
    }
}

/// The part of the memory that ordinary commands' arguments go to, before the first one comes.
fn reserve_arguments(store: &mut Store<State>) -> Result<()> {
    let Some(memory) = store.data().memory else { return Err(Error::msg("it has no memory")) };
    let mut region = store.data().arguments;
    let reserved = region.reserve(&mut store.as_context_mut(), memory, 1);
    store.data_mut().arguments = region;
    reserved?.map(|_| ()).ok_or_else(|| Error::msg("wasm.max-memory is too small for it"))
}

/// An export that the host calls, if it is there; of another type it is refused.
fn optional<P: WasmParams, R: WasmResults>(store: &mut Store<State>, instance: &Instance, name: &str) -> Result<Option<TypedFunc<P, R>>> {
    match instance.get_func(&mut *store, name) {
        None => Ok(None),
        Some(function) => match function.typed(&*store) {
            Ok(function) => Ok(Some(function)),
            Err(_) => Err(Error::msg(format!("its export {name} has another type than the host calls"))),
        },
    }
}

/// Has a member of `group` register what it has.
fn on_load(
    ctx: Context<'_>,
    host: &Host,
    (group, member): (&Group, MemberId),
    phase: Phase,
    instance: &Instance,
) -> std::result::Result<(), String> {
    let mut entered = group.enter_with(Lent::context(ctx)).ok_or("its group is busy")?;
    entered.allow_load();
    let code = entered.during(phase, |store| instance.get_typed_func::<(), i32>(&mut *store, "onLoad")?.call(store.as_context_mut(), ()));
    let triggers = std::mem::take(&mut entered.store.data_mut().triggers);
    match (code, entered.store.data_mut().refused.take()) {
        (Ok(0), _) => {
            let owner = host.owner(member).ok_or("it is not there")?;
            let functions = group.member(&owner.identity).ok_or("it is not there")?;
            let declared = host.running(member).ok_or("it is missing")?;
            let declared = &declared.file.triggers;
            if (triggers.every.len(), triggers.on.len()) != (declared.every.len(), declared.on.len()) {
                return Err("it registers other intervals or events than when it was asked".into());
            }
            functions.triggers.set(triggers).ok();
            Ok(())
        }
        (Ok(_), Some(refused)) => Err(format!("the server refused what its onLoad() registers: {refused}")),
        (Ok(code), None) => Err(format!("its onLoad() answered {code}")),
        (Err(error), _) => Err(trap::located(&error)),
    }
}

//! The import rule: an import (`SPACE`, `name`) is linked to the export `name` of the loaded module that
//! registers the command `SPACE.NAME`. What stands behind a `$` in a name is the export's alone: such a
//! function leaves the effects that the command would.
//!
//! Where that cannot be, all imports of the namespace become calls of the commands of those names, and the
//! reason is told.

use std::collections::BTreeMap;

use wasmtime::{ExternType, FuncType};

use super::callable::callable;
use super::file::WasmFile;
use crate::guest::ids::MemberId;
use crate::guest::memory::PAGE;

/// How the imports of one namespace are resolved.
#[derive(Debug, Clone, PartialEq)]
pub enum Link {
    /// To the exports of this module, which runs in the same group.
    Direct(MemberId),
    /// By `RedisModule_Call`, for this reason.
    Command(String),
}

/// What is decided for all modules before the first one runs.
pub struct Plan {
    /// The group of each module, named by its first module.
    pub group: Vec<MemberId>,
    /// The link of each namespace that each module imports.
    pub links: Vec<BTreeMap<String, Link>>,
}

/// Decides every link. `by_command`: the user wants all by command. `is_trusted`: whether a module may share
/// a memory with others that may.
///
/// # Errors
/// An import that neither way can serve: the place of the module, and the reason.
pub fn plan(files: &[WasmFile], by_command: bool, is_trusted: impl Fn(&WasmFile) -> bool) -> Result<Plan, (MemberId, String)> {
    let mut plan = Plan { group: (0..files.len()).map(MemberId).collect(), links: vec![BTreeMap::new(); files.len()] };
    for (place, file) in files.iter().enumerate() {
        let consumer = MemberId(place);
        for (namespace, functions) in &file.imports {
            let link = if by_command { Err("wasm.link is command".into()) } else { provider(files, &plan, consumer, namespace) };
            let link = match link.and_then(|provider| trusted(files, [provider, consumer], &is_trusted).map(|()| provider)) {
                Ok(provider) => {
                    join(&mut plan.group, provider, consumer);
                    Link::Direct(provider)
                }
                Err(reason) => {
                    callable_all(namespace, functions, &reason).map_err(|reason| (consumer, reason))?;
                    Link::Command(reason)
                }
            };
            plan.links[consumer.0].insert(namespace.clone(), link);
        }
    }
    Ok(plan)
}

/// The part of a function's name that is the command's.
pub fn command_part(name: &str) -> &str {
    name.split_once('$').map_or(name, |(command, _)| command)
}

/// The links of a module that has none but by command, for this reason.
///
/// # Errors
/// An import that no command can serve.
pub fn by_command(file: &WasmFile, reason: &str) -> Result<Vec<(String, Link)>, String> {
    file.imports
        .iter()
        .map(|(namespace, functions)| {
            callable_all(namespace, functions, reason)?;
            Ok((namespace.clone(), Link::Command(reason.into())))
        })
        .collect()
}

/// # Errors
/// An import that no command can serve.
pub fn callable_all(namespace: &str, functions: &BTreeMap<String, FuncType>, reason: &str) -> Result<(), String> {
    match functions.iter().find(|(_, function)| !callable(function)) {
        Some((name, _)) => Err(format!("it imports {namespace}.{name} with a type that no command has ({reason})")),
        None => Ok(()),
    }
}

/// Puts both modules' groups into one.
fn join(group: &mut [MemberId], one: MemberId, other: MemberId) {
    let (from, to) = (group[one.0].max(group[other.0]), group[one.0].min(group[other.0]));
    for entry in group.iter_mut().filter(|entry| **entry == from) {
        *entry = to;
    }
}

/// The module that `consumer` can be linked to directly for `namespace`, or the reason why there is none.
fn provider(files: &[WasmFile], plan: &Plan, consumer: MemberId, namespace: &str) -> Result<MemberId, String> {
    let functions = &files[consumer.0].imports[namespace];
    let command = |name: &str| format!("{namespace}.{}", command_part(name)).to_ascii_lowercase();
    let serves = |file: &WasmFile| functions.keys().any(|name| file.commands.contains(&command(name)));
    let Some(provider) = files.iter().position(serves).map(MemberId) else {
        return Err(format!("no module loaded here registers {namespace} commands"));
    };
    let (name, provided) = (&files[provider.0].name, &files[provider.0]);
    if provider == consumer {
        return Err("it serves this namespace itself".into());
    }
    if provider > consumer {
        return Err(format!("{name} comes after it"));
    }
    match (provided.abi, files[consumer.0].abi) {
        (Some(one), Some(other)) if one == other => {}
        (one, other) => return Err(format!("{name} has ABI version {}, this module {}", version(one), version(other))),
    }
    for (function, wanted) in functions {
        if !provided.commands.contains(&command(function)) {
            return Err(format!("{name} does not register {}", command(function).to_ascii_uppercase()));
        }
        match provided.module.get_export(function) {
            Some(ExternType::Func(found)) if found.matches(wanted) => {}
            Some(_) => return Err(format!("the export {function} of {name} has another type")),
            None => return Err(format!("{name} does not export {function}")),
        }
    }
    let members =
        (0..files.len()).filter(|&member| plan.group[member] == plan.group[provider.0] || plan.group[member] == plan.group[consumer.0]);
    shareable(&members.map(|member| &files[member]).collect::<Vec<_>>())?;
    Ok(provider)
}

/// Whether both of them may share a memory; else what `wasm.trusted` lacks.
fn trusted(files: &[WasmFile], members: [MemberId; 2], is_trusted: impl Fn(&WasmFile) -> bool) -> Result<(), String> {
    match members.map(|member| &files[member.0]).into_iter().find(|file| !is_trusted(file)) {
        Some(WasmFile { name, hash, .. }) => Err(format!("wasm.trusted does not name {name}:{hash}")),
        None => Ok(()),
    }
}

/// A version of the linking convention, in words.
pub fn version(abi: Option<u32>) -> String {
    abi.map_or_else(|| "none".to_string(), |abi| abi.to_string())
}

/// Whether these modules can run in one linear memory.
///
/// # Errors
/// Why they cannot.
pub fn shareable(files: &[&WasmFile]) -> Result<(), String> {
    for file in files {
        let Some(memory) = &file.memory else {
            return Err(format!("{} does not import env.memory", file.name));
        };
        if file.gives_memory() {
            return Err(format!("the heap of {} may use every page: it exports allocate", file.name));
        }
        if memory.maximum().is_some_and(|maximum| maximum * PAGE < 1 << 32) {
            return Err(format!("{} limits its memory by itself", file.name));
        }
    }
    for (index, one) in files.iter().enumerate() {
        for other in &files[index + 1..] {
            let (Some(first), Some(second)) = (one.static_range, other.static_range) else {
                return Err(format!("where the static data of {} or {} lies cannot be told", one.name, other.name));
            };
            if first.0 < second.1 && second.0 < first.1 {
                return Err(format!("the static data of {} and {} overlap", one.name, other.name));
            }
        }
    }
    Ok(())
}

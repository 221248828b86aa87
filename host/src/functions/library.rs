//! From a code to a library that runs: a file of the kit, alone in a store of its own.

use std::path::Path;
use std::rc::Rc;

use sha2::{Digest, Sha256};
use wasmtime::MemoryType;

use super::code;
use super::function::{Body, Function, Keys, flags_of, name_of};
use crate::describe::declaration::Declaration;
use crate::describe::description::Description;
use crate::engine::compile;
use crate::engine::source::Source;
use crate::guest::faults::{Faults, Identity};
use crate::guest::group::Group;
use crate::guest::ids::{GroupId, MemberId};
use crate::load::instantiate::{self, Registered};
use crate::modules::declare::Asking;
use crate::modules::file::WasmFile;
use crate::modules::libraries::Library;
use crate::modules::loaded::Host;
use crate::modules::module::{LoadedModule, Presence, Running};
use crate::modules::name;
use crate::modules::slot::Slot;
use crate::server::api;
use crate::server::context::Context;

/// The functions of a code, which runs from now on until the last of them is freed.
///
/// # Errors
/// Why it cannot be loaded, on one line.
pub fn open(host: &Host, ctx: Context<'_>, code: &[u8], is_script: bool) -> Result<Vec<Function>, String> {
    let file = compile_file(host, ctx, code::file(code)?)?;
    let names = names(&file)?;
    if is_script && names.len() != 1 {
        return Err(format!("EVAL runs a file with one function, and {} has {}", file.name, names.len()));
    }
    let faults = Faults::new().map_err(|error| format!("no memory to count its faults in: {error}"))?;
    let identity = Rc::new(Identity { name: file.name.clone(), faults });
    let running = Rc::new(Running { file, links: Vec::new() });
    let module = LoadedModule::new(identity.clone(), NO_GROUP, false);
    module.become_(Presence::Serving(running.clone()));
    let member = host.libraries.add(module)?;
    let made = instance(host, ctx, member, &running).and_then(|(group, registered)| {
        let declared: Vec<Registered> = registered.into_iter().filter(|each| is_function(&running.file, &each.declaration)).collect();
        let slot = |each: &Registered| {
            let about = description(&running.file, &each.declaration);
            Slot::new((member, identity.clone(), NO_GROUP), &each.declaration, about, each.handler.clone())
        };
        let slots = declared.iter().map(slot).collect();
        let library = host.libraries.complete(member, group, slots, is_script).ok_or("it is not there")?;
        Ok((library, declared))
    });
    match made {
        Ok((library, declared)) => Ok(functions(&library, &running.file, &declared)),
        Err(reason) => {
            host.libraries.remove(member);
            Err(reason)
        }
    }
}

/// A library has none of the groups of modules.
const NO_GROUP: GroupId = GroupId(usize::MAX);

/// The one function that stands for a library which cannot be used here, so that the server keeps its code.
pub fn unusable(code: &[u8], reason: &str) -> Function {
    let digest: String = Sha256::digest(code).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let flags = api::SCRIPT_NO_WRITES | api::SCRIPT_ALLOW_STALE;
    Function::new(format!("unusable_{digest}"), reason.into(), flags, Body::Unusable(reason.into()))
}

/// A library whose memory may be inconsistent runs in a new one.
///
/// # Errors
/// Why not; it is as it was.
#[cold]
pub fn renew(host: &Host, ctx: Context<'_>, library: &Library) -> Result<(), String> {
    let running = library.module.running().ok_or("it is not there")?;
    let (group, registered) = instance(host, ctx, library.member, &running)?;
    if !library.group.swap(&group) {
        return Err("a call into it runs".into());
    }
    for slot in &library.slots {
        let found = registered.iter().find(|each| slot.is_named(&each.declaration.name));
        slot.handler.replace(found.map(|each| each.handler.clone()));
    }
    Ok(())
}

fn instance(host: &Host, ctx: Context<'_>, member: MemberId, running: &Rc<Running>) -> Result<(Group, Vec<Registered>), String> {
    let pages = running.file.memory.as_ref().map_or(0, MemoryType::minimum);
    let group = Group::new(&host.engine, pages);
    let registered = instantiate::members_in(host, ctx, &group, &[(member, running.clone())], |_, _| Ok(()))?;
    Ok((group, registered))
}

/// # Errors
/// It is none of the kit, or needs what only a module has.
fn compile_file(host: &Host, ctx: Context<'_>, bytes: Vec<u8>) -> Result<WasmFile, String> {
    let (Some(name), Some(tables)) = (name::of(&bytes), name::tables(&bytes)) else { return Err(NO_KIT.into()) };
    if !tables.is_empty() {
        return Err(format!(
            "a function has no data of its own, and {name} has tables ({}): load the file as a module instead",
            tables.join(", ")
        ));
    }
    let source = Source::of_bytes(&name, Path::new(""), bytes)?;
    let module = compile::all(ctx, &host.engine, host.cache.get(), std::slice::from_ref(&source))?.pop().ok_or("it was not compiled")?;
    let mut file = WasmFile::new(source, module?)?;
    // The server has the code.
    file.bytes.take();
    if let Some(namespace) = file.imports.keys().next() {
        return Err(format!("a function has no links, and {name} imports {namespace}: load the file as a module instead"));
    }
    file.ask(ctx, Asking::Later)?;
    if let Some((_, setting)) = file.declared_settings.first() {
        return Err(format!("a function has no settings, and {name} has {}: load the file as a module instead", setting.name));
    }
    if !file.triggers.every.is_empty() || !file.triggers.on.is_empty() {
        return Err(format!("a function runs when it is called, and {name} has every or on: load the file as a module instead"));
    }
    if !file.types.is_empty() || !file.settings.is_empty() {
        return Err(NO_KIT.into());
    }
    Ok(file)
}

const NO_KIT: &str = "it is no file that this release of redis-wasm builds: its section redis-wasm tells no name and tables";

/// The names of its functions.
///
/// # Errors
/// Two commands would be the same one.
fn names(file: &WasmFile) -> Result<Vec<String>, String> {
    let mut names: Vec<(String, &str)> = Vec::new();
    for command in file.commands.iter().filter(|command| !is_check(file, command)) {
        let name = name_of(command);
        if let Some((_, other)) = names.iter().find(|(other, _)| *other == name) {
            let [one, other] = [other, command.as_str()].map(str::to_ascii_uppercase);
            return Err(format!("{one} and {other} would both be the function {name}"));
        }
        names.push((name, command));
    }
    Ok(names.into_iter().map(|(name, _)| name).collect())
}

/// Whether a command is the one that the kit adds to each module: it checks tables, and there are none.
fn is_check(file: &WasmFile, command: &str) -> bool {
    const SUMMARY: &[u8] = b"Checks that the module's tables hold together";
    let summary = file.descriptions.get(command).and_then(|about| about.summary.as_ref());
    command == format!("{}.check", file.name) && summary.is_some_and(|summary| summary.to_bytes() == SUMMARY)
}

fn is_function(file: &WasmFile, declaration: &Declaration) -> bool {
    !is_check(file, &declaration.name.to_string_lossy().to_ascii_lowercase())
}

fn description<'a>(file: &'a WasmFile, declaration: &Declaration) -> Option<&'a Description> {
    file.descriptions.get(&declaration.name.to_string_lossy().to_ascii_lowercase())
}

fn functions(library: &Rc<Library>, file: &WasmFile, declared: &[Registered]) -> Vec<Function> {
    let none = Description::default();
    let function = |(place, Registered { declaration, .. }): (usize, &Registered)| {
        let about = description(file, declaration).unwrap_or(&none);
        let summary = about.summary.as_ref().map_or(Vec::new(), |summary| summary.to_bytes().to_vec());
        let body = Body::Runs { library: library.clone(), place, keys: Keys::of(declaration, about) };
        Function::new(name_of(&declaration.name.to_string_lossy()), summary, flags_of(&library.slots[place]), body)
    };
    declared.iter().enumerate().map(function).collect()
}

//! The links of a file that takes the place of what a module runs.

use std::rc::Rc;

use wasmtime::{ExternType, FuncType};

use super::instantiate::members_of;
use crate::guest::ids::MemberId;
use crate::modules::file::WasmFile;
use crate::modules::link::{self, Link};
use crate::modules::loaded::Host;
use crate::modules::module::Running;

/// Why its imports go by command.
pub const LATE: &str = "it was loaded while the server served";
const RESTART: &str = "it needs a restart";

/// The links of a file that takes the place of what a module runs: those that it has, as far as they can be.
///
/// # Errors
/// Why it cannot stand in that one's place in its group.
pub fn relink(host: &Host, member: MemberId, file: &WasmFile, is_trusted: bool) -> Result<Vec<(String, Link)>, String> {
    let module = &host.modules[member.0];
    let present = module.running().ok_or("it is missing")?;
    if present.file.applies() != file.applies() {
        return Err(format!("one of the two files exports apply, and the other does not: {RESTART}"));
    }
    if present.file.data_name().0 != file.data_name().0 {
        return Err("its data type is another one than before: it needs a restart".into());
    }
    let others = others_of(host, member);
    if others.is_empty() {
        return link::by_command(file, LATE);
    }
    if !is_trusted {
        return Err(format!("wasm.trusted does not name {}:{}: {RESTART}", file.name, file.hash));
    }
    if present.file.abi != file.abi {
        let (now, then) = (link::version(present.file.abi), link::version(file.abi));
        return Err(format!("it has ABI version {then}, and what runs {now}: {RESTART}"));
    }
    let all: Vec<&WasmFile> = others.iter().map(|(_, other)| &other.file).chain([file]).collect();
    link::shareable(&all)?;
    for (_, other) in &others {
        let wanted = other.links.iter().filter(|(_, link)| *link == Link::Direct(member));
        if let Some((name, _)) =
            wanted.flat_map(|(namespace, _)| &other.file.imports[namespace]).find(|(name, kind)| !has(file, name, kind))
        {
            return Err(format!("{} is linked to its export {name}, which the file does not have: {RESTART}", other.file.name));
        }
    }
    let mut links = Vec::new();
    for (namespace, functions) in &file.imports {
        let provider = present.links.iter().find_map(|(linked, link)| match link {
            Link::Direct(provider) if linked == namespace => Some((*provider, host.running(*provider)?)),
            _ => None,
        });
        let fits = |provider: &WasmFile| functions.iter().all(|(name, kind)| has(provider, name, kind));
        let link = match provider.filter(|(_, provider)| fits(&provider.file)) {
            Some((provider, _)) => Link::Direct(provider),
            None => {
                link::callable_all(namespace, functions, LATE)?;
                Link::Command(LATE.into())
            }
        };
        links.push((namespace.clone(), link));
    }
    Ok(links)
}

/// The others that run in a module's group.
fn others_of(host: &Host, member: MemberId) -> Vec<(MemberId, Rc<Running>)> {
    members_of(host, host.modules[member.0].group.get()).into_iter().filter(|(of, _)| *of != member).collect()
}

/// Whether the file exports this function.
fn has(file: &WasmFile, name: &str, kind: &FuncType) -> bool {
    matches!(file.module.get_export(name), Some(ExternType::Func(found)) if found.matches(kind))
}

//! The namespace `redis`: what modules may import from the host, as `modules/namespace.rs` lists it.

mod commands;
mod effects;
mod info;
mod keys;
mod persistence;
mod replies;
mod server;
mod triggers;

use wasmtime::{Caller, Error, Func, Linker, Ref, Result};

use crate::guest::call::{Call, Phase, To};
use crate::guest::ids::MemberId;
use crate::guest::state::{Handler, State};
use crate::guest::{abort, memory};
use crate::modules::libraries::Owner;
use crate::modules::loaded::{self, Host};
use crate::modules::namespace::{ENV_NAMESPACE, Function, HOST_NAMESPACE as NS, TABLES};
use crate::server::context::Context;
use crate::server::strings::{ServerString, with_string};

use super::frame::argument_at;

type Guest<'a> = Caller<'a, State>;

/// Defines every function of the namespace for the member `member` of the group being built.
///
/// # Errors
/// A name defined twice, which would be a fault of this folder.
pub fn define(linker: &mut Linker<State>, member: MemberId) -> Result<()> {
    commands::define(linker, member)?;
    replies::define(linker, member)?;
    server::define(linker, member)?;
    keys::define(linker)?;
    effects::define(linker, member)?;
    persistence::define(linker, member)?;
    info::define(linker, member)?;
    triggers::define(linker, member)?;
    abort::define(linker, ENV_NAMESPACE, |state| state.memory)
}

/// The whole linear memory beside the state.
#[inline]
fn parts<'a>(guest: &'a mut Guest<'_>) -> Result<(&'a mut [u8], &'a mut State)> {
    let memory = guest.data().memory.ok_or_else(|| Error::msg("an import call before its memory is known"))?;
    Ok(memory.data_and_store_mut(guest))
}

/// The bytes at (`pointer`, `length`), on their way to the server, beside the state, where `function` makes
/// sense.
#[inline]
fn bytes<'a>(guest: &'a mut Guest<'_>, function: &Function, pointer: u32, length: u32) -> Result<(&'a [u8], &'a mut State)> {
    allow(guest, function)?;
    let (all, state) = parts(guest)?;
    Ok((handed(all, &mut state.call, pointer, length)?, state))
}

/// The bytes at (`pointer`, `length`), on their way to the server.
#[inline]
fn handed<'a>(all: &'a [u8], call: &mut Call, pointer: u32, length: u32) -> Result<&'a [u8]> {
    let bytes = memory::slice(all, pointer, length)?;
    call.hand(To::Server, length.into(), all.len())?;
    Ok(bytes)
}

/// # Errors
/// The module does something now in which `function` makes no sense.
#[inline]
fn allow(guest: &Guest<'_>, function: &Function) -> Result<()> {
    if function.phases.contains(&guest.data().call.phase) { Ok(()) } else { Err(not_now(function)) }
}

#[cold]
fn not_now(function: &Function) -> Error {
    Error::msg(format!("{NS}.{} is not allowed here", function.name))
}

/// The context of the running call.
#[inline]
fn context(call: &Call, function: &Function) -> Result<Context<'static>> {
    call.lent.ctx.ok_or_else(|| not_now(function))
}

/// The host, which is there while a module runs.
fn host() -> Result<&'static Host> {
    loaded::get().ok_or_else(|| Error::msg("nothing is loaded"))
}

/// The module that calls.
fn owner(member: MemberId) -> Result<Owner<'static>> {
    host()?.owner(member).ok_or_else(|| Error::msg("it is not there"))
}

/// The function at this place of the module's exported table.
fn in_table(guest: &mut Guest<'_>, index: i32) -> Result<Func> {
    let table = TABLES.iter().find_map(|name| guest.get_export(name)?.into_table());
    match table.and_then(|table| table.get(&mut *guest, index.cast_unsigned().into())) {
        Some(Ref::Func(Some(function))) => Ok(function),
        _ => Err(Error::msg(format!("its table has no function {index}"))),
    }
}

/// The handler at this place of the module's table.
fn handler_at(guest: &mut Guest<'_>, index: i32) -> Result<Handler> {
    let function = in_table(guest, index)?;
    match (function.typed(&*guest), function.typed(&*guest)) {
        (Ok(handler), _) => Ok(Handler::Answers(handler)),
        (_, Ok(handler)) => Ok(Handler::Replies(handler)),
        _ => Err(another_type(index)),
    }
}

fn another_type(index: i32) -> Error {
    Error::msg(format!("function {index} of its table has another type than is called"))
}

/// Whether the module is instantiated once more, so that the server knows already what it registers.
fn is_again(state: &State) -> bool {
    state.call.phase == Phase::LoadAgain
}

/// Lends `action` a server's string for the bytes at (`pointer`, `length`): the argument itself where the
/// module passes one of them on, else a new one.
fn with_key<T>(state: &State, all: &[u8], pointer: u32, length: u32, action: impl FnOnce(ServerString<'_>) -> T) -> Result<T> {
    let key = memory::slice(all, pointer, length)?;
    Ok(match argument_at(&state.call, all, pointer, length) {
        Some(argument) => action(argument),
        None => with_string(key, action),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::namespace;
    use wasmtime::{Engine, Extern, Store, ValType};

    /// The types in `(name: type, …) -> type`, with `bytes` as two.
    fn types(signature: &str) -> (Vec<&str>, Vec<&str>) {
        let (parameters, result) = signature.split_once(" -> ").map_or((signature, None), |(from, to)| (from, Some(to)));
        let inner = parameters.trim_start_matches('(').trim_end_matches(')');
        let each = inner.split(", ").filter(|text| !text.is_empty()).map(|text| text.split_once(": ").unwrap().1);
        (each.flat_map(|kind| if kind == "bytes" { vec!["i32", "i32"] } else { vec![kind] }).collect(), result.into_iter().collect())
    }

    fn named(kind: &ValType) -> &'static str {
        match kind {
            ValType::I32 => "i32",
            ValType::I64 => "i64",
            ValType::F64 => "f64",
            _ => "?",
        }
    }

    #[test]
    fn the_host_defines_what_the_table_lists() {
        let engine = Engine::default();
        let mut store = Store::new(&engine, State::default());
        let mut linker = Linker::new(&engine);
        define(&mut linker, MemberId(0)).unwrap();
        let defined: Vec<(String, Extern)> =
            linker.iter(&mut store).map(|(space, name, function)| (format!("{space}.{name}"), function)).collect();
        // Beside them env.abort.
        assert_eq!(defined.len(), namespace::ALL.len() + 1);
        for function in namespace::ALL {
            let Ok(Extern::Func(found)) = linker.get(&mut store, NS, function.name) else { panic!("{} is missing", function.name) };
            let kind = found.ty(&store);
            let found = (kind.params().map(|kind| named(&kind)).collect(), kind.results().map(|kind| named(&kind)).collect());
            assert_eq!(found, types(function.signature), "{}", function.name);
        }
    }
}

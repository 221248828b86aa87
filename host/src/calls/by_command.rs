//! An import that goes by command: the host's stand-in for a direct link.
//!
//! Parameters come in (pointer, length) pairs and become binary arguments. The result is a u64: an integer
//! reply as it is, `+OK` as 1, null as 0, a string as `length << 32 | pointer` into the caller's memory. An
//! error reply ends the calling command with that error.

use std::ffi::CString;

use wasmtime::{Caller, Error, FuncType, Linker, Result, Val};

use crate::engine::trap::Failed;
use crate::guest::answer::answer;
use crate::guest::call::To;
use crate::guest::ids::MemberId;
use crate::guest::memory;
use crate::guest::state::State;
use crate::modules::link::command_part;
use crate::modules::loaded;
use crate::modules::namespace::RUNNING;
use crate::server::reply::{Answer, Value};
use crate::server::strings::Strings;
use crate::server::text;

/// Defines the import `namespace`.`name` of the module `member` as a call of the command `NAMESPACE.NAME`.
///
/// # Errors
/// The import is defined already, or its name is none of a command.
pub fn define(linker: &mut Linker<State>, member: MemberId, namespace: &str, name: &str, function: &FuncType) -> Result<()> {
    let part = command_part(name);
    let command = CString::new(format!("{namespace}.{part}").to_ascii_uppercase());
    let command = command.map_err(|_| Error::msg("a name that holds a NUL"))?;
    let command = Command { name: command, namespace: namespace.into(), member, replicates: part != name };
    linker.func_new(namespace, name, function.clone(), move |mut guest, params, results| {
        results[0] = Val::I64(call(&mut guest, &command, params)?.cast_signed());
        Ok(())
    })?;
    Ok(())
}

/// What stands in for a function that the module `member` imports from `namespace`.
struct Command {
    name: CString,
    namespace: String,
    member: MemberId,
    /// Whether its effects are propagated.
    replicates: bool,
}

fn call(guest: &mut Caller<'_, State>, command: &Command, params: &[Val]) -> Result<u64> {
    let shown = command.name.to_string_lossy();
    if !RUNNING.contains(&guest.data().call.phase) {
        return Err(Error::msg(format!("{shown} is called outside a command")));
    }
    let memory = guest.data().memory.ok_or_else(|| Error::msg("it has no memory"))?;
    let (all, state) = memory.data_and_store_mut(&mut *guest);
    let mut arguments = Vec::with_capacity(params.len() / 2);
    for pair in params.chunks_exact(2) {
        let (pointer, length) = (pair[0].unwrap_i32().cast_unsigned(), pair[1].unwrap_i32().cast_unsigned());
        arguments.push(memory::slice(all, pointer, length)?);
    }
    state.call.hand(To::Server, memory::sum(&arguments), all.len())?;
    let strings = Strings::new(arguments);
    let ctx = state.call.lent.ctx.ok_or_else(|| Error::msg(format!("{shown} is called outside a command")))?;
    // Nothing else is propagated: the caller's own effect is.
    let reply = if command.replicates { ctx.call_replicating(&command.name, &strings) } else { ctx.call(&command.name, &strings) };
    drop(strings);
    match reply {
        Ok(reply) => convert(guest, &shown, &reply),
        Err(errno) => Err(Error::new(Failed(refusal(errno, command).into_bytes()))),
    }
}

/// Why the server ran no command.
fn refusal(errno: i32, command: &Command) -> String {
    let Command { name, namespace, member, .. } = command;
    let command = name.to_string_lossy();
    match errno {
        libc::ENOENT => {
            let host = loaded::get();
            let running = host.and_then(|host| host.running(*member));
            let hint = running.as_ref().and_then(|running| running.file.served_by.get(namespace)).map_or_else(
                || format!("load a module that serves {command}"),
                |file| format!("load {file} or another module that serves it"),
            );
            format!("ERR {command} is not served here: {hint}")
        }
        libc::EINVAL => format!("ERR {command} takes another number of arguments"),
        libc::EPERM | libc::ENETDOWN => format!("ERR {command}: its key belongs to another node of the cluster"),
        _ => format!("ERR {command}: {}", std::io::Error::from_raw_os_error(errno)),
    }
}

fn convert(guest: &mut Caller<'_, State>, command: &str, reply: &Answer) -> Result<u64> {
    match reply.item().value() {
        Value::Integer(value) => Ok(value.cast_unsigned()),
        Value::Null => Ok(0),
        Value::Status(b"OK") => Ok(1),
        Value::Status(bytes) | Value::Text(bytes) => answer(guest, bytes),
        Value::Error(error) => Err(Error::new(Failed(text::line(error).into_bytes()))),
        _ => Err(Error::new(Failed(format!("ERR {command} answered with a type that no import has").into_bytes()))),
    }
}

//! An import that goes by command: the host's stand-in for a direct link.
//!
//! Parameters come in (pointer, length) pairs and become binary arguments. The result is a u64: an integer reply as it is, `+OK` as 1,
//! null as 0, a string as `length << 32 | pointer` into the caller's memory. An error reply ends the calling command with that error.

use std::ffi::CString;

use wasmtime::{Caller, Error, FuncType, Linker, Result, Val, ValType};

use crate::abi::{self, Strings};
use crate::api::{self, CallReply};
use crate::group::{State, To};
use crate::trap::Failed;
use crate::{memory, rm, text};

/// Whether a command can stand in for a function of this type.
pub fn callable(function: &FuncType) -> bool {
    let pairs = function.params().len().is_multiple_of(2) && function.params().all(|parameter| matches!(parameter, ValType::I32));
    let result = function.results().len() == 1 && function.results().all(|result| matches!(result, ValType::I64));
    pairs && result
}

/// Defines the import `namespace`.`name` as a call of the command `NAMESPACE.NAME`. `served_by`: the file that ordinarily serves it.
///
/// # Errors
/// The import is defined already.
pub fn define(linker: &mut Linker<State>, namespace: &str, name: &str, function: &FuncType, served_by: Option<&str>) -> Result<()> {
    let command = format!("{namespace}.{name}").to_ascii_uppercase();
    let hint = served_by
        .map_or_else(|| format!("load a module that serves {command}"), |file| format!("load {file} or another module that serves it"));
    let missing = format!("ERR {command} is not served here: {hint}");
    let command_name = CString::new(command.clone()).map_err(|_| Error::msg("a name that holds a NUL"))?;
    linker.func_new(namespace, name, function.clone(), move |mut guest, params, results| {
        results[0] = Val::I64(call(&mut guest, &command_name, &command, &missing, params)?.cast_signed());
        Ok(())
    })?;
    Ok(())
}

fn call(guest: &mut Caller<'_, State>, name: &CString, command: &str, missing: &str, params: &[Val]) -> Result<u64> {
    if !abi::RUNNING.contains(&guest.data().call.phase) {
        return Err(Error::msg(format!("{command} is called outside a command")));
    }
    let memory = guest.data().memory.ok_or_else(|| Error::msg("it has no memory"))?;
    let (all, state) = memory.data_and_store_mut(&mut *guest);
    let mut arguments = Vec::with_capacity(params.len() / 2);
    for pair in params.chunks_exact(2) {
        let (pointer, length) = (pair[0].unwrap_i32().cast_unsigned(), pair[1].unwrap_i32().cast_unsigned());
        arguments.push(memory::slice(all, pointer, length)?);
    }
    state.call.hand(To::Server, memory::sum(&arguments), all.len())?;
    let strings = Strings::new(&arguments);
    let ctx = state.call.ctx;
    // SAFETY: a phase of RUNNING: the context is the running command's, or the timer's. Format "v" takes an array and its length. Without `E`, NULL and errno tell
    // why nothing ran; without `!`, nothing is propagated: the caller's own effect is.
    let reply = unsafe {
        *libc::__errno_location() = 0;
        rm!(Call(ctx, name.as_ptr(), c"v".as_ptr(), strings.as_ptr(), strings.len()))
    };
    if reply.is_null() {
        // SAFETY: always there.
        let errno = unsafe { *libc::__errno_location() };
        return Err(Error::new(Failed(refusal(errno, command, missing).into_bytes())));
    }
    let result = convert(guest, command, reply);
    // SAFETY: freed once, after its last use.
    unsafe { rm!(FreeCallReply(reply)) };
    result
}

/// Why the server ran no command.
fn refusal(errno: i32, command: &str, missing: &str) -> String {
    match errno {
        libc::ENOENT => missing.to_string(),
        libc::EINVAL => format!("ERR {command} takes another number of arguments"),
        libc::EPERM | libc::ENETDOWN => format!("ERR {command}: its key belongs to another node of the cluster"),
        _ => format!("ERR {command}: {}", std::io::Error::from_raw_os_error(errno)),
    }
}

fn convert(guest: &mut Caller<'_, State>, command: &str, reply: *mut CallReply) -> Result<u64> {
    // SAFETY: `reply` is alive; what the server answers for it lives as long.
    unsafe {
        match rm!(CallReplyType(reply)) {
            api::REPLY_INTEGER => Ok(rm!(CallReplyInteger(reply)).cast_unsigned()),
            api::REPLY_NULL => Ok(0),
            api::REPLY_STRING | api::REPLY_ERROR => {
                let mut length = 0;
                let proto = rm!(CallReplyProto(reply, &raw mut length));
                let proto = std::slice::from_raw_parts(proto.cast::<u8>(), length);
                match proto {
                    [b'-', error @ .., b'\r', b'\n'] => Err(Error::new(Failed(text::line(error).into_bytes()))),
                    b"+OK\r\n" => Ok(1),
                    _ => {
                        let bytes = rm!(CallReplyStringPtr(reply, &raw mut length));
                        abi::answer(guest, std::slice::from_raw_parts(bytes.cast(), length))
                    }
                }
            }
            _ => Err(Error::new(Failed(format!("ERR {command} answered with a type that no import has").into_bytes()))),
        }
    }
}

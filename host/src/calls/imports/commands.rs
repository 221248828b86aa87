//! Commands, and the module's own settings.

use std::ffi::c_int;

use wasmtime::{Error, Linker, Result};

use super::{Guest, NS, allow, bytes, context, handler_at, host, is_again, not_now, parts};
use crate::calls::frame::late_argument;
use crate::calls::register;
use crate::describe::declaration::Declaration;
use crate::guest::ids::MemberId;
use crate::guest::memory;
use crate::guest::state::State;
use crate::modules::namespace::{
    ADD_COMMAND, CREATE_COMMAND, GET_NUMERIC_CONFIG, GET_SETTING, READ_ARGUMENT, REGISTER_NUMERIC_CONFIG, REGISTER_SETTING, SERVED_BY,
    SET_COMMAND_INFO,
};
use crate::server::{api, text};

pub(super) fn define(linker: &mut Linker<State>, member: MemberId) -> Result<()> {
    linker.func_wrap(NS, ADD_COMMAND.name, move |mut guest: Guest<'_>, text: u32, length: u32, handler: i32| -> Result<i32> {
        let (text, _) = bytes(&mut guest, &ADD_COMMAND, text, length)?;
        let text = text.to_vec();
        let (declaration, _) = Declaration::parse(&text).map_err(Error::msg)?;
        check_text(member, &declaration.name.to_string_lossy().to_ascii_lowercase(), &text)?;
        add(&mut guest, member, &declaration, handler)
    })?;
    linker.func_wrap(
        NS,
        CREATE_COMMAND.name,
        move |mut guest: Guest<'_>,
              name: u32,
              name_length: u32,
              handler: i32,
              flags: u32,
              flags_length: u32,
              first: i32,
              last: i32,
              step: i32,
              arity: i32|
              -> Result<i32> {
            let (name, _) = bytes(&mut guest, &CREATE_COMMAND, name, name_length)?;
            let name = text::line(name);
            let (flags, _) = bytes(&mut guest, &CREATE_COMMAND, flags, flags_length)?;
            let flags = String::from_utf8_lossy(text::cut(flags)).into_owned();
            add(&mut guest, member, &Declaration { name, flags, keys: (first, last, step), arity, late: None }, handler)
        },
    )?;
    linker.func_wrap(
        NS,
        SET_COMMAND_INFO.name,
        move |mut guest: Guest<'_>, name: u32, name_length: u32, info: u32, length: u32| -> Result<i32> {
            let (name, _) = bytes(&mut guest, &SET_COMMAND_INFO, name, name_length)?;
            let name = String::from_utf8_lossy(text::cut(name)).to_ascii_lowercase();
            let (info, _) = bytes(&mut guest, &SET_COMMAND_INFO, info, length)?;
            // CreateCommand has told the server already, by what was noted down when the module was asked.
            check_text(member, &name, info).map(|is_known| if is_known { api::OK } else { api::ERR })
        },
    )?;
    settings(linker, member)?;
    linker.func_wrap(NS, READ_ARGUMENT.name, |mut guest: Guest<'_>, pointer: u32, length: u32, target: u32| -> Result<()> {
        allow(&guest, &READ_ARGUMENT)?;
        let (all, state) = parts(&mut guest)?;
        let source = late_argument(&state.call, pointer, length).ok_or_else(|| Error::msg("it is no late argument"))?;
        memory::slice_mut(all, target, length)?.copy_from_slice(source);
        Ok(())
    })?;
    linker.func_wrap(NS, SERVED_BY.name, |guest: Guest<'_>, _: u32, _: u32, _: u32, _: u32| allow(&guest, &SERVED_BY))?;
    Ok(())
}

fn settings(linker: &mut Linker<State>, member: MemberId) -> Result<()> {
    let no_setting = |handle: i32| Error::msg(format!("it declared no setting {handle}"));
    // They are declared in the scratch store alone; here, where onLoad() runs for good, they are known.
    linker.func_wrap(NS, REGISTER_NUMERIC_CONFIG.name, |_: u32, _: u32, _: i64, _: u32, _: i64, _: i64, _: i32| -> Result<i32> {
        Err(not_now(&REGISTER_NUMERIC_CONFIG))
    })?;
    linker.func_wrap(NS, REGISTER_SETTING.name, |_: u32, _: u32, _: i64, _: i64, _: i64, _: i32| -> Result<i32> {
        Err(not_now(&REGISTER_SETTING))
    })?;
    linker.func_wrap(NS, GET_NUMERIC_CONFIG.name, move |handle: i32| -> Result<i64> {
        host()?.setting(member, handle).ok_or_else(|| no_setting(handle))
    })?;
    linker.func_wrap(NS, GET_SETTING.name, move |handle: i32| -> Result<i64> {
        host()?.kit_setting(member, handle).ok_or_else(|| no_setting(handle))
    })?;
    Ok(())
}

/// Whether the module described this command when it was asked.
///
/// # Errors
/// It did so in other words.
fn check_text(member: MemberId, name: &str, text: &[u8]) -> Result<bool> {
    match host()?.running(member).as_ref().and_then(|running| running.file.descriptions.get(name)) {
        Some(noted) if noted.text != text => Err(Error::msg(format!("it describes {name} otherwise than when it was asked"))),
        noted => Ok(noted.is_some()),
    }
}

/// Registers a command, whose handler is at this place of the module's table.
fn add(guest: &mut Guest<'_>, member: MemberId, declaration: &Declaration, handler: i32) -> Result<i32> {
    declaration.check().map_err(Error::msg)?;
    let handler = handler_at(guest, handler)?;
    let state = guest.data_mut();
    if is_again(state) {
        state.handlers.push((declaration.clone(), handler));
        return Ok(api::OK);
    }
    let registered = register::register(host()?, context(&state.call, &CREATE_COMMAND)?, member, handler, declaration);
    Ok(noted(state, registered))
}

/// What a module is told of a registration: [`api::OK`], or [`api::ERR`], and the first refusal is noted for
/// the log.
pub(super) fn noted(state: &mut State, registered: std::result::Result<(), String>) -> c_int {
    match registered {
        Ok(()) => api::OK,
        Err(refused) => {
            state.refused.get_or_insert(refused);
            api::ERR
        }
    }
}

//! A module's auxiliary data in RDB files.

use wasmtime::{Error, Linker, Result};

use super::commands::noted;
use super::{Guest, NS, allow, bytes, context, host, is_again, not_now, parts};
use crate::duties::rdb;
use crate::guest::answer::answer;
use crate::guest::call::To;
use crate::guest::data::Data;
use crate::guest::ids::MemberId;
use crate::guest::memory;
use crate::guest::state::State;
use crate::modules::namespace::{
    CREATE_DATA_TYPE, Function, IS_IO_ERROR, LOAD_STRING_BUFFER, LOAD_UNSIGNED, SAVE_STRING_BUFFER, SAVE_UNSIGNED,
};
use crate::server::{api, text};

pub(super) fn define(linker: &mut Linker<State>, member: MemberId) -> Result<()> {
    linker.func_wrap(NS, CREATE_DATA_TYPE.name, move |mut guest: Guest<'_>, name: u32, length: u32, version: i32| -> Result<i32> {
        let (name, state) = bytes(&mut guest, &CREATE_DATA_TYPE, name, length)?;
        let name = text::line(name);
        let (is_again, host) = (is_again(state), host()?);
        let running = host.running(member).ok_or_else(|| not_now(&CREATE_DATA_TYPE))?;
        let mut own = host.types.iter().filter(|kind| kind.member == member).peekable();
        if is_again && own.peek().is_some() {
            let is_known = own.any(|kind| kind.name == name && kind.version == version);
            return if is_known { Ok(api::OK) } else { Err(Error::msg("its data type is another one than before: it needs a restart")) };
        }
        if running.file.applies() {
            return Err(Error::msg("it declares a data type and exports apply: the host has one for it"));
        }
        if ["auxSave", "auxLoad"].iter().any(|export| guest.get_export(export).is_none()) {
            return Err(Error::msg("it declares a data type and does not export both auxSave and auxLoad"));
        }
        let state = guest.data_mut();
        // Where it comes while the server serves, the server need not know: what is written stands in the
        // host's own type.
        let registered = if is_again {
            rdb::check_type(host, member, &name, version)
        } else {
            rdb::register(host, context(&state.call, &CREATE_DATA_TYPE)?, member, &name, version)
        };
        if registered.is_ok() && !running.file.types.contains(&(name, version)) {
            return Err(Error::msg("it registers another data type than when it was asked"));
        }
        Ok(noted(state, registered))
    })?;
    saving(linker)?;
    loading(linker)
}

/// The data of the running save or load.
fn data(guest: &Guest<'_>, function: &Function) -> Result<Data<'static>> {
    allow(guest, function)?;
    guest.data().call.lent.data.ok_or_else(|| not_now(function))
}

fn saving(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NS, SAVE_UNSIGNED.name, |mut guest: Guest<'_>, value: u64| -> Result<()> {
        let data = data(&guest, &SAVE_UNSIGNED)?;
        let (all, state) = parts(&mut guest)?;
        state.call.hand(To::File, size_of::<u64>() as u64, all.len())?;
        data.save_unsigned(value);
        Ok(())
    })?;
    linker.func_wrap(NS, SAVE_STRING_BUFFER.name, |mut guest: Guest<'_>, pointer: u32, length: u32| -> Result<()> {
        let data = data(&guest, &SAVE_STRING_BUFFER)?;
        let (all, state) = parts(&mut guest)?;
        let bytes = memory::slice(all, pointer, length)?;
        state.call.hand(To::File, length.into(), all.len())?;
        state.call.streamed += u64::from(length);
        data.save_bytes(bytes);
        Ok(())
    })?;
    Ok(())
}

fn loading(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NS, LOAD_UNSIGNED.name, |guest: Guest<'_>| -> Result<u64> { Ok(data(&guest, &LOAD_UNSIGNED)?.load_unsigned()) })?;
    linker.func_wrap(NS, LOAD_STRING_BUFFER.name, |mut guest: Guest<'_>| -> Result<u64> {
        let data = data(&guest, &LOAD_STRING_BUFFER)?;
        let answered = data.load_bytes(|bytes| {
            let state = guest.data_mut();
            state.limits.note_read(bytes.len());
            state.call.streamed += bytes.len() as u64;
            answer(&mut guest, bytes)
        });
        answered.unwrap_or(Ok(0))
    })?;
    linker.func_wrap(NS, IS_IO_ERROR.name, |guest: Guest<'_>| -> Result<i32> { Ok(data(&guest, &IS_IO_ERROR)?.has_failed().into()) })?;
    Ok(())
}

//! A module's fields in INFO.

use wasmtime::{Linker, Result};

use super::{Guest, NS, bytes, host, not_now, owner};
use crate::guest::ids::MemberId;
use crate::guest::state::State;
use crate::modules::namespace::{INFO_ADD_FIELD_DOUBLE as DOUBLE, INFO_ADD_FIELD_U_LONG_LONG as FIELD};
use crate::server::text;

pub(super) fn define(linker: &mut Linker<State>, member: MemberId) -> Result<()> {
    linker.func_wrap(NS, FIELD.name, move |mut guest: Guest<'_>, name: u32, length: u32, value: u64| -> Result<()> {
        let (name, state) = bytes(&mut guest, &FIELD, name, length)?;
        let info = state.call.lent.info.ok_or_else(|| not_now(&FIELD))?;
        let (name, host) = (text::line(name), host()?);
        info.number_of(owner(member)?.name(), &name.to_string_lossy(), value);
        if !host.running(member).is_some_and(|running| running.file.applies()) {
            // As it was called before fields had their modules' names.
            info.number(&name, value);
        }
        Ok(())
    })?;
    linker.func_wrap(NS, DOUBLE.name, move |mut guest: Guest<'_>, name: u32, length: u32, value: f64| -> Result<()> {
        let (name, state) = bytes(&mut guest, &DOUBLE, name, length)?;
        let info = state.call.lent.info.ok_or_else(|| not_now(&DOUBLE))?;
        info.text_of(owner(member)?.name(), &text::line(name).to_string_lossy(), &text::double(value));
        Ok(())
    })?;
    Ok(())
}

//! A module's fields in INFO.

use wasmtime::{Linker, Result};

use super::{Guest, NS, bytes, not_now};
use crate::guest::state::State;
use crate::modules::namespace::{INFO_ADD_FIELD_DOUBLE as DOUBLE, INFO_ADD_FIELD_U_LONG_LONG as FIELD};
use crate::server::text;

pub(super) fn define(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NS, FIELD.name, |mut guest: Guest<'_>, name: u32, length: u32, value: u64| -> Result<()> {
        let (name, state) = bytes(&mut guest, &FIELD, name, length)?;
        let info = state.call.lent.info.ok_or_else(|| not_now(&FIELD))?;
        info.number(&text::line(name), value);
        Ok(())
    })?;
    linker.func_wrap(NS, DOUBLE.name, |mut guest: Guest<'_>, name: u32, length: u32, value: f64| -> Result<()> {
        let (name, state) = bytes(&mut guest, &DOUBLE, name, length)?;
        let info = state.call.lent.info.ok_or_else(|| not_now(&DOUBLE))?;
        info.text(&text::line(name).to_string_lossy(), &text::double(value));
        Ok(())
    })?;
    Ok(())
}

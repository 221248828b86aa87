//! What a module registers that the host runs by itself.

use wasmtime::{Error, Linker, Result};

use super::{Guest, NS, allow, bytes, handler_at, host};
use crate::guest::ids::MemberId;
use crate::guest::state::State;
use crate::modules::namespace::{EVERY, ON};

pub(super) fn define(linker: &mut Linker<State>, member: MemberId) -> Result<()> {
    linker.func_wrap(NS, EVERY.name, move |mut guest: Guest<'_>, ms: i64, handler: i32| -> Result<()> {
        allow(&guest, &EVERY)?;
        let handler = handler_at(&mut guest, handler)?;
        let registered = &mut guest.data_mut().triggers.every;
        let running = host()?.running(member);
        let declared = running.as_ref().and_then(|running| running.file.triggers.every.get(registered.len()));
        if declared.is_none_or(|every| every.period.as_millis() != u128::from(ms.unsigned_abs())) {
            return Err(Error::msg("it registers another interval than when it was asked"));
        }
        registered.push(handler);
        Ok(())
    })?;
    linker.func_wrap(
        NS,
        ON.name,
        move |mut guest: Guest<'_>, event: u32, event_length: u32, pattern: u32, length: u32, handler: i32| -> Result<()> {
            let event = bytes(&mut guest, &ON, event, event_length)?.0.to_vec();
            let pattern = bytes(&mut guest, &ON, pattern, length)?.0.to_vec();
            let handler = handler_at(&mut guest, handler)?;
            let registered = &mut guest.data_mut().triggers.on;
            let running = host()?.running(member);
            let declared = running.as_ref().and_then(|running| running.file.triggers.on.get(registered.len()));
            if declared.is_none_or(|on| *on.event != *event || *on.pattern != *pattern) {
                return Err(Error::msg("it registers another event than when it was asked"));
            }
            registered.push(handler);
            Ok(())
        },
    )?;
    Ok(())
}

//! What modules ask of the server, and of the host's limits.

use wasmtime::{Error, Linker, Result};

use super::{Guest, NS, allow, context, handed, host, owner, parts, with_key};
use crate::guest::answer::answer;
use crate::guest::call::Phase;
use crate::guest::ids::MemberId;
use crate::guest::memory;
use crate::guest::state::State;
use crate::modules::namespace::{
    DISCARD_MEMORY, GET_CONTEXT_FLAGS, GET_CURRENT_USER_NAME, GET_RANDOM_BYTES, GET_SELECTED_DB, LOG, MAY_ACCESS, MAY_EXCEED, MILLISECONDS,
};
use crate::modules::slot_set::slot_of;
use crate::server::context::{Context, server_flags};
use crate::server::{clock, log, outermost, permissions, text};

/// Random bytes of one call: no time limit strikes while the server makes them.
const RANDOM_BYTES_MAX: u32 = 1 << 20;

/// The host's own bit among the server's: what is written must lie in some slots, as `MayAccess` tells.
const CONFINED: i32 = 1 << 30;

/// Bytes of a key that is compared with the patterns of permissions, which takes the product of both lengths
/// at worst.
const CHECKED_BYTES_MAX: u32 = 1 << 16;

pub(super) fn define(linker: &mut Linker<State>, member: MemberId) -> Result<()> {
    linker.func_wrap(NS, MILLISECONDS.name, |guest: Guest<'_>| -> i64 {
        let call = &guest.data().call;
        match call.phase {
            Phase::Command | Phase::Reclaim => clock::command_ms(),
            Phase::Every | Phase::On => call.begun_ms,
            _ => clock::now_ms(),
        }
    })?;
    linker.func_wrap(NS, GET_RANDOM_BYTES.name, |mut guest: Guest<'_>, pointer: u32, length: u32| -> Result<()> {
        let target = memory::slice_mut(parts(&mut guest)?.0, pointer, length)?;
        if length > RANDOM_BYTES_MAX {
            return Err(Error::msg(format!("{length} random bytes at once, more than {RANDOM_BYTES_MAX}")));
        }
        clock::random_bytes(target);
        Ok(())
    })?;
    linker.func_wrap(
        NS,
        LOG.name,
        move |mut guest: Guest<'_>, level: u32, level_length: u32, pointer: u32, length: u32| -> Result<()> {
            let (all, state) = parts(&mut guest)?;
            let level = text::line(handed(all, &mut state.call, level, level_length)?);
            let text = String::from_utf8_lossy(text::cut(handed(all, &mut state.call, pointer, length)?)).into_owned();
            let owner = owner(member)?;
            let name = owner.name();
            log::line(guest.data().call.lent.ctx, &level, &format!("module {name}: {text}"));
            if guest.data().call.phase == Phase::AuxLoad {
                guest.data_mut().complaint = Some(text);
            }
            Ok(())
        },
    )?;
    linker.func_wrap(NS, MAY_ACCESS.name, |mut guest: Guest<'_>, pointer: u32, length: u32| -> Result<i32> {
        allow(&guest, &MAY_ACCESS)?;
        let (all, state) = parts(&mut guest)?;
        let key = memory::slice(all, pointer, length)?;
        if outermost::is_confined() {
            return Ok(host()?.moving.takes(slot_of(key)).into());
        }
        if length > CHECKED_BYTES_MAX {
            return Err(Error::msg(format!("a key of {length} bytes is not compared with patterns")));
        }
        with_key(state, all, pointer, length, permissions::may_access).map(i32::from)
    })?;
    linker.func_wrap(NS, GET_CONTEXT_FLAGS.name, |guest: Guest<'_>| -> i32 {
        let flags = outermost::flags().unwrap_or_else(|| guest.data().call.lent.ctx.map_or_else(server_flags, Context::flags));
        if outermost::is_confined() { flags | CONFINED } else { flags }
    })?;
    linker.func_wrap(NS, GET_CURRENT_USER_NAME.name, |mut guest: Guest<'_>| -> Result<u64> {
        allow(&guest, &GET_CURRENT_USER_NAME)?;
        answer(&mut guest, &permissions::user_name())
    })?;
    linker.func_wrap(NS, GET_SELECTED_DB.name, |guest: Guest<'_>| -> Result<i32> {
        allow(&guest, &GET_SELECTED_DB)?;
        Ok(context(&guest.data().call, &GET_SELECTED_DB)?.database())
    })?;
    linker.func_wrap(NS, MAY_EXCEED.name, |mut guest: Guest<'_>| -> Result<()> {
        allow(&guest, &MAY_EXCEED)?;
        guest.data_mut().limits.begin_command(false);
        Ok(())
    })?;
    linker.func_wrap(NS, DISCARD_MEMORY.name, |mut guest: Guest<'_>, pointer: u32, length: u32| -> Result<()> {
        allow(&guest, &DISCARD_MEMORY)?;
        let (all, _) = parts(&mut guest)?;
        memory::discard(all, pointer, length)
    })?;
    Ok(())
}

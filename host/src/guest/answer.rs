//! What an import call answers, on its way into the group's memory.

use std::ffi::CStr;

use wasmtime::{AsContextMut, Caller, Error, Result};

use super::memory;
use super::state::State;
use crate::engine::trap::Failed;

/// The error of a call whose bytes do not fit into the group's memory.
pub const OUT_OF_MEMORY: &CStr = c"OOM the memory of this module is full: wasm.max-memory";

/// The error of a call whose bytes do not fit into the group's memory, as the caller gets it.
#[cold]
pub fn out_of_memory() -> Error {
    Error::new(Failed(OUT_OF_MEMORY.to_bytes().to_vec()))
}

/// Copies what an import call answers into the group's memory: `length << 32 | pointer`, valid until its next
/// import call.
///
/// # Errors
/// The memory cannot grow to hold it.
pub fn answer(guest: &mut Caller<'_, State>, bytes: &[u8]) -> Result<u64> {
    let memory = guest.data().memory.ok_or_else(|| Error::msg("it has no memory"))?;
    let mut results = guest.data().results;
    let pointer = results.reserve(&mut guest.as_context_mut(), memory, bytes.len() as u64);
    guest.data_mut().results = results;
    let pointer = pointer?.ok_or_else(out_of_memory)?;
    let length = u32::try_from(bytes.len())?;
    memory::slice_mut(memory.data_mut(guest), pointer, length)?.copy_from_slice(bytes);
    Ok(memory::packed(pointer, length))
}

//! The frame of a command: its arguments, copied into linear memory.
//!
//! ```text
//!   { pointer: u32, length: u32 } of each argument after the command's name
//!   their bytes, one behind the other
//! ```
//!
//! A late argument is left where it is: its pointer is a mark, and the module has it copied to where it is to
//! stay. No bytes can lie there, since a late argument is so long that they would go beyond 4 GiB.

use smallvec::SmallVec;
use wasmtime::{AsContextMut, Error, Memory, Result, Store};

use crate::describe::declaration::Late;
use crate::engine::trap::Failed;
use crate::guest::answer::out_of_memory;
use crate::guest::call::Call;
use crate::guest::memory;
use crate::guest::state::State;
use crate::server::strings::{Arguments, ServerString};
use crate::server::{config, outermost};

/// Bytes of one { pointer: u32, length: u32 }.
const PAIR_BYTES: u64 = 8;

/// The pointer of a late argument is this, and its number among the arguments.
const LATE: u32 = 0xffff_0000;
/// Bytes from which an argument is late where its command says so.
const LATE_BYTES_MIN: usize = 1 << 16;

/// Writes the frame of a command, and answers its address.
///
/// # Errors
/// An argument is longer than it may be, or the memory cannot hold them.
#[inline]
pub fn place(store: &mut Store<State>, arguments: Arguments<'_>, late: Option<Late>) -> Result<u32> {
    let count = arguments.count() as usize - 1;
    let mut sources: SmallVec<[(&[u8], bool); 8]> = SmallVec::with_capacity(count);
    let limit = config::max_value_size();
    let mut total = count as u64 * PAIR_BYTES;
    for index in 0..count {
        let source = arguments.get(index + 1).bytes();
        if source.len() > limit && !outermost::obeys() {
            return Err(Error::new(Failed(b"ERR an argument is longer than wasm.max-value-size".to_vec())));
        }
        // Its number has to fit the mark.
        let is_late = source.len() >= LATE_BYTES_MIN && index < LATE_BYTES_MIN && late.is_some_and(|late| late.is_at(index + 1));
        total += if is_late { 0 } else { source.len() as u64 };
        sources.push((source, is_late));
    }
    let state = store.data();
    let memory = state.memory.ok_or_else(|| Error::msg("it has no memory"))?;
    let frame = match state.arguments.small(total) {
        Some(frame) => frame,
        None => reserve(store, memory, total)?,
    };
    let target = memory::slice_mut(memory.data_mut(store), frame, total as u32)?;
    let (pairs, mut rest) = target.split_at_mut(count * PAIR_BYTES as usize);
    let mut pointer = frame + pairs.len() as u32;
    for (index, (&(source, is_late), pair)) in sources.iter().zip(pairs.chunks_exact_mut(PAIR_BYTES as usize)).enumerate() {
        if is_late {
            pair.copy_from_slice(&memory::packed(LATE | index as u32, source.len() as u32).to_le_bytes());
            continue;
        }
        pair.copy_from_slice(&memory::packed(pointer, source.len() as u32).to_le_bytes());
        let (head, tail) = rest.split_at_mut(source.len());
        head.copy_from_slice(source);
        rest = tail;
        pointer += source.len() as u32;
    }
    Ok(frame)
}

/// A larger place for the arguments than the one that is always there.
#[cold]
fn reserve(store: &mut Store<State>, memory: Memory, length: u64) -> Result<u32> {
    let mut region = store.data().arguments;
    let frame = region.reserve(&mut store.as_context_mut(), memory, length);
    store.data_mut().arguments = region;
    frame?.ok_or_else(out_of_memory)
}

/// The running command's argument whose copy in the frame is exactly (`pointer`, `length`). O(log of their
/// number).
pub fn argument_at<'a>(call: &Call, all: &'a [u8], pointer: u32, length: u32) -> Option<ServerString<'a>> {
    let count = u32::try_from(call.lent.arguments.count() - 1).ok()?;
    if pointer < call.frame {
        return None;
    }
    let (pairs, _) = memory::slice(all, call.frame, count * PAIR_BYTES as u32).ok()?.as_chunks::<{ PAIR_BYTES as usize }>();
    // They lie one behind the other; those of no bytes at the place of the next.
    let pointer_of = |pair: &[u8; PAIR_BYTES as usize]| u64::from_le_bytes(*pair) as u32;
    let first = pairs.partition_point(|pair| pointer_of(pair) < pointer);
    let wanted = memory::packed(pointer, length).to_le_bytes();
    let at = pairs[first..].iter().take_while(|pair| pointer_of(pair) == pointer).position(|pair| *pair == wanted)?;
    Some(call.lent.arguments.get(first + at + 1))
}

/// The bytes of the running command's late argument that (`pointer`, `length`) stands for.
pub fn late_argument(call: &Call, pointer: u32, length: u32) -> Option<&[u8]> {
    let index = usize::try_from(pointer.checked_sub(LATE)?).ok()?;
    (index + 1 < call.lent.arguments.count() as usize)
        .then(|| call.lent.arguments.get(index + 1).bytes())
        .filter(|bytes| bytes.len() == length as usize && bytes.len() >= LATE_BYTES_MIN)
}

//! `env.abort`: how code of the AssemblyScript compiler ends, by `throw`, a failed assertion or an index out
//! of range.

use wasmtime::{Caller, Error, Linker, Memory, Result};

use super::memory::slice;

/// The function's name.
pub const ABORT: &str = "abort";
/// Bytes of a text that are read.
const TEXT_BYTES_MAX: u32 = 1 << 10;
/// Bytes of a string's length, which stands before its text.
const LENGTH_BYTES: u32 = 4;

/// Defines it in `namespace`. `memory`: the memory of a store, once it is known.
///
/// # Errors
/// It is defined already.
pub fn define<T: 'static>(linker: &mut Linker<T>, namespace: &str, memory: fn(&T) -> Option<Memory>) -> Result<()> {
    linker.func_wrap(namespace, ABORT, move |guest: Caller<'_, T>, message: u32, file: u32, line: u32, column: u32| -> Result<()> {
        let all = memory(guest.data()).map_or(&[][..], |memory| memory.data(&guest));
        let what = match (string(all, message), string(all, file)) {
            (Some(message), Some(file)) => format!("it aborted: {message}, at {file}:{line}:{column}"),
            (Some(message), None) => format!("it aborted: {message}"),
            (None, Some(file)) => format!("it aborted at {file}:{line}:{column}"),
            (None, None) => "it aborted".into(),
        };
        Err(Error::msg(what))
    })?;
    Ok(())
}

/// The string of UTF-16 at `pointer`, on one line and cut; `None` where there is none.
fn string(all: &[u8], pointer: u32) -> Option<String> {
    let length = slice(all, pointer.checked_sub(LENGTH_BYTES)?, LENGTH_BYTES).ok()?.try_into().ok()?;
    let text = slice(all, pointer, u32::from_le_bytes(length)).ok()?;
    let text = &text[..text.len().min(TEXT_BYTES_MAX as usize)];
    let units = text.as_chunks::<2>().0.iter().map(|&unit| u16::from_le_bytes(unit));
    let characters = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER));
    Some(characters.map(|character| if character.is_control() { ' ' } else { character }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory_with(length: u32, text: &str) -> Vec<u8> {
        let units = text.encode_utf16().flat_map(u16::to_le_bytes);
        [0; 12].into_iter().chain(length.to_le_bytes()).chain(units).collect()
    }

    #[test]
    fn a_string_is_read_on_one_line() {
        assert_eq!(string(&memory_with(12, "a\r\nbé€"), 16).unwrap(), "a  bé€");
        assert_eq!(string(&memory_with(2, "\u{1f600}"), 16).unwrap(), "\u{fffd}");
        let long = "x".repeat(10_000);
        assert_eq!(string(&memory_with(20_000, &long), 16).unwrap().len(), TEXT_BYTES_MAX as usize / 2);
    }

    #[test]
    fn what_lies_outside_is_none() {
        let memory = memory_with(4, "ab");
        for pointer in [0, 3, 17, 21, u32::MAX] {
            assert_eq!(string(&memory, pointer), None, "{pointer}");
        }
        assert_eq!(string(&memory_with(6, "ab"), 16), None);
    }
}

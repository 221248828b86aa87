//! The one place that touches a module's linear memory: every (pointer, length) is checked here before a byte
//! is read or written.

use smallvec::SmallVec;

/// Bytes of a page of linear memory.
pub const PAGE: u64 = 1 << 16;

/// The bytes at (`pointer`, `length`).
///
/// # Errors
/// The pair reaches outside the memory; the address space does not wrap.
#[inline]
pub fn slice(memory: &[u8], pointer: u32, length: u32) -> wasmtime::Result<&[u8]> {
    let start = pointer as usize;
    memory.get(start..start + length as usize).ok_or_else(|| outside(pointer, length))
}

/// As [`slice`], to be written.
///
/// # Errors
/// As [`slice`].
#[inline]
pub fn slice_mut(memory: &mut [u8], pointer: u32, length: u32) -> wasmtime::Result<&mut [u8]> {
    let start = pointer as usize;
    memory.get_mut(start..start + length as usize).ok_or_else(|| outside(pointer, length))
}

/// Gives the memory of the bytes at (`pointer`, `length`) back to the system, as far as they are whole pages
/// of it; what they read then is zero, or what they held at first.
///
/// # Errors
/// As [`slice`].
pub fn discard(memory: &mut [u8], pointer: u32, length: u32) -> wasmtime::Result<()> {
    let bytes = slice_mut(memory, pointer, length)?;
    // SAFETY: asks for a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.unsigned_abs() as usize;
    let start = bytes.as_ptr().align_offset(page).min(bytes.len());
    let whole = (bytes.len() - start) / page * page;
    if let Some(pages) = bytes.get_mut(start..start + whole).filter(|pages| !pages.is_empty()) {
        // SAFETY: whole pages of a private mapping that this exclusive slice lies in; any bytes are valid
        // ones afterwards.
        unsafe { libc::madvise(pages.as_mut_ptr().cast(), pages.len(), libc::MADV_DONTNEED) };
    }
    Ok(())
}

#[cold]
fn outside(pointer: u32, length: u32) -> wasmtime::Error {
    wasmtime::Error::msg(format!("{length} bytes at {pointer} are outside its memory"))
}

/// The `count` pairs { pointer: u32, length: u32 } at `pointer`, each checked.
///
/// # Errors
/// As [`slice`].
pub fn pairs(memory: &[u8], pointer: u32, count: u32) -> wasmtime::Result<SmallVec<[&[u8]; 8]>> {
    let length = count.checked_mul(8).ok_or_else(|| outside(pointer, u32::MAX))?;
    let words = slice(memory, pointer, length)?;
    let mut strings = SmallVec::with_capacity(count as usize);
    for pair in words.as_chunks::<8>().0 {
        strings.push(slice(memory, word(pair, 0), word(pair, 4))?);
    }
    Ok(strings)
}

/// What a string of the server costs beside its own bytes.
pub const EACH: u64 = 64;

/// The bytes of all of them, with what each costs beside its own.
pub fn sum(strings: &[&[u8]]) -> u64 {
    strings.iter().map(|string| string.len() as u64 + EACH).sum()
}

/// The little-endian u32 at `offset` of `bytes`, which holds it.
fn word(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes([bytes[offset], bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]])
}

/// A result that stands for a byte string, as modules return and expect it: `length << 32 | pointer`.
pub fn packed(pointer: u32, length: u32) -> u64 {
    u64::from(length) << 32 | u64::from(pointer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_may_reach_the_end_and_not_past_it() {
        let memory = [7u8; 16];
        assert_eq!(slice(&memory, 16, 0).unwrap().len(), 0);
        assert_eq!(slice(&memory, 8, 8).unwrap(), &[7; 8]);
        assert!(slice(&memory, 8, 9).is_err());
        assert!(slice(&memory, 17, 0).is_err());
        assert!(slice(&memory, u32::MAX, u32::MAX).is_err());
    }

    #[test]
    fn whole_pages_are_discarded_and_not_their_neighbours() {
        let page = 4096;
        let mut memory = vec![7u8; 5 * page];
        let start = memory.as_ptr().align_offset(page);
        discard(&mut memory, start as u32 + 1, 3 * page as u32).unwrap();
        assert!(memory[..start + page].iter().all(|&byte| byte == 7));
        assert!(memory[start + page..start + 3 * page].iter().all(|&byte| byte == 0));
        assert!(memory[start + 3 * page..].iter().all(|&byte| byte == 7));
        discard(&mut memory, start as u32 + 1, 10).unwrap();
        assert!(discard(&mut memory, 0, 5 * page as u32 + 1).is_err());
    }

    #[test]
    fn pairs_are_checked_one_by_one() {
        let mut memory = vec![0u8; 32];
        memory[0..4].copy_from_slice(&16u32.to_le_bytes());
        memory[4..8].copy_from_slice(&4u32.to_le_bytes());
        assert_eq!(pairs(&memory, 0, 1).unwrap()[..], [&[0u8; 4][..]]);
        memory[4..8].copy_from_slice(&17u32.to_le_bytes());
        assert!(pairs(&memory, 0, 1).is_err());
        assert!(pairs(&memory, 0, u32::MAX).is_err());
    }
}

//! This library as a file.

use std::ffi::{CStr, OsStr, c_void};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The file that this library was loaded from; an empty path where the system does not tell.
pub fn path() -> PathBuf {
    // SAFETY: the address is one of this library's own, and what dladdr fills in lives as long as the
    // library.
    let file = unsafe {
        let mut found: libc::Dl_info = std::mem::zeroed();
        if libc::dladdr(path as *const c_void, &raw mut found) == 0 || found.dli_fname.is_null() {
            return PathBuf::new();
        }
        CStr::from_ptr(found.dli_fname)
    };
    Path::new(OsStr::from_bytes(file.to_bytes())).to_path_buf()
}

/// Bytes that are the same for two files only where they are the same build: the note that the linker left
/// in it (NT_GNU_BUILD_ID), else the SHA-256 of the file.
///
/// # Errors
/// The file cannot be read.
pub fn identity() -> io::Result<Vec<u8>> {
    let mut file = File::open(path())?;
    let mut head = [0; 4096];
    let length = file.read(&mut head)?;
    for (offset, size) in notes(&head[..length]) {
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.by_ref().take(size.min(head.len() as u64)).read_to_end(&mut bytes)?;
        if let Some(found) = build_id(&bytes) {
            return Ok(found.to_vec());
        }
    }
    file.seek(SeekFrom::Start(0))?;
    let mut all = Vec::new();
    file.read_to_end(&mut all)?;
    Ok(Sha256::digest(&all).to_vec())
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + N)?;
    Some(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

/// Where the notes of an ELF file of 64 bits, little-endian, lie: offset and bytes of each.
fn notes(head: &[u8]) -> Vec<(u64, u64)> {
    const NOTE: u64 = 4;
    let all = || {
        let (first, size, count) = (number::<8>(head, 32)?, number::<2>(head, 54)?, number::<2>(head, 56)?);
        let each = |index: u64| {
            let at = usize::try_from(first + index * size).ok()?;
            let (kind, offset, bytes) = (number::<4>(head, at)?, number::<8>(head, at + 8)?, number::<8>(head, at + 32)?);
            (kind == NOTE).then_some((offset, bytes))
        };
        Some((0..count).filter_map(each).collect())
    };
    all().unwrap_or_default()
}

/// The build's number in a list of notes.
fn build_id(mut notes: &[u8]) -> Option<&[u8]> {
    const BUILD_ID: u64 = 3;
    const HEAD: usize = 12;
    loop {
        let (name, length, kind) = (number::<4>(notes, 0)? as usize, number::<4>(notes, 4)? as usize, number::<4>(notes, 8)?);
        let start = HEAD + name.next_multiple_of(4);
        let found = notes.get(start..start + length)?;
        if kind == BUILD_ID && notes.get(HEAD..HEAD + name)? == b"GNU\0" {
            return Some(found);
        }
        notes = notes.get(start + length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_known_by_its_note() {
        let note = |name: &[u8], kind: u32, content: &[u8]| {
            let words = [name.len() as u32, content.len() as u32, kind];
            let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            for part in [name, content] {
                bytes.extend(part);
                bytes.resize(bytes.len().next_multiple_of(4), 0);
            }
            bytes
        };
        let all = [note(b"GNU\0", 5, b"abcde"), note(b"Go\0", 3, b"no"), note(b"GNU\0", 3, b"build")].concat();
        assert_eq!(build_id(&all), Some(&b"build"[..]));
        assert_eq!(build_id(&all[..all.len() - 9]), None);
        assert_eq!(build_id(&[0xff; 64]), None);
        assert!(notes(&[0xff; 64]).is_empty());
        assert!(identity().is_ok_and(|identity| identity.len() >= 16));
    }
}

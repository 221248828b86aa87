//! The stream of an RDB file that is being saved or loaded.

use std::ffi::{CStr, c_char};
use std::marker::PhantomData;

use super::api::Io;
use super::strings::{ServerString, Strings};
use crate::rm;

/// The stream of a save or a load that runs for `'a`.
#[derive(Clone, Copy)]
pub struct Stream<'a> {
    raw: *mut Io,
    running: PhantomData<&'a Io>,
}

impl Stream<'_> {
    /// # Safety
    /// `raw` is the stream of a save or load that runs for `'a`.
    pub unsafe fn new<'a>(raw: *mut Io) -> Stream<'a> {
        Stream { raw, running: PhantomData }
    }

    /// The same, to be kept where no lifetime reaches.
    ///
    /// # Safety
    /// It is forgotten before the save or load ends.
    pub unsafe fn forever(self) -> Stream<'static> {
        Stream { raw: self.raw, running: PhantomData }
    }

    pub fn save_unsigned(self, value: u64) {
        // SAFETY: the stream is that of what runs, here and below.
        unsafe { rm!(SaveUnsigned(self.raw, value)) };
    }

    pub fn save_bytes(self, bytes: &[u8]) {
        // SAFETY: as above; the server copies the bytes.
        unsafe { rm!(SaveStringBuffer(self.raw, bytes.as_ptr().cast(), bytes.len())) };
    }

    /// The next number; any where the stream has failed.
    pub fn load_unsigned(self) -> u64 {
        // SAFETY: as above.
        unsafe { rm!(LoadUnsigned(self.raw)) }
    }

    /// The next byte string, lent to `action`; `None` where the stream has failed.
    pub fn load_bytes<T>(self, action: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let mut length = 0;
        // SAFETY: as above. The server answers `length` bytes that are ours until they are freed, once, after
        // their last use.
        unsafe {
            let source: *mut c_char = rm!(LoadStringBuffer(self.raw, &raw mut length));
            if source.is_null() {
                return None;
            }
            let result = action(std::slice::from_raw_parts(source.cast(), length));
            rm!(Free(source.cast()));
            Some(result)
        }
    }

    /// A copy of the next byte string; `None` where the stream has failed.
    pub fn load_copy(self) -> Option<Box<[u8]>> {
        self.load_bytes(|bytes| bytes.into())
    }

    /// The name of the key that is being saved or loaded; `None` where the server does not tell.
    pub fn key_name(self) -> Option<Vec<u8>> {
        // SAFETY: as above; the name is alive while the key is saved or loaded.
        unsafe {
            let name = rm!(GetKeyNameFromIO(self.raw));
            (!name.is_null()).then(|| ServerString::new(name.cast_mut()).bytes().to_vec())
        }
    }

    /// Writes a command, in the place of the key that is being rewritten.
    pub fn emit(self, name: &CStr, arguments: &Strings<'_>) {
        // SAFETY: as above; format "v" takes an array and its length.
        unsafe { rm!(EmitAOF(self.raw, name.as_ptr(), c"v".as_ptr(), arguments.as_ptr(), arguments.len())) };
    }

    /// Whether the stream has failed.
    pub fn has_failed(self) -> bool {
        // SAFETY: as above.
        unsafe { rm!(IsIOError(self.raw)) != 0 }
    }
}

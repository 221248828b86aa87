//! Keys of the server's own that the host makes.

use std::ffi::{CStr, c_int, c_void};
use std::ptr::NonNull;

use super::api::{self, Key, Type, TypeMethods};
use super::context::Context;
use super::strings::with_string;
use crate::rm;

/// A data type of keys.
#[derive(Clone, Copy)]
pub struct KeyType(NonNull<Type>);

impl Context<'_> {
    /// Registers a data type of keys; `None` where the server refuses it.
    pub fn create_key_type(self, name: &CStr, version: c_int, methods: &TypeMethods) -> Option<KeyType> {
        // SAFETY: the server copies the methods.
        NonNull::new(unsafe { rm!(CreateDataType(self.raw(), name.as_ptr(), version, &raw const *methods)) }).map(KeyType)
    }

    /// Makes a key of this type, in the place of any that is there; false where the server refuses it. The
    /// type frees the value from now on.
    pub fn set_key(self, name: &[u8], kind: KeyType, value: *mut c_void) -> bool {
        self.with_open_key(name, |key| {
            // SAFETY: the key is open for writing, and the value is one of the type's own.
            !key.is_null() && unsafe { rm!(ModuleTypeSetValue(key, kind.0.as_ptr(), value)) == api::OK }
        })
    }

    /// Whether a key of this type is there.
    pub fn has_key(self, name: &[u8], kind: KeyType) -> bool {
        // SAFETY: the key is open, or null.
        self.with_open_key(name, |key| !key.is_null() && unsafe { rm!(ModuleTypeGetType(key)) } == kind.0.as_ptr())
    }

    /// Deletes a key here alone: replicas and the append-only file do not hear of it.
    pub fn delete_key_here(self, name: &[u8]) {
        self.with_open_key(name, |key| {
            if !key.is_null() {
                // SAFETY: the key is open for writing.
                unsafe { _ = rm!(DeleteKey(key)) };
            }
        });
    }

    fn with_open_key<T>(self, name: &[u8], action: impl FnOnce(*mut Key) -> T) -> T {
        with_string(name, |name| {
            // SAFETY: the context is alive; what is opened is closed, once.
            unsafe {
                let key = rm!(OpenKey(self.raw(), name.raw(), api::KEY_WRITE));
                let result = action(key);
                if !key.is_null() {
                    rm!(CloseKey(key));
                }
                result
            }
        })
    }
}

//! Sections and fields of INFO.

use std::ffi::CStr;
use std::marker::PhantomData;

use super::api::{self, InfoCtx};
use super::text;
use crate::rm;

/// An INFO that is being written for `'a`.
#[derive(Clone, Copy)]
pub struct Info<'a> {
    raw: *mut InfoCtx,
    running: PhantomData<&'a InfoCtx>,
}

impl Info<'_> {
    /// # Safety
    /// `raw` is the context of an INFO that is being written for `'a`.
    pub unsafe fn new<'a>(raw: *mut InfoCtx) -> Info<'a> {
        Info { raw, running: PhantomData }
    }

    /// The same, to be kept where no lifetime reaches.
    ///
    /// # Safety
    /// It is forgotten before the INFO ends.
    pub unsafe fn forever(self) -> Info<'static> {
        Info { raw: self.raw, running: PhantomData }
    }

    /// Begins a section; false where nobody asked for it.
    pub fn section(self, name: &str) -> bool {
        let name = text::line(name.as_bytes());
        // SAFETY: the context is that of a running INFO, here and below; texts are copied.
        unsafe { rm!(InfoAddSection(self.raw, name.as_ptr())) == api::OK }
    }

    pub fn number(self, name: &CStr, value: u64) {
        // SAFETY: as above.
        unsafe { rm!(InfoAddFieldULongLong(self.raw, name.as_ptr(), value)) };
    }

    /// A field of a module's: `wasm_<module>_<name>`.
    pub fn number_of(self, module: &str, name: &str, value: u64) {
        self.number(&text::line(format!("{module}_{name}").as_bytes()), value);
    }

    /// As above.
    pub fn text_of(self, module: &str, name: &str, value: &str) {
        self.text(&format!("{module}_{name}"), value);
    }

    pub fn text(self, name: &str, value: &str) {
        let (name, value) = (text::line(name.as_bytes()), text::line(value.as_bytes()));
        // SAFETY: as above.
        unsafe { rm!(InfoAddFieldCString(self.raw, name.as_ptr(), value.as_ptr())) };
    }
}

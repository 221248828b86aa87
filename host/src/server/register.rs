//! What a load registers with the server.

use std::ffi::{CStr, CString, c_int};

use super::api::{self, Event};
use super::context::Context;
use super::text;
use crate::rm;

/// Where the keys of a command are: the first and the last one, and the distance between two; the last may be
/// counted from the end.
pub type Places = (c_int, c_int, c_int);

impl Context<'_> {
    /// Creates a command; false where the server refuses it.
    pub fn create_command(self, name: &CStr, function: api::CommandFunc, flags: &CStr, (first, last, step): Places) -> bool {
        // SAFETY: by the type's contract, here and below; texts are copied.
        unsafe { rm!(CreateCommand(self.raw(), name.as_ptr(), function, flags.as_ptr(), first, last, step)) == api::OK }
    }

    /// As [`Context::create_command`], of one that clients do not see, where the server can keep it from them
    /// (Redis 8).
    pub fn create_effect(self, name: &CStr, function: api::CommandFunc, flags: &str, places: Places) -> bool {
        [[flags, "internal"].join(" ").as_str(), flags]
            .iter()
            .any(|flags| self.create_command(name, function, &text::line(flags.as_bytes()), places))
    }

    /// Tells the server of the command `name`, which was created by this load; false where it refuses.
    ///
    /// # Safety
    /// What `info` points to is as the server's header has it, until this returns.
    pub unsafe fn set_command_info(self, name: &CStr, info: &api::CommandInfo) -> bool {
        // SAFETY: as above, and by this function's contract.
        unsafe {
            let command = rm!(GetCommand(self.raw(), name.as_ptr()));
            !command.is_null() && rm!(SetCommandInfo(command, &raw const *info)) == api::OK
        }
    }

    /// Puts the command `name`, which was created by this load, into these categories of permissions; false
    /// where the server refuses. A server that puts no module's command into any (7.0) does not.
    pub fn set_categories(self, name: &CStr, categories: &[&str]) -> bool {
        // SAFETY: set by `api::init`, before anything runs.
        let Some(set) = (unsafe { api::SetCommandACLCategories }) else { return true };
        let categories = CString::new(categories.join(" ")).unwrap_or_default();
        // SAFETY: as above.
        unsafe {
            let command = rm!(GetCommand(self.raw(), name.as_ptr()));
            !command.is_null() && set(command, categories.as_ptr()) == api::OK
        }
    }

    /// Adds a category of permissions: whether the server has one of this name now; `None` where it adds
    /// none.
    pub fn add_category(self, name: &str) -> Option<bool> {
        // SAFETY: set by `api::init`, before anything runs.
        let add = unsafe { api::AddACLCategory }?;
        let name = CString::new(name).unwrap_or_default();
        // SAFETY: as above.
        Some(unsafe { add(self.raw(), name.as_ptr()) } == api::OK)
    }

    /// Whether the server has a command of this name.
    pub fn has_command(self, name: &CStr) -> bool {
        self.ask(c"COMMAND", &[c"INFO", name]).is_some_and(|answer| answer.has_array_at(0))
    }

    /// Registers a data type that holds auxiliary data alone; false where the server refuses it.
    pub fn create_data_type(self, name: &CStr, version: c_int, methods: &api::TypeMethods) -> bool {
        // SAFETY: as above; the server copies the methods.
        unsafe { !rm!(CreateDataType(self.raw(), name.as_ptr(), version, &raw const *methods)).is_null() }
    }

    /// Has the server call `callback` for an event; false where it refuses.
    pub fn subscribe(self, id: u64, callback: api::EventFunc) -> bool {
        // SAFETY: as above.
        unsafe { rm!(SubscribeToServerEvent(self.raw(), Event { id, data_version: 1 }, callback)) == api::OK }
    }

    /// Has the server call `function` for INFO; false where it refuses.
    pub fn register_info(self, function: api::InfoFunc) -> bool {
        // SAFETY: as above.
        unsafe { rm!(RegisterInfoFunc(self.raw(), function)) == api::OK }
    }

    /// Has the server read the values of the settings that were registered; false where one cannot be taken.
    pub fn load_settings(self) -> bool {
        // SAFETY: as above.
        unsafe { rm!(LoadConfigs(self.raw())) == api::OK }
    }

    /// Names this module to the server.
    pub fn name_module(self, name: &CStr, version: c_int) {
        // SAFETY: as above.
        unsafe { rm!(SetModuleAttribs(self.raw(), name.as_ptr(), version, api::API_VERSION)) };
    }

    /// `api::OPTIONS_*`.
    pub fn set_options(self, options: c_int) {
        // SAFETY: as above.
        unsafe { rm!(SetModuleOptions(self.raw(), options)) };
    }
}

/// Whether a module of this name is loaded already.
pub fn is_module_loaded(name: &CStr) -> bool {
    // SAFETY: set by `api::init`; the name is a C string.
    unsafe { api::IsModuleNameBusy.is_some_and(|is_busy| is_busy(name.as_ptr()) != 0) }
}

//! `wasm.dir` and `wasm.cache` lie apart from the folders that the server writes its own files to, also when
//! its `dir` changes.

use std::ffi::CStr;

use crate::modules::loaded::Host;
use crate::server::context::Context;
use crate::server::log;

const FOLDER: &CStr = c"dir";

/// Notes where the server writes its files: apart from both.
pub fn note(host: &Host, ctx: Context<'_>) {
    host.data_folder.replace(ctx.setting(FOLDER).unwrap_or_default());
}

/// Sets back a `dir` that a `CONFIG SET` has just brought together with one of them. Its client has its `+OK`
/// all the same; the log and `wasm_settings_undone` in INFO tell of it. Where it cannot be set back nothing
/// is loaded until they are apart. `names`: the settings that changed.
pub fn on_config(host: &Host, ctx: Context<'_>, names: &[&CStr]) {
    if !names.contains(&FOLDER) {
        return;
    }
    let Err(reason) = host.check_folders(ctx) else { return note(host, ctx) };
    let before = std::ffi::CString::new(host.data_folder.borrow().as_str()).unwrap_or_default();
    let is_set = ctx.ask(c"CONFIG", &[c"SET", FOLDER, &before]).is_some_and(|answer| !answer.is_error());
    let what = if is_set { "was set back" } else { "cannot be set back: no module is loaded until they do" };
    log::warning(Some(ctx), &format!("{reason}: dir {what}"));
    host.settings_undone.set(host.settings_undone.get() + 1);
}

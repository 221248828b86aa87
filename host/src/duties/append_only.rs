//! The append-only file. A rewrite of it without the RDB preamble would drop what modules keep, silently: a
//! server set up so is refused at the load, and a setting that leads there later is set back at once.

use std::ffi::CStr;

use crate::modules::loaded::Host;
use crate::server::context::Context;
use crate::server::log;

const APPEND_ONLY: &CStr = c"appendonly";
const PREAMBLE: &CStr = c"aof-use-rdb-preamble";

/// Each setting that can lead there, with the value that it is set back to. The file goes first: its first
/// rewrite began with the old preamble, so to repair the preamble alone would come too late.
const SAFE: [(&CStr, &CStr); 2] = [(APPEND_ONLY, c"no"), (PREAMBLE, c"yes")];

/// Refuses a server whose rewrites would drop data.
///
/// # Errors
/// The setting, and what to set it to.
pub fn check(ctx: Context<'_>) -> Result<(), String> {
    if drops_data(ctx) {
        return Err(
            "aof-use-rdb-preamble is no: an append-only file rewritten so would lose the data of every module here; set it to yes".into()
        );
    }
    Ok(())
}

fn drops_data(ctx: Context<'_>) -> bool {
    let is = |name: &CStr, value: &str| ctx.setting(name).as_deref() == Some(value);
    is(APPEND_ONLY, "yes") && is(PREAMBLE, "no")
}

/// Sets back what a `CONFIG SET` has just changed, where rewrites would now drop data. Its client has its
/// `+OK` all the same: the server asks nobody before, so the log and `wasm_settings_undone` in INFO tell of
/// it. `names`: the settings that changed.
pub fn on_config(host: &Host, ctx: Context<'_>, names: &[&CStr]) {
    if !names.iter().any(|name| SAFE.iter().any(|(setting, _)| name == setting)) || !drops_data(ctx) {
        return;
    }
    for (setting, value) in SAFE.iter().filter(|(setting, _)| names.contains(setting)) {
        let is_set = ctx.ask(c"CONFIG", &[c"SET", setting, value]).is_some_and(|answer| !answer.is_error());
        let (setting, value) = (setting.to_string_lossy(), value.to_string_lossy());
        let what = if is_set { "was set back" } else { "cannot be set back" };
        let why = "an append-only file rewritten without the RDB preamble would lose the data of every module here";
        log::warning(Some(ctx), &format!("{setting} {what} to {value}: {why}"));
    }
    host.settings_undone.set(host.settings_undone.get() + 1);
}

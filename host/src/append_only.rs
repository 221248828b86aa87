//! The append-only file. A rewrite of it without the RDB preamble would drop what modules keep, silently: a server set up so is refused at
//! the load, and a setting that leads there later is set back at once.

use std::ffi::{CStr, c_void};

use crate::api::{self, ConfigChange, Ctx};
use crate::{host, rm};

const APPEND_ONLY: &CStr = c"appendonly";
const PREAMBLE: &CStr = c"aof-use-rdb-preamble";

/// Each setting that can lead there, with the value that it is set back to. The file goes first: its first rewrite began with the old
/// preamble, so to repair the preamble alone would come too late.
const SAFE: [(&CStr, &CStr); 2] = [(APPEND_ONLY, c"no"), (PREAMBLE, c"yes")];

/// Refuses a server whose rewrites would drop data.
///
/// # Errors
/// The setting, and what to set it to.
///
/// # Safety
/// `ctx` is the context of a running call from the server.
pub unsafe fn check(ctx: *mut Ctx) -> Result<(), String> {
    // SAFETY: by this function's contract.
    if unsafe { drops_data(ctx) } {
        return Err(
            "aof-use-rdb-preamble is no: an append-only file rewritten so would lose the data of every module here; set it to yes".into()
        );
    }
    Ok(())
}

/// # Safety
/// As [`check`].
unsafe fn drops_data(ctx: *mut Ctx) -> bool {
    // SAFETY: by this function's contract.
    let is = |name: &CStr, value: &str| unsafe { host::server_setting(ctx, name) }.as_deref() == Some(value);
    is(APPEND_ONLY, "yes") && is(PREAMBLE, "no")
}

/// Sets back what a `CONFIG SET` has just changed, where rewrites would now drop data. Its client has its `+OK` all the same: the server asks
/// nobody before, so the log and `wasm_settings_undone` in INFO tell of it.
///
/// # Safety
/// `ctx` and `data` are those of the event that tells of a change of settings.
pub unsafe fn on_config(ctx: *mut Ctx, data: *mut c_void) {
    // SAFETY: by this function's contract: the names are C strings, as many as told.
    unsafe {
        let Some(change) = data.cast::<ConfigChange>().as_ref() else { return };
        let names: Vec<&CStr> = (0..change.count as usize).map(|index| CStr::from_ptr(*change.names.add(index))).collect();
        if !names.iter().any(|name| SAFE.iter().any(|(setting, _)| name == setting)) || !drops_data(ctx) {
            return;
        }
        for (setting, value) in SAFE.iter().filter(|(setting, _)| names.contains(setting)) {
            let reply = rm!(Call(ctx, c"CONFIG".as_ptr(), c"ccc".as_ptr(), c"SET".as_ptr(), setting.as_ptr(), value.as_ptr()));
            let failed = reply.is_null() || rm!(CallReplyType(reply)) == api::REPLY_ERROR;
            if !reply.is_null() {
                rm!(FreeCallReply(reply));
            }
            let (setting, value) = (setting.to_string_lossy(), value.to_string_lossy());
            let what = if failed { "cannot be set back" } else { "was set back" };
            let why = "an append-only file rewritten without the RDB preamble would lose the data of every module here";
            host::log(ctx, c"warning", &format!("{setting} {what} to {value}: {why}"));
        }
    }
    if let Some(host) = host::get() {
        host.settings_undone.set(host.settings_undone.get() + 1);
    }
}

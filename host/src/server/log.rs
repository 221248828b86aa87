//! The server's log.

use std::ffi::CStr;

use super::context::Context;
use super::text;
use crate::rm;

/// A line of something that is worth knowing.
pub fn notice(ctx: Option<Context<'_>>, message: &str) {
    line(ctx, c"notice", message);
}

/// A line of something that went wrong.
pub fn warning(ctx: Option<Context<'_>>, message: &str) {
    line(ctx, c"warning", message);
}

/// A line of this level, one of the server's own: `debug`, `verbose`, `notice`, `warning`.
pub fn line(ctx: Option<Context<'_>>, level: &CStr, message: &str) {
    let message = text::line(message.as_bytes());
    let ctx = ctx.map_or(std::ptr::null_mut(), Context::raw);
    // SAFETY: the server allows a null context; both texts are C strings.
    unsafe { rm!(Log(ctx, level.as_ptr(), c"%s".as_ptr(), message.as_ptr())) };
}

/// Exits the server: going on would leave this replica, or this load, silently different from its source.
pub fn give_up(message: &str) -> ! {
    warning(None, &format!("{message}: this server ends, since its data would diverge"));
    std::process::exit(1);
}

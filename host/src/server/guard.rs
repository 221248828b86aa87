//! What the server calls: a panic in it must not cross into the server.

use std::any::Any;
use std::ffi::c_int;

use super::api;
use super::context::Context;
use super::log;

/// Runs `action`, which the server has called: a panic in it is logged, and becomes `None`.
#[inline]
pub fn guarded<T>(action: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(action)).map_err(|payload| note_panic(&*payload)).ok()
}

/// Runs `action`, which replies to a command; where it panics the reply is an error.
#[inline]
pub fn answering(ctx: Context<'_>, action: impl FnOnce()) -> c_int {
    if guarded(action).is_none() {
        // A reply may have been begun; a second one is the lesser evil beside none.
        ctx.reply_error(c"ERR the host failed: see the server's log");
    }
    api::OK
}

#[cold]
fn note_panic(payload: &(dyn Any + Send)) {
    if api::is_ready() {
        log::warning(None, &format!("the host failed: {}", panic_text(payload)));
    }
}

/// What a panic was raised with.
fn panic_text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_at_the_guard() {
        assert_eq!(guarded(|| 7), Some(7));
        assert_eq!(guarded(|| -> i32 { panic!("on purpose") }), None);
    }

    #[test]
    fn what_a_panic_says_is_told() {
        let told = |action: fn()| panic_text(&*std::panic::catch_unwind(action).unwrap_err()).to_string();
        assert_eq!(told(|| panic!("on purpose")), "on purpose");
        assert_eq!(told(|| panic!("number {}", 7)), "number 7");
        assert_eq!(told(|| std::panic::panic_any(7)), "?");
    }
}

//! The server's time, and its random bytes.

use super::api;
use crate::rm;

/// Unix ms, now.
pub fn now_ms() -> i64 {
    // SAFETY: takes no argument.
    unsafe { rm!(Milliseconds()) }
}

/// Unix ms, for a command that runs. Within a transaction, a script or a command that another one calls, the
/// server's time stands still, where it tells modules of it (Redis and Valkey from 7.2 on): nothing expires
/// halfway, as nothing of the server's own does.
pub fn command_ms() -> i64 {
    // SAFETY: takes no argument. A cached time is that of the running command's beginning.
    match unsafe { api::CachedMicroseconds } {
        // SAFETY: as above.
        Some(cached_microseconds) => unsafe { cached_microseconds() / 1000 },
        None => now_ms(),
    }
}

/// Fills `target` with random bytes that nobody can foresee.
pub fn random_bytes(target: &mut [u8]) {
    // SAFETY: the target is as long as told.
    unsafe { rm!(GetRandomBytes(target.as_mut_ptr(), target.len())) };
}

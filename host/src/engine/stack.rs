//! The server's one stack, which modules run on.

use std::mem::MaybeUninit;

use super::setup::MODULE_STACK;

/// Commands that may run within each other: each may use [`MODULE_STACK`] of the server's one stack.
pub const DEPTH_MAX: u32 = 8;
/// Bytes of it that the server itself may use, with its scripts, and this host.
const SERVER_STACK: usize = 1 << 20;

/// Refuses a server whose stack does not hold as many commands within each other as may be: the system would
/// end it by SIGSEGV.
///
/// # Errors
/// What the stack has, and what to set.
pub fn check_stack() -> Result<(), String> {
    let needed = MODULE_STACK * DEPTH_MAX as usize + SERVER_STACK;
    let place = 0u8;
    let left = (&raw const place as usize).saturating_sub(stack_end().map_err(|error| format!("the stack cannot be measured: {error}"))?);
    if left < needed {
        let (needed, left) = (needed >> 10, left >> 10);
        return Err(format!("the server has {left} KiB of stack left, and modules need {needed}: start it under ulimit -s 8192"));
    }
    Ok(())
}

/// The lowest address that the stack of this thread may grow to, by the limit that the system sets to it now.
fn stack_end() -> std::io::Result<usize> {
    let mut attributes = MaybeUninit::uninit();
    let (mut end, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: the first call fills in the attributes where it answers 0; they are read and freed after that
    // alone.
    unsafe {
        match libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) {
            0 => {}
            error => return Err(std::io::Error::from_raw_os_error(error)),
        }
        libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut end, &raw mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
    }
    Ok(end as usize)
}

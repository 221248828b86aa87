//! The count of replies that a command owes: whatever a module does, the client gets exactly one well-formed reply.
//!
//! A surplus reply is dropped; a missing one becomes an error. How many errors that can be is bounded over all containers that are open at once.

use std::ffi::{CStr, c_long};

use crate::api::Ctx;
use crate::rm;

/// The reply in the place of one that the module did not send.
const MISSING: &CStr = c"ERR the module sent no reply";

#[derive(Clone, Copy, PartialEq)]
pub enum Container {
    Array,
    Map,
}

impl Container {
    /// Elements per unit of the container's length.
    fn per_entry(self) -> u64 {
        match self {
            Container::Array => 1,
            Container::Map => 2,
        }
    }
}

struct Open {
    container: Container,
    /// Elements still owed; `None` while the module tells the length afterwards.
    owed: Option<u64>,
    sent: u64,
    /// Whether the server still waits for the length: told afterwards by the module, or too long to promise. Then one error stands for all
    /// that is missing.
    deferred: bool,
}

/// What has been replied to the running command so far.
#[derive(Default)]
pub struct Replies {
    /// The containers that are open, outermost first.
    open: Vec<Open>,
    /// Whether the one reply of the command has been begun.
    begun: bool,
}

impl Replies {
    /// Forgets the last command.
    #[inline]
    pub fn reset(&mut self) {
        self.begun = false;
        if !self.open.is_empty() {
            self.open.clear();
        }
    }

    /// Whether there is room for one more reply; if so it is counted, and the caller sends it and then calls [`Replies::settle`].
    #[inline]
    pub fn take(&mut self) -> bool {
        match self.open.last_mut() {
            None => !std::mem::replace(&mut self.begun, true),
            Some(open) => {
                if let Some(owed) = &mut open.owed {
                    // A container that owes nothing has been closed by settle.
                    *owed -= 1;
                }
                open.sent += 1;
                true
            }
        }
    }

    /// Whether another container may be opened.
    #[inline]
    pub fn may_open(&self) -> bool {
        self.open.len() < OPEN_MAX
    }

    /// Closes every container that has got all of its elements.
    ///
    /// # Safety
    /// `ctx` is the context of the running command, here and below.
    #[inline]
    pub unsafe fn settle(&mut self, ctx: *mut Ctx) {
        while let Some(open) = self.open.last()
            && open.owed == Some(0)
        {
            // SAFETY: by this function's contract.
            unsafe { self.close(ctx, &mut { MISSING }) };
        }
    }

    /// Sends the head of a container and counts it; a negative length is told afterwards.
    ///
    /// # Safety
    /// As [`Replies::settle`].
    pub unsafe fn open(&mut self, ctx: *mut Ctx, container: Container, length: i64) {
        let owed = u64::try_from(length).ok().map(|length| length.saturating_mul(container.per_entry()));
        let promised: u64 = self.open.iter().filter(|open| !open.deferred).filter_map(|open| open.owed).sum();
        let deferred = owed.is_none_or(|owed| owed > PROMISED_MAX - promised);
        let length = if deferred { POSTPONED_LENGTH } else { length as c_long };
        // SAFETY: by this function's contract.
        unsafe {
            match container {
                Container::Array => rm!(ReplyWithArray(ctx, length)),
                Container::Map => rm!(ReplyWithMap(ctx, length)),
            };
            self.open.push(Open { container, owed, sent: 0, deferred });
            self.settle(ctx);
        }
    }

    /// Ends the innermost container, which must be of this kind and of a length told afterwards. What was sent counts, whatever the
    /// module says; one error stands for all that it promised beyond that.
    ///
    /// # Safety
    /// As [`Replies::settle`].
    pub unsafe fn set_length(&mut self, ctx: *mut Ctx, container: Container, length: i64) {
        let Some(open) = self.open.last_mut() else { return };
        if open.container != container || open.owed.is_some() {
            return;
        }
        let promised = u64::try_from(length).unwrap_or(0).saturating_mul(container.per_entry());
        open.owed = Some(promised.saturating_sub(open.sent));
        // SAFETY: by this function's contract.
        unsafe {
            self.close(ctx, &mut { MISSING });
            self.settle(ctx);
        }
    }

    /// Sends what is still owed, as `error` for each missing reply, a long one once; and a given error where the length was to be told
    /// afterwards: after it, the command has exactly one whole reply.
    ///
    /// # Safety
    /// As [`Replies::settle`].
    pub unsafe fn finish(&mut self, ctx: *mut Ctx, error: Option<&CStr>) {
        let failed = error.is_some();
        let mut error = error.unwrap_or(MISSING);
        // SAFETY: by this function's contract.
        unsafe {
            if !std::mem::replace(&mut self.begun, true) {
                rm!(ReplyWithError(ctx, error.as_ptr()));
            }
            if let Some(open) = self.open.last_mut()
                && failed
                && open.owed.is_none()
            {
                // Nothing is owed, so nothing else would tell that this is not all.
                open.owed = Some(1);
            }
            while !self.open.is_empty() {
                self.close(ctx, &mut error);
            }
        }
    }

    /// Whether the command has its one whole reply.
    #[inline]
    pub fn complete(&self) -> bool {
        self.begun && self.open.is_empty()
    }

    /// Closes the innermost container: promised elements that were not sent become `error`, which is [`MISSING`] after it if it is long, and
    /// a map gets whole pairs.
    ///
    /// # Safety
    /// As [`Replies::settle`].
    unsafe fn close(&mut self, ctx: *mut Ctx, error: &mut &CStr) {
        let Some(open) = self.open.pop() else { return };
        let per_entry = open.container.per_entry();
        let mut sent = open.sent;
        let owed = open.owed.unwrap_or(0);
        let mut owed = if open.deferred { owed.min(1) } else { owed };
        // SAFETY: by this function's contract.
        unsafe {
            while owed > 0 || sent % per_entry != 0 {
                rm!(ReplyWithError(ctx, error.as_ptr()));
                if error.to_bytes().len() > REPEATED_BYTES_MAX {
                    *error = MISSING;
                }
                sent += 1;
                owed = owed.saturating_sub(1);
            }
            if open.deferred {
                let length = (sent / per_entry) as c_long;
                match open.container {
                    Container::Array => rm!(ReplySetArrayLength(ctx, length)),
                    Container::Map => rm!(ReplySetMapLength(ctx, length)),
                }
            }
        }
    }
}

/// `REDISMODULE_POSTPONED_LEN`.
const POSTPONED_LENGTH: c_long = -1;
/// Elements that are promised to the server at once, in all containers that are open. What a module promises beyond it is counted first: it
/// cannot make the host send errors without end for elements that it never sends.
const PROMISED_MAX: u64 = 1 << 16;
/// Bytes of an error that stands for each of many missing elements.
const REPEATED_BYTES_MAX: usize = 128;
/// Bytes that the server may get when a container is closed whose length is told afterwards.
pub const CLOSED_BYTES: u64 = 2 * MISSING.count_bytes() as u64;
/// Containers that are open within each other: the server reads what a command replies to a script by recursion.
pub const OPEN_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reply_is_taken_and_a_second_dropped() {
        let mut replies = Replies::default();
        assert!(!replies.complete());
        assert!(replies.take());
        assert!(replies.complete());
        assert!(!replies.take());
        replies.reset();
        assert!(replies.take());
    }
}

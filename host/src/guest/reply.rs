//! The one reply of a command, whatever a module does: the client gets exactly one well-formed reply, and one
//! error of a command that fails.
//!
//! A reply outside of arrays and maps leaves the host at once. What belongs to an array or a map is held
//! until the command has ended well: so each length is known when it is sent, and of a command that fails
//! nothing is there beside its error. What is longer than [`HELD_MAX`] is let go of before; the error of a
//! failure then stands for the elements that are missing.
//!
//! A surplus reply is dropped; one that a module leaves out becomes an error. How many errors that can be is
//! bounded over all containers that are open at once.

use std::ffi::CStr;

use super::part::{Container, HEAD_BYTES, Reply};
use crate::server::context::Context;
use crate::server::{api, outermost};

/// The reply in the place of one that the module did not send.
const MISSING: &[u8] = b"ERR the module sent no reply";

/// What stands for a key of a map that is null. A script's table has no such key: the server's reader of
/// replies would be left half way, and no script could call a command again.
const NO_KEY: &CStr = c"ERR the module sent a key that is null";

struct Open {
    container: Container,
    /// Elements still owed; `None` while the module tells the length afterwards.
    owed: Option<u64>,
    sent: u64,
    /// Whether no length was promised: the module tells it afterwards, or told one that is too long to
    /// promise. Then one error stands for all that is missing.
    loose: bool,
    /// Where its head stands, while it is held.
    head: usize,
}

impl Open {
    /// Counts one more element; whether it is the last one.
    #[inline(always)]
    fn count(&mut self) -> bool {
        self.sent += 1;
        let Some(owed) = &mut self.owed else { return false };
        // A container that owes nothing has been closed by settle.
        *owed -= 1;
        *owed == 0
    }
}

/// What has been replied to the running command so far.
#[derive(Default)]
pub struct Replies {
    /// The containers that are open, outermost first.
    open: Vec<Open>,
    /// Whether the one reply of the command has been begun.
    begun: bool,
    /// The parts of the one container that is the reply, one after the other.
    held: Vec<u8>,
    /// Whether this container was too long to be held, so that its parts leave as they come.
    leaving: bool,
}

impl Replies {
    /// Forgets the last command.
    #[inline]
    pub fn reset(&mut self) {
        self.begun = false;
        self.leaving = false;
        if !self.open.is_empty() {
            self.open.clear();
        }
        if !self.held.is_empty() {
            self.held.clear();
        }
    }

    /// Forgets the last command, and drops whatever this one replies.
    pub fn mute(&mut self) {
        self.reset();
        self.begun = true;
    }

    /// Takes one reply, which is no head of a container; it is dropped if there is no room for it.
    #[inline(always)]
    pub fn send(&mut self, ctx: Context<'_>, reply: Reply<'_>) {
        let Some(open) = self.open.last_mut() else {
            if !std::mem::replace(&mut self.begun, true) {
                reply.send(ctx);
            }
            return;
        };
        let is_last = open.count();
        let is_key = open.container == Container::Map && !open.sent.is_multiple_of(2);
        self.put(ctx, if is_key && matches!(reply, Reply::Null) { Reply::Error(NO_KEY.to_bytes()) } else { reply });
        if is_last {
            self.settle(ctx);
        }
    }

    /// Holds a part of a container, or sends it where there is too much of it.
    #[inline(always)]
    fn put(&mut self, ctx: Context<'_>, mut reply: Reply<'_>) {
        if matches!(reply, Reply::Error(_) | Reply::WrongArity) {
            reply = error_within(reply);
        }
        if !self.hold(reply) {
            self.let_go(ctx, reply);
        }
    }

    /// Holds a part of a container; false where there is too much of it.
    #[inline(always)]
    fn hold(&mut self, reply: Reply<'_>) -> bool {
        let (_, _, bytes) = reply.encoded();
        if self.leaving || self.held.len() + HEAD_BYTES + bytes.len() > HELD_MAX {
            return false;
        }
        reply.write(&mut self.held);
        true
    }

    /// Sends what is held, and a part that follows.
    #[cold]
    fn let_go(&mut self, ctx: Context<'_>, reply: Reply<'_>) {
        self.leaving = true;
        self.release(ctx);
        reply.send(ctx);
    }

    /// Sends all that is held.
    fn release(&mut self, ctx: Context<'_>) {
        let mut held = &self.held[..];
        while let Some(reply) = Reply::decode(&mut held) {
            reply.send(ctx);
        }
        self.forget();
    }

    /// Drops all that is held, and the room for it where that is much.
    fn forget(&mut self) {
        self.held.clear();
        self.held.shrink_to(ROOM_KEPT);
    }

    /// Whether another container may be opened.
    #[inline]
    pub fn may_open(&self) -> bool {
        self.open.len() < OPEN_MAX
    }

    /// Closes every container that has got all of its elements.
    fn settle(&mut self, ctx: Context<'_>) {
        while let Some(open) = self.open.last()
            && open.owed == Some(0)
        {
            self.close(ctx, &mut { MISSING });
        }
    }

    /// Takes the head of a container; a negative length is told afterwards.
    pub fn open(&mut self, ctx: Context<'_>, container: Container, length: i64) {
        if let Some(open) = self.open.last_mut() {
            open.count();
        } else if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let owed = u64::try_from(length).ok().map(|length| length.saturating_mul(container.per_entry()));
        let promised: u64 = self.open.iter().filter(|open| !open.loose).filter_map(|open| open.owed).sum();
        let loose = owed.is_none_or(|owed| owed > PROMISED_MAX - promised);
        let head = self.held.len();
        self.put(ctx, Reply::Open(container, if loose { POSTPONED_LENGTH } else { length }));
        self.open.push(Open { container, owed, sent: 0, loose, head });
        self.settle(ctx);
    }

    /// Ends the innermost container, which must be of this kind and of a length told afterwards. What was
    /// sent counts, whatever the module says; one error stands for all that it promised beyond that.
    pub fn set_length(&mut self, ctx: Context<'_>, container: Container, length: i64) {
        let Some(open) = self.open.last_mut() else { return };
        if open.container != container || open.owed.is_some() {
            return;
        }
        let promised = u64::try_from(length).unwrap_or(0).saturating_mul(container.per_entry());
        open.owed = Some(promised.saturating_sub(open.sent));
        self.close(ctx, &mut { MISSING });
        self.settle(ctx);
    }

    /// Ends the reply of a command that has returned: sends what is held, and an error for each element that
    /// is missing.
    pub fn finish(&mut self, ctx: Context<'_>) {
        if !std::mem::replace(&mut self.begun, true) {
            Reply::Error(MISSING).send(ctx);
        }
        while !self.open.is_empty() {
            self.close(ctx, &mut { MISSING });
        }
        self.release(ctx);
    }

    /// Ends the reply of a command that has failed: with the error alone, unless its reply has left already.
    /// Of a container that was too long to be held, what is still owed becomes the error for each missing
    /// element, a long one once, and where the length was to be told afterwards the error is its last
    /// element.
    pub fn fail(&mut self, ctx: Context<'_>, error: &CStr) {
        let mut error = error.to_bytes();
        let has_left = self.begun && self.held.is_empty();
        self.begun = true;
        if !has_left {
            self.open.clear();
            self.forget();
            return Reply::Error(error).send(ctx);
        }
        if let Some(open) = self.open.last_mut()
            && open.owed.is_none()
        {
            // Nothing is owed, so nothing else would tell that this is not all.
            open.owed = Some(1);
        }
        while !self.open.is_empty() {
            self.close(ctx, &mut error);
        }
    }

    /// Whether the command's one whole reply has left.
    #[inline]
    pub fn complete(&self) -> bool {
        self.begun && self.open.is_empty() && self.held.is_empty()
    }

    /// Closes the innermost container: promised elements that were not sent become `error`, which is
    /// [`MISSING`] after it if it is long, and a map gets whole pairs.
    fn close(&mut self, ctx: Context<'_>, error: &mut &[u8]) {
        let Some(open) = self.open.pop() else { return };
        let per_entry = open.container.per_entry();
        let mut sent = open.sent;
        let owed = open.owed.unwrap_or(0);
        let mut owed = if open.loose { owed.min(1) } else { owed };
        while owed > 0 || sent % per_entry != 0 {
            self.put(ctx, Reply::Error(error));
            if error.len() > REPEATED_BYTES_MAX {
                *error = MISSING;
            }
            sent += 1;
            owed = owed.saturating_sub(1);
        }
        if open.loose {
            let length = sent / per_entry;
            match self.held.get_mut(open.head + 1..open.head + HEAD_BYTES) {
                Some(number) if !self.leaving => number.copy_from_slice(&length.to_le_bytes()),
                _ => Reply::SetLength(open.container, length.cast_signed()).send(ctx),
            }
        }
    }
}

/// An error within a container, as whoever called can take it. A script gets its text: where Valkey 9.1 reads
/// such an error for a script, it loses its place in the reply, and either no script can call a command
/// again, or the server exits at some 8,000 of them.
#[cold]
fn error_within(error: Reply<'_>) -> Reply<'_> {
    if outermost::flags().is_none_or(|flags| flags & api::CTX_FLAGS_LUA == 0) {
        return error;
    }
    Reply::Bulk(if let Reply::Error(text) = error { text } else { b"ERR wrong number of arguments" })
}

/// `REDISMODULE_POSTPONED_LEN`.
const POSTPONED_LENGTH: i64 = -1;
/// Bytes of a container that are held; of one that is longer the parts leave as they come.
const HELD_MAX: usize = 64 << 20;
/// Bytes of the room for them that is kept for the next command.
const ROOM_KEPT: usize = 4 << 20;
/// Elements that are promised to the server at once, in all containers that are open. What a module promises
/// beyond it is counted first: it cannot make the host send errors without end for elements that it never
/// sends.
const PROMISED_MAX: u64 = 1 << 16;
/// Bytes of an error that stands for each of many missing elements.
const REPEATED_BYTES_MAX: usize = 128;
/// Bytes that the server may get when a container is closed whose length is told afterwards.
pub const CLOSED_BYTES: u64 = 2 * MISSING.len() as u64;
/// Containers that are open within each other: the server reads what a command replies to a script by
/// recursion.
pub const OPEN_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_read_back_in_its_order() {
        let parts = [
            Reply::Open(Container::Map, -1),
            Reply::Bulk(b"a\r\nb\0c"),
            Reply::Bulk(b""),
            Reply::Integer(i64::MIN),
            Reply::Null,
            Reply::Status(b"OK"),
            Reply::Error(b"ERR"),
            Reply::WrongArity,
            Reply::Open(Container::Array, 7),
            Reply::SetLength(Container::Array, 9),
            Reply::SetLength(Container::Map, 1),
        ];
        let mut replies = Replies::default();
        for part in parts {
            assert!(replies.hold(part));
        }
        let mut held = &replies.held[..];
        for part in parts {
            assert_eq!(Reply::decode(&mut held).map(Reply::encoded), Some(part.encoded()));
        }
        assert!(Reply::decode(&mut held).is_none());
    }
}

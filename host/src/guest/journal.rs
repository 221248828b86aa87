//! What a command has done to the server's own keys: what takes it back, and what tells of it.
//!
//! A change is made at once, so that what the command reads next has it. Nobody hears of it before the
//! command has ended well: then each goes to replicas and the append-only file as the server's own command of
//! the same effect, and WATCH, client-side caching and subscribers are told. A command that fails has all of
//! it taken back, the last change first, and nobody hears of anything.
//!
//! A value that cannot be put back in one piece, as a hash of many fields, is deleted last: until then the
//! key counts as absent.

use std::ffi::{CStr, c_int};

use smallvec::SmallVec;

use crate::server::api;
use crate::server::context::Context;
use crate::server::strings::{Held, ServerString, Strings, Word};
use crate::server::text;
use crate::server::values::End;
use crate::server::{listeners, log, outermost};

/// What was there before a change.
pub enum Before {
    /// No key.
    Absent,
    /// A string, and its deadline.
    Text(Held, i64),
    /// A string of so many bytes at least, of which these first ones were there.
    Start(usize),
    /// A value of any kind as DUMP gives it, and its deadline.
    Dump(Box<[u8]>, i64),
    /// Another deadline.
    Deadline(i64),
    /// The field, its value if it had one, and the deadline of the key, which goes with the last field.
    Field(Held, Option<Held>, i64),
    /// The member, its score if it had one, and the deadline of the key.
    Member(Held, Option<f64>, i64),
    /// A list without the value that is at this end.
    Unpushed(End),
    /// A list with this value at its end, and the deadline of the key.
    Unpopped(End, Held, i64),
    /// A value at this place of a list.
    Element(i64, Held),
    /// What is there: the key is deleted when the command has ended well.
    Doomed,
}

/// What has been done, as others are told of it.
pub enum Deed {
    /// SET with a deadline in Unix ms; 0: none; [`KEEP`]: the one that is there.
    Set(Held, i64),
    Append(Held),
    IncrBy(i64),
    Delete,
    /// Nothing that others are told of: another value takes the key next.
    Replace,
    ExpireAt(i64),
    Persist,
    HashSet(Held, Held),
    HashDelete(Held, bool),
    /// The field, and the sum: a field that has a time to live of its own loses it here, so the sum is set
    /// elsewhere too.
    HashIncrBy(Held, i64),
    ZsetAdd(Held, f64),
    ZsetIncrBy(Held, f64),
    ZsetDelete(Held, bool),
    Push(End, Held),
    Pop(End, bool),
    ListSet(i64, Held),
}

/// As a deadline: the one that is there stays.
pub const KEEP: i64 = -1;

struct Change {
    key: Held,
    before: Before,
    deed: Deed,
}

/// The changes of the running command, in their order.
#[derive(Default)]
pub struct Journal {
    changes: Vec<Change>,
    /// How many of them delete their key at the end.
    doomed: usize,
}

/// Bytes of a value that is kept to be put back. What is deleted last needs none of it.
const DUMP_BYTES_MAX: usize = 64 << 20;

impl Journal {
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Notes a change that has been made.
    #[inline]
    pub fn note(&mut self, key: ServerString<'_>, before: Before, deed: Deed) {
        self.doomed += usize::from(matches!(before, Before::Doomed));
        self.changes.push(Change { key: Held::of(key), before, deed });
    }

    /// Whether the key is to be deleted at the end, and counts as absent until then.
    #[inline]
    pub fn is_doomed(&self, key: &[u8]) -> bool {
        self.doomed > 0 && self.changes.iter().any(|change| matches!(change.before, Before::Doomed) && change.key.bytes() == key)
    }

    /// Deletes the keys now that are to be deleted at the end, or the one of this name: what comes next must
    /// find them absent.
    ///
    /// # Errors
    /// A value is too large to be put back.
    pub fn delete_doomed(&mut self, ctx: Context<'_>, name: Option<&[u8]>) -> Result<(), String> {
        if self.doomed == 0 {
            return Ok(());
        }
        for change in &mut self.changes {
            if !matches!(change.before, Before::Doomed) || name.is_some_and(|name| change.key.bytes() != name) {
                continue;
            }
            let payload = ctx.dump(change.key.string()).filter(|payload| payload.len() <= DUMP_BYTES_MAX);
            let payload = payload.ok_or("ERR a value of over 64 MiB is deleted and the key then used again: delete it last")?;
            if let Some(key) = ctx.open_to_write(change.key.string()) {
                change.before = Before::Dump(payload, key.deadline());
                self.doomed -= 1;
                key.delete();
            }
        }
        Ok(())
    }

    /// Tells of all changes, and forgets them: they stay. `replicates`: whether replicas and the append-only
    /// file are told too.
    pub fn settle(&mut self, ctx: Context<'_>, replicates: bool) {
        let replicates = replicates && self.is_listened_to(ctx);
        for change in std::mem::take(&mut self.changes) {
            if matches!(change.before, Before::Doomed)
                && let Some(key) = ctx.open_to_write(change.key.string())
            {
                key.delete();
            }
            ctx.signal_modified(change.key.string());
            if replicates && !matches!(change.deed, Deed::Replace) {
                change.replicate(ctx);
            }
            for (class, event) in change.deed.events() {
                ctx.notify(class, event, change.key.string());
            }
        }
        self.doomed = 0;
    }

    /// Whether anybody takes what is replicated; if not, a change is counted, as save points do.
    fn is_listened_to(&self, ctx: Context<'_>) -> bool {
        let is_it = listeners::are_present(ctx);
        // The server drops it as it came, which costs least where the command is no part of anything larger.
        match self.changes.first() {
            Some(_) if !is_it && outermost::is_alone() => ctx.replicate_verbatim(),
            Some(change) if !is_it => ctx.replicate_nothing(change.deed.words().0),
            _ => {}
        }
        is_it
    }

    /// Takes all changes back, and forgets them.
    #[cold]
    pub fn undo(&mut self, ctx: Context<'_>) {
        while let Some(change) = self.changes.pop() {
            change.undo(ctx);
        }
        self.doomed = 0;
    }
}

impl Change {
    fn undo(self, ctx: Context<'_>) {
        let name = self.key.string();
        if let Before::Dump(payload, deadline) = &self.before {
            if !ctx.restore(name, payload, *deadline) {
                note_loss(ctx, name);
            }
            return;
        }
        let Some(key) = ctx.open_to_write(name) else { return note_loss(ctx, name) };
        match self.before {
            Before::Absent => key.delete(),
            Before::Text(value, deadline) => {
                key.set_text(value.string());
                key.set_deadline(deadline);
            }
            Before::Start(length) => _ = key.truncate(length),
            Before::Deadline(deadline) => key.set_deadline(deadline),
            Before::Field(field, Some(value), deadline) => {
                key.set_field(field.string(), value.string());
                key.set_deadline(deadline);
            }
            Before::Field(field, None, _) => key.delete_field(field.string()),
            Before::Member(member, Some(score), deadline) => {
                key.set_score(member.string(), score);
                key.set_deadline(deadline);
            }
            Before::Member(member, None, _) => key.delete_member(member.string()),
            Before::Unpushed(end) => _ = key.pop(end),
            Before::Unpopped(end, value, deadline) => {
                key.push(end, value.string());
                key.set_deadline(deadline);
            }
            Before::Element(index, value) => _ = key.set_element(index, value.string()),
            Before::Dump(..) | Before::Doomed => {}
        }
    }

    fn replicate(&self, ctx: Context<'_>) {
        let (name, rest) = self.deed.words();
        let rest = rest.iter().map(|word| match word {
            Rest::Held(held) => Word::Held(held.string()),
            Rest::Text(text) => Word::Bytes(text.as_bytes()),
        });
        ctx.replicate(name, &Strings::of_words(std::iter::once(Word::Held(self.key.string())).chain(rest)));
    }
}

/// A key is not as it was before a command that has failed.
#[cold]
fn note_loss(ctx: Context<'_>, name: ServerString<'_>) {
    log::warning(Some(ctx), &format!("the key {} is not put back: the server does not take it", name.bytes().escape_ascii()));
}

/// A word behind the key in the command of a deed.
enum Rest<'a> {
    Held(&'a Held),
    Text(String),
}

impl Deed {
    /// The command of the same effect, and its words behind the key.
    fn words(&self) -> (&'static CStr, SmallVec<[Rest<'_>; 3]>) {
        let number = |value: i64| Rest::Text(value.to_string());
        let score = |value: f64| Rest::Text(text::double(value));
        let word = |text: &str| Rest::Text(text.into());
        match self {
            Deed::Set(value, 0) => (c"SET", [Rest::Held(value)].into_iter().collect()),
            Deed::Set(value, KEEP) => (c"SET", [Rest::Held(value), word("KEEPTTL")].into_iter().collect()),
            Deed::Set(value, deadline) => (c"SET", [Rest::Held(value), word("PXAT"), number(*deadline)].into_iter().collect()),
            Deed::Append(value) => (c"APPEND", [Rest::Held(value)].into_iter().collect()),
            Deed::IncrBy(by) => (c"INCRBY", [number(*by)].into_iter().collect()),
            Deed::Delete | Deed::Replace => (c"DEL", SmallVec::new()),
            Deed::ExpireAt(deadline) => (c"PEXPIREAT", [number(*deadline)].into_iter().collect()),
            Deed::Persist => (c"PERSIST", SmallVec::new()),
            Deed::HashSet(field, value) => (c"HSET", [Rest::Held(field), Rest::Held(value)].into_iter().collect()),
            Deed::HashDelete(field, _) => (c"HDEL", [Rest::Held(field)].into_iter().collect()),
            Deed::HashIncrBy(field, sum) => (c"HSET", [Rest::Held(field), number(*sum)].into_iter().collect()),
            Deed::ZsetAdd(member, value) => (c"ZADD", [score(*value), Rest::Held(member)].into_iter().collect()),
            Deed::ZsetIncrBy(member, by) => (c"ZINCRBY", [score(*by), Rest::Held(member)].into_iter().collect()),
            Deed::ZsetDelete(member, _) => (c"ZREM", [Rest::Held(member)].into_iter().collect()),
            Deed::Push(end, value) => (if *end == End::Head { c"LPUSH" } else { c"RPUSH" }, [Rest::Held(value)].into_iter().collect()),
            Deed::Pop(end, _) => (if *end == End::Head { c"LPOP" } else { c"RPOP" }, SmallVec::new()),
            Deed::ListSet(index, value) => (c"LSET", [number(*index), Rest::Held(value)].into_iter().collect()),
        }
    }

    /// What subscribers hear of it: the server's class of events, and the event.
    fn events(&self) -> SmallVec<[(c_int, &'static CStr); 2]> {
        const GONE: (c_int, &CStr) = (api::NOTIFY_GENERIC, c"del");
        if matches!(self, Deed::Replace) {
            return SmallVec::new();
        }
        let (class, event, also) = match self {
            Deed::Set(_, deadline) => (api::NOTIFY_STRING, c"set", (*deadline > 0).then_some((api::NOTIFY_GENERIC, c"expire"))),
            Deed::Append(_) => (api::NOTIFY_STRING, c"append", None),
            Deed::IncrBy(_) => (api::NOTIFY_STRING, c"incrby", None),
            Deed::Delete | Deed::Replace => (api::NOTIFY_GENERIC, c"del", None),
            Deed::ExpireAt(_) => (api::NOTIFY_GENERIC, c"expire", None),
            Deed::Persist => (api::NOTIFY_GENERIC, c"persist", None),
            Deed::HashSet(..) => (api::NOTIFY_HASH, c"hset", None),
            Deed::HashDelete(_, gone) => (api::NOTIFY_HASH, c"hdel", gone.then_some(GONE)),
            Deed::HashIncrBy(..) => (api::NOTIFY_HASH, c"hincrby", None),
            Deed::ZsetAdd(..) => (api::NOTIFY_ZSET, c"zadd", None),
            Deed::ZsetIncrBy(..) => (api::NOTIFY_ZSET, c"zincr", None),
            Deed::ZsetDelete(_, gone) => (api::NOTIFY_ZSET, c"zrem", gone.then_some(GONE)),
            Deed::Push(End::Head, _) => (api::NOTIFY_LIST, c"lpush", None),
            Deed::Push(End::Tail, _) => (api::NOTIFY_LIST, c"rpush", None),
            Deed::Pop(End::Head, gone) => (api::NOTIFY_LIST, c"lpop", gone.then_some(GONE)),
            Deed::Pop(End::Tail, gone) => (api::NOTIFY_LIST, c"rpop", gone.then_some(GONE)),
            Deed::ListSet(..) => (api::NOTIFY_LIST, c"lset", None),
        };
        std::iter::once((class, event)).chain(also).collect()
    }
}

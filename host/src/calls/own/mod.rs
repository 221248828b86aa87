//! The server's own keys, as the running command changes them: by the key functions of the module API, which
//! cost a third of a call of the server's command. Each change is made at once and noted in the journal
//! (`guest/journal.rs`), so that a command that fails leaves nothing behind.
//!
//! A command reaches the keys that it declares: of these the server has checked permissions and slots.

pub mod hashes;
pub mod lists;
pub mod sorted_sets;
pub mod strings;
pub mod whole;

use wasmtime::{Error, Result};

use crate::engine::trap::Failed;
use crate::guest::call::Call;
use crate::guest::journal::{Before, Deed, Journal};
use crate::modules::loaded::Host;
use crate::modules::slot_set::slot_of;
use crate::server::context::Context;
use crate::server::strings::Held;
use crate::server::values::{Kind, OpenKey};
use crate::server::{api, config, permissions};

/// The error of a key that holds another kind of value, in the server's own words.
const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

/// The error reply that ends the running command.
#[cold]
pub fn failed(text: impl Into<String>) -> Error {
    Error::new(Failed(text.into().into_bytes()))
}

/// A key that the running command reaches.
pub struct Own<'c> {
    ctx: Context<'static>,
    journal: &'c mut Journal,
    key: Held,
}

impl<'c> Own<'c> {
    /// A key to be read.
    ///
    /// # Errors
    /// The command does not declare it.
    pub fn to_read(host: &Host, call: &'c mut Call, key: &[u8]) -> Result<Own<'c>> {
        if call.is_by_the_host() {
            let key = reach_as_user(call, key, false)?;
            return Own::of(call, key);
        }
        let (key, _) = reach(host, call, key)?;
        Own::of(call, key)
    }

    /// A key to be changed.
    ///
    /// # Errors
    /// The command does not declare it, or only to read it, or is one that only reads.
    pub fn to_write(host: &Host, call: &'c mut Call, key: &[u8]) -> Result<Own<'c>> {
        if !call.may_replicate {
            return Err(failed("ERR a query cannot write: a command() can"));
        }
        if call.is_by_the_host() {
            let key = reach_as_user(call, key, true)?;
            return Own::of(call, key);
        }
        let (key, flags) = reach(host, call, key)?;
        if flags & api::CMD_KEY_RO != 0 {
            return Err(failed(format!("ERR the command only reads the key {}, as it declares it", shown(key.bytes()))));
        }
        Own::of(call, key)
    }

    fn of(call: &'c mut Call, key: Held) -> Result<Own<'c>> {
        let ctx = call.lent.ctx.ok_or_else(|| Error::msg("a key is used outside a command"))?;
        Ok(Own { ctx, journal: &mut call.journal, key })
    }

    /// The key, if it is there and holds this kind of value.
    ///
    /// # Errors
    /// It holds another one.
    fn read(&self, kind: Kind) -> Result<Option<OpenKey<'static>>> {
        if self.journal.is_doomed(self.key.bytes()) {
            return Ok(None);
        }
        let Some(key) = self.ctx.open(self.key.string()) else { return Ok(None) };
        match key.kind() {
            found if found == kind => Ok(Some(key)),
            Kind::Absent => Ok(None),
            _ => Err(failed(WRONG_TYPE)),
        }
    }

    /// The key to be changed, if it is absent or holds this kind of value; and whether it is there.
    ///
    /// # Errors
    /// It holds another one.
    fn write(&mut self, kind: Kind) -> Result<(OpenKey<'static>, bool)> {
        let key = self.open()?;
        match key.kind() {
            found if found == kind => Ok((key, true)),
            Kind::Absent => Ok((key, false)),
            _ => Err(failed(WRONG_TYPE)),
        }
    }

    /// The key to be changed, whatever it holds.
    fn open(&mut self) -> Result<OpenKey<'static>> {
        if self.journal.is_doomed(self.key.bytes()) {
            self.journal.delete_doomed(self.ctx, Some(self.key.bytes())).map_err(failed)?;
        }
        self.ctx.open_to_write(self.key.string()).ok_or_else(|| failed("ERR the server does not open the key"))
    }

    fn note(&mut self, before: Before, deed: Deed) {
        self.journal.note(self.key.string(), before, deed);
    }
}

/// The key of this name, and the server's bits for it, where the running command reaches it.
fn reach(host: &Host, call: &Call, name: &[u8]) -> Result<(Held, u64)> {
    let words = call.lent.arguments;
    let slot = host.command(call.command).ok_or_else(|| Error::msg("a key is used outside a command"))?;
    match slot.key_named(words, name) {
        Some((place, flags)) => Ok((Held::of(words.get(place)), flags)),
        None => Err(failed(format!("ERR the command does not declare the key {}: name it in its syntax, or use redis.call", shown(name)))),
    }
}

/// The user as whom what the host runs by itself reaches the server.
///
/// # Errors
/// `wasm.run-as` names none.
pub fn run_as() -> Result<&'static [u8]> {
    const UNNAMED: &str = "ERR what runs without a command calls the server as the user that wasm.run-as names, and it names none";
    config::run_as().ok_or_else(|| failed(UNNAMED))
}

/// The key of this name, in what the host runs by itself: its user must cover it, and in a cluster this node
/// serve it.
fn reach_as_user(call: &mut Call, name: &[u8], writes: bool) -> Result<Held> {
    let user = run_as()?;
    let ctx = call.lent.ctx.ok_or_else(|| Error::msg("a key is used outside a command"))?;
    let key = Held::new(name);
    match permissions::may_use_key(user, key.string(), writes) {
        None => return Err(failed(permissions::no_user(user))),
        Some(false) => return Err(failed(format!("NOPERM the user of wasm.run-as has no permission for the key {}", shown(name)))),
        Some(true) => {}
    }
    if ctx.flags() & api::CTX_FLAGS_CLUSTER != 0 && !owned(call, ctx, slot_of(name)) {
        return Err(failed(format!("ERR the key {} is not in a slot of this node", shown(name))));
    }
    Ok(key)
}

/// Whether a slot is this node's, and not on its way. The cluster is asked once for each running command.
pub fn owned(call: &mut Call, ctx: Context<'_>, slot: u16) -> bool {
    let node = call.node.get_or_insert_with(|| ctx.cluster_nodes().into_iter().find(|node| node.is_myself));
    node.as_ref().is_some_and(|node| node.owns(slot) && !node.migrating.contains(&slot))
}

/// The beginning of a key, for a message.
fn shown(name: &[u8]) -> String {
    const SHOWN: usize = 64;
    name[..name.len().min(SHOWN)].escape_ascii().to_string()
}

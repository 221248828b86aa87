//! One slot after the other: `CLUSTER SETSLOT <slot> MIGRATING <node>`, as `redis-cli --cluster reshard`,
//! `rebalance` and `fix` send it. From then on the server sends clients to the other node for each key that
//! it does not have, and it has none of what modules hold. So before it runs, all that lies in the slot is
//! handed over, in one step. What cannot be handed over has the command refused, and the slot stays.
//!
//! The server tells nothing of such a command beforehand, so a filter looks for it. Where the server sends
//! the command to its replicas first (Valkey 8), no module may call it: the filter itself hands over, once it
//! knows that the client may. Elsewhere `wasm.setslot` takes the command's place, so that the server has
//! checked the client already; it hands over and calls the command.

use std::ffi::{CStr, c_int};

use super::{anchor, release};
use crate::calls::moved;
use crate::calls::refuse::refuse;
use crate::describe::description::Description;
use crate::describe::tell;
use crate::modules::loaded::{self, Host};
use crate::modules::slot_set::{SLOTS, SlotSet};
use crate::server::api::{self, Ctx, FilterCtx, Str};
use crate::server::cluster::primary_of;
use crate::server::context::{self, Context, avoids_replica_traffic};
use crate::server::filter::{self, Sent, Standing};
use crate::server::guard::{answering, guarded};
use crate::server::reply::Value;
use crate::server::strings::{Arguments, Strings};
use crate::server::{log, outermost, permissions};

const COMMAND: &CStr = c"wasm.setslot";
const TEXT: &str = "summary: CLUSTER SETSLOT, which hands over what modules hold in the slot\ncomplexity: O(entries of the slot)\nsince: 0.1.0\nacl: admin dangerous";
/// How long the other node may take for each answer, in ms.
const TIMEOUT_MS: &str = "5000";
/// The first release of Valkey that sends the command to its replicas before it runs it.
const SENDS_AHEAD: c_int = 8 << 16;

/// Where the words of the command that may be left out begin.
const FURTHER: usize = 5;

/// A command that opens a slot.
struct Opening<'a> {
    slot: u16,
    node: &'a str,
}

impl<'a> Opening<'a> {
    /// `CLUSTER SETSLOT <slot> MIGRATING <node> …`; `None` where the words are others, or the server will
    /// refuse them. Behind them Redis takes nothing, and Valkey anything but a `TIMEOUT` of no number of ms.
    fn parse(words: impl Fn(usize) -> Option<&'a [u8]>, takes_more: bool) -> Option<Opening<'a>> {
        let is = |place: usize, name: &[u8]| words(place).is_some_and(|word| word.eq_ignore_ascii_case(name));
        if !is(1, b"setslot") || !is(3, b"migrating") {
            return None;
        }
        let text = |place: usize| words(place).and_then(|word| str::from_utf8(word).ok());
        // The server takes numbers as it writes them.
        let slot = text(2).and_then(|text| text.parse().ok().filter(|slot: &u16| *slot < SLOTS && slot.to_string() == text))?;
        let is_time = |text: &str| text.parse().is_ok_and(|time: i64| time >= 0 && time.to_string() == text);
        let mut more = (FURTHER..).take_while(|place| words(*place).is_some());
        if !more.all(|place| takes_more && (!is(place, b"timeout") || text(place + 1).is_some_and(is_time))) {
            return None;
        }
        Some(Opening { slot, node: text(4)? })
    }
}

/// Registers the command that takes the place of the server's.
///
/// # Errors
/// What the server refused.
pub fn register(host: &Host, ctx: Context<'_>) -> Result<(), String> {
    let description = Description::parse(TEXT.as_bytes(), false)?;
    let created = ctx.create_command(COMMAND, run, c"admin deny-script allow-stale may-replicate", (0, 0, 0));
    if !created || tell::describe(ctx, COMMAND, &["admin"], -1, None, &description, &host.categories).is_err() {
        return Err("the command wasm.setslot".into());
    }
    host.moving.hands_ahead.set(ctx.is_valkey() && context::version() >= SENDS_AHEAD);
    Ok(())
}

/// Looks for commands that open a slot, from now on.
///
/// # Errors
/// The server refused the filter.
pub fn begin(ctx: Context<'_>) -> Result<(), String> {
    if filter::register(ctx, on_command) { Ok(()) } else { Err("a filter of commands".into()) }
}

unsafe extern "C" fn on_command(raw: *mut FilterCtx) {
    // SAFETY: what the server gives to a filter that is running.
    let sent = unsafe { Sent::new(raw) };
    if sent.count() < FURTHER as c_int || !sent.word(0).is_some_and(|word| word.eq_ignore_ascii_case(b"cluster")) {
        return;
    }
    guarded(|| filter_cluster(sent));
}

#[cold]
fn filter_cluster(sent: Sent) {
    let Some(host) = loaded::get() else { return };
    let Some(opening) = Opening::parse(|place| sent.word(place as c_int), host.moving.hands_ahead.get()) else { return };
    let (Some(own), true) = (host.own.get(), host.moving.hands_ahead.get()) else {
        return sent.replace(0, COMMAND.to_bytes());
    };
    let ctx = own.context();
    let words = Strings::new((0..sent.count()).filter_map(|place| sent.word(place)));
    match sent.client().map(|client| filter::standing(ctx, client, &words)) {
        // The server refuses it by itself.
        None | Some(Standing::MayNot) => {}
        // Refused by the command that takes its place.
        Some(Standing::Part) => sent.replace(0, COMMAND.to_bytes()),
        Some(Standing::May) => {
            if let Err(reason) = hand_over(host, ctx, &opening) {
                host.moving.refusal.replace(Some(reason));
                sent.replace(0, COMMAND.to_bytes());
            }
        }
    }
}

unsafe extern "C" fn run(ctx: *mut Ctx, argv: *mut *mut Str, argc: c_int) -> c_int {
    // SAFETY: the server calls with the context and the arguments of a running command.
    let (ctx, arguments) = unsafe { (Context::new(ctx), Arguments::new(argv, argc)) };
    answering(ctx, || {
        let Some(host) = loaded::get() else { return };
        outermost::within(ctx, Some(arguments.get(0)), false, |_| {
            if let Err(reason) = answer(host, ctx, arguments) {
                refuse(ctx, &if reason.starts_with("NOPERM ") { reason } else { format!("ERR {reason}") });
            }
        });
    })
}

/// Answers the command in the place of which the filter has put this one.
///
/// # Errors
/// Why the slot stays.
fn answer(host: &Host, ctx: Context<'_>, arguments: Arguments<'_>) -> Result<(), String> {
    const PART: c_int = api::CTX_FLAGS_MULTI | api::CTX_FLAGS_LUA | api::CTX_FLAGS_DENY_BLOCKING;
    if ctx.flags() & PART != 0 {
        return Err("CLUSTER SETSLOT … MIGRATING hands over what modules hold: send it by itself, in no transaction or script".into());
    }
    if let Some(reason) = host.moving.refusal.take() {
        return Err(reason);
    }
    let word = |place: usize| (place < arguments.count() as usize).then(|| arguments.get(place).bytes());
    let opening = Opening::parse(word, host.moving.hands_ahead.get())
        .ok_or("wasm.setslot SETSLOT <slot> MIGRATING <node> takes the place of CLUSTER SETSLOT")?;
    let words = Strings::new(arguments.iter().skip(1).map(|word| word.bytes()));
    let whole = Strings::new([&b"CLUSTER"[..]].into_iter().chain(arguments.iter().skip(1).map(|word| word.bytes())));
    if !permissions::may_run_words(&whole) {
        return Err("NOPERM it needs the permission to run CLUSTER SETSLOT".into());
    }
    if host.moving.hands_ahead.get() {
        return Err("send CLUSTER SETSLOT itself, on a connection that subscribes to nothing".into());
    }
    let own = host.own.get().ok_or("the host failed")?;
    hand_over(host, own.context(), &opening)?;
    match ctx.call(c"CLUSTER", &words) {
        Ok(reply) if !reply.is_error() => ctx.reply_status(c"OK"),
        Ok(reply) => return Err(reply.shown().trim_start_matches("ERR ").into()),
        Err(number) => return Err(format!("CLUSTER SETSLOT did not run: {}", std::io::Error::from_raw_os_error(number))),
    }
    Ok(())
}

/// Hands over what modules hold in the slot, unless the server will refuse the command, or the slot is open
/// already.
///
/// # Errors
/// Why the slot stays; all is here.
fn hand_over(host: &Host, ctx: Context<'_>, opening: &Opening<'_>) -> Result<(), String> {
    let Opening { slot, node } = *opening;
    let nodes = ctx.cluster_nodes();
    let (Some(own), Some(other)) = (nodes.iter().find(|one| one.is_myself), nodes.iter().find(|one| one.id == node)) else { return Ok(()) };
    if !own.is_primary || !own.owns(slot) || !other.is_primary || other.is_myself {
        return Ok(());
    }
    match host.moving.handed_to(slot) {
        // The replica that has taken the holder's place has the data too.
        Some(holder) if primary_of(&nodes, &holder).is_some_and(|one| one.id == node) => return Ok(()),
        Some(holder) => return Err(format!("what modules hold in slot {slot} is at the node {holder} already: move the slot there")),
        None => {}
    }
    if own.migrating.contains(&slot) {
        return Err(format!("slot {slot} is open without its data having been handed over: CLUSTER SETSLOT {slot} STABLE first"));
    }
    if !other.is_well {
        return Err(format!("the node {node} cannot be reached"));
    }
    if avoids_replica_traffic() {
        return Err("writes are paused: send it again later".into());
    }
    moved::settle(host, ctx, slot);
    let slots = SlotSet::of(slot);
    let effects = anchor::effects_of(host, &slots)?;
    let most = ctx.setting(c"proto-max-bulk-len").and_then(|text| text.parse().ok()).unwrap_or(usize::MAX);
    // What the key has beside them.
    const REST: usize = 1024;
    if effects.len() + REST > most {
        return Err(format!(
            "modules hold {} bytes in slot {slot}, more than proto-max-bulk-len has one message be: raise it here and there",
            effects.len()
        ));
    }
    let is_known = anchor::is_spent(host, &slots);
    let key = anchor::create(host, ctx, &slots, effects)?;
    if is_known {
        // The key that has brought the data here is on replicas too, which hear nothing of this one.
        host.moving.spent.borrow_mut().push(key.as_bytes().into());
    }
    let port = ctx.port_for_migrate(other);
    let moved = migrate(ctx, &other.address, port, &key);
    if let Err(reason) = moved {
        ctx.delete_key_here(key.as_bytes());
        let reason = format!("what modules hold in slot {slot} cannot be handed over to {}:{port}: {reason}", other.address);
        log::warning(Some(ctx), &reason);
        return Err(reason);
    }
    release::hand(host, ctx, &slots, node);
    Ok(())
}

/// Has the server take a key to another node.
///
/// # Errors
/// What that node or the server says.
fn migrate(ctx: Context<'_>, address: &str, port: u16, key: &str) -> Result<(), String> {
    let port = port.to_string();
    let mut words: Vec<&[u8]> = vec![address.as_bytes(), port.as_bytes(), key.as_bytes(), b"0", TIMEOUT_MS.as_bytes(), b"REPLACE"];
    let (user, password) = (ctx.setting(c"masteruser").unwrap_or_default(), ctx.setting(c"masterauth").unwrap_or_default());
    match (user.as_str(), password.as_str()) {
        (_, "") => {}
        ("", password) => words.extend([&b"AUTH"[..], password.as_bytes()]),
        (user, password) => words.extend([&b"AUTH2"[..], user.as_bytes(), password.as_bytes()]),
    }
    let answer = ctx.call(c"MIGRATE", &Strings::new(words)).map_err(|number| std::io::Error::from_raw_os_error(number).to_string())?;
    match answer.item().value() {
        Value::Status(b"OK") => Ok(()),
        _ => Err(answer.shown()),
    }
}

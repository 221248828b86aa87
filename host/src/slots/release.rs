//! What becomes of the data of slots that are not this node's any more: `wasm.slots`, an effect that the
//! replication stream and the append-only file alone may run, beside the host itself.
//!
//! ```text
//!   wasm.slots HANDED <slots> <node>     that node has their data: drop it, and send who asks for it there
//!   wasm.slots DROP <slots>              their data is of no concern here: drop it
//!   wasm.slots TAKEN <slots>             their data is here: what was known of them before holds no longer
//!   wasm.slots SPENT <key>               the key has brought the data of slots along: delete it
//! ```

use std::ffi::{CStr, c_int, c_void};
use std::time::{Duration, Instant};

use crate::calls::moved;
use crate::calls::refuse::{give_up, refuse_unknown};
use crate::describe::description::Description;
use crate::describe::tell;
use crate::duties::slots;
use crate::modules::loaded::{self, Host};
use crate::modules::slot_set::SlotSet;
use crate::server::api::{self, Ctx, Str};
use crate::server::cluster::Node;
use crate::server::context::{self, Context, avoids_replica_traffic};
use crate::server::guard::{answering, guarded};
use crate::server::log;
use crate::server::outermost;
use crate::server::strings::{Arguments, Strings};

const COMMAND: &CStr = c"wasm.slots";
const TEXT: &str = "summary: What becomes of slots that are another node's\ncomplexity: O(entries of the slots)\nsince: 0.1.0";
/// How long one turn drops, but for its last step, and the pause until the next one.
const SLICE: Duration = Duration::from_millis(1);
const PAUSE: Duration = Duration::from_millis(1);
/// Entries of each module that one step drops.
const STEP: i32 = 64;

/// How long modules keep what finds the entries of slots (an index of them), after one has moved.
const INDEXED: Duration = Duration::from_secs(60);

/// Registers the command.
///
/// # Errors
/// The server refused it.
pub fn register(host: &Host, ctx: Context<'_>) -> Result<(), String> {
    let description = Description::parse(TEXT.as_bytes(), false)?;
    let created = ctx.create_effect(COMMAND, run, "write", (0, 0, 0));
    if !created || tell::describe(ctx, COMMAND, &["write"], -1, None, &description, &host.categories).is_err() {
        return Err("the command wasm.slots".into());
    }
    Ok(())
}

/// Another node has the data of these slots: here it is dropped, on replicas and in the append-only file too.
pub fn hand(host: &Host, ctx: Context<'_>, slots: &SlotSet, node: &str) {
    tell(host, ctx, &[b"HANDED", slots.to_string().as_bytes(), node.as_bytes()]);
}

/// The data of these slots is dropped, on replicas and in the append-only file too. Where the server holds
/// back what replicates, as it does while another move is about to end, that comes with its cron.
pub fn drop(host: &Host, ctx: Context<'_>, slots: &SlotSet) {
    if slots.is_empty() {
        return;
    }
    if avoids_replica_traffic() {
        return host.moving.owed.borrow_mut().add_all(slots);
    }
    tell(host, ctx, &[b"DROP", slots.to_string().as_bytes()]);
}

/// The data of these slots has come with them: here that is known, and it is told to replicas and the
/// append-only file. A server that reads that file tells of no such move where the slots belong to several
/// nodes by now. When it is told, is as in `drop`.
pub fn note_taken(host: &Host, ctx: Context<'_>, slots: &SlotSet) {
    if slots.is_empty() {
        return;
    }
    if avoids_replica_traffic() {
        return host.moving.taken.borrow_mut().add_all(slots);
    }
    tell(host, ctx, &[b"TAKEN", slots.to_string().as_bytes()]);
}

/// A key that takes data along, or has brought it, is deleted, on replicas and in the append-only file too;
/// when, is as in `drop`.
pub fn spend(host: &Host, ctx: Context<'_>, key: &[u8]) {
    if avoids_replica_traffic() {
        return host.moving.spent.borrow_mut().push(key.into());
    }
    tell(host, ctx, &[b"SPENT", key]);
}

fn tell(host: &Host, ctx: Context<'_>, words: &[&[u8]]) {
    host.moving.releases.set(true);
    let told = ctx.call_replicating(COMMAND, &Strings::new(words.iter().copied()));
    host.moving.releases.set(false);
    if told.is_err() || told.is_ok_and(|answer| answer.is_error()) {
        log::warning(Some(ctx), "what is to be dropped of slots that are another node's is not");
    }
}

unsafe extern "C" fn run(ctx: *mut Ctx, argv: *mut *mut Str, argc: c_int) -> c_int {
    // SAFETY: the server calls with the context and the arguments of a running command.
    let (ctx, arguments) = unsafe { (Context::new(ctx), Arguments::new(argv, argc)) };
    answering(ctx, || {
        let Some(host) = loaded::get() else { return };
        outermost::within(ctx, Some(arguments.get(0)), true, |outer| {
            if !outer.is_from_stream() && !host.moving.releases.get() {
                return refuse_unknown(ctx, arguments);
            }
            let words: Vec<&[u8]> = arguments.iter().skip(1).map(|word| word.bytes()).collect();
            let slots = |text: &[u8]| str::from_utf8(text).ok().and_then(SlotSet::parse);
            match words.as_slice() {
                [b"HANDED", text, node] if let Some(slots) = slots(text) => {
                    moved::finish(host, ctx, &slots);
                    host.moving.hand(&slots, &String::from_utf8_lossy(node));
                }
                [b"DROP", text] if let Some(slots) = slots(text) => leave(host, ctx, &slots),
                [b"TAKEN", text] if let Some(slots) = slots(text) => {
                    host.moving.take_back(&slots);
                    host.moving.imported.borrow_mut().add_all(&slots);
                }
                [b"SPENT", key] => {
                    host.moving.spent.borrow_mut().retain(|spent| **spent != **key);
                    ctx.delete_key_here(key);
                }
                _ => give_up(&COMMAND.to_string_lossy(), "it is no effect of this version"),
            }
            ctx.replicate_verbatim();
            ctx.reply_status(c"OK");
        });
    })
}

/// Drops what lies in these slots: by and by, or at once where a file is being loaded, which goes on with
/// what came later.
fn leave(host: &Host, ctx: Context<'_>, slots: &SlotSet) {
    host.moving.take_back(slots);
    if context::server_flags() & api::CTX_FLAGS_LOADING != 0 {
        return moved::finish(host, ctx, slots);
    }
    host.kept.drop_slots(slots, |_| true);
    let is_idle = host.moving.leaving().is_empty();
    host.moving.leave(slots);
    if is_idle {
        ctx.start_timer(PAUSE, on_timer);
    }
}

unsafe extern "C" fn on_timer(ctx: *mut Ctx, _: *mut c_void) {
    // SAFETY: the context of the running timer.
    let ctx = unsafe { Context::new(ctx) };
    guarded(|| {
        let Some(host) = loaded::get() else { return };
        let leaving = host.moving.leaving();
        if leaving.is_empty() {
            return;
        }
        let begun = Instant::now();
        while begun.elapsed() < SLICE {
            match outermost::within(ctx, None, true, |_| slots::drop(host, ctx, &leaving, STEP)) {
                Ok(true) => {}
                Ok(false) => return host.moving.left(&leaving),
                Err(reason) => {
                    log::warning(Some(ctx), &format!("the slots {leaving} are not here any more, and their data is not dropped: {reason}"));
                    return host.moving.left(&leaving);
                }
            }
        }
        ctx.start_timer(PAUSE, on_timer);
    });
}

/// The server's cron: keys that have brought data along are deleted, what could not be dropped before is, and
/// slots are forgotten that have become this node's, or are another's. What came to slots that did not stays:
/// it may be the only copy.
pub fn on_cron(host: &Host) {
    const NOT_NOW: c_int = api::CTX_FLAGS_LOADING | api::CTX_FLAGS_ASYNC_LOADING;
    let moving = &host.moving;
    if moving.indexed.get().is_some_and(|moved| moved.elapsed() > INDEXED) {
        forget_indexes(host);
    }
    let is_done = !moving.owes() && moving.imported.borrow().is_empty() && moving.doubted().is_empty();
    if is_done && !moving.has_handed() && !moving.is_promoted.get() {
        return;
    }
    let flags = context::server_flags();
    let Some(own) = host.own.get() else { return };
    if flags & NOT_NOW != 0 || avoids_replica_traffic() {
        return;
    }
    let ctx = own.context();
    // A replica hears of both from its primary, or becomes one.
    if flags & api::CTX_FLAGS_SLAVE == 0 {
        for name in moving.spent.take() {
            spend(host, ctx, &name);
        }
        drop(host, ctx, &moving.owed.take());
        note_taken(host, ctx, &moving.taken.take());
        // What its primary still owed to its replicas, or was about to drop when this one came to follow it.
        if moving.is_promoted.take() {
            drop_foreign(host, drop);
        }
    }
    forget_closed(host, ctx);
}

/// No slots have moved for a while: modules forget what finds their entries, as a drop of no slots tells
/// them.
fn forget_indexes(host: &Host) {
    let Some(own) = host.own.get() else { return };
    let told = outermost::within(own.context(), None, true, |_| slots::drop(host, own.context(), &SlotSet::default(), 0));
    if told.is_ok() {
        host.moving.indexed.set(None);
    }
}

/// Forgets what this node knows of slots that are no longer open: those that came and are its own by now, or
/// its primary's, and those that went and are another node's.
fn forget_closed(host: &Host, ctx: Context<'_>) {
    let moving = &host.moving;
    let is_done = moving.imported.borrow().is_empty() && !moving.has_handed() && moving.doubted().is_empty();
    if is_done || moving.is_asked_lately() {
        return;
    }
    let nodes = ctx.cluster_nodes();
    let Some(own) = nodes.iter().find(|node| node.is_myself) else { return };
    forget_handed(host, &nodes, own);
    forget_imports(host, ctx, &nodes, own);
    drop_lost(host, ctx, &nodes, own);
}

/// Drops what lies in slots that another node has taken by a move that was cancelled, or failed, too late.
fn drop_lost(host: &Host, ctx: Context<'_>, nodes: &[Node], own: &Node) {
    let foreign = foreign_to(host, nodes);
    let lost = SlotSet::of_ranges(host.moving.doubted().iter().filter(|slot| foreign.contains(*slot)).map(|slot| (slot, slot)));
    if own.is_primary && !lost.is_empty() {
        log::notice(Some(ctx), &format!("another node has the slots {lost} by a move that was cancelled too late: their data is dropped"));
        drop(host, ctx, &lost);
    }
    host.moving.trust(&lost);
}

/// A slot that is not this primary's is answered for by the server, and a node that is alone was reset. A
/// replica does not know whether it is its primary's, as that may have failed over: it goes by whether the
/// node has it that has the data.
fn forget_handed(host: &Host, nodes: &[Node], own: &Node) {
    let has = |id: &str, slot: u16| nodes.iter().any(|node| node.id == id && node.owns(slot));
    let is_reset = nodes.len() == 1;
    host.moving.forget_handed(|slot, holder| if own.is_primary { is_reset || !own.owns(slot) } else { has(holder, slot) });
}

/// Forgets that slots came from another node which are this one's by now, or its primary's.
fn forget_imports(host: &Host, ctx: Context<'_>, nodes: &[Node], own: &Node) {
    if host.moving.imported.borrow().is_empty() {
        return;
    }
    let served: Vec<_> = nodes.iter().filter(|node| node.is_myself || own.primary == node.id).flat_map(|node| node.slots.clone()).collect();
    host.moving.imported.borrow_mut().remove_all(&SlotSet::of_ranges(served));
    let mut lost = host.moving.imported.borrow().clone();
    lost.remove_all(&SlotSet::of_ranges(own.importing.iter().map(|slot| (*slot, *slot))));
    if !lost.is_empty() && own.is_primary && host.moving.is_new_loss(&lost) {
        log::warning(Some(ctx), &format!("what modules held in the slots {lost} came here, and the slots did not: finish the move"));
    }
}

/// After a load: what lies in slots that other nodes have is dropped. The server that wrote it did not come
/// to that.
pub fn on_loaded(host: &Host) {
    host.moving.strays.set(None);
    drop_foreign(host, leave);
}

/// A module is there again, with what was kept for it: what lies in slots that other nodes have by now is
/// dropped, on replicas and in the append-only file too.
pub fn on_module(host: &Host) {
    host.moving.strays.set(None);
    drop_foreign(host, drop);
}

/// Drops what lies in slots that other nodes have, if this one is a primary.
fn drop_foreign(host: &Host, drop: impl Fn(&Host, Context<'_>, &SlotSet)) {
    let Some(own) = host.own.get() else { return };
    if context::server_flags() & api::CTX_FLAGS_CLUSTER == 0 {
        return;
    }
    let ctx = own.context();
    let nodes = ctx.cluster_nodes();
    // A replica that loads at its start does not follow yet, and the slots of its primary are no other
    // node's.
    if !nodes.iter().any(|node| node.is_myself && node.is_primary) {
        return;
    }
    let foreign = foreign_to(host, &nodes);
    match slots::count(host, &foreign) {
        Ok(0) | Err(_) => {}
        Ok(count) => {
            log::notice(Some(ctx), &format!("{count} entries lie in slots of other nodes: they are dropped"));
            drop(host, ctx, &foreign);
        }
    }
}

/// Slots that other nodes have, and of which nothing is on its way here.
fn foreign_to(host: &Host, nodes: &[Node]) -> SlotSet {
    let others = nodes.iter().filter(|node| !node.is_myself).flat_map(|node| node.slots.iter().copied());
    let mut foreign = SlotSet::of_ranges(others);
    let importing = nodes.iter().filter(|node| node.is_myself).flat_map(|node| node.importing.iter().map(|slot| (*slot, *slot)));
    foreign.remove_all(&SlotSet::of_ranges(importing));
    // What came from another node, and was not finished, may be the only copy.
    foreign.remove_all(&host.moving.imported.borrow());
    host.moving.moves.borrow().values().filter(|one| one.is_import).for_each(|one| foreign.remove_all(&one.slots));
    foreign
}

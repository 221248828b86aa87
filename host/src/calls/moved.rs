//! Commands on slots of a cluster whose data is not here any more.

use std::ffi::CStr;
use std::time::Instant;

use smallvec::SmallVec;

use super::refuse::refuse;
use crate::duties::slots;
use crate::modules::loaded::Host;
use crate::modules::slot::Slot;
use crate::modules::slot_set::{SlotSet, slot_of};
use crate::server::cluster::primary_of;
use crate::server::context::Context;
use crate::server::log;
use crate::server::outermost::{self, Outer};
use crate::server::strings::Arguments;

/// Whether a command was answered with where its key is now: the server does not know yet that another node
/// has what modules held in the slot. What is to be dropped in the slot is dropped before the command runs.
#[cold]
pub fn is_redirected(host: &Host, slot: &Slot, outer: &Outer, ctx: Context<'_>, arguments: Arguments<'_>) -> bool {
    let words: SmallVec<[&[u8]; 8]> = arguments.iter().map(|word| word.bytes()).collect();
    let Some(place) = slot.first_key(&words) else {
        let is_whole = slot.write && !slot.effect && !host.running(slot.member.get()).is_some_and(|running| running.file.applies());
        if is_whole && !outer.is_from_stream() {
            note_whole(host, ctx);
        }
        return false;
    };
    let number = slot_of(words[place]);
    settle(host, ctx, number);
    let Some(node) = host.moving.handed_to(number).filter(|_| !outermost::from_stream()) else { return false };
    match primary_of(&ctx.cluster_nodes(), &node) {
        Some(other) => refuse(ctx, &format!("ASK {number} {}:{}", ctx.endpoint_of(other), ctx.port_for_client(other))),
        None => refuse(ctx, &format!("TRYAGAIN slot {number} is at the node {node}, which this one does not know any more")),
    }
    true
}

/// What is written next goes by no key: a move of slots that the server does by itself would not hear of it.
#[cold]
pub fn note_whole(host: &Host, ctx: Context<'_>) {
    if host.moving.exports.get() {
        cancel(ctx, "a command changed what lies in all slots");
    }
}

/// Cancels what the server moves away from here by itself, for this reason.
pub fn cancel(ctx: Context<'_>, reason: &str) {
    log::warning(Some(ctx), &format!("slots that were about to move to another node stay here: {reason}"));
    let is_done = |words: &[&CStr]| ctx.ask(c"CLUSTER", words).is_some_and(|answer| !answer.is_error());
    // As Valkey has it, and as Redis 8.4.
    if !is_done(&[c"CANCELSLOTMIGRATIONS"]) && !is_done(&[c"MIGRATION", c"CANCEL", c"ALL"]) {
        log::warning(Some(ctx), "the server did not cancel the moves");
    }
}

/// Drops what is still to be dropped of this slot, and of those that go with it.
pub fn settle(host: &Host, ctx: Context<'_>, slot: u16) {
    if host.moving.is_any() && host.moving.is_leaving(slot) {
        finish(host, ctx, &host.moving.leaving());
    }
}

/// Drops what modules hold in these slots, all at once, and what is kept in them for those that are missing.
/// It looks at all entries, unless it is for one slot.
pub fn finish(host: &Host, ctx: Context<'_>, slots: &SlotSet) {
    if slots.is_empty() {
        return;
    }
    host.moving.indexed.set(Some(Instant::now()));
    host.kept.drop_slots(slots, |_| true);
    if let Err(reason) = slots::drop(host, ctx, slots, 0) {
        log::warning(Some(ctx), &format!("the slots {slots} are not here any more, and their data is not dropped: {reason}"));
    }
    host.moving.left(slots);
}

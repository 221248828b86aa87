//! The server's own reply `+OK`, to be sent again: its function for statuses allocates and searches the text
//! for line breaks first.

use std::cell::Cell;
use std::ptr::NonNull;

use super::api::CallReply;
use super::context::Context;

struct Kept(Cell<Option<NonNull<CallReply>>>);

// SAFETY: the server calls modules from its main thread alone; a fork child has one thread too.
unsafe impl Sync for Kept {}

static KEPT: Kept = Kept(Cell::new(None));

/// Keeps one: UNWATCH does nothing here and answers so. Never freed: to free it the server looks at the
/// context that it was made in, which ends with the load.
pub fn keep(ctx: Context<'_>) {
    let answer = ctx.ask(c"UNWATCH", &[]).filter(|answer| answer.proto() == b"+OK\r\n");
    KEPT.0.set(answer.map(super::reply::Answer::leak));
}

/// Replies `+OK`: the server's own again, where it is at hand.
#[inline]
pub fn reply(ctx: Context<'_>) {
    match KEPT.0.get() {
        Some(kept) => ctx.reply_answer(kept),
        None => ctx.reply_status(c"OK"),
    }
}

//! FCALL and EVAL: a function runs as a command does, its keys and arguments in the place of a command's.

use smallvec::SmallVec;

use super::function::{Body, Function, Keys};
use super::library;
use crate::calls::dispatch;
use crate::calls::refuse::refuse;
use crate::duties::maxmemory;
use crate::guest::call::Lent;
use crate::modules::libraries::Library;
use crate::modules::loaded::{self, Host};
use crate::modules::slot::Slot;
use crate::server::api::Str;
use crate::server::context::Context;
use crate::server::outermost::{self, Outer};
use crate::server::scripting::Script;
use crate::server::strings::Arguments;

/// A call of a function: how many keys come first, and the arguments behind the function's name.
#[derive(Clone, Copy)]
struct Call<'a> {
    ctx: Context<'a>,
    keys: usize,
    arguments: Arguments<'a>,
}

/// Runs a function, and answers.
///
/// # Safety
/// `keys` and `arguments` are the server's own, and live for this call.
#[inline]
pub unsafe fn run(function: &Function, ctx: Context<'_>, mut script: Script<'_>, keys: &[*mut Str], arguments: &[*mut Str]) {
    let Some(host) = loaded::get() else { return refuse(ctx, "ERR the host failed") };
    let (library, place, wanted) = match &function.body {
        Body::Runs { library, place, keys } => (library, *place, keys),
        Body::Unusable(reason) => return refuse(ctx, &format!("ERR this library of functions cannot be used here: {reason}")),
    };
    let mut words: SmallVec<[*mut Str; 16]> = SmallVec::with_capacity(1 + keys.len() + arguments.len());
    words.push(function.word.string().raw());
    words.extend_from_slice(keys);
    words.extend_from_slice(arguments);
    // SAFETY: by this function's contract; the words live until it returns.
    let words = unsafe { Arguments::new(words.as_mut_ptr(), words.len() as i32) };
    let call = Call { ctx, keys: keys.len(), arguments: words };
    let slot = &library.slots[place];
    outermost::within(ctx, Some(words.get(0)), slot.write, |outer| {
        if let Err(reason) = admit(host, (library, slot, wanted), &function.name, outer, call) {
            return refuse(ctx, &reason);
        }
        // EVAL_RO and `flags=no-writes` have the server alone know, unlike the flags of functions.
        script.reads_only = library.is_script && slot.write && ctx.refuses_writes();
        let Some(mut entered) = library.group.enter_with(Lent::function(ctx, words, script)) else {
            return refuse(ctx, &format!("ERR module {}: it called itself through a command", library.module.name()));
        };
        slot.calls.set(slot.calls.get() + 1);
        entered.store.data_mut().call.command = library.number(place);
        dispatch::execute(host, slot, &mut entered, outer, ctx, words);
    });
}

/// # Errors
/// It may not run, and why.
#[inline]
fn admit(host: &Host, (library, slot, keys): (&Library, &Slot, &Keys), name: &str, outer: &Outer, call: Call<'_>) -> Result<(), String> {
    if !slot.takes(call.arguments.count()) {
        return Err(format!("ERR wrong number of arguments for the function {name}"));
    }
    keys.check(name, call.keys, call.arguments)?;
    if library.group.damaged.get() {
        library::renew(host, call.ctx, library).map_err(|reason| format!("ERR module {}: {reason}", library.module.name()))?;
    }
    // The server knows nothing of linear memory. Within a function nothing is swept.
    if slot.deny_oom && maxmemory::reclaim_or_refuse(host, call.ctx, outer, call.arguments, false) {
        return Err("OOM command not allowed when used memory > 'maxmemory'.".into());
    }
    Ok(())
}

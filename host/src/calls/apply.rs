//! `wasm.apply <key> <module> <format> <argument> …`: the one effect of all modules that export `apply`. The
//! replication stream and the append-only file alone may run it. Where its module is missing it is kept
//! behind that one's data, and applied when the module is there.
//!
//! Other modules leave commands of their own. Those that may be missing at the next start, since they were
//! not given as arguments, have them wrapped in such an effect, whose format says so: a server that does not
//! know the command could not keep it.

use std::ffi::c_int;
use std::iter;

use smallvec::SmallVec;

use super::deed::{COMMAND, Place, apply_to, unserved};
use super::moved;
use super::refuse::{self, give_up, refuse_unknown};
use crate::describe::description::{Begin, Description, Keys};
use crate::describe::tell;
use crate::duties::{kits, rdb, slots};
use crate::guest::call::Sink;
use crate::guest::ids::MemberId;
use crate::modules::kept::Effect;
use crate::modules::loaded::{self, Host, REFUSED};
use crate::modules::namespace::APPLY_COMMAND;
use crate::modules::slot::Slot;
use crate::modules::slot_set::{SlotSet, slot_of};
use crate::server::api::{self, Ctx, Str};
use crate::server::context::Context;
use crate::server::guard::answering;
use crate::server::strings::{Arguments, Strings, Word};
use crate::server::{log, outermost};

/// What COMMAND DOCS tells of it.
const APPLY_TEXT: &str = "summary: The effect of a kit module on its tables\ncomplexity: O(1)\nsince: 0.1.0";

/// The format of an effect by which all data of a module goes.
const DROP: i32 = -1;

/// Has replicas, and the append-only file, drop all data of a module.
pub fn replicate_drop(ctx: Context<'_>, module: &[u8]) {
    let format = DROP.to_string();
    ctx.replicate(APPLY_COMMAND, &Strings::new([&b""[..], module, format.as_bytes()]));
}

/// Drops all data of a module, or what is kept for it.
fn drop_data(host: &Host, name: &[u8]) {
    host.kept.forget(name);
    if let Some(member) = host.keeper(name)
        && !rdb::flush(host, member)
    {
        give_up(APPLY, "a module does not drop its data");
    }
}

/// Registers the command.
///
/// # Errors
/// The server refused it.
pub fn register(host: &Host, ctx: Context<'_>) -> std::result::Result<(), String> {
    let description = Description::parse(APPLY_TEXT.as_bytes(), false)?;
    let keys = Keys { begin: Begin::At(1), last: 0, step: 1, flags: api::CMD_KEY_RW | api::CMD_KEY_UPDATE };
    let created = ctx.create_effect(APPLY_COMMAND, run, "write", (1, 1, 1));
    // Any arity, so that a client hears that it is unknown and not how it is used.
    if !created || tell::describe(ctx, APPLY_COMMAND, &["write"], -1, Some(keys), &description, &host.categories).is_err() {
        return Err("the command wasm.apply".into());
    }
    Ok(())
}

unsafe extern "C" fn run(ctx: *mut Ctx, argv: *mut *mut Str, argc: c_int) -> c_int {
    // SAFETY: the server calls with the context and the arguments of a running command.
    let (ctx, arguments) = unsafe { (Context::new(ctx), Arguments::new(argv, argc)) };
    answering(ctx, || {
        if let Some(host) = loaded::get() {
            obey(host, ctx, arguments);
        }
    })
}

/// Where the arguments of the effect stand, the command's name being at 0: key, module, format.
const KEY: usize = 1;
const MODULE: usize = 2;
const FORMAT: usize = 3;

fn obey(host: &Host, ctx: Context<'_>, arguments: Arguments<'_>) {
    outermost::within(ctx, Some(arguments.get(0)), true, |outer| {
        if !outer.is_from_stream() {
            return refuse_unknown(ctx, arguments);
        }
        if arguments.count() as usize <= FORMAT {
            give_up(APPLY, "it came with another number of arguments");
        }
        let bytes = |index: usize| arguments.get(index).bytes();
        let Some(format) = Effect::format_of(bytes(FORMAT)) else { give_up(APPLY, "its format is no number") };
        apply_kept(host, ctx);
        if format == DROP {
            drop_data(host, bytes(MODULE));
            ctx.replicate_verbatim();
            return ctx.reply_status(c"OK");
        }
        moved::settle(host, ctx, slot_of(bytes(KEY)));
        if outermost::may_refuse() {
            return apply_or_refuse(host, ctx, arguments);
        }
        apply_or_keep(host, ctx, arguments);
        // For this server's own file, and its replicas where it is no replica itself.
        ctx.replicate_verbatim();
        ctx.reply_status(c"OK");
    });
}

/// Has its module apply an effect, or keeps it for that.
fn apply_or_keep(host: &Host, ctx: Context<'_>, arguments: Arguments<'_>) {
    let bytes = |index: usize| arguments.get(index).bytes();
    let is_applied = |member| apply(host, member, ctx, arguments.after(FORMAT));
    if !host.keeper(bytes(MODULE)).is_some_and(is_applied) {
        let boxed = |index: usize| bytes(index).into();
        let rest = (FORMAT + 1..arguments.count() as usize).map(boxed).collect();
        keep(host, bytes(MODULE), Effect { key: boxed(KEY), format: boxed(FORMAT), arguments: rest });
    }
}

/// An effect that comes with slots of another node, which keeps them if it is refused.
fn apply_or_refuse(host: &Host, ctx: Context<'_>, arguments: Arguments<'_>) {
    let module = arguments.get(MODULE).bytes();
    let applied = match host.keeper(module) {
        Some(member) => apply_to(host, Place::present(host, member), ctx, arguments.after(FORMAT)),
        None => Err(format!("the module {} is not loaded", module.escape_ascii())),
    };
    match applied {
        Ok(()) => {
            ctx.replicate_verbatim();
            ctx.reply_status(c"OK");
        }
        Err(reason) => refuse::refuse_effect(ctx, APPLY, &reason),
    }
}

const APPLY: &str = "wasm.apply";

/// The effect of this module, for the log.
fn of(module: &str) -> String {
    format!("{APPLY} of {module}")
}

/// Keeps an effect of a module that is missing.
fn keep(host: &Host, module: &[u8], effect: Effect) {
    if let Err(reason) = host.kept.add_effect(module, effect) {
        give_up(&of(&module.escape_ascii().to_string()), &reason);
    }
}

/// A module refuses an effect. One that came by itself is missing from now on, and its data is kept; where it
/// was given as an argument the server exits.
fn refuse_effect(host: &Host, member: MemberId, reason: &str) {
    let module = &host.modules[member.0];
    let name = module.name();
    if module.is_given.get() || host.group_of(member).damaged.get() {
        give_up(&of(name), reason);
    }
    if let Err(error) = kits::withdraw(host, member, false, REFUSED) {
        give_up(&of(name), &format!("{reason}; {error}"));
    }
    log::warning(None, &format!("module {name}: it is missing from now on, and its data are kept for it: {reason}"));
}

/// Replicates a command that a module runs, as it came.
#[inline]
pub fn replicate_verbatim(host: &Host, slot: &Slot, ctx: Context<'_>, arguments: Arguments<'_>) {
    if host.modules[slot.member.get().0].is_given.get() {
        ctx.replicate_verbatim();
    } else {
        wrap(host, slot, ctx, arguments.iter().skip(1).map(Word::Held));
    }
}

/// Replicates a command of a module's with these arguments.
#[inline]
pub fn replicate<'a>(host: &Host, slot: &'a Slot, ctx: Context<'_>, arguments: impl Iterator<Item = Word<'a>>) {
    if host.modules[slot.member.get().0].is_given.get() {
        ctx.replicate(&slot.name, &Strings::of_words(arguments));
    } else {
        wrap(host, slot, ctx, arguments);
    }
}

/// Replicates a command of a module's that whoever lacks the module can keep. Its first key is that of the
/// effect, which decides where that belongs in a cluster.
pub fn wrap<'a>(host: &Host, slot: &'a Slot, ctx: Context<'_>, arguments: impl Iterator<Item = Word<'a>>) {
    wrapped(host, slot, arguments, |words| ctx.replicate(APPLY_COMMAND, words));
}

/// Lends `action` the words of a command of a module's, behind the name of the effect that it is wrapped in.
fn wrapped<'a>(host: &Host, slot: &'a Slot, arguments: impl Iterator<Item = Word<'a>>, action: impl FnOnce(&Strings<'_>)) {
    let words: SmallVec<[Word<'a>; 8]> = iter::once(Word::Bytes(slot.name.to_bytes())).chain(arguments).collect();
    let name = host.modules[slot.member.get().0].data_name();
    let head = [key_among(slot, &words), Word::Bytes(&name), Word::Bytes(COMMAND.as_bytes())];
    action(&Strings::of_words(head.into_iter().chain(words.iter().copied())));
}

/// Hands the sink a command of a module's as [`replicate`] would replicate it.
pub fn export(host: &Host, slot: &Slot, sink: Sink<'_>, arguments: &[&[u8]]) {
    let words = arguments.iter().map(|bytes| Word::Bytes(bytes));
    if host.modules[slot.member.get().0].is_given.get() {
        (sink.0)(&slot.name, &Strings::of_words(words));
    } else {
        wrapped(host, slot, words, |words| (sink.0)(APPLY_COMMAND, words));
    }
}

/// The first key among the words of a command, or none.
fn key_among<'a>(slot: &Slot, words: &[Word<'a>]) -> Word<'a> {
    let bytes: SmallVec<[&[u8]; 8]> = words.iter().map(|word| word.bytes()).collect();
    slot.first_key(&bytes).map_or(Word::Bytes(b""), |place| words[place])
}

/// Keeps a command that has come from the stream and that no module has any longer, for when one has it.
pub fn keep_command(host: &Host, slot: &Slot, arguments: Arguments<'_>) {
    let member = slot.member.get();
    let module = &host.modules[member.0];
    if module.running().is_some() {
        refuse_effect(host, member, &unserved(slot.name.to_bytes()));
    }
    let words: Vec<Word<'_>> = arguments.iter().map(Word::Held).collect();
    let effect = Effect {
        key: key_among(slot, &words).bytes().into(),
        format: COMMAND.as_bytes().into(),
        arguments: words.iter().map(|word| word.bytes().into()).collect(),
    };
    keep(host, &module.data_name(), effect);
}

/// Applies the effects that were kept for modules that are loaded, behind the data that came with them.
pub fn apply_kept(host: &Host, ctx: Context<'_>) {
    while let Some((name, part)) = host.kept.take(|name| host.keeper(name).is_some()) {
        for effect in part.effects {
            let applied = host.keeper(&name).map(|member| (member, apply_all(host, Place::present(host, member), ctx, [&effect])));
            match applied {
                Some((_, Ok(()))) => {}
                Some((member, Err(reason))) => {
                    refuse_effect(host, member, &reason);
                    keep(host, &name, effect);
                }
                None => keep(host, &name, effect),
            }
        }
    }
}

/// Has a module apply effects that were kept.
///
/// # Errors
/// Why it does not apply one.
pub fn apply_all<'e>(
    host: &Host,
    place: Place<'_>,
    ctx: Context<'_>,
    effects: impl IntoIterator<Item = &'e Effect>,
) -> std::result::Result<(), String> {
    outermost::obeying(ctx, || {
        effects.into_iter().try_for_each(|effect| {
            if let Some(slots) = effect.slots() {
                return slots::drop_of(&host.modules[place.member.0], place.group, ctx, &slots);
            }
            let words = [&*effect.format].into_iter().chain(effect.arguments.iter().map(|argument| &**argument));
            let strings = Strings::new(words);
            apply_to(host, place, ctx, strings.arguments())
        })
    })
}

/// Has a module apply an effect that came from another node, with what lies in these slots.
///
/// # Errors
/// Why it does not: it is no effect, it lies in another slot, or the module refuses it.
pub fn apply_export(host: &Host, ctx: Context<'_>, effect: Arguments<'_>, slots: &SlotSet) -> std::result::Result<(), String> {
    let words: Vec<&[u8]> = effect.iter().map(|word| word.bytes()).collect();
    let slot_named = |name: &[u8]| {
        let is_it = |slot: &&Slot| slot.write && slot.name.to_bytes().eq_ignore_ascii_case(name);
        host.slots.iter().find(is_it).ok_or("no module has a command of its name")
    };
    let is_within = |key: &[u8]| if slots.contains(slot_of(key)) { Ok(()) } else { Err("a key of it lies in another slot".to_string()) };
    let are_within = |words: &[&[u8]]| {
        let name = words.first().ok_or("it names no command")?;
        let keys = slot_named(name)?.keys(words);
        if keys.is_empty() { Err("it has no key".into()) } else { keys.iter().try_for_each(|place| is_within(words[*place])) }
    };
    if words[0].eq_ignore_ascii_case(APPLY_COMMAND.to_bytes()) {
        if words.len() <= FORMAT {
            return Err("it is cut off".into());
        }
        is_within(words[KEY])?;
        if words[FORMAT] == COMMAND.as_bytes() {
            // Whoever made the effect may have named another key before the command.
            are_within(&words[FORMAT + 1..])?;
        } else if Effect::format_of(words[FORMAT]).is_none_or(|format| format <= 0) {
            return Err("its format is no number".into());
        }
        let member = host.keeper(words[MODULE]).ok_or_else(|| format!("the module {} is not loaded", words[MODULE].escape_ascii()))?;
        return apply_to(host, Place::present(host, member), ctx, effect.after(FORMAT));
    }
    are_within(&words)?;
    apply_as_command(host, slot_named(words[0])?, ctx, effect)
}

/// As [`apply_export`], where this server obeys: it takes what its primary has taken, or its own file has,
/// and keeps it where the module is missing. It exits where it can do neither, as with any effect.
///
/// # Errors
/// It is no effect.
pub fn obey_export(host: &Host, ctx: Context<'_>, effect: Arguments<'_>) -> std::result::Result<(), String> {
    let name = effect.get(0).bytes();
    if name.eq_ignore_ascii_case(APPLY_COMMAND.to_bytes()) {
        if effect.count() as usize <= FORMAT || Effect::format_of(effect.get(FORMAT).bytes()).is_none() {
            return Err("its format is no number".into());
        }
        apply_or_keep(host, ctx, effect);
        return Ok(());
    }
    let slot = host.slots.iter().find(|slot| slot.name.to_bytes().eq_ignore_ascii_case(name)).ok_or_else(|| unserved(name))?;
    if slot.is_parked() {
        keep_command(host, slot, effect);
    } else if let Err(reason) = apply_as_command(host, slot, ctx, effect) {
        give_up(&slot.shown(), &reason);
    }
    Ok(())
}

fn apply_as_command(host: &Host, slot: &Slot, ctx: Context<'_>, effect: Arguments<'_>) -> std::result::Result<(), String> {
    let words = Strings::of_words(iter::once(Word::Bytes(COMMAND.as_bytes())).chain(effect.iter().map(Word::Held)));
    apply_to(host, Place::present(host, slot.member.get()), ctx, words.arguments())
}

/// Has a module apply an effect, whose `arguments` follow its format; whether it does.
fn apply(host: &Host, member: MemberId, ctx: Context<'_>, arguments: Arguments<'_>) -> bool {
    let applied = apply_to(host, Place::present(host, member), ctx, arguments);
    if let Err(reason) = &applied {
        refuse_effect(host, member, reason);
    }
    applied.is_ok()
}

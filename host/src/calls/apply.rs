//! `wasm.apply <key> <module> <format> <argument> …`: the one effect of all modules that export `apply`. The
//! replication stream and the append-only file alone may run it. Where its module is missing it is kept
//! behind that one's data, and applied when the module is there.

use std::ffi::c_int;

use wasmtime::{AsContextMut, Error, Result};

use super::frame;
use super::refuse::{DAMAGED, give_up, refuse_unknown};
use crate::describe::description::{Begin, Description, Keys};
use crate::describe::tell;
use crate::duties::{kits, rdb};
use crate::engine::trap::Failed;
use crate::guest::call::{Lent, Phase};
use crate::guest::group::Group;
use crate::guest::ids::MemberId;
use crate::modules::kept::Effect;
use crate::modules::loaded::{self, Host, REFUSED};
use crate::modules::namespace::APPLY_COMMAND;
use crate::server::api::{self, Ctx, Str};
use crate::server::context::Context;
use crate::server::guard::answering;
use crate::server::strings::{Arguments, Strings};
use crate::server::{log, outermost, text};

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
    if let Some(member) = host.applier(name)
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
        let is_applied = |member| apply(host, member, ctx, arguments.after(FORMAT), format);
        if !host.applier(bytes(MODULE)).is_some_and(is_applied) {
            let boxed = |index: usize| bytes(index).into();
            let rest = (FORMAT + 1..arguments.count() as usize).map(boxed).collect();
            keep(host, bytes(MODULE), Effect { key: boxed(KEY), format: boxed(FORMAT), arguments: rest });
        }
        // For this server's own file, and its replicas where it is no replica itself.
        ctx.replicate_verbatim();
        ctx.reply_status(c"OK");
    });
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

/// Applies the effects that were kept for modules that are loaded, behind the data that came with them.
pub fn apply_kept(host: &Host, ctx: Context<'_>) {
    while let Some((name, part)) = host.kept.take(|name| host.applier(name).is_some()) {
        for effect in part.effects {
            let applied = host.applier(&name).map(|member| (member, apply_all(host, host.group_of(member), member, ctx, [&effect])));
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

/// Has a module in `group` apply effects that were kept.
///
/// # Errors
/// Why it does not apply one.
pub fn apply_all<'e>(
    host: &Host,
    group: &Group,
    member: MemberId,
    ctx: Context<'_>,
    effects: impl IntoIterator<Item = &'e Effect>,
) -> std::result::Result<(), String> {
    outermost::obeying(ctx, || {
        effects.into_iter().try_for_each(|effect| {
            let words = [&*effect.format].into_iter().chain(effect.arguments.iter().map(|argument| &**argument));
            let strings = Strings::new(words);
            let format = Effect::format_of(&effect.format).unwrap_or_default();
            apply_to(host, group, member, ctx, strings.arguments(), format)
        })
    })
}

/// Has a module apply an effect, whose `arguments` follow its format; whether it does.
fn apply(host: &Host, member: MemberId, ctx: Context<'_>, arguments: Arguments<'_>, format: i32) -> bool {
    let applied = apply_to(host, host.group_of(member), member, ctx, arguments, format);
    if let Err(reason) = &applied {
        refuse_effect(host, member, reason);
    }
    applied.is_ok()
}

/// Has a module in `group` apply an effect.
///
/// # Errors
/// Why it does not.
fn apply_to(
    host: &Host,
    group: &Group,
    member: MemberId,
    ctx: Context<'_>,
    arguments: Arguments<'_>,
    format: i32,
) -> std::result::Result<(), String> {
    let module = &host.modules[member.0];
    if group.damaged.get() {
        return Err(DAMAGED.into());
    }
    let functions = group.member(&module.identity).ok_or("it is not there")?;
    let mut entered = group.enter_with(Lent::command(ctx, arguments)).ok_or("its group is busy")?;
    let result = (|| -> Result<()> {
        let store = &mut entered.store;
        store.data_mut().limits.begin_command(false);
        let frame = frame::place(store, arguments, None)?;
        let call = &mut store.data_mut().call;
        // Nobody is answered what the module says.
        call.replies.mute();
        call.begin(Phase::Command);
        call.may_replicate = false;
        call.frame = frame;
        let function = functions.apply.as_ref().ok_or_else(|| Error::msg("it exports no apply"))?;
        function.call(store.as_context_mut(), (format, arguments.count() - 1, frame.cast_signed()))
    })();
    entered.store.data_mut().call.phase = Phase::Idle;
    let Err(error) = result else { return Ok(()) };
    let committing = entered.is_committing();
    let reason = match error.downcast_ref::<Failed>() {
        Some(Failed(text)) if !committing => text::line(text),
        _ => entered.fault(&module.identity, APPLY_COMMAND, &error),
    };
    Err(reason.to_string_lossy().into_owned())
}

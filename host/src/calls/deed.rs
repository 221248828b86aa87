//! How a module applies an effect.

use std::ffi::c_int;

use wasmtime::{AsContextMut, Result, Store, TypedFunc};

use super::frame;
use super::refuse::DAMAGED;
use crate::describe::declaration::{Late, NAME_BYTES_MAX};
use crate::engine::trap::Failed;
use crate::guest::call::{Lent, Phase};
use crate::guest::group::{Group, Member};
use crate::guest::ids::MemberId;
use crate::guest::state::{Handler, State};
use crate::modules::kept::Effect;
use crate::modules::loaded::Host;
use crate::modules::namespace::APPLY_COMMAND;
use crate::modules::slot::{self, Slot};
use crate::server::context::Context;
use crate::server::strings::Arguments;
use crate::server::text;

/// The format of an effect that is a command of the module: its words are the arguments.
pub const COMMAND: &str = "-2";

/// What runs a command of a module.
pub struct Runner {
    pub arity: c_int,
    pub late: Option<Late>,
    pub handler: Handler,
}

/// Finds what runs the command of this name of a module.
type Find<'a> = dyn Fn(&Host, MemberId, &[u8]) -> Option<Runner> + 'a;

/// Where an effect is applied: a module, in the group that it runs in or is about to run in.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub member: MemberId,
    pub group: &'a Group,
    /// What runs the command of this name there.
    pub runner: &'a Find<'a>,
}

impl<'a> Place<'a> {
    /// In the group that it runs in.
    pub fn present(host: &'a Host, member: MemberId) -> Place<'a> {
        Place { member, group: host.group_of(member), runner: &runner }
    }
}

/// What runs the command of this name of a module that is there.
fn runner(host: &Host, member: MemberId, name: &[u8]) -> Option<Runner> {
    let is_it = |slot: &&Slot| slot.member.get() == member && slot.name.to_bytes().eq_ignore_ascii_case(name);
    let slot = host.slots.iter().find(is_it)?;
    let handler = slot.handler.borrow().clone()?;
    Some(Runner { arity: slot.arity.get(), late: slot.late.get(), handler })
}

/// Has a module apply an effect: its format, and the arguments behind it.
///
/// # Errors
/// Why it does not.
pub fn apply_to(host: &Host, place: Place<'_>, ctx: Context<'_>, arguments: Arguments<'_>) -> std::result::Result<(), String> {
    let Place { member, group, .. } = place;
    let module = &host.modules[member.0];
    if group.damaged.get() {
        return Err(DAMAGED.into());
    }
    let functions = group.member(&module.identity).ok_or("it is not there")?;
    let deed = Deed::of(host, place, &functions, arguments)?;
    let arguments = deed.arguments;
    let mut entered = group.enter_with(Lent::command(ctx, arguments)).ok_or("its group is busy")?;
    let result = (|| -> Result<()> {
        let store = &mut entered.store;
        store.data_mut().limits.begin_command(false);
        let frame = frame::place(store, arguments, deed.late)?;
        let call = &mut store.data_mut().call;
        // Nobody is answered what the module says.
        call.replies.mute();
        call.begin(Phase::Command);
        call.may_replicate = deed.is_command();
        call.silent = deed.is_command();
        call.frame = frame;
        deed.run(store, (arguments.count() - 1, frame.cast_signed()))
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

/// How a module applies an effect.
struct Deed<'a> {
    function: Function,
    late: Option<Late>,
    /// What comes in the place of a command's name, and the arguments behind it.
    arguments: Arguments<'a>,
}

enum Function {
    /// Its export `apply`, with the effect's format.
    Apply(TypedFunc<(i32, i32, i32), ()>, i32),
    /// The handler of a command.
    Command(Handler),
}

impl<'a> Deed<'a> {
    /// # Errors
    /// The module has nothing that applies it.
    fn of(host: &Host, place: Place<'_>, functions: &Member, arguments: Arguments<'a>) -> std::result::Result<Deed<'a>, String> {
        let format = arguments.get(0).bytes();
        if format != COMMAND.as_bytes() {
            let apply = functions.apply.clone().ok_or("it exports no apply")?;
            let format = Effect::format_of(format).unwrap_or_default();
            return Ok(Deed { function: Function::Apply(apply, format), late: None, arguments });
        }
        if arguments.count() < 2 {
            return Err("it names no command".into());
        }
        let arguments = arguments.after(1);
        let name = arguments.get(0).bytes();
        let runner = (place.runner)(host, place.member, name).ok_or_else(|| unserved(name))?;
        if !slot::takes(runner.arity, arguments.count()) {
            return Err(format!("{}: it came with another number of arguments", shown(name)));
        }
        Ok(Deed { function: Function::Command(runner.handler), late: runner.late, arguments })
    }

    fn is_command(&self) -> bool {
        matches!(self.function, Function::Command(_))
    }

    fn run(&self, store: &mut Store<State>, (argc, argv): (c_int, i32)) -> Result<()> {
        match &self.function {
            Function::Apply(apply, format) => apply.call(store.as_context_mut(), (*format, argc, argv)),
            Function::Command(handler) => handler.run(store, (argc, argv)),
        }
    }
}

/// That nobody runs a command.
pub fn unserved(command: &[u8]) -> String {
    format!("{}: no module has the command any longer", shown(command))
}

/// A command's name as it came, for the log.
fn shown(command: &[u8]) -> String {
    command[..command.len().min(NAME_BYTES_MAX)].escape_ascii().to_string()
}

//! How a module's command becomes one of the server's.

use std::ffi::c_int;

use super::dispatch::TRAMPOLINES;
use crate::describe::declaration::{Declaration, FLAG_EFFECT};
use crate::describe::description::{Begin, Description, Keys};
use crate::describe::tell;
use crate::guest::ids::MemberId;
use crate::guest::state::Handler;
use crate::modules::loaded::Host;
use crate::modules::namespace::COMMANDS_MAX;
use crate::modules::slot::Slot;
use crate::server::api;
use crate::server::config;
use crate::server::context::Context;
use crate::server::text;

/// What the server is told of an effect's arity: any, so that a client hears that the command is unknown and
/// not how it is used. And of each command's where another file may change it: the server takes it once.
const ANY_ARITY: c_int = -1;

/// Registers a command with the server, while its module is loaded.
///
/// # Errors
/// What the server refused, or that the table is full; and why, as far as that can be told.
pub fn register(host: &Host, ctx: Context<'_>, member: MemberId, handler: Handler, declaration: &Declaration) -> Result<(), String> {
    let shown = declaration.name.to_string_lossy();
    let Some(&trampoline) = TRAMPOLINES.get(host.slots.len()) else {
        return Err(format!("the command {shown}: all modules have {COMMANDS_MAX} commands already"));
    };
    let flags: Vec<&str> = declaration.flags.split_ascii_whitespace().collect();
    let Declaration { name, keys, arity, .. } = declaration;
    let (write, effect) = (flags.contains(&"write"), flags.contains(&FLAG_EFFECT));
    let none = Description::default();
    let running = host.running(member);
    let description = running.as_ref().and_then(|running| running.file.descriptions.get(&shown.to_ascii_lowercase()));
    let module = &host.modules[member.0];
    let slot = Slot::new((member, module.identity.clone(), module.group.get()), declaration, description, handler);
    let description = description.unwrap_or(&none);
    // The server asks the command itself for its keys, then.
    let asked = slot.finder.borrow().is_some().then_some("getkeys-api");
    let server_flags = flags.iter().copied().filter(|&flag| flag != FLAG_EFFECT).chain(asked).collect::<Vec<_>>().join(" ");
    let created = if effect {
        ctx.create_effect(name, trampoline, &server_flags, *keys)
    } else {
        ctx.create_command(name, trampoline, &text::line(server_flags.as_bytes()), *keys)
    };
    if !created {
        let (first, last, step) = keys;
        return Err(if ctx.has_command(name) {
            format!("the command {shown}: another module, or the server, has one of this name")
        } else {
            format!("the command {shown}, with the flags {server_flags} and keys at {first} to {last} by {step}")
        });
    }
    let told_arity = if effect || config::may_load() { ANY_ARITY } else { *arity };
    let told = tell::describe(ctx, name, &flags, told_arity, specification(declaration, write), description, &host.categories);
    told.map_err(|what| format!("the command {shown}: {what}"))?;
    host.slots.push(slot);
    Ok(())
}

/// The keys of a command whose description tells of none.
pub fn specification(declaration: &Declaration, write: bool) -> Option<Keys> {
    let (first, last, step) = declaration.keys;
    let flags = if write { api::CMD_KEY_RW | api::CMD_KEY_UPDATE } else { api::CMD_KEY_RO | api::CMD_KEY_ACCESS };
    // A specification counts the last key from the first one, or from the end when negative.
    let last = if last < 0 { last } else { last - first };
    (first > 0).then_some(Keys { begin: Begin::At(first), last, step, flags })
}

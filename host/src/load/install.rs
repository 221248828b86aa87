//! A module takes its place while the server serves: one that was missing, or another file of one that is
//! there. All that can fail comes first; then what was made and what was there change places.

use std::ffi::{CString, c_int};
use std::rc::Rc;

use super::in_place::{self, Before};
use super::instantiate::{self, Registered};
use super::satellite;
use crate::calls::apply;
use crate::calls::deed::{Place, Runner};
use crate::calls::triggers::on;
use crate::describe::declaration::Declaration;
use crate::describe::find::Finder;
use crate::duties::{kits, rdb};
use crate::guest::data::{Data, Held};
use crate::guest::group::Group;
use crate::guest::ids::MemberId;
use crate::modules::file::WasmFile;
use crate::modules::loaded::Host;
use crate::modules::module::{Presence, Running};
use crate::modules::slot::{Fixed, Slot};
use crate::server::context::Context;
use crate::server::{kit_settings, log};

/// Has a module run `file` from now on, with all data: those of what runs, or those that were kept for it.
///
/// # Errors
/// The reason; all is as it was.
pub fn install(host: &Host, ctx: Context<'_>, member: MemberId, running: Running) -> Result<(), String> {
    let module = &host.modules[member.0];
    check_names(host, ctx, member, &running.file)?;
    if host.group_of(member).enter().is_none() {
        return Err(BUSY.into());
    }
    let before = module.running();
    if before.is_none() {
        instantiate::set_apart(host, member);
    }
    let running = Rc::new(running);
    host.candidate.replace(Some((member, running.clone())));
    let installed = prepare(host, ctx, member, &running);
    host.candidate.replace(None);
    if let Err(reason) = installed {
        kit_settings::adopt(module.name(), before.as_ref().map_or(&[], |before| &before.file.declared_settings));
        return Err(reason);
    }
    module.become_(Presence::Serving(running));
    module.turn.due.set(None);
    on::subscribe(host, ctx);
    host.kept.forget(&module.data_name());
    Ok(())
}

/// A module is not served any more: its data is kept for when it is back, unless it is to be dropped. Those
/// that share a memory with it go on in another, in which nothing of it is left.
///
/// # Errors
/// The reason; all is as it was.
pub fn withdraw(host: &Host, ctx: Context<'_>, member: MemberId, is_dropped: bool, reason: &str) -> Result<(), String> {
    let module = &host.modules[member.0];
    let number = module.group.get();
    let others: Vec<MemberId> = instantiate::members_of(host, number).iter().map(|(of, _)| *of).filter(|of| *of != member).collect();
    if others.is_empty() || host.linked_to(member).is_some() {
        return kits::withdraw(host, member, is_dropped, reason);
    }
    let present = host.group_of(member);
    if present.enter().is_none() {
        return Err(BUSY.into());
    }
    let data = if is_dropped { Vec::new() } else { kits::hold(host, member)? };
    let (group, registered) = instantiate::group_again(host, ctx, number, Some(member))?;
    for other in others {
        carry(host, ctx, &group, &registered, other)?;
    }
    if !present.swap(&group) {
        return Err(BUSY.into());
    }
    host.miss(member, reason);
    serve(host, registered);
    kits::keep(host, member, data);
    Ok(())
}

/// What was made of a group, with all its data.
enum Made {
    /// Beside the present one.
    Beside(Group),
    /// In its memory; and what was there.
    InPlace(Before),
}

/// Makes the group anew, has the server know all commands, and serves them.
fn prepare(host: &Host, ctx: Context<'_>, member: MemberId, candidate: &Running) -> Result<(), String> {
    let (made, registered) = make(host, ctx, member)?;
    let present = host.group_of(member);
    let known = tell(host, ctx, member, candidate, &registered).and_then(|()| match &made {
        Made::Beside(group) if !present.swap(group) => Err(BUSY.into()),
        _ => Ok(()),
    });
    if let Err(reason) = known {
        if let Made::InPlace(before) = made {
            in_place::put_back(present, before);
        }
        return Err(reason);
    }
    host.slots.iter().filter(|slot| slot.member.get() == member).for_each(Slot::park);
    serve(host, registered);
    Ok(())
}

/// Commands are served by what has registered them once more.
fn serve(host: &Host, registered: Vec<Registered>) {
    for Registered { member, declaration, handler } in registered {
        let (Some(slot), Some(running)) = (host.slot_named(&declaration.name), host.running(member)) else { continue };
        let module = &host.modules[member.0];
        let name = declaration.name.to_string_lossy().to_ascii_lowercase();
        let finder = running.file.descriptions.get(&name).and_then(Finder::of);
        slot.serve((member, &module.identity, module.group.get()), &declaration, finder, handler);
    }
}

/// Makes the group anew with its data: in the memory that it has, else by a save and a load.
fn make(host: &Host, ctx: Context<'_>, member: MemberId) -> Result<(Made, Vec<Registered>), String> {
    let module = &host.modules[member.0];
    if module.running().is_some() {
        match in_place::take_over(host, ctx, member) {
            Ok((before, registered)) => return Ok((Made::InPlace(before), registered)),
            Err(reason) => {
                let (reserved, free) = host.group_of(member).memory_bytes();
                let bytes = reserved.saturating_sub(free) >> 20;
                let how = format!("its data, {bytes} MiB, is saved and loaded now, and the server waits for that");
                log::notice(Some(ctx), &format!("module {}: {reason}: {how}", module.name()));
            }
        }
    }
    let number = module.group.get();
    let (group, registered) = instantiate::group_again(host, ctx, number, None)?;
    for (of, _) in instantiate::members_of(host, number) {
        carry(host, ctx, &group, &registered, of)?;
    }
    Ok((Made::Beside(group), registered))
}

/// Has the server know all commands that a member has registered.
fn tell(host: &Host, ctx: Context<'_>, member: MemberId, running: &Running, registered: &[Registered]) -> Result<(), String> {
    let own = || registered.iter().filter(|each| each.member == member);
    own().try_for_each(|each| check_fixed(host, running, &each.declaration))?;
    let fresh: Vec<&Registered> = own().filter(|each| host.slot_named(&each.declaration.name).is_none()).collect();
    satellite::register(host, ctx, member, &fresh)
}

const BUSY: &str = "a call into it runs";

/// # Errors
/// A command is another module's, or the server's.
fn check_names(host: &Host, ctx: Context<'_>, member: MemberId, file: &WasmFile) -> Result<(), String> {
    for name in &file.commands {
        let name = CString::new(name.as_str()).map_err(|_| "a name that holds a NUL")?;
        let shown = name.to_string_lossy().to_ascii_uppercase();
        match host.slot_named(&name) {
            Some(slot) if !slot.is_parked() && slot.member.get() != member => {
                return Err(format!("it registers {shown}, as {} does", slot.module.borrow().name));
            }
            None if ctx.has_command(&name) => return Err(format!("it registers {shown}, which another module, or the server, has")),
            _ => {}
        }
    }
    Ok(())
}

/// # Errors
/// The server knows the command otherwise, for good.
fn check_fixed(host: &Host, running: &Running, declaration: &Declaration) -> Result<(), String> {
    let name = declaration.name.to_string_lossy().to_ascii_lowercase();
    let Some(slot) = host.slot_named(&declaration.name) else { return Ok(()) };
    let fixed = Fixed::of(declaration, running.file.descriptions.get(&name));
    slot.fixed.difference(&fixed).map_or(Ok(()), |what| {
        Err(format!("{} has other {what} than before: it needs a restart, or another name", name.to_ascii_uppercase()))
    })
}

/// Loads a member's data into `group`, in which it has `registered` its commands: those that it has, or those
/// that were kept for it.
fn carry(host: &Host, ctx: Context<'_>, group: &Group, registered: &[Registered], member: MemberId) -> Result<(), String> {
    let module = &host.modules[member.0];
    let candidate = host.running(member).ok_or("it is missing")?;
    let refused = || {
        let complaint = group.enter().and_then(|mut entered| entered.store.data_mut().complaint.take()).unwrap_or_default();
        format!("module {}: it refuses the data that is there: {complaint}", module.name())
    };
    if module.running().is_some() {
        let data = kits::hold(host, member)?;
        let (held, version) = kits::encoded(&candidate.file, data);
        return if takes(host, group, member, &held, version) { Ok(()) } else { Err(refused()) };
    }
    // Copied: what it applies may have other effects kept.
    let (pieces, effects) = host.kept.with(candidate.file.data_name().0, |part| (part.pieces.clone(), part.effects.clone()));
    let (held, version) = kits::encoded(&candidate.file, pieces);
    if !takes(host, group, member, &held, version) {
        return Err(refused());
    }
    let runner = |_: &Host, member: MemberId, name: &[u8]| {
        let is_it = |each: &&Registered| each.member == member && each.declaration.name.to_bytes().eq_ignore_ascii_case(name);
        let Registered { declaration, handler, .. } = registered.iter().find(is_it)?;
        Some(Runner { arity: declaration.arity, late: declaration.late, handler: handler.clone() })
    };
    apply::apply_all(host, Place { member, group, runner: &runner }, ctx, &effects)
}

/// Whether a member in `group` has taken all of the values, if there are any.
fn takes(host: &Host, group: &Group, member: MemberId, held: &Held, version: c_int) -> bool {
    held.is_empty() || (rdb::load(host, group, member, Data::Held(held), version) && held.is_used_up())
}

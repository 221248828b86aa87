//! The host's own data type, in which all modules are: what a module holds has its name before it, or that of
//! the type that it registered, and stays in the file where the module is missing, with the effects that came
//! meanwhile.

use std::ffi::c_int;

use super::rdb;
use crate::guest::data::{self, Data, Held, Piece, Pieces};
use crate::guest::ids::MemberId;
use crate::modules::file::WasmFile;
use crate::modules::kept::{Effect, Kept};
use crate::modules::loaded::{self, Host};
use crate::modules::namespace::KITS_TYPE;
use crate::server::api::{self, Io, TypeMethods};
use crate::server::context::Context;
use crate::server::guard::guarded;
use crate::server::log;
use crate::server::stream::Stream;

/// The encoding of the type.
pub const VERSION: c_int = 1;

/// Registers the type: in any case, since a file may hold data of a module that is missing.
///
/// # Errors
/// The server refused it.
pub fn register(ctx: Context<'_>) -> Result<(), String> {
    let methods = TypeMethods { aux_load: Some(aux_load), aux_save: Some(aux_save), aux_save2: Some(aux_save2), ..rdb::methods() };
    if ctx.create_data_type(KITS_TYPE, VERSION, &methods) { Ok(()) } else { Err("the data type wasm-kits".into()) }
}

// ── Saving ─────────────────────────────────────────────────────────────────────────────────────────────────

/// What 7.0 calls, which writes the section in any case.
unsafe extern "C" fn aux_save(io: *mut Io, _when: c_int) {
    // SAFETY: `io` is the stream of the running save.
    unsafe { save_kits_or_fail(io, false) };
}

/// What other servers call, which write the section only if anything is written to it.
unsafe extern "C" fn aux_save2(io: *mut Io, _when: c_int) {
    // SAFETY: `io` is the stream of the running save.
    unsafe { save_kits_or_fail(io, true) };
}

/// # Safety
/// `io` is the stream of the running save.
unsafe fn save_kits_or_fail(io: *mut Io, may_be_nothing: bool) {
    // SAFETY: by this function's contract.
    let stream = unsafe { Stream::new(io) };
    if guarded(|| loaded::get().is_some_and(|host| save(host, stream, may_be_nothing))) != Some(true) {
        rdb::fail_save(stream);
    }
}

/// Whether every module has written its data, and what is kept has been written.
fn save(host: &Host, stream: Stream<'_>, may_be_nothing: bool) -> bool {
    let mut anything = !may_be_nothing;
    for (place, module) in host.modules.iter().enumerate() {
        let Some(running) = module.running().filter(|running| keeps_data(&running.file)) else { continue };
        let (name, encoding) = running.file.data_name();
        let pieces = Pieces::new(stream, name, encoding.map(number));
        if !rdb::save(host, MemberId(place), Data::Shared(&pieces), true) {
            return false;
        }
        anything |= pieces.end();
    }
    host.kept.each(|name, part| {
        stream.save_bytes(name);
        for piece in &part.pieces {
            match piece {
                Piece::Bytes(bytes) => {
                    stream.save_unsigned(data::BYTES);
                    stream.save_bytes(bytes);
                }
                Piece::Number(value) => {
                    stream.save_unsigned(data::NUMBER);
                    stream.save_unsigned(*value);
                }
            }
        }
        for effect in &part.effects {
            stream.save_unsigned(data::EFFECT);
            stream.save_bytes(&effect.key);
            stream.save_bytes(&effect.format);
            stream.save_unsigned(effect.arguments.len() as u64);
            effect.arguments.iter().for_each(|argument| stream.save_bytes(argument));
        }
        stream.save_unsigned(data::END);
        anything = true;
    });
    let marks = host.moving.marks();
    if !marks.is_empty() {
        stream.save_bytes(SLOTS_PART);
        for mark in &marks {
            stream.save_unsigned(data::BYTES);
            stream.save_bytes(mark.as_bytes());
        }
        stream.save_unsigned(data::END);
        anything = true;
    }
    if anything {
        // No name: no further module.
        stream.save_bytes(b"");
    }
    true
}

/// The name before the host's own part: what it knows of slots that move. An earlier host keeps it like that
/// of a module that is missing.
const SLOTS_PART: &[u8] = b"wasm.slots";

/// Whether the host writes data of this module: it registers a type, or leaves that to the host.
fn keeps_data(file: &WasmFile) -> bool {
    file.applies() || !file.types.is_empty()
}

/// An encoding, as the first value tells it.
fn number(encoding: c_int) -> u64 {
    encoding.unsigned_abs().into()
}

/// A module is not served any more: its data is kept for when it is back, unless it is to be dropped.
///
/// # Errors
/// The reason; all is as it was.
pub fn withdraw(host: &Host, member: MemberId, is_dropped: bool, reason: &str) -> Result<(), String> {
    if let Some(other) = host.linked_to(member) {
        return Err(format!("{0} calls it by direct links: unload {0} first", host.modules[other.0].name()));
    }
    if host.group_of(member).enter().is_none() {
        return Err("a call into it runs".into());
    }
    let data = if is_dropped { Vec::new() } else { hold(host, member)? };
    if !rdb::flush(host, member) {
        return Err("its data cannot be dropped: the log tells why".into());
    }
    host.miss(member, reason);
    keep(host, member, data);
    Ok(())
}

/// The data of a module that is there, as it is kept.
///
/// # Errors
/// It cannot be saved.
pub fn hold(host: &Host, member: MemberId) -> Result<Vec<Piece>, String> {
    let Some(running) = host.modules[member.0].running().filter(|running| keeps_data(&running.file)) else { return Ok(Vec::new()) };
    let held = Held::default();
    if !rdb::save(host, member, Data::Held(&held), true) {
        return Err("its data cannot be saved: the log tells why".into());
    }
    let mut pieces = held.into_pieces();
    if let Some(encoding) = running.file.data_name().1.filter(|_| !pieces.is_empty()) {
        pieces.insert(0, Piece::Number(number(encoding)));
    }
    Ok(pieces)
}

/// Keeps data for a module that is missing, without what was about to be dropped of it.
pub fn keep(host: &Host, member: MemberId, data: Vec<Piece>) {
    let name = host.modules[member.0].data_name();
    data.into_iter().for_each(|piece| host.kept.add_piece(&name, piece));
    host.kept.drop_slots(&host.moving.leaving(), |of| *of == *name);
}

/// Data as it is kept, with its encoding, for a module that has this file.
pub fn encoded(file: &WasmFile, mut data: Vec<Piece>) -> (Held, c_int) {
    if file.data_name().1.is_none() || data.is_empty() {
        return (Held::of(data), VERSION);
    }
    let encoding = match data.remove(0) {
        Piece::Number(encoding) => c_int::try_from(encoding).unwrap_or(-1),
        Piece::Bytes(_) => -1,
    };
    (Held::of(data), encoding)
}

// ── Loading ────────────────────────────────────────────────────────────────────────────────────────────────

unsafe extern "C" fn aux_load(io: *mut Io, version: c_int, _when: c_int) -> c_int {
    // SAFETY: `io` is the stream of the running load.
    let stream = unsafe { Stream::new(io) };
    let loaded = guarded(|| {
        let host = loaded::get()?;
        let result = if version == VERSION { load(host, stream) } else { Err(format!("it is of version {version}")) };
        if let Err(reason) = &result {
            log::warning(None, &format!("the data of kit modules in this file cannot be loaded: {reason}"));
        }
        result.ok()
    });
    if loaded.flatten().is_some() { api::OK } else { api::ERR }
}

const CUT: &str = "it ends early: the file is cut short, or the link that it comes by was cut";
const NO_STORES: &str = "no second memory to load beside the present data";

/// Takes the data of every module that is in the file, and keeps that of those that are missing.
///
/// # Errors
/// Why the file is to be refused.
fn load(host: &Host, stream: Stream<'_>) -> Result<(), String> {
    loop {
        let name = stream.load_copy().ok_or(CUT)?;
        if name.is_empty() {
            return Ok(());
        }
        host.with_kept(|kept| kept.begin_part(&name)).ok_or(NO_STORES)??;
        let pieces = Pieces::new(stream, b"", None);
        if name[..] == *SLOTS_PART {
            load_marks(host, stream, &pieces)?;
            continue;
        }
        let keeper = keeper(host, &name);
        let mut is_missing = keeper.is_none();
        // A module that had nothing when its first effects were kept has nothing to read.
        if let Some((member, is_encoded)) = keeper
            && pieces.has_values()
        {
            // Where its file came by itself, it does not stop the server: what it refuses is kept.
            let may_miss = !host.modules[member.0].is_given.get();
            if may_miss {
                pieces.begin_copy();
            }
            let data = Data::Shared(&pieces);
            let encoding = if is_encoded { c_int::try_from(data.load_unsigned()).unwrap_or(-1) } else { VERSION };
            let taken = host.with_target(member, |group| rdb::load(host, group, member, data, encoding));
            let copy = pieces.take_copy();
            match (taken, copy) {
                (Some(true), _) => {}
                (Some(false), Some(read)) if may_miss && !stream.has_failed() => {
                    refuse(host, member, &name, read)?;
                    is_missing = true;
                }
                _ => return Err(format!("the module {} refuses its part", name.escape_ascii())),
            }
        }
        let behind = host.with_kept(|kept| load_rest(kept, &name, stream, &pieces, is_missing));
        behind.ok_or(NO_STORES)??;
    }
}

/// Takes what is known of slots that move.
fn load_marks(host: &Host, stream: Stream<'_>, pieces: &Pieces<'_>) -> Result<(), String> {
    let kept = Kept::default();
    load_rest(&kept, SLOTS_PART, stream, pieces, true)?;
    kept.with(SLOTS_PART, |part| {
        for piece in &part.pieces {
            if let Piece::Bytes(mark) = piece {
                host.moving.note_mark(&String::from_utf8_lossy(mark));
            }
        }
    });
    Ok(())
}

/// The module that is there whose data has this name, and whether its encoding is the first value.
fn keeper(host: &Host, name: &[u8]) -> Option<(MemberId, bool)> {
    let member = host.keeper(name)?;
    Some((member, host.running(member)?.file.data_name().1.is_some()))
}

/// A module has refused what it has `read` of its part: from now on it is missing, and its part is kept.
///
/// # Errors
/// There is nowhere to keep it.
fn refuse(host: &Host, member: MemberId, name: &[u8], read: Vec<Piece>) -> Result<(), String> {
    let module = &host.modules[member.0];
    log::warning(None, &format!("module {}: it is missing from now on, and its data are kept for it", module.name()));
    host.note_refusal(member);
    host.with_kept(|kept| read.into_iter().for_each(|piece| kept.add_piece(name, piece))).ok_or(NO_STORES.into())
}

/// Keeps the values that come next, if the module `is_missing`, and the effects behind them.
fn load_rest(kept: &Kept, name: &[u8], stream: Stream<'_>, pieces: &Pieces<'_>, is_missing: bool) -> Result<(), String> {
    loop {
        let kind = pieces.kind();
        if stream.has_failed() {
            return Err(CUT.into());
        }
        match kind {
            data::END => return Ok(()),
            data::EFFECT => kept.add_effect(name, load_effect(stream)?)?,
            data::BYTES if is_missing => kept.add_piece(name, Piece::Bytes(stream.load_copy().ok_or(CUT)?)),
            data::NUMBER if is_missing => kept.add_piece(name, Piece::Number(stream.load_unsigned())),
            data::BYTES | data::NUMBER => return Err(format!("the module {} has not read all of its part", name.escape_ascii())),
            _ => return Err(format!("the kind {kind} of a value is not known")),
        }
    }
}

fn load_effect(stream: Stream<'_>) -> Result<Effect, String> {
    let text = || stream.load_copy().ok_or(CUT);
    let (key, format) = (text()?, text()?);
    if Effect::format_of(&format).is_none() {
        return Err("the format of an effect is no number".into());
    }
    let count = stream.load_unsigned();
    let mut arguments = Vec::new();
    let mut bytes = 0;
    // As many as there are: the number may be anything.
    while (arguments.len() as u64) < count {
        let argument = text()?;
        bytes += argument.len();
        arguments.push(argument);
        if bytes > EFFECT_BYTES_MAX || arguments.len() > EFFECT_ARGUMENTS_MAX {
            return Err("an effect is too long".into());
        }
    }
    Ok(Effect { key, format, arguments })
}

/// More than any effect has that can be kept.
const EFFECT_BYTES_MAX: usize = 64 << 20;
const EFFECT_ARGUMENTS_MAX: usize = 1 << 20;

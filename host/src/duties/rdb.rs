//! RDB files and flushes. What a module keeps goes into the file as auxiliary data, by `kits.rs`; in files of
//! earlier releases it stands in a type of the module's own, which is read here. The module itself encodes
//! and decodes, in the sandbox, and the host sees that a failure never replaces a good file and never leaves
//! partial data.

use std::ffi::{CStr, c_int, c_void};

use wasmtime::AsContextMut;

use crate::engine::clock::Ticker;
use crate::guest::call::{Lent, Phase};
use crate::guest::data::Data;
use crate::guest::group::{Entered, Group};
use crate::guest::ids::MemberId;
use crate::modules::loaded::{self, DataType, Host, TYPES_MAX};
use crate::modules::module::LoadedModule;
use crate::modules::namespace::KITS_TYPE;
use crate::server::api::{self, Io, TypeMethods};
use crate::server::context::Context;
use crate::server::guard::guarded;
use crate::server::log;
use crate::server::stream::Stream;

/// Characters of a data type's name.
const NAME_BYTES: usize = 9;

/// The highest number that an encoding may have.
const VERSION_MAX: c_int = 1023;

/// Registers a data type for a module.
///
/// # Errors
/// That the server refuses it, that the name is taken or that there are too many.
pub fn register(host: &Host, ctx: Context<'_>, member: MemberId, name: &CStr, version: c_int) -> Result<(), String> {
    let types = &host.types;
    let Some(&load) = TRAMPOLINES.get(types.len()) else {
        let shown = name.to_string_lossy();
        return Err(format!("the data type {shown}: all modules have {TYPES_MAX} data types already"));
    };
    check_type(host, member, name, version)?;
    // For files of earlier releases alone: what is written now stands in the host's own type.
    let methods = TypeMethods { aux_load: Some(load), ..methods() };
    if !ctx.create_data_type(name, version, &methods) {
        return Err(taken(name));
    }
    types.push(DataType { member, name: name.into(), version });
    Ok(())
}

/// Checks a data type that a module registers.
///
/// # Errors
/// It is none, or its name is taken.
pub fn check_type(host: &Host, member: MemberId, name: &CStr, version: c_int) -> Result<(), String> {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    if name.count_bytes() != NAME_BYTES || !name.to_bytes().iter().all(is_letter) || !(0..=VERSION_MAX).contains(&version) {
        let shown = name.to_string_lossy();
        return Err(format!(
            "the data type {shown}, encoding {version}: a name has {NAME_BYTES} letters, digits, - and _, an encoding is 0 to {VERSION_MAX}"
        ));
    }
    // The server compares with the types of modules that are loaded, not with those of the one that it is
    // loading. A module that exports apply has its own name for its data.
    let mut others = host.modules.iter().enumerate().filter(|(place, _)| *place != member.0).map(|(_, module)| module.data_name());
    if host.types.iter().any(|other| *other.name == *name) || name == KITS_TYPE || others.any(|other| *other == *name.to_bytes()) {
        return Err(taken(name));
    }
    Ok(())
}

fn taken(name: &CStr) -> String {
    format!("the data type {}: another module has one of this name", name.to_string_lossy())
}

/// What a type has in common with the others: its data are no keys, and stand before them.
pub(super) fn methods() -> TypeMethods {
    TypeMethods {
        version: api::TYPE_METHOD_VERSION,
        rdb_load: Some(refuse_key),
        aux_save_triggers: api::AUX_BEFORE_RDB,
        ..TypeMethods::default()
    }
}

/// What the server calls to load a key of such a type, which none ever saved: null, it cannot be loaded.
/// RESTORE answers an error then.
unsafe extern "C" fn refuse_key(_io: *mut Io, _encoding: c_int) -> *mut c_void {
    guarded(|| log::warning(None, "a key with the data of a module is refused: modules keep none in keys"));
    std::ptr::null_mut()
}

static TRAMPOLINES: [api::AuxLoadFunc; TYPES_MAX] = {
    macro_rules! row { ($($number:literal)*) => { [$(aux_load::<$number>),*] }; }
    row!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
};

/// Whether the module has written its data, or had none and need not write that.
pub fn save(host: &Host, member: MemberId, data: Data<'_>, may_be_nothing: bool) -> bool {
    let group = host.group_of(member);
    let identity = &host.modules[member.0].identity;
    let name = &identity.name;
    if group.damaged.get() {
        log::warning(None, &format!("module {name}: its data is in doubt, so this save fails and the last good file stays"));
        return false;
    }
    let Some(mut entered) = group.enter_with(Lent::data(data)) else { return false };
    let Some(functions) = host.functions_of(member) else { return false };
    let Some(aux_save) = &functions.aux_save else { return true };
    // A fork child has no ticker of its own yet, and a save without end in it would block every later one.
    let _ticker = match host.is_in_child().then(|| Ticker::start(entered.store.engine())).transpose() {
        Ok(ticker) => ticker,
        Err(error) => {
            log::warning(None, &format!("module {name}: this save fails: no thread for the time limit: {error}"));
            return false;
        }
    };
    let result = entered.during(Phase::AuxSave, |store| {
        if may_be_nothing
            && let Some(is_empty) = &functions.is_empty
            && is_empty.call(store.as_context_mut(), ())? == 1
        {
            return Ok(());
        }
        aux_save.call(store.as_context_mut(), ())
    });
    match result {
        Ok(()) => true,
        Err(error) => {
            entered.fault(identity, c"auxSave", &error);
            false
        }
    }
}

/// Ends this process, a child of the server. By a signal, since the server then removes the child's file;
/// after an exit it relies on the child for that.
pub fn end_child() -> ! {
    // SAFETY: ends this process.
    unsafe {
        libc::kill(libc::getpid(), libc::SIGKILL);
        libc::_exit(1)
    }
}

/// Makes the running save fail: the server's callback has no way to say so. In a child, by ending it; in the
/// server itself, by making the file's own writes fail.
pub fn fail_save(stream: Stream<'_>) {
    if loaded::get().is_some_and(Host::is_in_child) {
        end_child();
    }
    static BLOCK: [u8; 1 << 16] = [0; 1 << 16];
    const BLOCKS_MAX: usize = 1 << 10;
    // SAFETY: the limit and the signal's action are read, changed and put back.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit);
        let none = libc::rlimit { rlim_cur: 0, rlim_max: limit.rlim_max };
        let action = libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        libc::setrlimit(libc::RLIMIT_FSIZE, &raw const none);
        for _ in 0..BLOCKS_MAX {
            if stream.has_failed() {
                break;
            }
            stream.save_bytes(&BLOCK);
        }
        libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit);
        libc::signal(libc::SIGXFSZ, action);
    }
}

unsafe extern "C" fn aux_load<const N: usize>(io: *mut Io, version: c_int, _when: c_int) -> c_int {
    // SAFETY: `io` is the stream of the running load.
    let stream = unsafe { Stream::new(io) };
    let loaded = guarded(|| {
        let host = loaded::get()?;
        let member = host.types.get(N)?.member;
        host.with_target(member, |group| load(host, group, member, Data::Own(stream), version))
    });
    if loaded.flatten() == Some(true) { api::OK } else { api::ERR }
}

/// Whether the module has taken its data from the file. If not, it holds nothing: never a part.
pub fn load(host: &Host, group: &Group, member: MemberId, data: Data<'_>, version: c_int) -> bool {
    let module = &host.modules[member.0];
    let Some(mut entered) = group.enter_with(Lent::data(data)) else { return false };
    let Some(functions) = group.member(&module.identity) else { return false };
    let Some(aux_load) = &functions.aux_load else { return false };
    if !flush_member(&mut entered, module) {
        return false;
    }
    entered.store.data_mut().limits.begin_load();
    let result = entered.during(Phase::AuxLoad, |store| aux_load.call(store.as_context_mut(), version));
    entered.store.data_mut().limits.end_load();
    let loaded = match result {
        Ok(code) => code == 0,
        Err(error) => {
            entered.fault(&module.identity, c"auxLoad", &error);
            false
        }
    };
    if !loaded {
        let name = &module.identity.name;
        log::warning(None, &format!("module {name}: its data in this file (encoding {version}) cannot be loaded"));
        flush_member(&mut entered, module);
    }
    loaded
}

/// Has each module log what it holds, after a load from a file, an append-only file or a primary.
pub fn tell_loaded(host: &Host) {
    for module in host.modules.iter() {
        let group = &host.groups[module.group.get().0];
        let Some(functions) = group.member(&module.identity) else { continue };
        let (Some(loaded), Some(mut entered)) = (&functions.loaded, group.enter()) else { continue };
        if let Err(error) = entered.during(Phase::Loaded, |store| loaded.call(store.as_context_mut(), ())) {
            entered.fault(&module.identity, c"loaded", &error);
        }
    }
}

/// Has every module drop its data, and drops what is kept for those that are missing.
pub fn flush_all(host: &Host, ctx: Context<'_>) {
    host.kept.clear();
    for (number, group) in host.groups.iter().enumerate() {
        let Some(mut entered) = group.enter() else {
            log::warning(Some(ctx), "a module flushed the server from within its own command: its data stays");
            continue;
        };
        let mut members = host.modules.iter().filter(|module| module.group.get().0 == number);
        if members.all(|module| flush_member(&mut entered, module)) {
            group.damaged.set(false);
        }
    }
}

/// Whether a module has dropped its data.
pub fn flush(host: &Host, member: MemberId) -> bool {
    host.group_of(member).enter().is_some_and(|mut entered| flush_member(&mut entered, &host.modules[member.0]))
}

/// Whether the module has dropped its data.
fn flush_member(entered: &mut Entered<'_>, module: &LoadedModule) -> bool {
    let Some(functions) = entered.group.member(&module.identity) else { return true };
    let Some(flush) = &functions.flush else { return true };
    match entered.during(Phase::Flush, |store| flush.call(store.as_context_mut(), ())) {
        Ok(()) => true,
        Err(error) => {
            entered.fault(&module.identity, c"flush", &error);
            entered.group.damaged.set(true);
            false
        }
    }
}

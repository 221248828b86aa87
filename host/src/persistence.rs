//! RDB files and flushes. What a module keeps goes into the file as auxiliary data of a type of its own; the module itself encodes and
//! decodes, in the sandbox, and the host sees that a failure never replaces a good file and never leaves partial data.

use std::ffi::{CStr, CString, c_int, c_void};

use wasmtime::{AsContextMut, Caller};

use crate::abi::MemberId;
use crate::api::{self, Ctx, Event, FlushInfo, Io, TypeMethods};
use crate::command::fault;
use crate::engine::Ticker;
use crate::group::{Entered, Group, Phase, State, ticks};
use crate::{fresh, host, rm};

/// A data type that a module registered: it holds no keys, only auxiliary data.
pub struct DataType {
    member: MemberId,
    name: CString,
}

/// Data types in all.
const TYPES_MAX: usize = 16;
/// Characters of a data type's name.
const NAME_BYTES: usize = 9;

/// The highest number that an encoding may have.
const VERSION_MAX: c_int = 1023;

/// Registers a data type for a module.
///
/// # Errors
/// That the server refuses it, that the name is taken or that there are too many.
///
/// # Safety
/// `ctx` is the context of `RedisModule_OnLoad`, which is running.
pub unsafe fn register(ctx: *mut Ctx, member: MemberId, name: &CStr, version: c_int) -> Result<(), String> {
    let types = host::types_mut();
    let shown = name.to_string_lossy();
    let Some(&(load, save, save2)) = TRAMPOLINES.get(types.len()) else {
        return Err(format!("the data type {shown}: all modules have {TYPES_MAX} data types already"));
    };
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    if name.count_bytes() != NAME_BYTES || !name.to_bytes().iter().all(is_letter) || !(0..=VERSION_MAX).contains(&version) {
        return Err(format!(
            "the data type {shown}, encoding {version}: a name has {NAME_BYTES} letters, digits, - and _, an encoding is 0 to {VERSION_MAX}"
        ));
    }
    let taken = || format!("the data type {shown}: another module has one of this name");
    // The server compares with the types of modules that are loaded, not with those of the one that it is loading.
    if types.iter().any(|other| *other.name == *name) {
        return Err(taken());
    }
    let methods = TypeMethods {
        version: api::TYPE_METHOD_VERSION,
        aux_load: Some(load),
        // 7.0 knows the first alone; 7.2 and later prefer the second, and then write nothing for an empty store.
        aux_save: Some(save),
        aux_save2: Some(save2),
        aux_save_triggers: api::AUX_BEFORE_RDB,
        ..TypeMethods::default()
    };
    // SAFETY: by this function's contract; the server copies the methods and the name.
    if unsafe { rm!(CreateDataType(ctx, name.as_ptr(), version, &raw const methods)) }.is_null() {
        return Err(taken());
    }
    types.push(DataType { member, name: name.into() });
    Ok(())
}

static TRAMPOLINES: [(api::AuxLoadFunc, api::AuxSaveFunc, api::AuxSaveFunc); TYPES_MAX] = {
    macro_rules! row { ($($number:literal)*) => { [$((aux_load::<$number>, aux_save::<$number>, aux_save2::<$number>)),*] }; }
    row!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
};

/// What a server calls that writes the section in any case, and reads it back in any case: an empty store is written too.
unsafe extern "C" fn aux_save<const N: usize>(io: *mut Io, _when: c_int) {
    // SAFETY: `io` is the stream of the running save.
    unsafe { save_or_fail(N, io, false) };
}

/// What a server calls that writes the section only if anything is written to it.
unsafe extern "C" fn aux_save2<const N: usize>(io: *mut Io, _when: c_int) {
    // SAFETY: `io` is the stream of the running save.
    unsafe { save_or_fail(N, io, true) };
}

/// # Safety
/// `io` is the stream of the running save.
unsafe fn save_or_fail(number: usize, io: *mut Io, may_be_nothing: bool) {
    // A panic fails the save as a trap does.
    let saved = host::guarded(|| save(host::types_mut()[number].member, io, may_be_nothing)).unwrap_or(false);
    if !saved {
        // SAFETY: by this function's contract.
        unsafe { fail_save(io) };
    }
}

/// Whether the module has written its data, or had none and need not write that.
fn save(member: MemberId, io: *mut Io, may_be_nothing: bool) -> bool {
    let group = host::group_of(member);
    let name = host::module_name(member);
    if group.damaged.get() {
        host::log(
            std::ptr::null_mut(),
            c"warning",
            &format!("module {name}: its data is in doubt, so this save fails and the last good file stays"),
        );
        return false;
    }
    let Some(mut entered) = group.enter() else { return false };
    let functions = &group.members()[host::index_of(member)];
    let Some(aux_save) = functions.aux_save.as_ref() else { return true };
    // A fork child has no ticker of its own yet, and a save without end in it would block every later one.
    let _ticker = match in_child().then(|| Ticker::start(entered.store.engine())).transpose() {
        Ok(ticker) => ticker,
        Err(error) => {
            host::log(std::ptr::null_mut(), c"warning", &format!("module {name}: this save fails: no thread for the time limit: {error}"));
            return false;
        }
    };
    entered.store.data_mut().call.io = io;
    let result = entered.during(Phase::AuxSave, |_, store| {
        if may_be_nothing
            && let Some(is_empty) = &functions.is_empty
            && is_empty.call(store.as_context_mut(), ())? == 1
        {
            return Ok(());
        }
        aux_save.call(store.as_context_mut(), ())
    });
    entered.store.data_mut().call.io = std::ptr::null_mut();
    match result {
        Ok(()) => true,
        Err(error) => {
            fault(member, c"auxSave", &mut entered, std::ptr::null_mut(), &error);
            false
        }
    }
}

fn in_child() -> bool {
    host::get().is_some_and(|host| host.pid != std::process::id())
}

/// Makes the running save fail: the server's callback has no way to say so. In a child, by ending it; in the server itself, by making the
/// file's own writes fail.
///
/// # Safety
/// `io` is the stream of the running save.
unsafe fn fail_save(io: *mut Io) {
    if in_child() {
        // SAFETY: ends this process. By a signal, since the server then removes the child's file; after an exit it relies on the child for that.
        unsafe {
            libc::kill(libc::getpid(), libc::SIGKILL);
            libc::_exit(1);
        }
    }
    static BLOCK: [u8; 1 << 16] = [0; 1 << 16];
    const BLOCKS_MAX: usize = 1 << 10;
    // SAFETY: the limit and the signal's action are read, changed and put back; `io` by this function's contract.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit);
        let none = libc::rlimit { rlim_cur: 0, rlim_max: limit.rlim_max };
        let action = libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        libc::setrlimit(libc::RLIMIT_FSIZE, &raw const none);
        for _ in 0..BLOCKS_MAX {
            if rm!(IsIOError(io)) != 0 {
                break;
            }
            rm!(SaveStringBuffer(io, BLOCK.as_ptr().cast(), BLOCK.len()));
        }
        libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit);
        libc::signal(libc::SIGXFSZ, action);
    }
}

unsafe extern "C" fn aux_load<const N: usize>(io: *mut Io, version: c_int, _when: c_int) -> c_int {
    let loaded = host::guarded(|| {
        let member = host::types_mut()[N].member;
        fresh::with_target(member, |group| load(group, member, io, version)).unwrap_or(false)
    })
    .unwrap_or(false);
    if loaded { api::OK } else { api::ERR }
}

/// Whether the module has taken its data from the file. If not, it holds nothing: never a part.
fn load(group: &Group, member: MemberId, io: *mut Io, version: c_int) -> bool {
    let name = host::module_name(member);
    let Some(mut entered) = group.enter() else { return false };
    let functions = &group.members()[host::index_of(member)];
    let Some(aux_load) = functions.aux_load.as_ref() else { return false };
    if !flush_member(&mut entered, member) {
        return false;
    }
    entered.store.data_mut().call.io = io;
    entered.store.data_mut().limits.begin_load();
    let result = entered.during(Phase::AuxLoad, |_, store| aux_load.call(store.as_context_mut(), version));
    entered.store.data_mut().limits.end_load();
    entered.store.data_mut().call.io = std::ptr::null_mut();
    let loaded = match result {
        Ok(code) => code == 0,
        Err(error) => {
            fault(member, c"auxLoad", &mut entered, std::ptr::null_mut(), &error);
            false
        }
    };
    if !loaded {
        host::log(std::ptr::null_mut(), c"warning", &format!("module {name}: its data in this file (encoding {version}) cannot be loaded"));
        flush_member(&mut entered, member);
    }
    loaded
}

/// Gives the running save or load a whole time limit again: each block has its own.
pub fn renew_deadline(guest: &mut Caller<'_, State>) {
    guest.as_context_mut().set_epoch_deadline(ticks());
}

/// FLUSHALL, a full sync, a reload: every module's data goes. Flushing one database does not concern a namespace of the whole server.
///
/// # Safety
/// The server calls this with an event's own data.
pub unsafe extern "C" fn on_flush(ctx: *mut Ctx, _: Event, subevent: u64, data: *mut c_void) {
    // SAFETY: by this function's contract.
    let database = unsafe { data.cast::<FlushInfo>().as_ref() }.map_or(0, |info| info.database);
    if subevent == api::SUBEVENT_FLUSHDB_START && database == -1 {
        host::guarded(|| flush_all(ctx));
    }
}

/// A load that failed: what some modules had taken from it goes too, so that no two of them hold data of different times. A load beside the
/// present data leaves that as it is. Of one that ended well the log tells what came.
///
/// # Safety
/// The server calls this with an event's own data.
pub unsafe extern "C" fn on_loading(ctx: *mut Ctx, _: Event, subevent: u64, _: *mut c_void) {
    host::guarded(|| match subevent {
        api::SUBEVENT_LOADING_FAILED if !fresh::was_beside() => flush_all(ctx),
        api::SUBEVENT_LOADING_ENDED if !fresh::was_beside() => tell_loaded(),
        api::SUBEVENT_LOADING_RDB_START..=api::SUBEVENT_LOADING_REPL_START => fresh::note_load(),
        _ => {}
    });
}

/// Has each module log what it holds, after a load from a file, an append-only file or a primary.
pub fn tell_loaded() {
    let Some(host) = host::get() else { return };
    for (member, module) in host.modules.iter().enumerate() {
        let group = &host.groups[module.group];
        let (Some(loaded), Some(mut entered)) = (&group.members()[module.index].loaded, group.enter()) else { continue };
        if let Err(error) = entered.during(Phase::Loaded, |_, store| loaded.call(store.as_context_mut(), ())) {
            fault(member, c"loaded", &mut entered, std::ptr::null_mut(), &error);
        }
    }
}

pub fn flush_all(ctx: *mut Ctx) {
    let Some(host) = host::get() else { return };
    for (number, group) in host.groups.iter().enumerate() {
        let Some(mut entered) = group.enter() else {
            host::log(ctx, c"warning", "a module flushed the server from within its own command: its data stays");
            continue;
        };
        let mut members = host.modules.iter().enumerate().filter(|(_, module)| module.group == number);
        if members.all(|(member, _)| flush_member(&mut entered, member)) {
            group.damaged.set(false);
        }
    }
}

/// Whether the module has dropped its data.
fn flush_member(entered: &mut Entered<'_>, member: MemberId) -> bool {
    let functions = &entered.group.members()[host::index_of(member)];
    let Some(flush) = &functions.flush else { return true };
    match entered.during(Phase::Flush, |_, store| flush.call(store.as_context_mut(), ())) {
        Ok(()) => true,
        Err(error) => {
            fault(member, c"flush", entered, std::ptr::null_mut(), &error);
            entered.group.damaged.set(true);
            false
        }
    }
}

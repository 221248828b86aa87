//! The namespace `redis`: what modules may import from the host. Its documentation, for the people who call it, is `assembly/redis.ts`;
//! the order of the functions is the same.

use std::ffi::{CStr, CString, c_char, c_int};

use smallvec::SmallVec;
use wasmtime::{Caller, Func, Linker, Ref, Result};

use crate::api::{self, Str};
use crate::command::{self, Declaration};
use crate::file::HOST_NAMESPACE as NS;
use crate::group::{Call, Handler, Phase, State, To, is_committing};
use crate::reply::{CLOSED_BYTES, Container, OPEN_MAX, Reply};
use crate::trap::Failed;
use crate::{host, listeners, memory, persistence, rm, text};

type Guest<'a> = Caller<'a, State>;

/// Defines every function of the namespace for the member `member` of the group being built.
///
/// # Errors
/// A name defined twice, which would be a fault of this file.
pub fn define(linker: &mut Linker<State>, member: MemberId) -> Result<()> {
    commands(linker, member)?;
    replies(linker)?;
    containers(linker)?;
    server(linker, member)?;
    effects(linker, member)?;
    saving(linker, member)?;
    loading(linker)?;
    info(linker)
}

/// Which module an import belongs to: its place among all modules, in the order of the arguments.
pub type MemberId = usize;

/// The phases in which a module works on its data for others to see.
pub const RUNNING: &[Phase] = &[Phase::Command, Phase::Sweep, Phase::Reclaim];
/// The phases in which `onLoad()` runs.
const LOADING: &[Phase] = &[Phase::Load, Phase::LoadAgain];

/// The whole linear memory beside the state.
#[inline]
fn parts<'a>(guest: &'a mut Guest<'_>) -> Result<(&'a mut [u8], &'a mut State)> {
    let memory = guest.data().memory.ok_or_else(|| wasmtime::Error::msg("an import call before its memory is known"))?;
    Ok(memory.data_and_store_mut(guest))
}

/// The bytes at (`pointer`, `length`), on their way to the server, beside the state, in one of the phases where `name` makes sense.
#[inline]
fn bytes<'a>(guest: &'a mut Guest<'_>, name: &str, phases: &[Phase], pointer: u32, length: u32) -> Result<(&'a [u8], &'a mut State)> {
    allow(guest, name, phases)?;
    let (all, state) = parts(guest)?;
    Ok((handed(all, &mut state.call, pointer, length)?, state))
}

/// The bytes at (`pointer`, `length`), on their way to the server.
#[inline]
fn handed<'a>(all: &'a [u8], call: &mut Call, pointer: u32, length: u32) -> Result<&'a [u8]> {
    let bytes = memory::slice(all, pointer, length)?;
    call.hand(To::Server, length.into(), all.len())?;
    Ok(bytes)
}

#[inline]
fn allow(guest: &Guest<'_>, name: &str, phases: &[Phase]) -> Result<()> {
    if phases.contains(&guest.data().call.phase) { Ok(()) } else { Err(not_now(name)) }
}

#[cold]
fn not_now(name: &str) -> wasmtime::Error {
    wasmtime::Error::msg(format!("{NS}.{name} is not allowed here"))
}

/// The function at this place of the module's exported table.
fn in_table(guest: &mut Guest<'_>, index: i32) -> Result<Func> {
    let table = guest.get_export("table").and_then(wasmtime::Extern::into_table);
    match table.and_then(|table| table.get(&mut *guest, index.cast_unsigned().into())) {
        Some(Ref::Func(Some(function))) => Ok(function),
        _ => Err(wasmtime::Error::msg(format!("its table has no function {index}"))),
    }
}

/// What a module is told of a registration: [`api::OK`], or [`api::ERR`], and the first refusal is noted for the log.
fn noted(state: &mut State, registered: Result<(), String>) -> c_int {
    match registered {
        Ok(()) => api::OK,
        Err(refused) => {
            state.refused.get_or_insert(refused);
            api::ERR
        }
    }
}

fn another_type(index: i32) -> wasmtime::Error {
    wasmtime::Error::msg(format!("function {index} of its table has another type than is called"))
}

fn commands(linker: &mut Linker<State>, member: MemberId) -> Result<()> {
    linker.func_wrap(
        NS,
        "CreateCommand",
        move |mut guest: Guest<'_>,
              name: u32,
              name_length: u32,
              handler: i32,
              flags: u32,
              flags_length: u32,
              first: i32,
              last: i32,
              step: i32,
              arity: i32|
              -> Result<i32> {
            let (name, _) = bytes(&mut guest, "CreateCommand", LOADING, name, name_length)?;
            let name = text::line(name);
            let (flags, _) = bytes(&mut guest, "CreateCommand", LOADING, flags, flags_length)?;
            let flags = String::from_utf8_lossy(text::cut(flags)).into_owned();
            let declaration = Declaration { name, flags, first, last, step, arity };
            declaration.check().map_err(wasmtime::Error::msg)?;
            let function = in_table(&mut guest, handler)?;
            let handler = match (function.typed(&guest), function.typed(&guest)) {
                (Ok(handler), _) => Handler::Answers(handler),
                (_, Ok(handler)) => Handler::Replies(handler),
                _ => return Err(another_type(handler)),
            };
            if guest.data().call.phase == Phase::LoadAgain {
                guest.data_mut().handlers.push((declaration.name, handler));
                return Ok(api::OK);
            }
            let ctx = guest.data().call.ctx;
            // SAFETY: phase Load: `ctx` is the context of RedisModule_OnLoad.
            let registered = unsafe { command::register(ctx, member, handler, &declaration) };
            Ok(noted(guest.data_mut(), registered))
        },
    )?;
    linker.func_wrap(
        NS,
        "SetCommandInfo",
        move |mut guest: Guest<'_>, name: u32, name_length: u32, info: u32, length: u32| -> Result<i32> {
            let (name, _) = bytes(&mut guest, "SetCommandInfo", LOADING, name, name_length)?;
            let name = String::from_utf8_lossy(text::cut(name)).to_ascii_lowercase();
            let (text, _) = bytes(&mut guest, "SetCommandInfo", LOADING, info, length)?;
            // CreateCommand has told the server already, by what was noted down when the module was asked.
            match host::description(member, &name) {
                Some(noted) if noted.text == text => Ok(api::OK),
                Some(_) => Err(wasmtime::Error::msg(format!("it describes {name} otherwise than when it was asked"))),
                None => Ok(api::ERR),
            }
        },
    )?;
    // Settings are declared in the scratch store alone; here, where onLoad() runs for good, they are known.
    linker.func_wrap(NS, "RegisterNumericConfig", |_: u32, _: u32, _: i64, _: u32, _: i64, _: i64, _: i32| -> Result<i32> {
        Err(not_now("RegisterNumericConfig"))
    })?;
    linker.func_wrap(NS, "GetNumericConfig", move |handle: i32| -> Result<i64> {
        host::setting(member, handle).ok_or_else(|| wasmtime::Error::msg(format!("it declared no setting {handle}")))
    })?;
    linker.func_wrap(NS, "ServedBy", |guest: Guest<'_>, _: u32, _: u32, _: u32, _: u32| allow(&guest, "ServedBy", LOADING))?;
    Ok(())
}

/// Replies with the bytes at (`pointer`, `length`), if there is room for one more reply.
#[inline]
fn reply(guest: &mut Guest<'_>, name: &str, (pointer, length): (u32, u32), make: impl FnOnce(&[u8]) -> Reply<'_>) -> Result<()> {
    let (all, state) = parts(guest)?;
    let call = &mut state.call;
    if call.phase != Phase::Command {
        return Err(not_now(name));
    }
    let bytes = memory::slice(all, pointer, length)?;
    call.hand(To::Client, length.into(), all.len())?;
    // SAFETY: phase Command: `ctx` is the running command's.
    unsafe { call.replies.send(call.ctx, make(bytes)) };
    Ok(())
}

fn replies(linker: &mut Linker<State>) -> Result<()> {
    const NOTHING: (u32, u32) = (0, 0);
    linker.func_wrap(NS, "ReplyWithSimpleString", |mut guest: Guest<'_>, pointer: u32, length: u32| -> Result<()> {
        reply(&mut guest, "ReplyWithSimpleString", (pointer, length), |text| Reply::Status(text::cut(text)))
    })?;
    linker.func_wrap(NS, "ReplyWithError", |mut guest: Guest<'_>, pointer: u32, length: u32| -> Result<()> {
        reply(&mut guest, "ReplyWithError", (pointer, length), |text| Reply::Error(text::cut(text)))
    })?;
    linker.func_wrap(NS, "ReplyWithStringBuffer", |mut guest: Guest<'_>, pointer: u32, length: u32| -> Result<()> {
        reply(&mut guest, "ReplyWithStringBuffer", (pointer, length), |bytes| Reply::Bulk(bytes))
    })?;
    linker.func_wrap(NS, "ReplyWithNull", |mut guest: Guest<'_>| -> Result<()> {
        reply(&mut guest, "ReplyWithNull", NOTHING, |_| Reply::Null)
    })?;
    linker.func_wrap(NS, "ReplyWithLongLong", |mut guest: Guest<'_>, value: i64| -> Result<()> {
        reply(&mut guest, "ReplyWithLongLong", NOTHING, |_| Reply::Integer(value))
    })?;
    linker.func_wrap(NS, "WrongArity", |mut guest: Guest<'_>| -> Result<()> {
        reply(&mut guest, "WrongArity", NOTHING, |_| Reply::WrongArity)
    })?;
    linker.func_wrap(NS, "Fail", |mut guest: Guest<'_>, pointer: u32, length: u32| -> Result<()> {
        let (text, _) = bytes(&mut guest, "Fail", RUNNING, pointer, length)?;
        Err(wasmtime::Error::new(Failed(text::cut(text).to_vec())))
    })?;
    linker.func_wrap(NS, "Attempt", |mut guest: Guest<'_>, handler: i32| -> Result<i32> {
        allow(&guest, "Attempt", RUNNING)?;
        if is_committing(&mut guest) {
            return Err(wasmtime::Error::msg("an attempt inside a commit"));
        }
        let function = in_table(&mut guest, handler)?;
        let function = function.typed::<(), ()>(&guest).map_err(|_| another_type(handler))?;
        match function.call(&mut guest, ()) {
            Ok(()) => Ok(0),
            // What is half changed cannot be gone on with.
            Err(error) if error.downcast_ref::<Failed>().is_some() && !is_committing(&mut guest) => Ok(1),
            Err(error) => Err(error),
        }
    })?;
    Ok(())
}

fn containers(linker: &mut Linker<State>) -> Result<()> {
    const KINDS: [(Container, &str, &str); 2] =
        [(Container::Array, "ReplyWithArray", "ReplySetArrayLength"), (Container::Map, "ReplyWithMap", "ReplySetMapLength")];
    for (container, open, set_length) in KINDS {
        linker.func_wrap(NS, open, move |mut guest: Guest<'_>, length: i64| -> Result<()> {
            allow(&guest, open, &[Phase::Command])?;
            let (all, state) = parts(&mut guest)?;
            let call = &mut state.call;
            call.hand(To::Client, 0, all.len())?;
            if !call.replies.may_open() {
                return Err(wasmtime::Error::msg(format!("more than {OPEN_MAX} arrays within each other")));
            }
            // SAFETY: phase Command: `ctx` is the running command's, here and below.
            unsafe { call.replies.open(call.ctx, container, length) };
            Ok(())
        })?;
        linker.func_wrap(NS, set_length, move |mut guest: Guest<'_>, length: i64| -> Result<()> {
            allow(&guest, set_length, &[Phase::Command])?;
            let (all, state) = parts(&mut guest)?;
            let call = &mut state.call;
            call.hand(To::Client, CLOSED_BYTES, all.len())?;
            // SAFETY: phase Command: `ctx` is the running command's.
            unsafe { call.replies.set_length(call.ctx, container, length) };
            Ok(())
        })?;
    }
    Ok(())
}

/// Random bytes of one call: no time limit strikes while the server makes them.
const RANDOM_BYTES_MAX: u32 = 1 << 20;

/// Bytes of a key that is compared with the patterns of permissions, which takes the product of both lengths at worst.
const CHECKED_BYTES_MAX: u32 = 1 << 16;

/// Whether the user behind the running command may run it with this key in the place of its first one, and read and write the key. The
/// server itself asks selector by selector: command and key must be covered by the same one. Who has no user may: the replication stream,
/// a file, another module that calls as itself.
///
/// # Safety
/// A command runs, whose outermost context is `ctx` and whose name there is `command`; `key` is a string of the server.
unsafe fn may_access(ctx: *mut api::Ctx, command: *mut Str, key: *mut Str) -> bool {
    const READ_AND_WRITE: c_int = (api::CMD_KEY_ACCESS | api::CMD_KEY_INSERT | api::CMD_KEY_UPDATE) as c_int;
    // SAFETY: by this function's contract; name and user are freed once, after their last use.
    unsafe {
        if host::obeys() || !has_user(ctx) {
            return true;
        }
        let name = rm!(GetCurrentUserName(ctx));
        if name.is_null() {
            return true;
        }
        let user = rm!(GetModuleUserFromUserName(name));
        rm!(FreeString(ctx, name));
        // A user that was deleted meanwhile.
        if user.is_null() {
            return false;
        }
        let call = [command, key];
        let allowed = rm!(ACLCheckCommandPermissions(user, call.as_ptr(), call.len() as c_int)) == api::OK
            && rm!(ACLCheckKeyPermissions(user, key, READ_AND_WRITE)) == api::OK;
        rm!(FreeModuleUser(user));
        allowed
    }
}

/// Whether a user stands behind the context. Redis 7.0 reads the name of one that is not there, so this is asked first: a call on behalf of
/// the user, of a command that no server has, fails for another reason.
///
/// # Safety
/// `ctx` is the context of a running command.
unsafe fn has_user(ctx: *mut api::Ctx) -> bool {
    // SAFETY: by this function's contract; errno is always there, and no reply is expected.
    unsafe {
        *libc::__errno_location() = 0;
        let reply = rm!(Call(ctx, c"wasm.-".as_ptr(), c"C".as_ptr()));
        if !reply.is_null() {
            rm!(FreeCallReply(reply));
        }
        *libc::__errno_location() != libc::ENOTSUP
    }
}

/// Unix ms. Within a transaction, a script or a command that another one calls, the server's time stands still, where it tells modules of it
/// (Redis and Valkey from 7.2 on): nothing expires halfway, as nothing of the server's own does.
fn now_ms(phase: Phase) -> i64 {
    // SAFETY: neither function takes an argument. A cached time is that of the running command's beginning, so there must be one.
    unsafe {
        match api::CachedMicroseconds {
            Some(cached_microseconds) if matches!(phase, Phase::Command | Phase::Reclaim) => cached_microseconds() / 1000,
            _ => rm!(Milliseconds()),
        }
    }
}

fn server(linker: &mut Linker<State>, member: MemberId) -> Result<()> {
    linker.func_wrap(NS, "Milliseconds", |guest: Guest<'_>| -> i64 { now_ms(guest.data().call.phase) })?;
    linker.func_wrap(NS, "GetRandomBytes", |mut guest: Guest<'_>, pointer: u32, length: u32| -> Result<()> {
        let target = memory::slice_mut(parts(&mut guest)?.0, pointer, length)?;
        if length > RANDOM_BYTES_MAX {
            return Err(wasmtime::Error::msg(format!("{length} random bytes at once, more than {RANDOM_BYTES_MAX}")));
        }
        // SAFETY: the target is as long as told.
        unsafe { rm!(GetRandomBytes(target.as_mut_ptr(), target.len())) };
        Ok(())
    })?;
    linker.func_wrap(NS, "Log", move |mut guest: Guest<'_>, level: u32, level_length: u32, pointer: u32, length: u32| -> Result<()> {
        let (all, state) = parts(&mut guest)?;
        let level = text::line(handed(all, &mut state.call, level, level_length)?);
        let text = String::from_utf8_lossy(text::cut(handed(all, &mut state.call, pointer, length)?)).into_owned();
        host::log(guest.data().call.ctx, &level, &format!("module {}: {text}", host::module_name(member)));
        Ok(())
    })?;
    linker.func_wrap(NS, "MayAccess", |mut guest: Guest<'_>, pointer: u32, length: u32| -> Result<i32> {
        allow(&guest, "MayAccess", RUNNING)?;
        let (all, state) = parts(&mut guest)?;
        memory::slice(all, pointer, length)?;
        if length > CHECKED_BYTES_MAX {
            return Err(wasmtime::Error::msg(format!("a key of {length} bytes is not compared with patterns")));
        }
        // A sweep is the server's own doing.
        let Some((ctx, command)) = host::outermost() else { return Ok(1) };
        // SAFETY: phase Command: a command runs, and so does the outermost one.
        with_key(state, all, pointer, length, |key| unsafe { may_access(ctx, command, key) }).map(i32::from)
    })?;
    linker.func_wrap(NS, "GetContextFlags", |guest: Guest<'_>| -> i32 {
        let outer = host::outer_flags();
        // SAFETY: the context is that of the running call, or null, which the server allows here.
        outer.unwrap_or_else(|| unsafe { rm!(GetContextFlags(guest.data().call.ctx)) })
    })?;
    Ok(())
}

/// A server's string for `bytes`: the argument itself where the module passes one of them on, else a new one that is freed afterwards.
fn with_key<T>(state: &State, all: &[u8], pointer: u32, length: u32, action: impl FnOnce(*mut Str) -> T) -> Result<T> {
    let key = memory::slice(all, pointer, length)?;
    if let Some(argument) = command::argument_at(&state.call, all, pointer, length) {
        return Ok(action(argument));
    }
    Ok(with_string(key, action))
}

fn with_string<T>(bytes: &[u8], action: impl FnOnce(*mut Str) -> T) -> T {
    // SAFETY: the server copies the bytes; the string is freed once, after its last use.
    unsafe {
        let string = rm!(CreateString(std::ptr::null_mut(), bytes.as_ptr().cast(), bytes.len()));
        let result = action(string);
        rm!(FreeString(std::ptr::null_mut(), string));
        result
    }
}

/// Refuses what must not replicate now: the server ends when a command that it did not hold back does while clients' writes are paused.
#[inline]
fn allow_effect(guest: &Guest<'_>, name: &str, phases: &[Phase]) -> Result<()> {
    let call = &guest.data().call;
    if phases.contains(&call.phase) && (call.may_replicate || call.phase != Phase::Command) { Ok(()) } else { Err(not_now(name)) }
}

#[cold]
fn not_its_own(name: &[u8]) -> wasmtime::Error {
    // Whatever bytes the module gave, on one line.
    let name = name[..name.len().min(command::NAME_BYTES_MAX)].escape_ascii();
    wasmtime::Error::msg(format!("it replicates {name}, which is no command that its linked group writes by"))
}

/// Arguments of one effect beyond those of the running command.
const EFFECT_ARGUMENTS_MAX: u32 = 1 << 16;

fn effects(linker: &mut Linker<State>, member: MemberId) -> Result<()> {
    linker.func_wrap(NS, "ReplicateVerbatim", |guest: Guest<'_>| -> Result<()> {
        allow_effect(&guest, "ReplicateVerbatim", &[Phase::Command])?;
        // SAFETY: phase Command, below or Sweep: `ctx` is the running command's, or the timer's.
        unsafe { rm!(ReplicateVerbatim(guest.data().call.ctx)) };
        Ok(())
    })?;
    linker.func_wrap(NS, "MayExceed", |mut guest: Guest<'_>| -> Result<()> {
        allow(&guest, "MayExceed", RUNNING)?;
        guest.data_mut().limits.begin_command(false);
        Ok(())
    })?;
    linker.func_wrap(NS, "DiscardMemory", |mut guest: Guest<'_>, pointer: u32, length: u32| -> Result<()> {
        allow(&guest, "DiscardMemory", RUNNING)?;
        let (all, _) = parts(&mut guest)?;
        memory::discard(all, pointer, length)
    })?;
    linker.func_wrap(NS, "EffectsWanted", |guest: Guest<'_>| -> Result<i32> {
        allow(&guest, "EffectsWanted", RUNNING)?;
        // SAFETY: phase Command or Sweep: `ctx` is the running command's, or the timer's.
        Ok(unsafe { listeners::wanted(guest.data().call.ctx) }.into())
    })?;
    linker.func_wrap(NS, "Replicate", move |mut guest: Guest<'_>, name: u32, name_length: u32, argv: u32, argc: i32| -> Result<()> {
        allow_effect(&guest, "Replicate", RUNNING)?;
        let (all, state) = parts(&mut guest)?;
        let name = handed(all, &mut state.call, name, name_length)?;
        // Counted before any of it is collected: a count costs the module nothing.
        let count = argc.cast_unsigned();
        if count > state.call.argc.unsigned_abs() + EFFECT_ARGUMENTS_MAX {
            return Err(wasmtime::Error::msg(format!("it replicates {count} arguments at once, more than it may")));
        }
        let arguments = memory::pairs(all, argv, count)?;
        state.call.hand(To::Server, memory::sum(&arguments), all.len())?;
        let slot = command::written_by(member, name, &mut state.call.effect).ok_or_else(|| not_its_own(name))?;
        let strings = Strings::new(&arguments);
        // SAFETY: as above; format "v" takes an array and its length, and the server keeps what it needs by itself.
        unsafe { rm!(Replicate(state.call.ctx, slot.name.as_ptr(), c"v".as_ptr(), strings.as_ptr(), strings.len())) };
        Ok(())
    })?;
    linker.func_wrap(NS, "SignalModifiedKey", |mut guest: Guest<'_>, pointer: u32, length: u32| -> Result<()> {
        allow(&guest, "SignalModifiedKey", RUNNING)?;
        let (all, state) = parts(&mut guest)?;
        handed(all, &mut state.call, pointer, length)?;
        let ctx = state.call.ctx;
        // SAFETY: as above; the key lives as long as the call.
        with_key(state, all, pointer, length, |key| unsafe { _ = rm!(SignalModifiedKey(ctx, key)) })
    })?;
    linker.func_wrap(
        NS,
        "NotifyKeyspaceEvent",
        |mut guest: Guest<'_>, kind: i32, event: u32, event_length: u32, pointer: u32, length: u32| -> Result<()> {
            allow(&guest, "NotifyKeyspaceEvent", RUNNING)?;
            let (all, state) = parts(&mut guest)?;
            let event = handed(all, &mut state.call, event, event_length)?;
            handed(all, &mut state.call, pointer, length)?;
            let ctx = state.call.ctx;
            with_key(state, all, pointer, length, |key| {
                // SAFETY: as above; the key and the text live as long as the call.
                text::with_line(event, |event| unsafe { _ = rm!(NotifyKeyspaceEvent(ctx, kind, event, key)) })
            })
        },
    )?;
    linker.func_wrap(
        NS,
        "KeyChanged",
        |mut guest: Guest<'_>, kind: i32, event: u32, event_length: u32, pointer: u32, length: u32, verbatim: i32| -> Result<()> {
            if verbatim == 0 { allow(&guest, "KeyChanged", RUNNING) } else { allow_effect(&guest, "KeyChanged", &[Phase::Command]) }?;
            let (all, state) = parts(&mut guest)?;
            let event = handed(all, &mut state.call, event, event_length)?;
            handed(all, &mut state.call, pointer, length)?;
            let ctx = state.call.ctx;
            with_key(state, all, pointer, length, |key| {
                // SAFETY: as above.
                text::with_line(event, |event| unsafe {
                    if verbatim != 0 {
                        rm!(ReplicateVerbatim(ctx));
                    }
                    rm!(SignalModifiedKey(ctx, key));
                    _ = rm!(NotifyKeyspaceEvent(ctx, kind, event, key));
                });
            })
        },
    )?;
    Ok(())
}

/// Server strings of byte strings, freed together.
pub struct Strings(SmallVec<[*mut Str; 8]>);

impl Strings {
    pub fn new(arguments: &[&[u8]]) -> Strings {
        // SAFETY: the server copies the bytes.
        let create = |bytes: &&[u8]| unsafe { rm!(CreateString(std::ptr::null_mut(), bytes.as_ptr().cast(), bytes.len())) };
        Strings(arguments.iter().map(create).collect())
    }

    pub fn as_ptr(&self) -> *const *mut Str {
        self.0.as_ptr()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl Drop for Strings {
    fn drop(&mut self) {
        for &string in &self.0 {
            // SAFETY: made by `new`, freed once.
            unsafe { rm!(FreeString(std::ptr::null_mut(), string)) };
        }
    }
}

fn saving(linker: &mut Linker<State>, member: MemberId) -> Result<()> {
    linker.func_wrap(NS, "CreateDataType", move |mut guest: Guest<'_>, name: u32, length: u32, version: i32| -> Result<i32> {
        let (name, state) = bytes(&mut guest, "CreateDataType", LOADING, name, length)?;
        if state.call.phase == Phase::LoadAgain {
            return Ok(api::OK);
        }
        let name = text::line(name);
        if ["auxSave", "auxLoad"].iter().any(|export| guest.get_export(export).is_none()) {
            return Err(wasmtime::Error::msg("it declares a data type and does not export both auxSave and auxLoad"));
        }
        let state = guest.data_mut();
        // SAFETY: phase Load: the context is that of RedisModule_OnLoad.
        let registered = unsafe { persistence::register(state.call.ctx, member, &name, version) };
        Ok(noted(state, registered))
    })?;
    linker.func_wrap(NS, "SaveUnsigned", |mut guest: Guest<'_>, value: u64| -> Result<()> {
        allow(&guest, "SaveUnsigned", &[Phase::AuxSave])?;
        let (all, state) = parts(&mut guest)?;
        state.call.hand(To::File, size_of::<u64>() as u64, all.len())?;
        // SAFETY: phase AuxSave: `io` is the stream of the running save, here and below.
        unsafe { rm!(SaveUnsigned(state.call.io, value)) };
        Ok(())
    })?;
    linker.func_wrap(NS, "SaveStringBuffer", |mut guest: Guest<'_>, pointer: u32, length: u32| -> Result<()> {
        allow(&guest, "SaveStringBuffer", &[Phase::AuxSave])?;
        let (all, state) = parts(&mut guest)?;
        let bytes = memory::slice(all, pointer, length)?;
        state.call.hand(To::File, length.into(), all.len())?;
        // SAFETY: phase AuxSave: `io` is the stream of the running save, which copies the bytes.
        unsafe { rm!(SaveStringBuffer(state.call.io, bytes.as_ptr().cast(), bytes.len())) };
        persistence::renew_deadline(&mut guest);
        Ok(())
    })?;
    Ok(())
}

fn loading(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NS, "LoadUnsigned", |guest: Guest<'_>| -> Result<u64> {
        allow(&guest, "LoadUnsigned", &[Phase::AuxLoad])?;
        // SAFETY: phase AuxLoad: `io` is the stream of the running load, here and below.
        Ok(unsafe { rm!(LoadUnsigned(guest.data().call.io)) })
    })?;
    linker.func_wrap(NS, "LoadStringBuffer", |mut guest: Guest<'_>| -> Result<u64> {
        allow(&guest, "LoadStringBuffer", &[Phase::AuxLoad])?;
        let mut length = 0;
        // SAFETY: phase AuxLoad: `io` is the stream of the running load.
        let source: *mut c_char = unsafe { rm!(LoadStringBuffer(guest.data().call.io, &raw mut length)) };
        if source.is_null() {
            return Ok(0);
        }
        guest.data_mut().limits.note_read(length);
        // SAFETY: the server answers `length` bytes that are ours until they are freed, below.
        let result = answer(&mut guest, unsafe { std::slice::from_raw_parts(source.cast(), length) });
        // SAFETY: the server gave it to be freed, once, and it is not used any more.
        unsafe { rm!(Free(source.cast())) };
        persistence::renew_deadline(&mut guest);
        result
    })?;
    linker.func_wrap(NS, "IsIOError", |guest: Guest<'_>| -> Result<i32> {
        allow(&guest, "IsIOError", &[Phase::AuxLoad, Phase::AuxSave])?;
        // SAFETY: phase AuxLoad or AuxSave: `io` is the stream of what runs.
        Ok(unsafe { rm!(IsIOError(guest.data().call.io)) })
    })?;
    Ok(())
}

/// Copies what an import call answers into the group's memory: `length << 32 | pointer`, valid until its next import call.
///
/// # Errors
/// The memory cannot grow to hold it.
pub fn answer(guest: &mut Guest<'_>, bytes: &[u8]) -> Result<u64> {
    let memory = guest.data().memory.ok_or_else(|| not_now("an import call"))?;
    let mut results = guest.data().results;
    let pointer = results.reserve(&mut wasmtime::AsContextMut::as_context_mut(guest), memory, bytes.len() as u64);
    guest.data_mut().results = results;
    let pointer = pointer.ok_or_else(|| wasmtime::Error::new(Failed(OUT_OF_MEMORY.to_bytes().to_vec())))?;
    let length = u32::try_from(bytes.len())?;
    memory::slice_mut(memory.data_mut(guest), pointer, length)?.copy_from_slice(bytes);
    Ok(memory::packed(pointer, length))
}

/// The error of a call whose bytes do not fit into the group's memory.
pub const OUT_OF_MEMORY: &CStr = c"OOM the memory of this module is full: wasm.max-memory";

fn info(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NS, "InfoAddFieldULongLong", |mut guest: Guest<'_>, name: u32, length: u32, value: u64| -> Result<()> {
        let (name, state) = bytes(&mut guest, "InfoAddFieldULongLong", &[Phase::Info], name, length)?;
        let name: CString = text::line(name);
        // SAFETY: phase Info: `info` is that of the running INFO.
        let _: c_int = unsafe { rm!(InfoAddFieldULongLong(state.call.info, name.as_ptr(), value)) };
        Ok(())
    })?;
    Ok(())
}

//! Commands: how the server's call reaches a module's handler, and what comes back.
//!
//! A command is one slot of a table. The server calls the trampoline `run::<N>`, which knows its slot by its number: the command's name
//! is never looked at again.

use std::cell::{Cell, UnsafeCell};
use std::ffi::{CStr, CString, c_int};

use smallvec::SmallVec;
use wasmtime::{AsContextMut, Error, Memory, Store};

use crate::abi::{MemberId, OUT_OF_MEMORY};
use crate::api::{self, Ctx, Str};
use crate::description::{Begin, Description, Keys};
use crate::engine::DEPTH_MAX;
use crate::file::COMMANDS_MAX;
use crate::group::{Call, Entered, Group, Handler, Phase, State};
use crate::host::{self, Outer};
use crate::reply::Reply;
use crate::trap::{self, Failed, TimedOut};
use crate::{config, docs, memory, rm, text};

/// What a module says of a command when it registers it.
pub struct Declaration {
    pub name: CString,
    pub flags: String,
    pub first: c_int,
    pub last: c_int,
    pub step: c_int,
    /// As in COMMAND INFO: the name counts, a negative number is a minimum.
    pub arity: c_int,
}

/// The server's flags that a command may have. With others the server would call what a module does not have (`getkeys-api`,
/// `getchannels-api`), let in whom it should stop (`no-auth`, `allow-busy`, `internal`), or run what then seems to come from a file
/// (`allow-loading`).
const PERMITTED_FLAGS: [&str; 12] = [
    "write",
    "readonly",
    "may-replicate",
    "deny-oom",
    "deny-script",
    "admin",
    "fast",
    "no-monitor",
    "no-slowlog",
    "no-cluster",
    "no-mandatory-keys",
    "allow-stale",
];

/// Bytes of a command's name, and the arguments that its keys may be among: what no server has trouble with.
pub const NAME_BYTES_MAX: usize = 128;
const KEY_PLACE_MAX: c_int = 1 << 16;

impl Declaration {
    /// Servers end, or count without end, when they meet a command of an empty name, with keys in impossible places, or with some flags.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let name = self.name.to_bytes();
        let is_named = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.iter().all(|&byte| byte.is_ascii_graphic() && byte != b'|');
        if !is_named {
            return Err(format!("a command's name is 1 to {NAME_BYTES_MAX} visible ASCII characters without |"));
        }
        let Declaration { first, last, step, arity, .. } = *self;
        let places = 1..=KEY_PLACE_MAX;
        let has_keys = places.contains(&first)
            && places.contains(&step)
            && ((first..=KEY_PLACE_MAX).contains(&last) || (-KEY_PLACE_MAX..0).contains(&last));
        if !has_keys && (first, last, step) != (0, 0, 0) {
            return Err(format!("its keys cannot be at {first} to {last} by {step}"));
        }
        if arity == 0 || !(-KEY_PLACE_MAX..=KEY_PLACE_MAX).contains(&arity) {
            return Err(format!("no command takes {arity} arguments"));
        }
        let mut flags = self.flags.split_ascii_whitespace();
        if let Some(flag) = flags.find(|flag| *flag != FLAG_EFFECT && !PERMITTED_FLAGS.contains(flag)) {
            let flag: String = flag.chars().take(NAME_BYTES_MAX).collect();
            return Err(format!("a command of a module cannot have the flag {flag}"));
        }
        Ok(())
    }
}

/// One registered command.
pub struct Slot {
    pub name: CString,
    pub member: MemberId,
    /// How often it was run.
    pub calls: Cell<u64>,
    /// The group of the module: it stays where it is as long as the host does.
    group: *const Group,
    /// As declared. The server checks it too, but not of what it reads from the append-only file.
    arity: c_int,
    /// Changed with the contents of the group alone, so while no call into it runs.
    handler: UnsafeCell<Handler>,
    write: bool,
    may_replicate: bool,
    deny_oom: bool,
    effect: bool,
}

impl Slot {
    /// Whether `argc` words, the command's name counted, are as many as it takes.
    fn takes(&self, argc: c_int) -> bool {
        if self.arity < 0 { argc >= -self.arity } else { argc == self.arity }
    }

    /// Makes `handler` the one that serves this command.
    ///
    /// # Safety
    /// No call into the slot's group runs.
    pub unsafe fn set_handler(&self, handler: Handler) {
        // SAFETY: by this function's contract.
        unsafe { *self.handler.get() = handler };
    }
}

/// The host's own flag: a command that the replication stream and the append-only file alone may run.
const FLAG_EFFECT: &str = "effect";

/// The server's flag of a command that clients do not see; servers without it (before Redis 8) refuse it.
const FLAG_INTERNAL: &str = "internal";

/// What the server is told of an effect's arity: any, so that a client hears that the command is unknown and not how it is used.
const ANY_ARITY: c_int = -1;

/// Registers a command with the server.
///
/// # Errors
/// What the server refused, or that the table is full; and why, as far as that can be told.
///
/// # Safety
/// `ctx` is the context of `RedisModule_OnLoad`, which is running.
pub unsafe fn register(ctx: *mut Ctx, member: MemberId, handler: Handler, declaration: &Declaration) -> Result<(), String> {
    let slots = host::slots_mut();
    let shown = declaration.name.to_string_lossy();
    let Some(&trampoline) = TRAMPOLINES.get(slots.len()) else {
        return Err(format!("the command {shown}: all modules have {COMMANDS_MAX} commands already"));
    };
    let none = Description::default();
    let description = host::description(member, &shown.to_ascii_lowercase()).unwrap_or(&none);
    let flags: Vec<&str> = declaration.flags.split_ascii_whitespace().collect();
    let Declaration { name, first, last, step, arity, .. } = declaration;
    let (write, effect) = (flags.contains(&"write"), flags.contains(&FLAG_EFFECT));
    let key_flags = if write { api::CMD_KEY_RW | api::CMD_KEY_UPDATE } else { api::CMD_KEY_RO | api::CMD_KEY_ACCESS };
    // A specification counts the last key from the first one, or from the end when negative.
    let last_relative = if *last < 0 { *last } else { *last - *first };
    let keys = (*first > 0).then_some(Keys { begin: Begin::At(*first), last: last_relative, step: *step, flags: key_flags });
    let create = |flags: &str| {
        let flags = text::line(flags.as_bytes());
        // SAFETY: by this function's contract; the server copies the texts.
        unsafe { rm!(CreateCommand(ctx, name.as_ptr(), trampoline, flags.as_ptr(), *first, *last, *step)) == api::OK }
    };
    let server_flags = flags.iter().copied().filter(|&flag| flag != FLAG_EFFECT).collect::<Vec<_>>().join(" ");
    let created = (effect && create(&[server_flags.as_str(), FLAG_INTERNAL].join(" "))) || create(&server_flags);
    let told_arity = if effect { ANY_ARITY } else { *arity };
    // SAFETY: by this function's contract; the server copies the texts.
    unsafe {
        if !created {
            return Err(if is_known(ctx, name) {
                format!("the command {shown}: another module, or the server, has one of this name")
            } else {
                format!("the command {shown}, with the flags {server_flags} and keys at {first} to {last} by {step}")
            });
        }
        docs::describe(ctx, name, &flags, told_arity, keys, description).map_err(|what| format!("the command {shown}: {what}"))?;
    }
    slots.push(Slot {
        name: name.clone(),
        member,
        calls: Cell::new(0),
        group: host::group_of(member),
        arity: *arity,
        handler: UnsafeCell::new(handler),
        write,
        may_replicate: write || flags.contains(&"may-replicate"),
        deny_oom: flags.contains(&"deny-oom"),
        effect,
    });
    Ok(())
}

/// Whether the server has a command of this name.
///
/// # Safety
/// As [`register`].
unsafe fn is_known(ctx: *mut Ctx, name: &CStr) -> bool {
    // SAFETY: by this function's contract; the reply is freed once, after its last use.
    unsafe {
        let reply = rm!(Call(ctx, c"COMMAND".as_ptr(), c"cc".as_ptr(), c"INFO".as_ptr(), name.as_ptr()));
        if reply.is_null() {
            return false;
        }
        let known = rm!(CallReplyType(rm!(CallReplyArrayElement(reply, 0)))) == api::REPLY_ARRAY;
        rm!(FreeCallReply(reply));
        known
    }
}

/// The command of this name, if a module of the group that `member` runs in writes by it. `last`: the slot to look at first, and what is found.
#[inline]
pub fn written_by(member: MemberId, name: &[u8], last: &mut usize) -> Option<&'static Slot> {
    let group: *const Group = host::group_of(member);
    let is_it = |slot: &Slot| slot.write && std::ptr::eq(slot.group, group) && slot.name.to_bytes().eq_ignore_ascii_case(name);
    let slots = host::slots();
    if !slots.get(*last).is_some_and(is_it) {
        *last = slots.iter().position(is_it)?;
    }
    slots.get(*last)
}

/// What the server calls for command number `N`.
unsafe extern "C" fn run<const N: usize>(ctx: *mut Ctx, argv: *mut *mut Str, argc: c_int) -> c_int {
    // SAFETY: the server calls with the context and the arguments of a running command.
    unsafe {
        answering(ctx, || {
            if let Some(slot) = host::slot(N) {
                dispatch(slot, ctx, argv, argc);
            }
        })
    }
}

/// Runs `action`, which replies to a command; where it panics the reply is an error.
///
/// # Safety
/// `ctx` is the context of the running command.
#[inline]
pub unsafe fn answering(ctx: *mut Ctx, action: impl FnOnce()) -> c_int {
    if host::guarded(action).is_none() {
        // SAFETY: by this function's contract. A reply may have been begun; a second one is the lesser evil beside none.
        unsafe { rm!(ReplyWithError(ctx, c"ERR the host failed: see the server's log".as_ptr())) };
    }
    api::OK
}

/// # Safety
/// The context and the arguments of a running command.
unsafe fn dispatch(slot: &Slot, ctx: *mut Ctx, argv: *mut *mut Str, argc: c_int) {
    // SAFETY: a slot is called only while its host is installed, and its groups do not move.
    let group = unsafe { &*slot.group };
    // SAFETY: by this function's contract: the first argument is the command's name.
    let outer = Outer::begin(ctx, unsafe { *argv }, slot.write);
    if outer.is_too_deep() {
        let name = host::module_name(slot.member);
        // SAFETY: by this function's contract.
        return unsafe { refuse(ctx, &format!("ERR module {name}: commands call each other more than {DEPTH_MAX} deep")) };
    }
    // SAFETY: by this function's contract. Nothing is entered before it is admitted: reclaiming may have to enter any group.
    unsafe {
        if (slot.effect || slot.deny_oom || slot.write || !slot.takes(argc)) && !admit(slot, group, &outer, ctx, argv, argc) {
            return;
        }
        let Some(mut entered) = group.enter() else {
            let name = host::module_name(slot.member);
            return refuse(ctx, &format!("ERR module {name}: it called itself through a command"));
        };
        slot.calls.set(slot.calls.get() + 1);
        match call(slot, &mut entered, ctx, argv, argc) {
            Ok(()) => {
                if slot.effect {
                    // For this server's own file, and its replicas where it is no replica itself: those of one take its primary's stream.
                    rm!(ReplicateVerbatim(ctx));
                }
                let replies = &mut entered.store.data_mut().call.replies;
                if !replies.complete() {
                    replies.finish(ctx);
                }
            }
            Err(error) => end(slot, &mut entered, &outer, ctx, &error),
        }
    }
    drop(outer);
}

/// Copies the arguments into linear memory and runs the handler.
///
/// # Safety
/// As [`dispatch`].
unsafe fn call(slot: &Slot, entered: &mut Entered<'_>, ctx: *mut Ctx, argv: *mut *mut Str, argc: c_int) -> wasmtime::Result<()> {
    // First of all: arguments that are refused get a reply too.
    entered.store.data_mut().call.replies.reset();
    entered.store.data_mut().limits.begin_command(slot.deny_oom);
    // SAFETY: by this function's contract.
    let frame = unsafe { place(entered.store, argv, argc)? };
    let state = &mut entered.store.data_mut().call;
    state.begin(Phase::Command);
    state.may_replicate = slot.may_replicate;
    state.ctx = ctx;
    state.argv = argv;
    state.argc = argc;
    state.frame = frame;
    let arguments = (argc - 1, frame.cast_signed());
    // SAFETY: the group is entered: see the field.
    let result = match unsafe { &*slot.handler.get() } {
        Handler::Answers(handler) => match handler.call(entered.store.as_context_mut(), arguments) {
            // SAFETY: by this function's contract.
            Ok(result) => unsafe { answer(entered.store, result) },
            Err(error) => Err(error),
        },
        Handler::Replies(handler) => handler.call(entered.store.as_context_mut(), arguments),
    };
    let state = entered.store.data_mut();
    state.call.phase = Phase::Idle;
    // The server's context ends with the call; what runs later, such as freeBytes(), must not meet it.
    state.call.ctx = std::ptr::null_mut();
    result
}

/// A handler's result that says: replied already. No byte string lies this low.
const REPLIED: u64 = 1;
/// A handler's result that stands for `+OK`.
const OK: u64 = 2;

/// Replies with a handler's result: a byte string as `length << 32 | pointer`, 0 for null, or one of the words above.
///
/// # Safety
/// A command of the store's group has just returned; its context is still that of the call.
#[inline]
unsafe fn answer(store: &mut Store<State>, result: u64) -> wasmtime::Result<()> {
    if result == REPLIED {
        return Ok(());
    }
    let memory = store.data().memory.ok_or_else(|| Error::msg("it has no memory"))?;
    let (all, state) = memory.data_and_store_mut(store);
    let bytes = memory::slice(all, result as u32, (result >> 32) as u32)?;
    let reply = match result {
        0 => Reply::Null,
        OK => Reply::Status(b"OK"),
        _ => Reply::Bulk(bytes),
    };
    // SAFETY: by this function's contract.
    unsafe { state.call.replies.send(state.call.ctx, reply) };
    Ok(())
}

/// Replies `+OK`: the server's own again, where it is at hand.
///
/// # Safety
/// `ctx` is the context of the running command.
#[inline]
pub unsafe fn reply_ok(ctx: *mut Ctx) {
    let ok = host::ok_reply();
    // SAFETY: by this function's contract; the kept reply lives as long as the host.
    unsafe {
        if ok.is_null() {
            rm!(ReplyWithSimpleString(ctx, c"OK".as_ptr()));
        } else {
            rm!(ReplyWithCallReply(ctx, ok));
        }
    }
}

/// Writes the frame: `argc - 1` pairs { pointer, length }, then the bytes. Answers its address.
///
/// # Safety
/// As [`dispatch`].
#[inline]
unsafe fn place(store: &mut Store<State>, argv: *mut *mut Str, argc: c_int) -> wasmtime::Result<u32> {
    let count = argc as usize - 1;
    let mut sources: SmallVec<[&[u8]; 8]> = SmallVec::with_capacity(count);
    let limit = config::max_value_size();
    let mut total = count as u64 * PAIR_BYTES;
    for index in 0..count {
        // SAFETY: by this function's contract there are argc arguments; each is a string of the server for the whole call.
        let source = unsafe { bytes(*argv.add(index + 1)) };
        if source.len() > limit && !host::obeys() {
            return Err(Error::new(Failed(b"ERR an argument is longer than wasm.max-value-size".to_vec())));
        }
        total += source.len() as u64;
        sources.push(source);
    }
    let state = store.data();
    let memory = state.memory.ok_or_else(|| Error::msg("it has no memory"))?;
    let frame = match state.arguments.small(total) {
        Some(frame) => frame,
        None => reserve(store, memory, total)?,
    };
    let target = memory::slice_mut(memory.data_mut(store), frame, total as u32)?;
    let (pairs, mut rest) = target.split_at_mut(count * PAIR_BYTES as usize);
    let mut pointer = frame + pairs.len() as u32;
    for (source, pair) in sources.iter().zip(pairs.chunks_exact_mut(PAIR_BYTES as usize)) {
        pair.copy_from_slice(&memory::packed(pointer, source.len() as u32).to_le_bytes());
        let (head, tail) = rest.split_at_mut(source.len());
        head.copy_from_slice(source);
        rest = tail;
        pointer += source.len() as u32;
    }
    Ok(frame)
}

/// A larger place for the arguments than the one that is always there.
#[cold]
fn reserve(store: &mut Store<State>, memory: Memory, length: u64) -> wasmtime::Result<u32> {
    let mut region = store.data().arguments;
    let frame = region.reserve(&mut store.as_context_mut(), memory, length);
    store.data_mut().arguments = region;
    frame.ok_or_else(|| Error::new(Failed(OUT_OF_MEMORY.to_bytes().to_vec())))
}

/// The bytes of a string of the server.
///
/// # Safety
/// `string` is alive for `'a`.
#[inline]
unsafe fn bytes<'a>(string: *const Str) -> &'a [u8] {
    let mut length = 0;
    // SAFETY: by this function's contract.
    unsafe { std::slice::from_raw_parts(rm!(StringPtrLen(string, &raw mut length)).cast::<u8>(), length) }
}

/// Bytes of all arguments of a command. O(argc).
///
/// # Safety
/// As [`dispatch`].
pub unsafe fn length(argv: *mut *mut Str, argc: c_int) -> u64 {
    // SAFETY: by this function's contract; index < argc.
    (1..argc as usize).map(|index| unsafe { bytes(*argv.add(index)) }.len() as u64).sum()
}

/// Bytes of one { pointer: u32, length: u32 }.
const PAIR_BYTES: u64 = 8;

/// The running command's argument whose copy in the frame is exactly (`pointer`, `length`). O(log of their number).
pub fn argument_at(call: &Call, all: &[u8], pointer: u32, length: u32) -> Option<*mut Str> {
    let count = u32::try_from(call.argc - 1).ok()?;
    let (pairs, _) = memory::slice(all, call.frame, count * PAIR_BYTES as u32).ok()?.as_chunks::<{ PAIR_BYTES as usize }>();
    // They lie one behind the other; those of no bytes at the place of the next.
    let pointer_of = |pair: &[u8; PAIR_BYTES as usize]| u64::from_le_bytes(*pair) as u32;
    let first = pairs.partition_point(|pair| pointer_of(pair) < pointer);
    let wanted = memory::packed(pointer, length).to_le_bytes();
    let at = pairs[first..].iter().take_while(|pair| pointer_of(pair) == pointer).position(|pair| *pair == wanted)?;
    // SAFETY: first + at < argc - 1, and the server's array has argc entries for the whole call.
    Some(unsafe { *call.argv.add(first + at + 1) })
}

/// The error of writes while the group is damaged.
const DAMAGED: &str =
    "MISCONF a call ended in the middle of a write and left this module's data in doubt: restart the server, or DEBUG RELOAD NOSAVE";

/// Whether the server's state lets this command run; if not, it has been answered.
///
/// # Safety
/// As [`dispatch`].
unsafe fn admit(slot: &Slot, group: &Group, outer: &Outer, ctx: *mut Ctx, argv: *mut *mut Str, argc: c_int) -> bool {
    // SAFETY: by this function's contract, for the whole of it.
    unsafe {
        if slot.effect && !host::from_stream() {
            refuse_unknown(ctx, argv, argc);
            return false;
        }
        if !slot.takes(argc) {
            if outer.is_from_stream() {
                give_up(slot, "it came with another number of arguments");
            }
            rm!(WrongArity(ctx));
            return false;
        }
        if slot.write && group.damaged.get() {
            if outer.is_from_stream() {
                give_up(slot, DAMAGED);
            }
            refuse(ctx, DAMAGED);
            return false;
        }
        if slot.deny_oom && host::over_maxmemory(ctx, argv, argc, slot.may_replicate) {
            refuse(ctx, "OOM command not allowed when used memory > 'maxmemory'.");
            return false;
        }
    }
    true
}

/// # Safety
/// As [`dispatch`].
unsafe fn refuse(ctx: *mut Ctx, message: &str) {
    let message = text::line(message.as_bytes());
    // SAFETY: by this function's contract.
    unsafe { rm!(ReplyWithError(ctx, message.as_ptr())) };
}

/// Answers as the server does to a command that it does not know.
///
/// # Safety
/// As [`dispatch`].
unsafe fn refuse_unknown(ctx: *mut Ctx, argv: *mut *mut Str, argc: c_int) {
    // Source: rejectCommandUnknown in the server, whose texts are cut at 128 bytes.
    // SAFETY: by this function's contract; index < argc.
    let argument = |index: usize| unsafe { bytes(*argv.add(index)) };
    let cut = |bytes: &[u8], limit: usize| bytes[..bytes.len().min(limit)].to_vec();
    let mut message = b"ERR unknown command '".to_vec();
    message.extend(cut(argument(0), 128));
    message.extend(b"', with args beginning with: ");
    let mut arguments = Vec::new();
    for index in 1..argc as usize {
        if arguments.len() >= 128 {
            break;
        }
        let room = 128 - arguments.len();
        arguments.push(b'\'');
        arguments.extend(cut(argument(index), room));
        arguments.extend(b"' ");
    }
    message.extend(arguments);
    let message = text::line(&message);
    // SAFETY: by this function's contract.
    unsafe { rm!(ReplyWithError(ctx, message.as_ptr())) };
}

/// Ends a command that did not return: with the error that it chose, or with what went wrong.
///
/// # Safety
/// As [`dispatch`].
#[cold]
unsafe fn end(slot: &Slot, entered: &mut Entered<'_>, outer: &Outer, ctx: *mut Ctx, error: &Error) {
    let committing = entered.is_committing();
    let message = match error.downcast_ref::<Failed>() {
        Some(Failed(text)) if !committing => text::line(text),
        _ => fault(slot.member, &slot.name, entered, ctx, error),
    };
    if slot.effect || (slot.may_replicate && outer.is_from_stream()) {
        give_up(slot, &message.to_string_lossy());
    }
    // SAFETY: by this function's contract.
    unsafe { entered.store.data_mut().call.replies.fail(ctx, &message) };
}

/// Ends the server: what another one did cannot be done here. Its format is newer, the data differs already, or a module fails where it did
/// not before.
fn give_up(slot: &Slot, reason: &str) -> ! {
    host::give_up(&format!("{} cannot be applied: {reason}", slot.name.to_string_lossy()))
}

/// Counts and logs a fault of a module; answers the error reply that tells of it.
#[cold]
pub fn fault(member: MemberId, running: &CStr, entered: &mut Entered<'_>, ctx: *mut Ctx, error: &Error) -> CString {
    let name = host::module_name(member);
    let what = trap::describe(error);
    host::count_fault(member, error.downcast_ref::<TimedOut>().is_some());
    let damaged = entered.group.note_failure(entered.store);
    host::log(
        ctx,
        c"warning",
        &format!("module {name}: {what}; running: {}; functions: {}", running.to_string_lossy(), trap::functions(error)),
    );
    if damaged {
        host::log(
            ctx,
            c"warning",
            &format!("module {name}: this was in the middle of a write: its linked group refuses writes and saves from now on"),
        );
    }
    text::line(format!("ERR module {name}: {what}").as_bytes())
}

/// The trampolines, one per slot.
static TRAMPOLINES: [api::CommandFunc; COMMANDS_MAX] = trampolines();

const fn trampolines() -> [api::CommandFunc; COMMANDS_MAX] {
    macro_rules! row {
        ($table:ident, $row:literal: $($column:literal)*) => { $( $table[$row * 16 + $column] = run::<{ $row * 16 + $column }>; )* };
    }
    macro_rules! rows {
        ($table:ident: $($row:literal)*) => { $( row!($table, $row: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15); )* };
    }
    let mut table: [api::CommandFunc; COMMANDS_MAX] = [run::<0>; COMMANDS_MAX];
    rows!(table: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    table
}

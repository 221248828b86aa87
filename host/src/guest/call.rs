//! The running call into a group, as the functions see it that the module calls.

use std::ffi::{CStr, c_int};

use super::data::Data;
use super::ids::SlotId;
use super::journal::Journal;
use super::reply::Replies;
use crate::server::cluster::Node;
use crate::server::context::Context;
use crate::server::info::Info;
use crate::server::scripting::Script;
use crate::server::strings::{Arguments, Strings};

/// What a group is doing; a host function that makes no sense in it is refused.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Phase {
    Idle,
    Load,
    /// A module hands over to another file of its own, or takes over from one.
    Leave,
    /// `onLoad()` in a second store, of what the server knows already.
    LoadAgain,
    Command,
    /// A handler that is run at an interval. No command runs, and no user is behind it.
    Every,
    /// A handler that is run after an event of a key, likewise.
    On,
    AuxSave,
    AuxLoad,
    Info,
    Flush,
    /// After a load, to tell of what has come.
    Loaded,
    /// A step of reclaiming what has expired; no command runs.
    Sweep,
    /// The same within a command, before it runs: that one's time and context hold.
    Reclaim,
    /// What lies in slots of a cluster is told as effects, for another node.
    Export,
    /// What lay in slots of a cluster is dropped: another node has it.
    Drop,
}

/// The running call, as the host's functions see it.
pub struct Call {
    pub phase: Phase,
    /// What the server has lent for it.
    pub lent: Lent<'static>,
    /// The address of the arguments' frame in linear memory.
    pub frame: u32,
    pub replies: Replies,
    /// Whether the running command may replicate: the server has told it apart from those that only read.
    pub may_replicate: bool,
    /// The slot of the command that was replicated last: most likely that of the next one too.
    pub effect: SlotId,
    /// Unix ms at which what runs at an interval, or after an event, has begun.
    pub begun_ms: i64,
    /// How often the time limit has struck while it could not end the call.
    pub overtime: u64,
    /// Ticks of the clock after which a function has looked whether it was killed.
    pub watched: u64,
    /// Whether the call may take [`ASIDE_MS`] alone.
    pub aside: bool,
    /// The slot of the running command.
    pub command: SlotId,
    /// Whether the host replicates what the call does, so that the module need not.
    pub silent: bool,
    /// Whether the running command has been replicated as it came.
    pub verbatim: bool,
    /// What it has done to the server's own keys.
    pub journal: Journal,
    /// This node of the cluster, once it was asked for; `None` within: there is none.
    pub node: Option<Option<Node>>,
    /// Bytes that a save has written, or a load read, since the time limit struck last.
    pub streamed: u64,
    /// Bytes that the call has handed over so far, by [`To`].
    handed: [u64; 3],
}

/// What the server lends for a call into a module.
#[derive(Clone, Copy)]
pub struct Lent<'a> {
    /// In a load's, a command's and a sweep's phase alone.
    pub ctx: Option<Context<'a>>,
    /// While data is saved and loaded.
    pub data: Option<Data<'a>>,
    pub info: Option<Info<'a>>,
    /// Where effects go, if not to whom the server sends them: while slots are exported, and while what
    /// comes with slots is applied, which replicas get in another way.
    pub sink: Option<Sink<'a>>,
    /// Those of the running command.
    pub arguments: Arguments<'a>,
    /// Of a function: how the server knows it.
    pub script: Option<Script<'a>>,
}

impl<'a> Lent<'a> {
    pub const NOTHING: Lent<'static> = Lent { ctx: None, data: None, info: None, sink: None, arguments: Arguments::NONE, script: None };

    pub fn context(ctx: Context<'a>) -> Lent<'a> {
        Lent { ctx: Some(ctx), ..Lent::NOTHING }
    }

    pub fn command(ctx: Context<'a>, arguments: Arguments<'a>) -> Lent<'a> {
        Lent { ctx: Some(ctx), arguments, ..Lent::NOTHING }
    }

    pub fn function(ctx: Context<'a>, arguments: Arguments<'a>, script: Script<'a>) -> Lent<'a> {
        Lent { script: Some(script), ..Lent::command(ctx, arguments) }
    }

    pub fn data(data: Data<'a>) -> Lent<'a> {
        Lent { data: Some(data), ..Lent::NOTHING }
    }

    pub fn info(info: Info<'a>) -> Lent<'a> {
        Lent { info: Some(info), ..Lent::NOTHING }
    }

    pub fn sink(sink: Sink<'a>) -> Lent<'a> {
        Lent { sink: Some(sink), ..Lent::NOTHING }
    }

    /// The same, to be kept where no lifetime reaches.
    ///
    /// # Safety
    /// It is forgotten before `'a` ends.
    #[inline]
    pub unsafe fn forever(self) -> Lent<'static> {
        // SAFETY: by this function's contract, for each of them.
        unsafe {
            Lent {
                ctx: self.ctx.map(|ctx| ctx.forever()),
                data: self.data.map(|data| data.forever()),
                info: self.info.map(|info| info.forever()),
                sink: self.sink.map(|sink| sink.forever()),
                arguments: self.arguments.forever(),
                script: self.script.map(|script| script.forever()),
            }
        }
    }
}

/// Where the effects go that a module exports: the name of each, and its arguments.
#[derive(Clone, Copy)]
pub struct Sink<'a>(pub &'a dyn Fn(&CStr, &Strings<'_>));

impl<'a> Sink<'a> {
    /// The same, to be kept where no lifetime reaches.
    ///
    /// # Safety
    /// It is forgotten before `'a` ends.
    unsafe fn forever(self) -> Sink<'static> {
        type Taker<'a> = &'a dyn Fn(&CStr, &Strings<'_>);
        // SAFETY: by this function's contract; the two differ by the lifetime alone.
        Sink(unsafe { std::mem::transmute::<Taker<'a>, Taker<'static>>(self.0) })
    }
}

/// What takes the bytes that a call hands over. Each has a limit of its own, for modules that never end; what
/// they are bounded by otherwise must be reached first.
#[derive(Clone, Copy)]
pub enum To {
    /// A client's reply, which the server bounds by its limits of output buffers.
    Client,
    /// An RDB file, which the disk bounds.
    File,
    /// Effects, signals, lines of the log, fields of INFO: memory of the server's that nothing else bounds.
    Server,
}

/// What the server keeps beside each byte string that is handed over, in bytes.
const HANDED_EACH: u64 = 16;
/// As much for each value in a file, so that a module that never ends does so in seconds with the smallest
/// ones.
const SAVED_EACH: u64 = 64;
/// Bytes that a call may hand over to the server for each of its memory. What ends a small record, of 70
/// bytes, hands over 490 within a commit, which this must not end.
const SERVER_EACH: u64 = 8;
/// Bytes that a call may hand over in any case: to the server, …
const SERVER_MIN: u64 = 64 << 20;
/// … to a client or a file.
const STREAMED_MIN: u64 = 1 << 30;

impl To {
    /// What each byte string counts beside its own bytes.
    #[inline]
    fn each(self) -> u64 {
        match self {
            To::File => SAVED_EACH,
            To::Client | To::Server => HANDED_EACH,
        }
    }

    /// The most bytes that a call with `argc` arguments may hand over, out of a linear memory of `memory`
    /// bytes.
    fn limit(self, memory: u64, argc: c_int) -> u64 {
        match self {
            // Each argument may ask for as much as there is.
            To::Client => STREAMED_MIN + memory * (2 + u64::from(argc.unsigned_abs())),
            // Each 8 bytes may be a value of its own.
            To::File => STREAMED_MIN + memory * (1 + SAVED_EACH / 8),
            To::Server => SERVER_MIN + memory * SERVER_EACH,
        }
    }
}

impl Default for Call {
    fn default() -> Call {
        Call {
            phase: Phase::Idle,
            lent: Lent::NOTHING,
            frame: 0,
            replies: Replies::default(),
            may_replicate: false,
            effect: SlotId::default(),
            begun_ms: 0,
            overtime: 0,
            watched: 0,
            aside: false,
            command: SlotId::default(),
            silent: false,
            verbatim: false,
            journal: Journal::default(),
            node: None,
            streamed: 0,
            handed: [0; 3],
        }
    }
}

impl Call {
    /// Counts `length` bytes that the server will copy into memory, or a file, of its own.
    ///
    /// # Errors
    /// The call has handed over more than [`To::limit`] has it, where the linear memory has `memory` bytes:
    /// more than it can know.
    #[inline]
    pub fn hand(&mut self, to: To, length: u64, memory: usize) -> wasmtime::Result<()> {
        let handed = &mut self.handed[to as usize];
        *handed += length + to.each();
        if *handed > SERVER_MIN && *handed > to.limit(memory as u64, self.lent.arguments.count()) {
            return Err(wasmtime::Error::msg("it hands the server more in one call than its memory could hold"));
        }
        Ok(())
    }

    /// Whether the host runs a handler by itself: at an interval, or after an event. No user is behind it, so
    /// it calls the server as the one that `wasm.run-as` names. It declares no keys.
    pub fn is_by_the_host(&self) -> bool {
        matches!(self.phase, Phase::Every | Phase::On)
    }

    /// Begins a call of the host, in which nothing has been handed over.
    #[inline]
    pub fn begin(&mut self, phase: Phase) {
        self.phase = phase;
        self.silent = false;
        self.verbatim = false;
        self.streamed = 0;
        self.handed = [0; 3];
        self.node = None;
    }
}

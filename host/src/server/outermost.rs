//! The command by which the server entered this host; calls nested in it inherit what was decided for it.

use std::cell::Cell;
use std::ffi::c_int;

use super::api;
use super::context::Context;
use super::strings::ServerString;

struct Outermost {
    /// `None` while none runs.
    ctx: Cell<Option<Context<'static>>>,
    /// The command's name, as it was called; `None` in a sweep, also in one before a command.
    command: Cell<Option<ServerString<'static>>>,
    /// Commands of this host that run within each other.
    depth: Cell<u32>,
    write: Cell<bool>,
    /// The context's flags, once they were asked for.
    flags: Cell<Option<c_int>>,
    /// Whether slots come from another node of a cluster.
    importing: Cell<bool>,
    /// Whether the data of a slot is being taken from another node, which keeps it if it is refused.
    taking: Cell<bool>,
}

// SAFETY: the server calls modules from its main thread alone; a fork child has one thread too.
unsafe impl Sync for Outermost {}

static OUTERMOST: Outermost = Outermost {
    ctx: Cell::new(None),
    command: Cell::new(None),
    depth: Cell::new(0),
    write: Cell::new(false),
    flags: Cell::new(None),
    importing: Cell::new(false),
    taking: Cell::new(false),
};

/// A call that runs, and whether it is the outermost one.
pub struct Outer {
    outermost: bool,
}

/// Runs `action` as a call from the server; calls within it inherit from it. `command`: its name as it was
/// called, `None` where no command runs.
#[inline]
pub fn within<T>(ctx: Context<'_>, command: Option<ServerString<'_>>, write: bool, action: impl FnOnce(&Outer) -> T) -> T {
    let outermost = OUTERMOST.ctx.get().is_none();
    if outermost {
        // SAFETY: both are forgotten by the drop below, before this function returns.
        unsafe {
            OUTERMOST.ctx.set(Some(ctx.forever()));
            OUTERMOST.command.set(command.map(|command| command.forever()));
        }
        OUTERMOST.write.set(write);
        OUTERMOST.flags.set(None);
    }
    OUTERMOST.depth.set(OUTERMOST.depth.get() + 1);
    let outer = Outer { outermost };
    action(&outer)
}

/// Runs `action` as what repeats what was decided elsewhere, whatever the server says of the context: what
/// came with a file, and is done when it has been loaded.
pub fn obeying<T>(ctx: Context<'_>, action: impl FnOnce() -> T) -> T {
    within(ctx, None, true, |_| {
        OUTERMOST.flags.set(Some(ctx.flags() | api::CTX_FLAGS_REPLICATED));
        action()
    })
}

impl Outer {
    /// Whether the call repeats what was decided elsewhere and is the outermost one: what fails in a nested
    /// one is its caller's to judge.
    pub fn is_from_stream(&self) -> bool {
        self.outermost && from_stream()
    }

    /// Whether more than `most` commands run within each other.
    #[inline]
    pub fn is_deeper_than(&self, most: u32) -> bool {
        OUTERMOST.depth.get() > most
    }

    #[inline]
    pub fn is_outermost(&self) -> bool {
        self.outermost
    }
}

impl Drop for Outer {
    #[inline]
    fn drop(&mut self) {
        OUTERMOST.depth.set(OUTERMOST.depth.get() - 1);
        if self.outermost {
            OUTERMOST.ctx.set(None);
            OUTERMOST.command.set(None);
        }
    }
}

/// Runs `action` with the context and the name of the command that came from outside; `None` when none runs.
pub fn with_command<T>(action: impl for<'a> FnOnce(Context<'a>, ServerString<'a>) -> T) -> Option<T> {
    let (ctx, command) = (OUTERMOST.ctx.get()?, OUTERMOST.command.get()?);
    Some(action(ctx, command))
}

/// Runs `action` as the server's own doing, within whatever command runs.
pub fn by_the_server<T>(action: impl FnOnce() -> T) -> T {
    let command = OUTERMOST.command.replace(None);
    let result = action();
    OUTERMOST.command.set(command);
    result
}

/// The context flags of the outermost call; `None` when none runs. Asked of the server at most once per call.
pub fn flags() -> Option<c_int> {
    let ctx = OUTERMOST.ctx.get()?;
    if OUTERMOST.flags.get().is_none() {
        OUTERMOST.flags.set(Some(ctx.flags()));
    }
    OUTERMOST.flags.get()
}

/// Whether a command runs that is part of nothing larger, as of a transaction, a script or another module's
/// command: what it replicates leaves when it ends.
pub fn is_alone() -> bool {
    const PART: c_int = api::CTX_FLAGS_LUA | api::CTX_FLAGS_MULTI | api::CTX_FLAGS_DENY_BLOCKING;
    OUTERMOST.depth.get() == 1 && OUTERMOST.command.get().is_some() && flags().is_some_and(|flags| flags & PART == 0)
}

/// Slots come from another node of a cluster, or do not any longer.
pub fn set_importing(importing: bool) {
    OUTERMOST.importing.set(importing);
}

pub fn is_importing() -> bool {
    OUTERMOST.importing.get()
}

/// Runs `action` as what takes the data of a slot from another node.
pub fn taking<T>(action: impl FnOnce() -> T) -> T {
    OUTERMOST.taking.set(true);
    let result = action();
    OUTERMOST.taking.set(false);
    result
}

/// Whether what is applied now comes with slots of another node, and must lie in these.
pub fn is_confined() -> bool {
    OUTERMOST.taking.get() || (OUTERMOST.importing.get() && from_stream() && may_refuse())
}

/// Whether what repeats what was decided elsewhere may be refused here: it comes with slots of another node,
/// which then keeps them.
pub fn may_refuse() -> bool {
    const OBEYS: c_int = api::CTX_FLAGS_SLAVE | api::CTX_FLAGS_LOADING;
    OUTERMOST.importing.get() && flags().is_some_and(|flags| flags & OBEYS == 0)
}

/// Whether the running call must be obeyed: it repeats what was decided elsewhere (replication stream,
/// append-only file), or writes on a replica. Then nothing is refused for memory or size, and time is ample.
pub fn obeys() -> bool {
    let Some(flags) = flags() else { return false };
    (streamed(flags) && !may_refuse()) || (OUTERMOST.write.get() && flags & api::CTX_FLAGS_SLAVE != 0)
}

/// Whether the running command comes from the replication stream or the append-only file.
pub fn from_stream() -> bool {
    flags().is_some_and(streamed)
}

/// A load beside the present data runs no commands itself: those that come meanwhile are clients'.
fn streamed(flags: c_int) -> bool {
    let loading = flags & (api::CTX_FLAGS_LOADING | api::CTX_FLAGS_ASYNC_LOADING) == api::CTX_FLAGS_LOADING;
    loading || flags & api::CTX_FLAGS_REPLICATED != 0
}

//! What a group may allocate.

use wasmtime::{ResourceLimiter, TypedFunc};

use crate::engine::weight::TABLE_ELEMENTS_MAX;
use crate::server::{config, log, outermost};

/// The limits of what a group may allocate. `wasm.max-memory` is for what clients write: it refuses nothing
/// that was acknowledged already.
#[derive(Default)]
pub struct Limits {
    /// What gives the host memory for its own regions, where a module has it and is alone.
    pub allocate: Option<TypedFunc<u32, u32>>,
    /// Whether the host grows the memory now, for its own regions.
    pub by_host: bool,
    /// Bytes that the host has grown the memory by for itself, which do not count. What stays of them between
    /// calls is at most some MiB.
    pub host_bytes: u64,
    /// Bytes that the running load, or command, may take beyond the limit.
    beyond: u64,
    /// Bytes of the growth that is being tried.
    tried: u64,
    /// Whether writes have brought the memory to within [`ROOM`] of its limit.
    pub full: bool,
}

/// Bytes that are to be left for what a command stores: where there are fewer, what has expired is reclaimed
/// first.
pub const ROOM: u64 = 1 << 20;

/// Bytes that writes may bring a memory to.
pub fn limit() -> u64 {
    config::max_memory().min(ADDRESSABLE - RESERVE)
}

/// Bytes that a memory of 32-bit addresses can have, and how many of them are kept for the host's regions,
/// loads and what must be obeyed: a file holds as much as was written, but memory that is filled in another
/// order may need somewhat more for it.
const ADDRESSABLE: u64 = 1 << 32;
const RESERVE: u64 = 128 << 20;
/// Bytes that a load may take beyond the limit: this, and for each byte that it reads this many. A module
/// that only takes memory while it loads does not get far, and the shortest records take less.
const LOAD_MIN: u64 = 4 << 20;
const LOAD_EACH: u64 = 16;

impl Limits {
    /// A load begins: it may take [`LOAD_MIN`] and what [`Limits::note_read`] gives.
    pub fn begin_load(&mut self) {
        self.beyond = LOAD_MIN;
    }

    /// The running load has read `length` bytes.
    pub fn note_read(&mut self, length: usize) {
        self.beyond = self.beyond.saturating_add(LOAD_EACH * length as u64);
    }

    pub fn end_load(&mut self) {
        self.beyond = 0;
    }

    /// A command begins: one that stores nothing needs memory for its reply alone, and may take a quarter of
    /// the limit more.
    #[inline]
    pub fn begin_command(&mut self, stores: bool) {
        self.beyond = if stores { 0 } else { config::max_memory() / 4 };
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.tried = (desired - current) as u64;
        let limit = config::max_memory();
        if self.by_host {
            // What comes in is in the server's memory too, which bounds the regions. What no memory could
            // keep is refused here.
            let allowed = self.tried <= limit + self.beyond || outermost::obeys();
            self.host_bytes += if allowed { self.tried } else { 0 };
            return Ok(allowed);
        }
        let limit = self::limit() + self.host_bytes;
        self.full |= desired as u64 + ROOM > limit;
        Ok(outermost::obeys() || desired as u64 <= limit + self.beyond)
    }

    /// Past the end of the address space, or of the system's memory.
    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        if outermost::obeys() {
            log::give_up("a write that must be obeyed does not fit into the memory");
        }
        self.host_bytes -= if self.by_host { self.tried } else { 0 };
        Ok(())
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}

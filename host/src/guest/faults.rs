//! Who a module is to the log, and how often it has failed. The counters lie in memory that the server shares
//! with the children that it forks: what fails in a save's child is counted where it is looked for, in the
//! server's INFO.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A module's name, as logs, errors and INFO show it, and its faults.
pub struct Identity {
    pub name: String,
    pub faults: Faults,
}

/// The counters of one module, in a mapping of their own.
pub struct Faults(NonNull<Counters>);

/// All zero at first, as a new mapping is.
struct Counters {
    traps: AtomicU64,
    timeouts: AtomicU64,
}

impl Faults {
    /// Counters at zero.
    ///
    /// # Errors
    /// The system's, where it has no memory for them.
    pub fn new() -> io::Result<Faults> {
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, of no file, at a place that the system chooses.
        let mapping = unsafe { libc::mmap(std::ptr::null_mut(), size_of::<Counters>(), protection, flags, -1, 0) };
        if mapping == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        NonNull::new(mapping.cast()).map(Faults).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    fn counters(&self) -> &Counters {
        // SAFETY: the mapping is as large, aligned to a page, zero at first, and there until the drop.
        unsafe { self.0.as_ref() }
    }

    /// Counts a time-out, or a trap.
    pub fn count(&self, timeout: bool) {
        let counters = self.counters();
        let counter = if timeout { &counters.timeouts } else { &counters.traps };
        counter.fetch_add(1, Relaxed);
    }

    pub fn traps(&self) -> u64 {
        self.counters().traps.load(Relaxed)
    }

    pub fn timeouts(&self) -> u64 {
        self.counters().timeouts.load(Relaxed)
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, of this length, and not used any more.
        unsafe { libc::munmap(self.0.as_ptr().cast(), size_of::<Counters>()) };
    }
}

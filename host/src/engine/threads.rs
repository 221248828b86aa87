//! Threads of the host beside the server's own.

/// Threads that compile: the memory of each counts.
const THREADS_MAX: usize = 8;

/// Runs `action` with a thread per core for what compiles in it, up to [`THREADS_MAX`]; they end with it, and
/// no signal reaches them.
///
/// # Errors
/// The system's reason for refusing threads.
pub fn on_all_cores<T: Send>(action: impl FnOnce() -> T + Send) -> Result<T, String> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let pool = with_signals_blocked(|| rayon::ThreadPoolBuilder::new().num_threads(threads).build());
    let pool = pool.map_err(|error| format!("no threads to compile on: {error}"))?;
    Ok(pool.install(action))
}

/// Runs `action` with every signal blocked, so that a thread it starts inherits that: signals are the
/// server's, on its own thread.
pub fn with_signals_blocked<T>(action: impl FnOnce() -> T) -> T {
    // SAFETY: both sets are initialised by the calls that fill them; the mask of this thread alone changes,
    // and is put back.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let result = action();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        result
    }
}

/// Gives memory that was freed, of any thread, back to the system.
pub fn give_memory_back() {
    // SAFETY: looks at the allocator's own lists, under their locks.
    unsafe { libc::malloc_trim(0) };
}

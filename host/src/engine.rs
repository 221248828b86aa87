//! Wasmtime, set up for life inside redis-server, and the clock of the time limit.

use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::{Config, Engine, ProfilingStrategy, WasmFeatures};

/// What the clock of `wasm.time-limit` ticks after, in milliseconds of running.
pub const TICK_MS: u64 = 10;
const TICK: Duration = Duration::from_millis(TICK_MS);

/// Commands that may run within each other: each may use [`MODULE_STACK`] of the server's one stack.
pub const DEPTH_MAX: u32 = 8;
/// Bytes of the server's stack that modules may use in one call of the server, or of a command within another.
const MODULE_STACK: usize = 512 << 10;
/// Bytes of it that the server itself may use, with its scripts, and this host.
const SERVER_STACK: usize = 1 << 20;
/// Threads that compile: the memory of each counts.
const THREADS_MAX: usize = 8;

/// An environment variable for developers: where it is set, `perf` can name the functions of the modules.
const PERF_MAP: &str = "WASM_PERF_MAP";
/// Another: where it is set, modules are compiled without the checks that end them, to measure what these cost. `wasm.time-limit` is void then.
const NO_TIME_LIMIT: &str = "WASM_NO_TIME_LIMIT";

/// The engine that compiles and runs every module.
///
/// # Errors
/// What Wasmtime finds wrong with these settings on this processor.
pub fn new() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    // The server owns SIGSEGV and its crash report: bounds are checked in code. This turns Wasmtime's spectre mitigations off too.
    config.signals_based_traps(false);
    // One reservation of the whole address space of a memory: it never moves, so its base is a constant of the compiled code.
    config.memory_reservation(1 << 32);
    config.memory_may_move(false);
    config.memory_guard_size(0);
    config.memory_init_cow(false);
    // wasm.max-memory limits each memory: a module has one.
    config.wasm_multi_memory(false);
    config.wasm_memory64(false);
    // Its results depend on the processor, and a replica may have another one.
    config.wasm_relaxed_simd(false);
    // No module needs them: what is refused needs no trust.
    config.wasm_features(WasmFeatures::FUNCTION_REFERENCES | WasmFeatures::GC, false);
    config.epoch_interruption(std::env::var_os(NO_TIME_LIMIT).is_none());
    config.max_wasm_stack(MODULE_STACK);
    // Traps name functions, not places in them, and no native debugger looks into modules: what it takes to compile is saved.
    config.generate_address_map(false);
    config.native_unwind_info(false);
    if std::env::var_os(PERF_MAP).is_some() {
        config.profiler(ProfilingStrategy::PerfMap);
    }
    Engine::new(&config)
}

/// Refuses a server whose stack does not hold as many commands within each other as may be: the system would end it by SIGSEGV.
///
/// # Errors
/// What the stack has, and what to set.
pub fn check_stack() -> Result<(), String> {
    let needed = MODULE_STACK * DEPTH_MAX as usize + SERVER_STACK;
    let place = 0u8;
    let left = (&raw const place as usize).saturating_sub(stack_end().map_err(|error| format!("the stack cannot be measured: {error}"))?);
    if left < needed {
        let (needed, left) = (needed >> 10, left >> 10);
        return Err(format!("the server has {left} KiB of stack left, and modules need {needed}: start it under ulimit -s 8192"));
    }
    Ok(())
}

/// The lowest address that the stack of this thread may grow to, by the limit that the system sets to it now.
fn stack_end() -> std::io::Result<usize> {
    let mut attributes = MaybeUninit::uninit();
    let (mut end, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: the first call fills in the attributes where it answers 0; they are read and freed after that alone.
    unsafe {
        match libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) {
            0 => {}
            error => return Err(std::io::Error::from_raw_os_error(error)),
        }
        libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut end, &raw mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
    }
    Ok(end as usize)
}

/// A thread that advances the engine's epoch for every [`TICK_MS`] that the thread which started it has run on a processor. A call is not
/// ended because the machine was busy with something else, stopped or moved: all that stands still in that time, its clients too.
/// Dropping it ends and joins the thread: a load that fails leaves no thread behind in a library that the server is about to close.
pub struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// # Errors
    /// The system's reason for refusing a thread, or the clock.
    pub fn start(engine: &Engine) -> std::io::Result<Ticker> {
        let stop = Arc::new(AtomicBool::new(false));
        let (engine, stopped) = (engine.clone(), stop.clone());
        let clock = RunningTime::of_this_thread()?;
        let thread = with_signals_blocked(|| {
            std::thread::Builder::new().name("wasm-ticker".into()).spawn(move || {
                let mut counted = clock.read();
                while !stopped.load(Relaxed) {
                    std::thread::sleep(TICK);
                    let run = clock.read();
                    if run.saturating_sub(counted) >= TICK {
                        engine.increment_epoch();
                        // A tick may be caught up with, no more: what ran before a call is not counted as the call's.
                        counted = (counted + TICK).max(run.saturating_sub(TICK));
                    }
                }
            })
        })?;
        Ok(Ticker { stop, thread: Some(thread) })
    }
}

/// How long a thread has run on a processor.
struct RunningTime(libc::clockid_t);

impl RunningTime {
    /// # Errors
    /// The system's reason for refusing it.
    fn of_this_thread() -> std::io::Result<RunningTime> {
        let mut clock = MaybeUninit::uninit();
        // SAFETY: the calling thread is running, and the call fills in the clock where it answers 0.
        match unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), clock.as_mut_ptr()) } {
            // SAFETY: as above.
            0 => Ok(RunningTime(unsafe { clock.assume_init() })),
            error => Err(std::io::Error::from_raw_os_error(error)),
        }
    }

    /// Never less than before; zero once the thread has ended.
    fn read(&self) -> Duration {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the time is this function's own.
        unsafe { libc::clock_gettime(self.0, &raw mut time) };
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // A ticker that panicked has ended too.
            let _ = thread.join();
        }
    }
}

/// Runs `action` with a thread per core for what compiles in it, up to [`THREADS_MAX`]; they end with it, and no signal reaches them.
///
/// # Errors
/// The system's reason for refusing threads.
pub fn on_all_cores<T: Send>(action: impl FnOnce() -> T + Send) -> Result<T, String> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let pool = with_signals_blocked(|| rayon::ThreadPoolBuilder::new().num_threads(threads).build());
    let pool = pool.map_err(|error| format!("no threads to compile on: {error}"))?;
    Ok(pool.install(action))
}

/// Runs `action` with every signal blocked, so that a thread it starts inherits that: signals are the server's, on its own thread.
fn with_signals_blocked<T>(action: impl FnOnce() -> T) -> T {
    // SAFETY: both sets are initialised by the calls that fill them; the mask of this thread alone changes, and is put back.
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

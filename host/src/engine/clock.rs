//! The time that a call into a module may take, and the clock that counts it.

use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::Engine;

use super::threads::with_signals_blocked;
use crate::server::config;

/// What the clock of `wasm.time-limit` ticks after, in milliseconds of running.
pub const TICK_MS: u64 = 10;
const TICK: Duration = Duration::from_millis(TICK_MS);

/// Milliseconds of running that a module may take to declare itself, and to load, however low
/// `wasm.time-limit` is.
const LOAD_MS: u64 = 2000;
/// Milliseconds that a call may take which no command of its module waits for: a step of its sweep,
/// `freeBytes()`, `info()`.
pub const ASIDE_MS: u64 = 50;

/// The time limit in ticks of the clock.
#[inline]
pub fn ticks() -> u64 {
    match config::time_limit() {
        0 => u64::MAX >> 1,
        limit_ms => limit_ms / TICK_MS + 1,
    }
}

/// Ticks of the clock after which a function looks whether it was killed.
pub const WATCH_TICKS: u64 = 5;

/// As [`ticks`], for a call that no command waits for.
pub fn ticks_aside() -> u64 {
    match config::time_limit() {
        0 => ticks(),
        limit_ms => limit_ms.min(ASIDE_MS) / TICK_MS + 1,
    }
}

/// As [`ticks`], for a module that is loaded.
pub fn ticks_of_load() -> u64 {
    ticks().max(ticks_of_declaring())
}

/// As [`ticks`], for a module that declares itself: no setting is known yet.
pub fn ticks_of_declaring() -> u64 {
    LOAD_MS / TICK_MS
}

/// A thread that advances the engine's epoch for every [`TICK_MS`] that the thread which started it has run
/// on a processor. A call is not ended because the machine was busy with something else, stopped or moved:
/// all that stands still in that time, its clients too. Dropping it ends and joins the thread: a load that
/// fails leaves no thread behind in a library that the server is about to close.
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
                        // A tick may be caught up with, no more: what ran before a call is not counted as the
                        // call's.
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

//! Compiling, in a child process: whatever a file does to the compiler, the system ends the child, and the
//! server goes on.
//!
//! The child is a fork, a copy of the server. It compiles with threads of its own, writes what it made into a
//! pipe, and touches nothing else: no socket, no file, no data. What comes back is as good as what the server
//! itself would have made: the child runs this code, in a copy of this memory, and nobody else has the pipe.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use libc::{c_int, pid_t, rlim_t};
use rayon::prelude::*;
use wasmtime::{Engine, Module};

use super::cache::Cache;
use super::source::Source;
use super::{threads, trap};
use crate::server::context::Context;
use crate::server::log;

/// Seconds on a processor that compiling the files of one load may take, of all its threads together.
const SECONDS_MAX: rlim_t = 10;
/// Bytes of memory that it may take, beside what the server has …
const MEMORY_MAX: rlim_t = 512 << 20;
/// … and bytes of what it makes of the files: some five times theirs, ordinarily.
const CODE_MAX: usize = 128 << 20;
/// An environment variable for developers: where it is set, the server compiles by itself, as under a
/// debugger that makes all slower.
const NO_PROCESS: &str = "WASM_NO_PROCESS";
/// How long the child is waited for: one that stands still takes no time on a processor.
const WAIT_MAX: Duration = Duration::from_secs(120);

/// What a file comes to: its machine code, or why it has none.
type Compiled = Result<Vec<u8>, String>;

/// Compiles every file that the cache does not have; what each comes to, in their order.
///
/// # Errors
/// The system's reason for refusing threads to the server itself.
pub fn all(ctx: Context<'_>, engine: &Engine, cache: Option<&Cache>, sources: &[Source]) -> Result<Vec<Result<Module, String>>, String> {
    let mut modules: Vec<Option<Result<Module, String>>> =
        sources.iter().map(|source| Some(Ok(cache?.take(engine, &source.bytes)?))).collect();
    let missing: Vec<&Source> = sources.iter().zip(&modules).filter(|(_, module)| module.is_none()).map(|(source, _)| source).collect();
    let mut compiled = these(ctx, engine, &missing)?.into_iter().zip(missing);
    for module in modules.iter_mut().filter(|module| module.is_none()) {
        *module = compiled.next().map(|(code, source)| code.and_then(|code| load(engine, cache, source, &code)));
    }
    Ok(modules.into_iter().flatten().collect())
}

/// The module of code that was compiled from `source`, which the cache keeps from now on.
///
/// # Errors
/// What Wasmtime finds wrong with it.
pub fn load(engine: &Engine, cache: Option<&Cache>, source: &Source, code: &[u8]) -> Result<Module, String> {
    // SAFETY: this process made the code, or its own copy did, with this engine.
    let module = unsafe { Module::deserialize(engine, code) }.map_err(|error| trap::describe(&error))?;
    if let Some(Err(error)) = cache.map(|cache| cache.keep(&source.bytes, code)) {
        log::warning(None, &format!("module {}: its code cannot be kept in wasm.cache: {error}", source.name));
    }
    Ok(module)
}

/// Compiles every file. Where the system allows no child process, the server compiles by itself, and
/// `weight.rs` alone bounds what that takes.
fn these(ctx: Context<'_>, engine: &Engine, sources: &[&Source]) -> Result<Vec<Compiled>, String> {
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    match in_child(engine, sources) {
        Ok(compiled) => Ok(compiled),
        Err(error) => {
            let message = format!("no process to compile in ({error}): the server does it itself, with no limit but what a file may hold");
            log::warning(Some(ctx), &message);
            threads::on_all_cores(|| sources.par_iter().map(|source| source.compile(engine)).collect())
        }
    }
}

/// Compiles every file in a child process.
///
/// # Errors
/// The system's reason for refusing a process, or what it needs.
fn in_child(engine: &Engine, sources: &[&Source]) -> io::Result<Vec<Compiled>> {
    if std::env::var_os(NO_PROCESS).is_some() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let limits = [(libc::RLIMIT_CORE, 0), (libc::RLIMIT_CPU, SECONDS_MAX), (libc::RLIMIT_DATA, data_bytes()? + MEMORY_MAX)];
    let nowhere = File::options().write(true).open("/dev/null")?;
    let (reader, writer) = io::pipe()?;
    // SAFETY: asks for a number; the child then runs this function's own branch alone, which ends it. What it
    // uses of the server is its own copy, and the allocator is made ready for a fork by itself.
    let (server, child) = unsafe { (libc::getpid(), libc::fork()) };
    match child {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            // What unwinds from here would return into the server's code.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                confine(server, &limits, &nowhere);
                answer(engine, sources, writer);
            }));
            // SAFETY: ends the child, and runs nothing of what the server does at its own end.
            unsafe { libc::_exit(0) }
        }
        child => {
            drop(writer);
            let (answers, failure) = receive(reader);
            if failure.is_some() {
                // SAFETY: the child has not been waited for, so that its number is its own still.
                unsafe { libc::kill(child, libc::SIGKILL) };
            }
            let ended = wait(child);
            Ok(sort(&answers, sources, &failure.unwrap_or(ended)))
        }
    }
}

/// Bytes of memory of its own that this process has.
fn data_bytes() -> io::Result<rlim_t> {
    // In pages: all, resident, shared, text, libraries, data and stack.
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split_whitespace().nth(5).and_then(|pages| pages.parse::<rlim_t>().ok());
    // SAFETY: asks for a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.unsigned_abs();
    pages.map(|pages| pages * page).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

// ── The child ──────────────────────────────────────────────────────────────────────────────────────────────

/// Sets the limits of the child, and that it ends with the server, on every signal, and in silence.
fn confine(server: pid_t, limits: &[(libc::__rlimit_resource_t, rlim_t)], nowhere: &File) {
    // SAFETY: system calls on numbers and on this function's own values.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        for signal in 1..=libc::SIGSYS {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        // Messages of a panic, or of the allocator, would be taken for the server's.
        libc::dup2(nowhere.as_raw_fd(), libc::STDOUT_FILENO);
        libc::dup2(nowhere.as_raw_fd(), libc::STDERR_FILENO);
        for &(resource, most) in limits {
            let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::getrlimit(resource, &raw mut limit);
            // A signal tells that the first is reached; the second is the end.
            limit = libc::rlimit { rlim_cur: most.min(limit.rlim_max), rlim_max: (most + 1).min(limit.rlim_max) };
            if libc::setrlimit(resource, &raw const limit) != 0 {
                libc::_exit(1);
            }
        }
        // The server may have ended before it was asked to take this process with it.
        if libc::getppid() != server {
            libc::_exit(1);
        }
    }
    // Where the system runs out of memory, this process is to end, not the server.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
}

/// Compiles the files, and writes down each as it is done: its place and whether it compiled, in a word each,
/// the length in two, the code or the reason.
fn answer(engine: &Engine, sources: &[&Source], pipe: PipeWriter) {
    let pipe = Mutex::new(pipe);
    let write = |place: usize, compiled: Compiled| {
        let (is_code, bytes) = compiled.map_or_else(|reason| (0u32, reason.into_bytes()), |code| (1, code));
        let head = [(place as u32).to_ne_bytes(), is_code.to_ne_bytes()];
        let Ok(mut pipe) = pipe.lock() else { return };
        // Where the server reads no more, it has given the child up.
        let _ = pipe
            .write_all(head.as_flattened())
            .and_then(|()| pipe.write_all(&bytes.len().to_ne_bytes()))
            .and_then(|()| pipe.write_all(&bytes));
    };
    let compile = |place: usize| {
        let compiled = catch_unwind(AssertUnwindSafe(|| sources[place].compile(engine)));
        write(place, compiled.unwrap_or_else(|_| Err("the compiler fails at it".into())));
    };
    if let Err(reason) = threads::on_all_cores(|| (0..sources.len()).into_par_iter().for_each(compile)) {
        write(0, Err(reason));
    }
}

// ── The server ─────────────────────────────────────────────────────────────────────────────────────────────

/// What the child writes until it ends, and what is wrong with it if it is to be ended.
fn receive(mut pipe: PipeReader) -> (Vec<u8>, Option<String>) {
    let begun = Instant::now();
    let mut answers = Vec::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        let left = WAIT_MAX.saturating_sub(begun.elapsed());
        let mut ready = libc::pollfd { fd: pipe.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one descriptor, of this function's own.
        let count = unsafe { libc::poll(&raw mut ready, 1, left.as_millis() as c_int) };
        if left.is_zero() {
            return (answers, Some(format!("takes more than {} s", WAIT_MAX.as_secs())));
        }
        match if count > 0 { pipe.read(&mut piece) } else { continue } {
            Ok(0) => return (answers, None),
            Ok(length) => answers.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (answers, Some(format!("fails: {error}"))),
        }
        if answers.len() > CODE_MAX {
            return (Vec::new(), Some(format!("makes more than {} MiB of code", CODE_MAX >> 20)));
        }
    }
}

/// Waits for the child, and tells how it ended where it was not by itself.
fn wait(child: pid_t) -> String {
    let mut status = 0;
    // SAFETY: the child is this process's own, and the status this function's.
    while unsafe { libc::waitpid(child, &raw mut status, 0) } == -1 {
        // Where the server was started with SIGCHLD ignored, the system waits for its children.
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return "fails".into();
        }
    }
    match libc::WTERMSIG(status) {
        _ if !libc::WIFSIGNALED(status) => "fails".into(),
        libc::SIGXCPU => format!("takes more than {SECONDS_MAX} s of a processor"),
        libc::SIGABRT => format!("takes more than {} MiB of memory", MEMORY_MAX >> 20),
        signal => format!("ends the compiler by signal {signal}"),
    }
}

/// What the child has written of each file; those that it has not come to the end of cannot be told apart,
/// and share the `reason`.
fn sort(mut answers: &[u8], sources: &[&Source], reason: &str) -> Vec<Compiled> {
    let mut all: Vec<Option<Compiled>> = vec![None; sources.len()];
    while let Some((head, rest)) = answers.split_first_chunk::<16>() {
        let word = |at: usize| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let length = u64::from_ne_bytes(*head.last_chunk().expect("16 bytes hold 8")) as usize;
        let (Some(bytes), Some(place)) = (rest.get(..length), all.get_mut(word(0) as usize)) else { break };
        *place = Some(if word(4) == 1 { Ok(bytes.to_vec()) } else { Err(String::from_utf8_lossy(bytes).into_owned()) });
        answers = &rest[length..];
    }
    let unfinished: Vec<&str> =
        all.iter().zip(sources).filter(|(compiled, _)| compiled.is_none()).map(|(_, source)| &*source.name).collect();
    let reason = match unfinished.len() {
        0 | 1 => format!("compiling it {reason}"),
        _ => format!("compiling it with {} {reason}", unfinished.join(", ")),
    };
    all.into_iter().map(|compiled| compiled.unwrap_or_else(|| Err(reason.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::inspect::Inspected;

    fn source(name: &str) -> Source {
        Source { name: name.into(), path: name.into(), bytes: Vec::new(), inspected: Inspected::default() }
    }

    fn written(place: u32, is_code: u32, length: u64, bytes: &[u8]) -> Vec<u8> {
        [&place.to_ne_bytes(), &is_code.to_ne_bytes(), &length.to_ne_bytes()[..], bytes].concat()
    }

    #[test]
    fn what_was_written_is_told_from_what_was_not() {
        let sources = ["one", "two", "three"].map(source);
        let sources = sources.each_ref();
        let answers = [written(2, 0, 3, b"why"), written(0, 1, 4, b"code")].concat();
        let all = sort(&answers, &sources, "fails");
        assert_eq!(all, [Ok(b"code".to_vec()), Err("compiling it fails".into()), Err("why".into())]);
        for length in 0..answers.len() {
            assert!(sort(&answers[..length], &sources, "fails")[1].is_err(), "{length} bytes");
        }
        let none = sort(&written(1, 1, u64::MAX, b"code"), &sources, "fails");
        assert_eq!(none, vec![Err("compiling it with one, two, three fails".to_string()); 3]);
        assert_eq!(sort(&written(3, 1, 0, b""), &sources[..1], "fails"), [Err("compiling it fails".to_string())]);
    }
}

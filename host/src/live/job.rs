//! A file on its way to be served: compiled on another thread while the server serves, then installed by the
//! server's own.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

use wasmtime::Engine;

use crate::calls::refuse::refuse;
use crate::engine::cache::Cache;
use crate::engine::source::Source;
use crate::engine::{compile, threads};
use crate::load::relink::{LATE, relink};
use crate::load::{files, install, instantiate};
use crate::modules::declare::Asking;
use crate::modules::file::WasmFile;
use crate::modules::folder::{Folder, Staged};
use crate::modules::link;
use crate::modules::loaded::{self, Host};
use crate::modules::module::Running;
use crate::server::api::{self, Ctx, Str};
use crate::server::blocked::{self, Blocked};
use crate::server::context::{self, Context};
use crate::server::guard::guarded;
use crate::server::log;
use crate::slots::release;

/// What becomes of the file.
#[derive(Clone, Copy, PartialEq)]
pub enum Deed {
    Load,
    Reload,
}

/// A file that a client has asked for.
pub struct Job {
    pub deed: Deed,
    pub name: String,
    /// Where the file is: in `wasm.dir`, or where it was given as an argument.
    pub folder: Option<Folder>,
    pub path: PathBuf,
    pub cache: Option<Cache>,
    /// The client, for the log.
    pub who: String,
}

/// A file that can be installed.
pub struct Ready {
    file: WasmFile,
    /// What becomes what served last, once it serves.
    staged: Option<Staged>,
}

/// What comes back from the other thread.
struct Done {
    job: Job,
    ready: Result<Ready, String>,
    client: Blocked,
}

thread_local! {
    /// Whether a file is on its way. Of the server's main thread.
    static RUNS: Cell<bool> = const { Cell::new(false) };
}

/// # Errors
/// Nothing can be loaded at this moment. `flags`: of the server.
pub fn check_moment(host: &Host, flags: c_int) -> Result<(), String> {
    if flags & (api::CTX_FLAGS_LOADING | api::CTX_FLAGS_ASYNC_LOADING) != 0 {
        return Err("the server is loading data: try again when it has".into());
    }
    // One that has run for long lets events in: its commands are of one time.
    if flags & api::CTX_FLAGS_LUA != 0 {
        return Err("a script runs: try again when it has ended".into());
    }
    if RUNS.get() {
        return Err("another module is being loaded: try again when it is".into());
    }
    if host.groups.iter().any(|group| group.damaged.get()) {
        return Err("the data of a module is in doubt, as INFO says: a restart comes first".into());
    }
    Ok(())
}

/// Compiles the file on another thread; the client waits for the end of it all.
///
/// # Errors
/// There is no thread for it.
pub fn start(host: &Host, ctx: Context<'_>, job: Job) -> Result<(), String> {
    let engine = host.engine.clone();
    let (sender, receiver) = mpsc::channel::<Blocked>();
    let work = move || {
        let ready = catch_unwind(AssertUnwindSafe(|| job.prepare(&engine))).unwrap_or_else(|_| Err("the compiler fails at it".into()));
        // The compiler's memory is this thread's, and would stay with it.
        threads::give_memory_back();
        if let Ok(client) = receiver.recv() {
            blocked::on_main_thread(come_back, Box::new(Done { job, ready, client }));
        }
    };
    let thread = threads::with_signals_blocked(|| thread::Builder::new().name("wasm-compile".into()).spawn(work));
    thread.map_err(|error| format!("no thread to compile it: {error}"))?;
    RUNS.set(true);
    // It waits for this.
    let _ = sender.send(blocked::block(ctx, answer, drop_answer));
    Ok(())
}

/// On the server's thread, between its clients' commands: what was compiled is installed.
unsafe extern "C" fn come_back(data: *mut c_void) {
    // SAFETY: what `start` has handed over, once.
    let Done { job, ready, client } = *unsafe { Box::from_raw(data.cast::<Done>()) };
    let name = job.name.clone();
    let result = guarded(|| {
        RUNS.set(false);
        let host = loaded::get().ok_or("nothing is loaded")?;
        check_moment(host, context::server_flags())?;
        client.with_context(|ctx| finish(host, ctx, job, ready?))
    });
    let result = result.unwrap_or_else(|| Err("the host failed".into()));
    if let Err(reason) = &result {
        // Its client may be gone.
        log::notice(None, &format!("module {name}: nothing has changed: {reason}"));
    }
    client.unblock(Box::new(result));
}

type Outcome = Result<(), String>;

/// What the server calls to answer the client that has waited.
unsafe extern "C" fn answer(ctx: *mut Ctx, _argv: *mut *mut Str, _argc: c_int) -> c_int {
    // SAFETY: the server calls with the context of a client that was blocked by `start`.
    let ctx = unsafe { Context::new(ctx) };
    // SAFETY: what `come_back` has handed over for it.
    let outcome = unsafe { blocked::outcome(ctx).cast::<Outcome>().as_ref() };
    guarded(|| match outcome {
        Some(Ok(())) => ctx.reply_status(c"OK"),
        Some(Err(reason)) => refuse(ctx, &format!("ERR {reason}")),
        None => refuse(ctx, "ERR the host failed"),
    });
    api::OK
}

unsafe extern "C" fn drop_answer(_ctx: *mut Ctx, data: *mut c_void) {
    if !data.is_null() {
        // SAFETY: what `come_back` has handed over, freed once.
        drop(unsafe { Box::from_raw(data.cast::<Outcome>()) });
    }
}

impl Job {
    /// Reads and compiles the file, and checks what it is. Of any thread.
    ///
    /// # Errors
    /// Why it cannot be loaded.
    pub fn prepare(&self, engine: &Engine) -> Result<Ready, String> {
        let source = match &self.folder {
            Some(folder) => folder.read(&self.name)?,
            None => Source::read(&self.path)?,
        };
        let cache = self.cache.as_ref();
        let module = match cache.and_then(|cache| cache.take(engine, &source.bytes)) {
            Some(module) => module,
            None => compile::load(engine, cache, &source, &source.compile(engine)?)?,
        };
        let file = WasmFile::new(source, module)?;
        let bytes = file.bytes.take();
        Ok(Ready { file, staged: self.folder.as_ref().and_then(|folder| folder.stage(&self.name, &bytes)) })
    }
}

/// Installs what was compiled.
///
/// # Errors
/// The reason; all is as it was.
pub fn finish(host: &Host, ctx: Context<'_>, job: Job, ready: Ready) -> Outcome {
    let Job { deed, name, who, .. } = job;
    let Ready { mut file, staged } = ready;
    file.ask(ctx, Asking::Later)?;
    let mut is_new = false;
    let (member, links) = match (deed, host.named(name.as_bytes())) {
        (Deed::Load, known) => {
            let links = link::by_command(&file, LATE)?;
            is_new = known.is_none();
            (known.map_or_else(|| instantiate::add_alone(host, &name), Ok)?, links)
        }
        (Deed::Reload, Some(member)) => (member, relink(host, member, &file, files::is_trusted(&file))?),
        (Deed::Reload, None) => return Err(format!("no module {name} is loaded")),
    };
    file.adopt_settings();
    let (path, hash) = (file.path.display().to_string(), file.hash.clone());
    if let Err(reason) = install::install(host, ctx, member, Running { file, links }) {
        if is_new {
            instantiate::forget_last(host);
        }
        return Err(reason);
    }
    let module = &host.modules[member.0];
    if deed == Deed::Load {
        // It is one of the folder from now on.
        module.is_given.set(false);
        release::on_module(host);
    } else {
        module.reloads.set(module.reloads.get() + 1);
    }
    let done = if deed == Deed::Load { "loaded" } else { "replaced" };
    log::notice(Some(ctx), &format!("module {name}: {done} by {who}, from {path}, SHA-256 {hash}"));
    if let Some(staged) = staged {
        staged.keep(ctx, &name);
    }
    Ok(())
}

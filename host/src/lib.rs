//! A Redis module that runs WebAssembly modules: they register commands, and import each other's exports, linked directly where that can be.
//!
//! This host knows no command and no product. Entry point: [`RedisModule_OnLoad`].

mod abi;
mod api;
mod append_only;
mod back_off;
mod call;
mod command;
mod compile;
mod config;
mod description;
mod docs;
mod engine;
mod faults;
mod file;
mod fresh;
mod group;
mod host;
mod info;
mod instantiate;
mod link;
mod listeners;
mod memory;
mod persistence;
mod reply;
mod sweep;
mod syntax;
mod text;
mod trap;
mod weight;

use std::ffi::{CStr, OsStr, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use wasmtime::Engine;

use api::{Ctx, Event, Str};
use engine::Ticker;
use file::{Source, WasmFile};
use host::Host;

/// The module's name: the prefix of its settings and of its fields in INFO.
const NAME: &CStr = c"wasm";
const VERSION: c_int = 1;
/// What is loaded, from the library's own folder, when no path is given.
const FILES_DEFAULT: [&str; 2] = ["hashmap.wasm", "session.wasm"];

/// What the server calls to load this library, with the paths of .wasm files as arguments.
///
/// # Safety
/// Called by the server, on its main thread.
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub unsafe extern "C" fn RedisModule_OnLoad(ctx: *mut Ctx, argv: *mut *mut Str, argc: c_int) -> c_int {
    // SAFETY: by this function's contract, for the whole of it.
    unsafe {
        if let Err(missing) = api::init(ctx) {
            // Without its functions the server's log may be out of reach too.
            eprintln!("wasm: this server is too old: it lacks RedisModule_{missing} (Redis 7.0 and later, and Valkey, have it)");
            return api::ERR;
        }
        // A second load must fail before it touches anything of the first one, which runs in this same library.
        if api::IsModuleNameBusy.is_some_and(|is_busy| is_busy(NAME.as_ptr()) != 0) {
            host::log(ctx, c"warning", "a module named wasm is loaded already");
            return api::ERR;
        }
        rm!(SetModuleAttribs(ctx, NAME.as_ptr(), VERSION, api::API_VERSION));
        let loaded = host::guarded(|| load(ctx, paths(argv, argc)));
        let failure = match loaded {
            Some(Ok(())) => return api::OK,
            Some(Err(failure)) => failure,
            None => "the host failed".into(),
        };
        host::log(ctx, c"warning", &failure);
        host::remove();
        api::ERR
    }
}

/// The steps of a load. It can fail at any of them, and run again in the same process.
///
/// # Safety
/// As [`RedisModule_OnLoad`].
unsafe fn load(ctx: *mut Ctx, paths: Vec<PathBuf>) -> Result<(), String> {
    let begun = Instant::now();
    // SAFETY: by this function's contract, for the whole of it.
    unsafe {
        let refused = |what: String| format!("the server refused {what}");
        config::register(ctx).map_err(refused)?;
        engine::check_stack()?;
        let engine = engine::new().map_err(|error| format!("{error:#}"))?;
        let ticker = Ticker::start(&engine).map_err(|error| format!("no thread for the time limit: {error}"))?;
        // Left behind where the server unloaded the module by itself: it does so after LOADEX with an unknown setting.
        host::remove();
        host::install(Host::new(ticker));
        let files = open(ctx, &engine, &paths)?;
        if rm!(LoadConfigs(ctx)) != api::OK {
            return Err("a setting has a value that it cannot take".into());
        }
        let in_file = |paths: &[PathBuf], (member, reason): (usize, String)| refusal(&paths[member], &reason);
        let plan = link::plan(&files, config::link_by_command()).map_err(|failure| in_file(&paths, failure))?;
        instantiate::all(ctx, &engine, files, &plan).map_err(|failure| in_file(&paths, failure))?;
        info::register(ctx).map_err(refused)?;
        rm!(SetModuleOptions(ctx, api::OPTIONS_HANDLE_IO_ERRORS | api::OPTIONS_HANDLE_REPL_ASYNC_LOAD));
        subscribe(ctx)?;
        host::refresh_maxmemory(ctx);
        host::keep_ok(ctx);
        append_only::check(ctx)?;
    }
    let host = host::get().expect("installed");
    for module in &host.modules {
        info::log_links(ctx, module);
    }
    host::log(ctx, c"notice", &format!("{} modules loaded in {} ms", host.modules.len(), begun.elapsed().as_millis()));
    Ok(())
}

/// Compiles every file, in a process that ends with that, and asks each what it declares.
///
/// # Safety
/// As [`RedisModule_OnLoad`].
unsafe fn open(ctx: *mut Ctx, engine: &Engine, paths: &[PathBuf]) -> Result<Vec<WasmFile>, String> {
    let read = |path: &PathBuf| Source::read(path).map_err(|reason| refusal(path, &reason));
    let sources = paths.iter().map(read).collect::<Result<Vec<Source>, String>>()?;
    // SAFETY: by this function's contract.
    let modules = unsafe { compile::all(ctx, engine, &sources) }?;
    let mut files: Vec<WasmFile> = Vec::new();
    for ((path, source), module) in paths.iter().zip(sources).zip(modules) {
        let file = module.and_then(|module| WasmFile::new(source, module));
        let mut file = file.map_err(|reason| refusal(path, &reason))?;
        // SAFETY: by this function's contract.
        unsafe { file.ask(ctx) }.map_err(|reason| refusal(path, &reason))?;
        if files.iter().any(|other| other.name == file.name) {
            return Err(refusal(path, "another module of this name is given too"));
        }
        for other in &files {
            if let Some(command) = file.commands.iter().find(|command| other.commands.contains(command)) {
                return Err(refusal(path, &format!("it registers {command}, as {} does", other.name)));
            }
        }
        files.push(file);
    }
    Ok(files)
}

fn refusal(path: &Path, reason: &str) -> String {
    format!("cannot load {}: {reason}", path.display())
}

/// The .wasm files to load: the arguments, or the two beside this library.
///
/// # Safety
/// As [`RedisModule_OnLoad`].
unsafe fn paths(argv: *mut *mut Str, argc: c_int) -> Vec<PathBuf> {
    let given = (0..argc as usize).map(|index| {
        let mut length = 0;
        // SAFETY: the server gives argc strings; this one is copied at once.
        let bytes = unsafe { std::slice::from_raw_parts(rm!(StringPtrLen(*argv.add(index), &raw mut length)).cast::<u8>(), length) };
        PathBuf::from(OsStr::from_bytes(bytes))
    });
    let given: Vec<PathBuf> = given.collect();
    if given.is_empty() { FILES_DEFAULT.iter().map(|name| own_folder().join(name)).collect() } else { given }
}

/// The folder that this library was loaded from.
fn own_folder() -> PathBuf {
    // SAFETY: the address is one of this library's own, and what dladdr fills in lives as long as the library.
    let file = unsafe {
        let mut found: libc::Dl_info = std::mem::zeroed();
        if libc::dladdr(own_folder as *const c_void, &raw mut found) == 0 || found.dli_fname.is_null() {
            return PathBuf::new();
        }
        CStr::from_ptr(found.dli_fname)
    };
    Path::new(OsStr::from_bytes(file.to_bytes())).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// # Safety
/// As [`RedisModule_OnLoad`].
unsafe fn subscribe(ctx: *mut Ctx) -> Result<(), String> {
    let events: [(u64, api::EventFunc); 7] = [
        (api::EVENT_FLUSHDB, persistence::on_flush),
        (api::EVENT_REPL_ASYNC_LOAD, fresh::on_async_load),
        (api::EVENT_LOADING, persistence::on_loading),
        (api::EVENT_CONFIG, on_config),
        (api::EVENT_CRON_LOOP, sweep::on_cron),
        (api::EVENT_FORK_CHILD, listeners::on_change),
        (api::EVENT_ROLE_CHANGED, listeners::on_change),
    ];
    for (id, callback) in events {
        // SAFETY: by this function's contract.
        if unsafe { rm!(SubscribeToServerEvent(ctx, Event { id, data_version: 1 }, callback)) } != api::OK {
            return Err(format!("the server refused a subscription to its event {id}"));
        }
    }
    Ok(())
}

/// The server keeps one callback per event and module.
unsafe extern "C" fn on_config(ctx: *mut Ctx, _: Event, _: u64, data: *mut c_void) {
    // SAFETY: the context and the data of a running event.
    host::guarded(|| unsafe {
        append_only::on_config(ctx, data);
        host::refresh_maxmemory(ctx);
    });
}

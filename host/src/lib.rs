//! A Redis module that runs WebAssembly modules: they register commands, and import each other's exports,
//! linked directly where that can be.
//!
//! This host knows no command and no product. Entry point: [`RedisModule_OnLoad`]. Each folder uses those
//! that are listed before it: `server`, `engine`, `describe`, `guest`, `modules`, `duties`, `calls`, `slots`,
//! `load`, `functions`, `live`.

mod calls;
mod describe;
mod duties;
mod engine;
mod functions;
mod guest;
mod live;
mod load;
mod modules;
mod server;
mod slots;

use std::ffi::{CStr, c_int};
use std::path::PathBuf;
use std::time::Instant;

use calls::{apply, triggers::on};
use duties::{append_only, folders, info, kits, maxmemory};
use engine::cache::Cache;
use engine::clock::Ticker;
use guest::ids::MemberId;
use load::files::Found;
use load::{events, files, instantiate, satellite, unload};
use modules::folder::{self, Folder};
use modules::loaded::{self, Host};
use server::api::{self, Ctx, Str};
use server::context::Context;
use server::strings::Arguments;
use server::{config, guard, log, ok, register};

/// The module's name: the prefix of its settings and of its fields in INFO.
const NAME: &CStr = c"wasm";
const VERSION: c_int = 1;

/// What the server calls to load this library, with the paths of .wasm files as arguments.
///
/// # Safety
/// Called by the server, on its main thread.
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub unsafe extern "C" fn RedisModule_OnLoad(ctx: *mut Ctx, argv: *mut *mut Str, argc: c_int) -> c_int {
    // SAFETY: by this function's contract.
    if let Err(missing) = unsafe { api::init(ctx) } {
        // Without its functions the server's log may be out of reach too.
        eprintln!("wasm: this server is too old: it lacks RedisModule_{missing} (Redis 7.0 and later, and Valkey, have it)");
        return api::ERR;
    }
    // SAFETY: by this function's contract.
    let (ctx, arguments) = unsafe { (Context::new(ctx), Arguments::new(argv, argc)) };
    unload::allow_for_now();
    if satellite::is_one(arguments) {
        return guard::guarded(|| satellite::on_load(ctx, arguments)).unwrap_or(api::ERR);
    }
    // A second load must fail before it touches anything of the first one, which runs in this same library.
    if register::is_module_loaded(NAME) {
        log::warning(Some(ctx), "a module named wasm is loaded already");
        return api::ERR;
    }
    ctx.name_module(NAME, VERSION);
    let failure = match guard::guarded(|| load(ctx, &files::paths(arguments))) {
        Some(Ok(())) => return api::OK,
        Some(Err(failure)) => failure,
        None => "the host failed".into(),
    };
    log::warning(Some(ctx), &failure);
    loaded::remove();
    api::ERR
}

/// What the server calls before it unloads a module of this library.
///
/// # Safety
/// Called by the server, on its main thread.
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub unsafe extern "C" fn RedisModule_OnUnload(ctx: *mut Ctx) -> c_int {
    // SAFETY: by this function's contract.
    let ctx = unsafe { Context::new(ctx) };
    guard::guarded(|| unload::answer(ctx)).unwrap_or(api::ERR)
}

/// The steps of a load. It can fail at any of them, and run again in the same process.
fn load(ctx: Context<'_>, paths: &[PathBuf]) -> Result<(), String> {
    let begun = Instant::now();
    let refused = |what: String| format!("the server refused {what}");
    config::register(ctx).map_err(refused)?;
    engine::stack::check_stack()?;
    let engine = engine::setup::new().map_err(|error| format!("{error:#}"))?;
    let ticker = Ticker::start(&engine).map_err(|error| format!("no thread for the time limit: {error}"))?;
    // Left behind where the server unloaded the module by itself: it does so after LOADEX with an unknown
    // setting.
    loaded::remove();
    loaded::install(Host::new(engine, ticker));
    let host = loaded::get().expect("installed");
    config::read(ctx)?;
    if let Some(folder) = config::cache() {
        let cache = Cache::open(&folder, &host.engine)?;
        folder::apart(ctx, "wasm.cache", cache.folder())?;
        host.cache.set(cache).ok();
    }
    let cache = host.cache.get();
    let given = files::open(ctx, &host.engine, cache, paths)?;
    config::read_further(ctx)?;
    // Before modules could take these names.
    apply::register(host, ctx).map_err(refused)?;
    live::commands::register(host, ctx).map_err(refused)?;
    info::register(host, ctx).map_err(refused)?;
    slots::register(host, ctx).map_err(refused)?;
    let mut found = Found { files: given, missing: Vec::new() };
    let folder = Folder::named(ctx)?;
    if let Some(folder) = &folder {
        found = files::open_folder(ctx, host, folder, found.files)?;
    }
    let refusal = |(member, reason): (MemberId, String)| files::refusal(&paths[member.0], &reason);
    let plan = files::plan(ctx, host, folder.as_ref(), &mut found, paths.len()).map_err(refusal)?;
    instantiate::all(host, ctx, found.files, paths.len(), &plan).map_err(refusal)?;
    instantiate::note_missing(host, found.missing)?;
    if let Some(folder) = folder {
        host.folder.set(folder).ok();
    }
    folders::note(host, ctx);
    kits::register(ctx).map_err(refused)?;
    slots::set_options(ctx);
    events::subscribe(ctx)?;
    maxmemory::refresh(host, ctx);
    ok::keep(ctx);
    append_only::check(ctx)?;
    for module in host.modules.iter() {
        info::log_links(host, ctx, module);
    }
    slots::begin(ctx).map_err(refused)?;
    on::subscribe(host, ctx);
    // The last step: the server keeps the engine of a load that fails. One that has come to its end it does
    // not undo where it has scripting engines, since there is a data type.
    functions::register(ctx);
    log::notice(Some(ctx), &format!("{} modules loaded in {} ms", host.modules.len(), begun.elapsed().as_millis()));
    Ok(())
}

//! The files of a load: which ones, and what each declares.

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use wasmtime::{Engine, Module};

use crate::engine::cache::Cache;
use crate::engine::source::Source;
use crate::engine::{compile, library};
use crate::guest::ids::MemberId;
use crate::modules::declare::Asking;
use crate::modules::file::WasmFile;
use crate::modules::folder::Folder;
use crate::modules::link::{self, Plan};
use crate::modules::loaded::Host;
use crate::modules::namespace::MODULES_MAX;
use crate::server::context::Context;
use crate::server::strings::Arguments;
use crate::server::{config, log, trusted};

/// What is loaded, from the library's own folder, when no path is given; and what may share a memory.
const FILES_DEFAULT: [&str; 2] = ["hashmap.wasm", "session.wasm"];

/// What is to be loaded at a start.
pub struct Found {
    /// What can be instantiated.
    pub files: Vec<WasmFile>,
    /// What cannot: the modules' names, and why.
    pub missing: Vec<(String, String)>,
}

/// The .wasm files to load: the arguments, or the defaults beside this library.
pub fn paths(arguments: Arguments<'_>) -> Vec<PathBuf> {
    if arguments.count() == 0 {
        return FILES_DEFAULT.iter().map(|name| own_folder().join(name)).collect();
    }
    // Not relative to where the server is when it reads them again: CONFIG SET dir takes it elsewhere.
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    arguments.iter().map(|argument| absolute(PathBuf::from(OsStr::from_bytes(argument.bytes())))).collect()
}

/// Compiles every file, in a process that ends with that, and asks each what it declares.
///
/// # Errors
/// The first file that cannot be loaded, and why.
pub fn open(ctx: Context<'_>, engine: &Engine, cache: Option<&Cache>, paths: &[PathBuf]) -> Result<Vec<WasmFile>, String> {
    let read = |path: &PathBuf| Source::read(path).map_err(|reason| refusal(path, &reason));
    let sources = paths.iter().map(read).collect::<Result<Vec<Source>, String>>()?;
    let modules = compile::all(ctx, engine, cache, &sources)?;
    let mut files: Vec<WasmFile> = Vec::new();
    for ((path, source), module) in paths.iter().zip(sources).zip(modules) {
        let file = check(ctx, source, module, &files, Asking::AtStart).map_err(|reason| refusal(path, &reason))?;
        files.push(file);
    }
    Ok(files)
}

/// Compiles the files of `wasm.dir` and asks each what it declares. Where one cannot be loaded, what served
/// last is taken; where that cannot be either, its module is missing. `given`: the files that were given as
/// arguments, whose names are taken.
///
/// # Errors
/// No threads to compile with.
pub fn open_folder(ctx: Context<'_>, host: &Host, folder: &Folder, given: Vec<WasmFile>) -> Result<Found, String> {
    let mut found = Found { files: given, missing: Vec::new() };
    let names = folder.names().unwrap_or_else(|reason| {
        log::warning(Some(ctx), &reason);
        Vec::new()
    });
    let (mut sources, mut failed) = (Vec::new(), Vec::new());
    for name in names {
        if found.files.iter().any(|file| file.name == name) {
            log::warning(Some(ctx), &format!("{name}.wasm of wasm.dir is left out: a file of this name was given as an argument"));
            continue;
        }
        // No module has such a name, so none is missing.
        if let Err(reason) = Source::check_name(&name) {
            log::warning(Some(ctx), &format!("{name}.wasm of wasm.dir is left out: {reason}"));
            continue;
        }
        if found.files.len() + sources.len() + failed.len() == MODULES_MAX {
            log::warning(Some(ctx), &format!("{name}.wasm of wasm.dir is left out: more than {MODULES_MAX} modules"));
            continue;
        }
        match folder.read(&name) {
            Ok(source) => sources.push(source),
            Err(reason) => failed.push((name, reason)),
        }
    }
    let modules = compile::all(ctx, &host.engine, host.cache.get(), &sources)?;
    for (source, module) in sources.into_iter().zip(modules) {
        let name = source.name.clone();
        match check(ctx, source, module, &found.files, Asking::Later).and_then(|file| check_free(ctx, &file).map(|()| file)) {
            Ok(file) => found.files.push(file),
            Err(reason) => failed.push((name, reason)),
        }
    }
    for (name, reason) in failed {
        take_served(ctx, host, folder, &mut found, name, reason);
    }
    Ok(found)
}

/// What served last takes the place of a file that cannot be loaded, for this reason; else its module is
/// missing.
fn take_served(ctx: Context<'_>, host: &Host, folder: &Folder, found: &mut Found, name: String, reason: String) {
    log::warning(Some(ctx), &format!("{name}.wasm of wasm.dir cannot be loaded: {reason}"));
    let served = served(ctx, &host.engine, host.cache.get(), folder, &name, &found.files);
    match served.and_then(|file| check_free(ctx, &file).map(|()| file)) {
        Ok(file) => {
            log::warning(Some(ctx), &format!("module {name}: what served last is loaded in its place"));
            found.files.push(file);
        }
        Err(_) => found.missing.push((name, reason)),
    }
}

/// # Errors
/// A command of the file is the server's, or another module's that it has loaded.
fn check_free(ctx: Context<'_>, file: &WasmFile) -> Result<(), String> {
    match file.commands.iter().find(|name| CString::new(name.as_str()).is_ok_and(|name| ctx.has_command(&name))) {
        Some(name) => Err(format!("it registers {}, which another module, or the server, has", name.to_ascii_uppercase())),
        None => Ok(()),
    }
}

/// Decides every link. Where a file cannot be linked that was not one of the `given` arguments, what served
/// last takes its place; else its module is missing.
///
/// # Errors
/// The argument that cannot be linked, and why.
pub fn plan(ctx: Context<'_>, host: &Host, folder: Option<&Folder>, found: &mut Found, given: usize) -> Result<Plan, (MemberId, String)> {
    loop {
        match (link::plan(&found.files, config::link_by_command(), is_trusted), folder) {
            (Err((member, reason)), Some(folder)) if member.0 >= given => {
                let WasmFile { name, path, .. } = found.files.remove(member.0);
                if folder.is_served(&path) {
                    found.missing.push((name, reason));
                } else {
                    take_served(ctx, host, folder, found, name, reason);
                }
            }
            (decided, _) => return decided,
        }
    }
}

/// What a module of `wasm.dir` served last, ready to be instantiated.
///
/// # Errors
/// There is none, or it cannot be loaded either.
pub fn served(
    ctx: Context<'_>,
    engine: &Engine,
    cache: Option<&Cache>,
    folder: &Folder,
    name: &str,
    others: &[WasmFile],
) -> Result<WasmFile, String> {
    let source = folder.read_served(name)?;
    let module = compile::all(ctx, engine, cache, std::slice::from_ref(&source))?.pop().ok_or("it was not compiled")?;
    check(ctx, source, module, others, Asking::Later)
}

/// Checks a compiled file, and asks it what it declares.
///
/// # Errors
/// Why it cannot be loaded beside the `others`.
pub fn check(
    ctx: Context<'_>,
    source: Source,
    module: Result<Module, String>,
    others: &[WasmFile],
    asking: Asking,
) -> Result<WasmFile, String> {
    let mut file = WasmFile::new(source, module?)?;
    file.ask(ctx, asking)?;
    if others.iter().any(|other| other.name == file.name) {
        return Err("another module of this name is given too".into());
    }
    for other in others {
        if let Some(command) = file.commands.iter().find(|command| other.commands.contains(command)) {
            return Err(format!("it registers {command}, as {} does", other.name));
        }
    }
    file.adopt_settings();
    Ok(file)
}

/// Whether a module may share a memory with others: it is one of the defaults beside this library, or named
/// in `wasm.trusted`.
pub fn is_trusted(file: &WasmFile) -> bool {
    let is = |own: PathBuf| own.canonicalize().is_ok_and(|own| file.path.canonicalize().is_ok_and(|path| path == own));
    trusted::names(&file.name, &file.hash) || FILES_DEFAULT.iter().any(|name| is(own_folder().join(name)))
}

/// Why a file cannot be loaded, for the log.
pub fn refusal(path: &Path, reason: &str) -> String {
    format!("cannot load {}: {reason}", path.display())
}

/// The folder that this library was loaded from.
fn own_folder() -> PathBuf {
    library::path().parent().map(Path::to_path_buf).unwrap_or_default()
}

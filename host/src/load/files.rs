//! The files of a load: which ones, and what each declares.

use std::ffi::{CStr, OsStr, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use wasmtime::Engine;

use crate::engine::compile;
use crate::engine::source::Source;
use crate::modules::file::WasmFile;
use crate::server::context::Context;
use crate::server::strings::Arguments;
use crate::server::trusted;

/// The .wasm files to load: the arguments, or the `defaults` beside this library.
pub fn paths(arguments: Arguments<'_>, defaults: &[&str]) -> Vec<PathBuf> {
    if arguments.count() == 0 {
        return defaults.iter().map(|name| own_folder().join(name)).collect();
    }
    arguments.iter().map(|argument| PathBuf::from(OsStr::from_bytes(argument.bytes()))).collect()
}

/// Compiles every file, in a process that ends with that, and asks each what it declares.
///
/// # Errors
/// The first file that cannot be loaded, and why.
pub fn open(ctx: Context<'_>, engine: &Engine, paths: &[PathBuf]) -> Result<Vec<WasmFile>, String> {
    let read = |path: &PathBuf| Source::read(path).map_err(|reason| refusal(path, &reason));
    let sources = paths.iter().map(read).collect::<Result<Vec<Source>, String>>()?;
    let modules = compile::all(ctx, engine, &sources)?;
    let mut files: Vec<WasmFile> = Vec::new();
    for ((path, source), module) in paths.iter().zip(sources).zip(modules) {
        let file = module.and_then(|module| WasmFile::new(source, module));
        let mut file = file.map_err(|reason| refusal(path, &reason))?;
        file.ask(ctx).map_err(|reason| refusal(path, &reason))?;
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

/// Whether a module may share a memory with others: it is one of the `defaults` beside this library, or named
/// in `wasm.trusted`.
pub fn is_trusted(file: &WasmFile, defaults: &[&str]) -> bool {
    let is = |own: PathBuf| own.canonicalize().is_ok_and(|own| file.path.canonicalize().is_ok_and(|path| path == own));
    trusted::names(&file.name, &file.hash) || defaults.iter().any(|name| is(own_folder().join(name)))
}

/// Why a file cannot be loaded, for the log.
pub fn refusal(path: &Path, reason: &str) -> String {
    format!("cannot load {}: {reason}", path.display())
}

/// The folder that this library was loaded from.
fn own_folder() -> PathBuf {
    // SAFETY: the address is one of this library's own, and what dladdr fills in lives as long as the
    // library.
    let file = unsafe {
        let mut found: libc::Dl_info = std::mem::zeroed();
        if libc::dladdr(own_folder as *const c_void, &raw mut found) == 0 || found.dli_fname.is_null() {
            return PathBuf::new();
        }
        CStr::from_ptr(found.dli_fname)
    };
    Path::new(OsStr::from_bytes(file.to_bytes())).parent().map(Path::to_path_buf).unwrap_or_default()
}

//! A .wasm file as it lies on the disk.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use wasmtime::Engine;

use super::inspect::{Inspected, inspect};
use super::{trap, weight};

/// The longest file that is read.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// A .wasm file as it was read.
pub struct Source {
    /// The file's name without directory and `.wasm`.
    pub name: String,
    pub path: PathBuf,
    pub bytes: Vec<u8>,
    pub inspected: Inspected,
}

impl Source {
    /// # Errors
    /// The reason why the file cannot be loaded; the caller names the file.
    pub fn read(path: &Path) -> Result<Source, String> {
        // Before it is opened, which waits for the other end of a pipe.
        if !std::fs::metadata(path).map_err(|error| error.to_string())?.is_file() {
            return Err(NO_FILE.into());
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Source::of(&name, path, File::open(path).map_err(|error| error.to_string())?)
    }

    /// Reads the file of a module, which has been opened.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn of(name: &str, path: &Path, file: File) -> Result<Source, String> {
        Source::check_name(name)?;
        Source::of_bytes(name, path, read(file)?)
    }

    /// A file of which the contents are at hand.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn of_bytes(name: &str, path: &Path, bytes: Vec<u8>) -> Result<Source, String> {
        Source::check_name(name)?;
        check_size(bytes.len() as u64)?;
        let inspected = inspect(&bytes)?;
        Ok(Source { name: name.into(), path: path.to_path_buf(), bytes, inspected })
    }

    /// # Errors
    /// No module has such a name.
    pub fn check_name(name: &str) -> Result<(), String> {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err("a module's file name may hold letters, digits and - alone".into());
        }
        Ok(())
    }

    /// Checks and compiles it, with its stack pointer exported: machine code as `Module::deserialize` takes
    /// it. May run on any thread.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn compile(&self, engine: &Engine) -> Result<Vec<u8>, String> {
        weight::check(&self.bytes)?;
        engine.precompile_module(&self.inspected.exporting(&self.bytes)).map_err(|error| trap::describe(&error))
    }
}

const NO_FILE: &str = "it is no regular file";

fn check_size(size: u64) -> Result<(), String> {
    if size > FILE_BYTES_MAX { Err(format!("it has {size} bytes, more than {FILE_BYTES_MAX}")) } else { Ok(()) }
}

/// The contents of the file, which does not keep the server waiting as a pipe or a device could.
fn read(file: File) -> Result<Vec<u8>, String> {
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err(NO_FILE.into());
    }
    let size = metadata.len();
    check_size(size)?;
    let mut bytes = Vec::new();
    // No more than was told, though it may grow meanwhile.
    file.take(size).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

//! `wasm.cache`: a folder that keeps compiled code, so that a start compiles nothing twice.
//!
//! A file of it is native code, as trusted as this library: folder and files must belong to the server's
//! user, and nobody else may write them. A file's name is the SHA-256 of what it was compiled from and by:
//! the module, this library, Wasmtime and the processor.
//!
//! ```text
//! SHA-256 of the file's name and the code, 32 bytes | code
//! ```

use std::fs::{self, File, Metadata, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::{Engine, Module};

use super::library;

/// Files that are kept: those that were written last.
const FILES_MAX: usize = 128;
const EXTENSION: &str = "code";
const HASH_BYTES: usize = 32;

/// A folder of compiled code.
#[derive(Clone)]
pub struct Cache {
    folder: PathBuf,
    /// What all its files have in common: this library, Wasmtime and the processor.
    common: [u8; HASH_BYTES],
}

impl Cache {
    /// The cache in this folder, which is made where it is not there.
    ///
    /// # Errors
    /// It cannot be made, or somebody else may write there.
    pub fn open(folder: &Path, engine: &Engine) -> Result<Cache, String> {
        let refused = |reason: &str| format!("wasm.cache {}: {reason}", folder.display());
        if let Err(error) = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder) {
            return Err(refused(&error.to_string()));
        }
        let folder = folder.canonicalize().map_err(|error| refused(&error.to_string()))?;
        let metadata = fs::metadata(&folder).map_err(|error| refused(&error.to_string()))?;
        if !metadata.is_dir() || !is_own(&metadata) {
            return Err(refused("it must be a folder of the server's user that nobody else may write to"));
        }
        let mut common = Sha256::new();
        common.update(library::identity().map_err(|error| refused(&error.to_string()))?);
        let mut compatibility = Bytes(Vec::new());
        engine.precompile_compatibility_hash().hash(&mut compatibility);
        common.update(&compatibility.0);
        Ok(Cache { folder, common: common.finalize().into() })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, file: &[u8]) -> PathBuf {
        let mut hash = Sha256::new();
        hash.update(self.common);
        hash.update(file);
        let name: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(name).with_extension(EXTENSION)
    }

    /// The code of a module's file, if it is there and sound.
    pub fn take(&self, engine: &Engine, file: &[u8]) -> Option<Module> {
        let code = read(&self.path(file))?;
        // SAFETY: this library wrote it, with an engine like this one: its name says so, its bytes are whole,
        // and nobody else may write here.
        unsafe { Module::deserialize(engine, code) }.ok()
    }

    /// Keeps the code of a module's file.
    ///
    /// # Errors
    /// It cannot be written: nothing is kept then.
    pub fn keep(&self, file: &[u8], code: &[u8]) -> io::Result<()> {
        let path = self.path(file);
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let written = write(&temporary, &sum(&path, code), code).and_then(|()| fs::rename(&temporary, &path));
        if written.is_err() {
            // What is left of it is in nobody's way.
            let _ = fs::remove_file(&temporary);
        }
        written.and_then(|()| self.drop_oldest())
    }

    fn drop_oldest(&self) -> io::Result<()> {
        let mut files: Vec<_> = fs::read_dir(&self.folder)?
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let modified = entry.metadata().ok()?.modified().ok()?;
                (entry.path().extension()? == EXTENSION).then(|| (modified, entry.path()))
            })
            .collect();
        files.sort_unstable();
        let excess = files.len().saturating_sub(FILES_MAX);
        files.iter().take(excess).try_for_each(|(_, path)| fs::remove_file(path))
    }
}

/// The code in a file, if that is sound.
fn read(path: &Path) -> Option<Vec<u8>> {
    let mut opened = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path).ok()?;
    let metadata = opened.metadata().ok()?;
    if !metadata.is_file() || !is_own(&metadata) {
        return None;
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    opened.read_to_end(&mut bytes).ok()?;
    let code = bytes.split_off_checked(HASH_BYTES)?;
    (bytes == sum(path, &code)).then_some(code)
}

/// Whether it is the server's user's, and nobody else may write it.
fn is_own(metadata: &Metadata) -> bool {
    const OTHERS_WRITE: u32 = 0o022;
    // SAFETY: asks for a number.
    metadata.uid() == unsafe { libc::geteuid() } && metadata.mode() & OTHERS_WRITE == 0
}

/// What stands before the code: none of another file's can stand for it.
fn sum(path: &Path, code: &[u8]) -> [u8; HASH_BYTES] {
    let name = path.file_stem().unwrap_or_default().as_encoded_bytes();
    Sha256::new().chain_update(name).chain_update(code).finalize().into()
}

fn write(path: &Path, sum: &[u8], code: &[u8]) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(sum)?;
    file.write_all(code)
}

/// What is hashed, as it comes.
struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

trait SplitOff {
    /// As `split_off`; `None` where there are fewer.
    fn split_off_checked(&mut self, at: usize) -> Option<Vec<u8>>;
}

impl SplitOff for Vec<u8> {
    fn split_off_checked(&mut self, at: usize) -> Option<Vec<u8>> {
        (self.len() >= at).then(|| self.split_off(at))
    }
}

//! `wasm.dir`: the folder whose files are loaded at a start, and while the server serves.
//!
//! A file that cannot be loaded never stops the server: its module is missing. What served last stands beside
//! it, in `.served/`, and is taken instead.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::engine::source::Source;
use crate::server::context::Context;
use crate::server::{config, log};

/// Where the files stand that served last, within the folder.
const SERVED: &str = ".served";
const EXTENSION: &str = "wasm";

/// The folder of `wasm.dir`.
#[derive(Clone)]
pub struct Folder {
    /// Without links.
    path: PathBuf,
}

impl Folder {
    /// The folder that `wasm.dir` names; `None` where it names none.
    ///
    /// # Errors
    /// There is no such folder, or the server writes its own files there.
    pub fn named(ctx: Context<'_>) -> Result<Option<Folder>, String> {
        let Some(named) = config::folder() else { return Ok(None) };
        let path = named.canonicalize().map_err(|error| format!("wasm.dir {}: {error}", named.display()))?;
        if !path.is_dir() {
            return Err(format!("wasm.dir {}: it is no folder", named.display()));
        }
        apart(ctx, "wasm.dir", &path)?;
        Ok(Some(Folder { path }))
    }

    /// Refuses it where the server writes its own files.
    ///
    /// # Errors
    /// As [`apart`].
    pub fn apart(&self, ctx: Context<'_>) -> Result<(), String> {
        apart(ctx, "wasm.dir", &self.path)
    }

    /// The names of the modules whose files lie in it, in order.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn names(&self) -> Result<Vec<String>, String> {
        let entries = fs::read_dir(&self.path).map_err(|error| format!("wasm.dir {}: {error}", self.path.display()))?;
        let mut names: Vec<String> = entries
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                (path.extension()? == EXTENSION).then(|| path.file_stem()?.to_str().map(str::to_string))?
            })
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Reads the file of a module. What a link leads to must lie in the folder.
    ///
    /// # Errors
    /// Why it cannot be loaded.
    pub fn read(&self, name: &str) -> Result<Source, String> {
        self.read_from(name, self.path.join(name).with_extension(EXTENSION))
    }

    /// Reads the file of a module that served last.
    ///
    /// # Errors
    /// As [`Folder::read`].
    pub fn read_served(&self, name: &str) -> Result<Source, String> {
        self.read_from(name, self.served(name))
    }

    /// Whether the path is one of a file that served last.
    pub fn is_served(&self, path: &Path) -> bool {
        path.starts_with(self.path.join(SERVED))
    }

    fn served(&self, name: &str) -> PathBuf {
        self.path.join(SERVED).join(name).with_extension(EXTENSION)
    }

    fn read_from(&self, name: &str, path: PathBuf) -> Result<Source, String> {
        // Before the name becomes a path.
        Source::check_name(name)?;
        let file = open(&path).map_err(|error| error.to_string())?;
        // What was opened is asked where it lies, and not the path again: nothing can change between the two.
        let real = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(|error| error.to_string())?;
        if !real.starts_with(&self.path) {
            return Err(format!("it is a link to {}, out of wasm.dir", real.display()));
        }
        Source::of(name, &path, file)
    }

    /// Writes a file beside what the module served last, to take its place; `None` where they are the same.
    /// Of any thread.
    pub fn stage(&self, name: &str, bytes: &[u8]) -> Option<Staged> {
        let path = self.served(name);
        if holds(&path, bytes).unwrap_or(false) {
            return None;
        }
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let written = write(&temporary, bytes);
        Some(Staged { temporary, path, written })
    }
}

/// A file that is to be what a module served last.
pub struct Staged {
    temporary: PathBuf,
    path: PathBuf,
    written: io::Result<()>,
}

impl Staged {
    /// It is, from now on: as a whole or not at all, also after a crash. Where that cannot be it is logged.
    pub fn keep(mut self, ctx: Context<'_>, name: &str) {
        let written = std::mem::replace(&mut self.written, Ok(()));
        if let Err(error) = written.and_then(|()| fs::rename(&self.temporary, &self.path)) {
            let path = self.path.display();
            log::warning(Some(ctx), &format!("module {name}: {path} cannot be written, so what serves now cannot be taken later: {error}"));
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What was kept is not there any more, and what is left is in nobody's way.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Opens a file to read it. A pipe does not keep the server waiting.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

/// Whether it is a file that holds these bytes and no others.
fn holds(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let file = open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() != bytes.len() as u64 {
        return Ok(false);
    }
    let mut noted = Vec::with_capacity(bytes.len());
    file.take(metadata.len()).read_to_end(&mut noted)?;
    Ok(noted == bytes)
}

/// Writes a file, to the disk, in the place of whatever has its name.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
    let _ = fs::remove_file(path);
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Refuses a folder that the server writes its own files to: whoever can have it write a file there could
/// have it run one. `name`: the setting.
///
/// # Errors
/// The folder is one of these, holds one or lies in one.
pub fn apart(ctx: Context<'_>, name: &str, path: &Path) -> Result<(), String> {
    let data = ctx.setting(c"dir").map(PathBuf::from);
    let append_only = ctx.setting(c"appenddirname").zip(data.as_ref()).map(|(name, data)| data.join(name));
    for (setting, folder) in [("dir", data), ("appenddirname", append_only)] {
        let Some(folder) = folder.and_then(|folder| folder.canonicalize().ok()) else { continue };
        if folder.starts_with(path) || path.starts_with(&folder) {
            let (path, folder) = (path.display(), folder.display());
            return Err(format!("{name} {path} and the server's own {setting} {folder} must lie apart"));
        }
    }
    Ok(())
}

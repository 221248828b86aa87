//! The settings: the host's own, and the numeric ones that modules declare.
//!
//! Every value lives in a static of its own, whose address the server hands back to the getter and the
//! setter. The name is never looked at: Redis 8.2 passes `wasm.link` where 7.0 passes `link`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_longlong, c_uint, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

use super::api::{self, Str};
use super::context::Context;
use super::guard::guarded;
use super::kit_settings;
use super::strings::{self, ServerString};
use super::trusted;
use crate::rm;

/// `wasm.link`: 0 auto, 1 command.
static LINK: AtomicI64 = AtomicI64::new(0);
/// `wasm.max-memory`, bytes of one linear memory.
static MAX_MEMORY: AtomicI64 = AtomicI64::new(GIB * 4);
/// `wasm.time-limit`, ms of one call into a module; 0: none.
static TIME_LIMIT: AtomicI64 = AtomicI64::new(5000);
/// `wasm.max-value-size`, bytes of one argument.
static MAX_VALUE_SIZE: AtomicI64 = AtomicI64::new(MIB * 512);

/// `wasm.settings`: those of kit modules.
static KIT_SETTINGS: Text = Text { value: Cell::new(std::ptr::null_mut()), take: kit_settings::take };

/// `wasm.trusted`: modules that may share a memory.
static TRUSTED: Text = Text { value: Cell::new(std::ptr::null_mut()), take: trusted::take };

/// `wasm.allow-load`: 0 no, 1 yes.
static ALLOW_LOAD: AtomicI64 = AtomicI64::new(0);
/// `wasm.dir`: the folder whose files are loaded.
static FOLDER: Text = Text { value: Cell::new(std::ptr::null_mut()), take: any };

/// `wasm.cache`: the folder that keeps compiled code.
static CACHE: Text = Text { value: Cell::new(std::ptr::null_mut()), take: any };

/// `wasm.run-as`: the user as whom modules call the server where no command runs.
static RUN_AS: Text = Text { value: Cell::new(std::ptr::null_mut()), take: any };

/// Whether the host's own settings have been read, while the server reads those of modules: it would give
/// them their defaults again.
static ARE_READ: AtomicBool = AtomicBool::new(false);

/// A setting of text.
struct Text {
    /// The server's string of what it holds; null before the first.
    value: Cell<*mut Str>,
    /// Takes another text, or tells why it cannot be.
    take: fn(&[u8]) -> Result<(), String>,
}

impl Text {
    /// What it holds; `None` where that is nothing.
    fn bytes(&self) -> Option<&[u8]> {
        let value = self.value.get();
        if value.is_null() {
            return None;
        }
        // SAFETY: the string is this setting's own, until another takes its place.
        Some(unsafe { ServerString::new(value) }.bytes()).filter(|bytes| !bytes.is_empty())
    }

    /// The same, as a path.
    fn path(&self) -> Option<PathBuf> {
        self.bytes().map(|bytes| PathBuf::from(OsStr::from_bytes(bytes)))
    }
}

// SAFETY: the server calls modules from its main thread alone.
unsafe impl Sync for Text {}

const MIB: i64 = 1 << 20;
const GIB: i64 = 1 << 30;

/// Whether every import goes by command (`wasm.link command`).
pub fn link_by_command() -> bool {
    LINK.load(Relaxed) == 1
}

/// Whether modules may be loaded while the server serves (`wasm.allow-load yes`).
pub fn may_load() -> bool {
    ALLOW_LOAD.load(Relaxed) == 1
}

/// The folder whose files are loaded (`wasm.dir`); `None` where none is named.
pub fn folder() -> Option<PathBuf> {
    FOLDER.path()
}

/// The folder that keeps compiled code (`wasm.cache`); `None` where none is named.
pub fn cache() -> Option<PathBuf> {
    CACHE.path()
}

/// The user as whom modules call the server where no command runs (`wasm.run-as`); `None` where none is
/// named.
pub fn run_as() -> Option<&'static [u8]> {
    RUN_AS.bytes()
}

fn any(_: &[u8]) -> Result<(), String> {
    Ok(())
}

/// Bytes that one linear memory may reach.
pub fn max_memory() -> u64 {
    MAX_MEMORY.load(Relaxed).unsigned_abs()
}

/// Milliseconds that one call into a module may run, on a processor; 0: no limit.
pub fn time_limit() -> u64 {
    TIME_LIMIT.load(Relaxed).unsigned_abs()
}

/// Bytes of the longest argument that a module accepts.
pub fn max_value_size() -> usize {
    MAX_VALUE_SIZE.load(Relaxed).unsigned_abs() as usize
}

/// Registers the host's own settings.
///
/// # Errors
/// The setting that the server refused.
pub fn register(ctx: Context<'_>) -> Result<(), String> {
    register_choice(ctx, c"link", &LINK, [c"auto", c"command"])?;
    register_choice(ctx, c"allow-load", &ALLOW_LOAD, [c"no", c"yes"])?;
    register_text(ctx, c"dir", &FOLDER, api::CONFIG_IMMUTABLE)?;
    register_text(ctx, c"cache", &CACHE, api::CONFIG_IMMUTABLE)?;
    register_numeric(ctx, c"max-memory", &MAX_MEMORY, GIB * 4, api::CONFIG_MEMORY, MIB, GIB * 4)?;
    register_numeric(ctx, c"time-limit", &TIME_LIMIT, 5000, 0, 0, 3_600_000)?;
    register_numeric(ctx, c"max-value-size", &MAX_VALUE_SIZE, MIB * 512, api::CONFIG_MEMORY, 1, MIB * 512)?;
    REGISTERED.0.borrow_mut().clear();
    kit_settings::forget();
    register_text(ctx, c"settings", &KIT_SETTINGS, 0)?;
    register_text(ctx, c"trusted", &TRUSTED, api::CONFIG_IMMUTABLE)?;
    register_text(ctx, c"run-as", &RUN_AS, api::CONFIG_IMMUTABLE)
}

/// Has the server read the values of the host's own settings: before those that modules declare are known,
/// since `wasm.cache` says where to find what they are asked by.
///
/// # Errors
/// One has a value that it cannot take.
pub fn read(ctx: Context<'_>) -> Result<(), String> {
    ARE_READ.store(false, Relaxed);
    if ctx.load_settings() { Ok(()) } else { Err(WRONG.into()) }
}

/// Has the server read the values of the settings that modules have declared since [`read`].
///
/// # Errors
/// As [`read`].
pub fn read_further(ctx: Context<'_>) -> Result<(), String> {
    if REGISTERED.0.borrow().is_empty() {
        return Ok(());
    }
    ARE_READ.store(true, Relaxed);
    let are_loaded = ctx.load_settings();
    ARE_READ.store(false, Relaxed);
    if are_loaded { Ok(()) } else { Err(WRONG.into()) }
}

const WRONG: &str = "a setting has a value that it cannot take";

/// Registers a module's own numeric setting; its cell lives as long as the process.
///
/// # Errors
/// The setting that the server refused.
pub fn register_guest(ctx: Context<'_>, name: &str, default: i64, flags: u32, min: i64, max: i64) -> Result<&'static AtomicI64, String> {
    let cell: &'static AtomicI64 = Box::leak(Box::new(AtomicI64::new(default)));
    let name = CString::new(name).map_err(|_| "a setting whose name holds a NUL".to_string())?;
    register_numeric(ctx, &name, cell, default, flags, min, max)?;
    REGISTERED.0.borrow_mut().insert(name, cell);
    Ok(cell)
}

/// The cell of a module's own numeric setting that was registered at the start.
pub fn registered(name: &str) -> Option<&'static AtomicI64> {
    REGISTERED.0.borrow().get(&CString::new(name).ok()?).copied()
}

struct Registered(RefCell<BTreeMap<CString, &'static AtomicI64>>);

// SAFETY: the server calls modules from its main thread alone.
unsafe impl Sync for Registered {}

/// The modules' own numeric settings.
static REGISTERED: Registered = Registered(RefCell::new(BTreeMap::new()));

/// Registers a setting of two words that no `CONFIG SET` changes; the first is the default.
fn register_choice(ctx: Context<'_>, name: &CStr, value: &'static AtomicI64, words: [&CStr; 2]) -> Result<(), String> {
    let names = words.map(CStr::as_ptr);
    let values = [0, 1];
    // SAFETY: the names and values are copied by the server, the cell is static.
    let answer = unsafe {
        let (names, values) = (names.as_ptr(), values.as_ptr());
        let flags = api::CONFIG_IMMUTABLE;
        rm!(RegisterEnumConfig(ctx.raw(), name.as_ptr(), 0, flags, names, values, 2, get_enum, set_enum, None, cell(value)))
    };
    if answer == api::OK { Ok(()) } else { Err(format!("the setting wasm.{}", name.to_string_lossy())) }
}

fn register_numeric(
    ctx: Context<'_>,
    name: &CStr,
    value: &'static AtomicI64,
    default: i64,
    flags: c_uint,
    min: i64,
    max: i64,
) -> Result<(), String> {
    // SAFETY: the name is copied by the server, the cell is static.
    let answer = unsafe {
        rm!(RegisterNumericConfig(ctx.raw(), name.as_ptr(), default, flags, min, max, get_numeric, set_numeric, None, cell(value)))
    };
    if answer == api::OK { Ok(()) } else { Err(format!("the setting wasm.{}", name.to_string_lossy())) }
}

fn register_text(ctx: Context<'_>, name: &CStr, text: &'static Text, flags: c_uint) -> Result<(), String> {
    let data = (&raw const *text).cast_mut().cast();
    // SAFETY: name and default are copied by the server, the text is static.
    let answer = unsafe { rm!(RegisterStringConfig(ctx.raw(), name.as_ptr(), c"".as_ptr(), flags, get_text, set_text, None, data)) };
    if answer == api::OK { Ok(()) } else { Err(format!("the setting wasm.{}", name.to_string_lossy())) }
}

fn cell(value: &'static AtomicI64) -> *mut c_void {
    (&raw const *value).cast_mut().cast()
}

unsafe extern "C" fn get_numeric(_: *const c_char, data: *mut c_void) -> c_longlong {
    // SAFETY: `data` is the static cell given at registration, here and below.
    unsafe { &*data.cast::<AtomicI64>() }.load(Relaxed)
}

unsafe extern "C" fn set_numeric(_: *const c_char, value: c_longlong, data: *mut c_void, _: *mut *mut Str) -> c_int {
    // SAFETY: see get_numeric.
    set(unsafe { &*data.cast::<AtomicI64>() }, value);
    api::OK
}

/// Takes another value, unless the server reads those of modules, and this is none of theirs.
fn set(cell: &AtomicI64, value: i64) {
    let is_own = || !REGISTERED.0.borrow().values().any(|registered| std::ptr::eq(*registered, cell));
    if !(ARE_READ.load(Relaxed) && is_own()) {
        cell.store(value, Relaxed);
    }
}

unsafe extern "C" fn get_enum(_: *const c_char, data: *mut c_void) -> c_int {
    // SAFETY: see get_numeric.
    unsafe { &*data.cast::<AtomicI64>() }.load(Relaxed) as c_int
}

unsafe extern "C" fn set_enum(_: *const c_char, value: c_int, data: *mut c_void, _: *mut *mut Str) -> c_int {
    // SAFETY: see get_numeric.
    set(unsafe { &*data.cast::<AtomicI64>() }, value.into());
    api::OK
}

/// The server copies what it is answered.
unsafe extern "C" fn get_text(_: *const c_char, data: *mut c_void) -> *mut Str {
    // SAFETY: `data` is the static text given at registration, here and below.
    unsafe { &*data.cast::<Text>() }.value.get()
}

unsafe extern "C" fn set_text(_: *const c_char, value: *mut Str, data: *mut c_void, error: *mut *mut Str) -> c_int {
    if ARE_READ.load(Relaxed) {
        return api::OK;
    }
    // SAFETY: see get_text; the value is alive, and the server frees the error that it is given.
    unsafe {
        let text = &*data.cast::<Text>();
        let bytes = ServerString::new(value).bytes();
        if let Err(reason) = guarded(|| (text.take)(bytes)).unwrap_or_else(|| Err("the host failed".into())) {
            *error = strings::create(reason.as_bytes());
            return api::ERR;
        }
        let before = text.value.replace(strings::create(bytes));
        if !before.is_null() {
            rm!(FreeString(std::ptr::null_mut(), before));
        }
    }
    api::OK
}

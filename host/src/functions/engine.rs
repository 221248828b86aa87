//! What the server calls of the engine.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::rc::Rc;
use std::sync::OnceLock;
use std::thread::{self, ThreadId};

use super::call;
use super::function::Function;
use super::library;
use crate::modules::loaded;
use crate::server::api::{self, Ctx, Str};
use crate::server::context::{Context, server_flags};
use crate::server::guard::{answering, guarded};
use crate::server::scripting::{self, Answer, Compiled, Engine, Memory, Script, Told};
use crate::server::{blocked, log, text};

/// The engine's name, as it stands behind `#!`.
const NAME: &CStr = c"wasm";

const ENGINE: Engine = Engine { compile, compile_text, free, call, bytes, memory };

/// The thread on which the server calls.
static SERVER: OnceLock<ThreadId> = OnceLock::new();

/// Registers the engine, where the server has such.
pub fn register(ctx: Context<'_>) {
    SERVER.get_or_init(|| thread::current().id());
    if scripting::are_there() && !scripting::register(ctx, NAME, &ENGINE) {
        log::warning(Some(ctx), "the server refused the scripting engine wasm: another module has one of this name");
    }
}

unsafe extern "C" fn compile(
    ctx: *mut Ctx,
    _: *mut c_void,
    kind: c_int,
    code: *const c_char,
    length: usize,
    timeout_ms: usize,
    count: *mut usize,
    error: *mut *mut Str,
) -> *mut *mut Compiled {
    // SAFETY: the server calls with its context and a code of as many bytes.
    let (ctx, code) = unsafe { (Context::new(ctx), std::slice::from_raw_parts(code.cast::<u8>(), length)) };
    let opened = guarded(|| open(ctx, kind, code, timeout_ms)).unwrap_or_else(|| Err("the host failed".into()));
    let answer = Answer { count, error };
    match opened {
        Ok(all) => {
            let told = all.into_iter().map(Rc::new).map(|function| {
                let raw = Rc::into_raw(function);
                // SAFETY: alive, since the server is about to have it.
                let Function { name, description, flags, .. } = unsafe { &*raw };
                (Told { name, description, flags: *flags }, raw.cast_mut().cast())
            });
            // SAFETY: the server's own places.
            unsafe { answer.functions(told) }
        }
        // SAFETY: as above.
        Err(reason) => unsafe { answer.refuse(&text::line(reason.as_bytes())) },
    }
}

/// As `compile`, of a server that does not tell how long a code is.
unsafe extern "C" fn compile_text(
    ctx: *mut Ctx,
    engine: *mut c_void,
    kind: c_int,
    code: *const c_char,
    timeout_ms: usize,
    count: *mut usize,
    error: *mut *mut Str,
) -> *mut *mut Compiled {
    // SAFETY: a code of this version ends with a NUL; all else is the server's own.
    unsafe { compile(ctx, engine, kind, code, CStr::from_ptr(code).count_bytes(), timeout_ms, count, error) }
}

/// The functions of a code. What comes from a file or a primary is there already: where it cannot be used,
/// one function stands for it.
fn open(ctx: Context<'_>, kind: c_int, code: &[u8], timeout_ms: usize) -> Result<Vec<Function>, String> {
    const OBEYS: c_int = api::CTX_FLAGS_LOADING | api::CTX_FLAGS_ASYNC_LOADING | api::CTX_FLAGS_SLAVE;
    let host = loaded::get().ok_or("nothing is loaded")?;
    let is_obeyed = kind == api::SCRIPT_FUNCTION && timeout_ms == 0 && server_flags() & OBEYS != 0;
    match library::open(host, ctx, code, kind == api::SCRIPT_EVAL) {
        Err(reason) if is_obeyed => {
            let function = library::unusable(code, &reason);
            log::warning(Some(ctx), &format!("a library of functions cannot be used here, {} stands for it: {reason}", function.name));
            Ok(vec![function])
        }
        opened => opened,
    }
}

unsafe extern "C" fn call(
    ctx: *mut Ctx,
    _: *mut c_void,
    script: *mut c_void,
    compiled: *mut Compiled,
    _: c_int,
    keys: *mut *mut Str,
    key_count: usize,
    arguments: *mut *mut Str,
    argument_count: usize,
) {
    /// The strings of a list, which has no address where it is empty.
    ///
    /// # Safety
    /// So many lie there for `'a`.
    unsafe fn list<'a>(first: *mut *mut Str, count: usize) -> &'a [*mut Str] {
        // SAFETY: by this function's contract.
        if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(first, count) } }
    }
    // SAFETY: the server calls a function that it has, with its own context and strings.
    let (ctx, script, function) = unsafe { (Context::new(ctx), Script::new(script), (*compiled).function().cast::<Function>()) };
    answering(ctx, || {
        // SAFETY: as above. The function stays while it runs, even where the server hears of other things.
        unsafe {
            Rc::increment_strong_count(function);
            let function = Rc::from_raw(function);
            call::run(&function, ctx, script, list(keys, key_count), list(arguments, argument_count));
        }
    });
}

/// On any thread: FUNCTION FLUSH ASYNC frees on one of its own.
unsafe extern "C" fn free(_: *mut Ctx, _: *mut c_void, _: c_int, compiled: *mut Compiled) {
    guarded(|| {
        // SAFETY: the server hands it over.
        let function = unsafe { Compiled::free(compiled) };
        if SERVER.get() == Some(&thread::current().id()) {
            // SAFETY: as above.
            unsafe { forget(function) };
        } else {
            blocked::on_main_thread(forget_later, Box::new(Freed(function)));
        }
    });
}

/// What was freed on another thread.
struct Freed(*mut c_void);

unsafe extern "C" fn forget_later(freed: *mut c_void) {
    // SAFETY: made in `free`, and handed over once.
    guarded(|| unsafe { forget(Box::from_raw(freed.cast::<Freed>()).0) });
}

/// # Safety
/// On the server's thread, with what it had of a function.
unsafe fn forget(function: *mut c_void) {
    // SAFETY: it came from `Rc::into_raw` in `compile`.
    drop(unsafe { Rc::from_raw(function.cast::<Function>()) });
}

unsafe extern "C" fn bytes(_: *mut Ctx, compiled: *mut Compiled) -> usize {
    // SAFETY: the server asks about a function that it has.
    unsafe { (*compiled).bytes() }
}

unsafe extern "C" fn memory(_: *mut Ctx, _: *mut c_void, kind: c_int) -> Memory {
    let sum = |of_scripts: bool| loaded::get().map_or(0, |host| host.libraries.sum(of_scripts).bytes);
    let bytes = guarded(|| match kind {
        api::SCRIPT_EVAL => sum(true),
        api::SCRIPT_FUNCTION => sum(false),
        _ => sum(false) + sum(true),
    });
    Memory::of(bytes.unwrap_or(0) as usize)
}

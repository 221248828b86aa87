//! Valkey's scripting engines: languages that modules add to FUNCTION LOAD and EVAL. Redis has none.
//!
//! Source: `valkeymodule.h` of Valkey 8.1 and later. Its version 2 hands over the length of a code, its
//! version 3 tells what is reset; version 4 adds a debugger, which this host has not.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::marker::PhantomData;

use super::api::{self, Ctx, EngineMethods, Str};
use super::context::Context;
use super::strings::{self, Strings};
use crate::rm;

/// A function as the server keeps it: made by [`Compiled::new`], freed by [`Compiled::free`].
#[repr(C)]
pub struct Compiled {
    version: u64,
    name: *mut Str,
    function: *mut c_void,
    description: *mut Str,
    flags: u64,
}

/// What the server is told of a function.
pub struct Told<'a> {
    pub name: &'a str,
    pub description: &'a [u8],
    /// `api::SCRIPT_*`.
    pub flags: u64,
}

/// Bytes that an engine's functions take.
#[repr(C)]
pub struct Memory {
    version: u64,
    used: usize,
    overhead: usize,
}

impl Memory {
    pub fn of(used: usize) -> Memory {
        const VERSION: u64 = 1;
        Memory { version: VERSION, used, overhead: 0 }
    }
}

impl Compiled {
    /// A function of the server's for `function`, which [`Compiled::free`] gives back.
    fn new(told: &Told<'_>, function: *mut c_void) -> *mut Compiled {
        const VERSION: u64 = 1;
        let description = if told.description.is_empty() { std::ptr::null_mut() } else { strings::create(told.description) };
        let compiled = Compiled { version: VERSION, name: strings::create(told.name.as_bytes()), function, description, flags: told.flags };
        // SAFETY: memory of the server's allocator, as large and as aligned.
        unsafe {
            let place = rm!(Alloc(size_of::<Compiled>())).cast::<Compiled>();
            place.write(compiled);
            place
        }
    }

    /// What it was made for.
    pub fn function(&self) -> *mut c_void {
        self.function
    }

    /// Bytes that the server keeps for it: the same whenever it is asked.
    pub fn bytes(&self) -> usize {
        size_of::<Compiled>()
    }

    /// Frees it, on any thread; answers what it was made for.
    ///
    /// # Safety
    /// The server has handed it over to be freed.
    pub unsafe fn free(compiled: *mut Compiled) -> *mut c_void {
        // SAFETY: by this function's contract; nobody else has its strings.
        unsafe {
            let Compiled { name, function, description, .. } = compiled.read();
            rm!(FreeString(std::ptr::null_mut(), name));
            if !description.is_null() {
                rm!(FreeString(std::ptr::null_mut(), description));
            }
            rm!(Free(compiled.cast()));
            function
        }
    }
}

/// Where the server wants to hear of a compiled code.
pub struct Answer {
    pub count: *mut usize,
    pub error: *mut *mut Str,
}

impl Answer {
    /// Answers with functions.
    ///
    /// # Safety
    /// The server's own places, as it calls to compile.
    pub unsafe fn functions<'a>(&self, all: impl ExactSizeIterator<Item = (Told<'a>, *mut c_void)>) -> *mut *mut Compiled {
        // SAFETY: by this function's contract; memory of the server's allocator, of as many places.
        unsafe {
            let count = all.len();
            let places = rm!(Alloc(count.max(1) * size_of::<*mut Compiled>())).cast::<*mut Compiled>();
            for (place, (told, function)) in all.enumerate() {
                places.add(place).write(Compiled::new(&told, function));
            }
            self.count.write(count);
            places
        }
    }

    /// Answers with an error: a text of one line, without a code.
    ///
    /// # Safety
    /// As [`Answer::functions`].
    pub unsafe fn refuse(&self, reason: &CStr) -> *mut *mut Compiled {
        // SAFETY: by this function's contract.
        unsafe {
            self.count.write(0);
            self.error.write(strings::create(reason.to_bytes()));
        }
        std::ptr::null_mut()
    }
}

/// A function that runs, as the server knows it.
#[derive(Clone, Copy)]
pub struct Script<'a> {
    raw: *mut c_void,
    /// Whether the server lets it read alone, whatever it could do.
    pub reads_only: bool,
    runs: PhantomData<&'a ()>,
}

impl<'a> Script<'a> {
    /// # Safety
    /// `raw` is what the server has called a function with, which runs for `'a`.
    #[inline]
    pub unsafe fn new(raw: *mut c_void) -> Script<'a> {
        Script { raw, reads_only: false, runs: PhantomData }
    }

    /// The same, to be kept where no lifetime reaches.
    ///
    /// # Safety
    /// It is forgotten before `'a` ends.
    #[inline]
    pub unsafe fn forever(self) -> Script<'static> {
        Script { raw: self.raw, reads_only: self.reads_only, runs: PhantomData }
    }

    /// Whether FUNCTION KILL or SCRIPT KILL has ended it. Where it has run for `busy-reply-threshold`, the
    /// server hears other clients meanwhile.
    pub fn is_killed(self) -> bool {
        const KILLED: c_int = 1;
        // SAFETY: set where an engine is registered; by the type's contract.
        unsafe { api::GetFunctionExecutionState.is_some_and(|state| state(self.raw) == KILLED) }
    }
}

impl Context<'_> {
    /// Whether the server would refuse any write now: it is asked, and none runs.
    pub fn refuses_writes(self) -> bool {
        // `S`: by the rules of scripts, `E`: its error is its answer, `D`: nothing runs, and none is null.
        self.call_as(c"SEDv", c"SWAPDB", &Strings::of_texts(&[c"0", c"0"])).is_ok_and(|answer| answer.is_error())
    }
}

/// The versions of the structure that an engine can be registered with, the best first.
const VERSIONS: [u64; 3] = [3, 2, 1];

/// What an engine does: each is called on the server's thread, but `free`.
pub struct Engine {
    /// By versions 2 and 3.
    pub compile: CompileFunc,
    /// By version 1: the code ends with a NUL.
    pub compile_text: CompileTextFunc,
    pub free: unsafe extern "C" fn(*mut Ctx, *mut c_void, c_int, *mut Compiled),
    pub call: CallFunc,
    pub bytes: unsafe extern "C" fn(*mut Ctx, *mut Compiled) -> usize,
    pub memory: unsafe extern "C" fn(*mut Ctx, *mut c_void, c_int) -> Memory,
}

pub type CompileFunc =
    unsafe extern "C" fn(*mut Ctx, *mut c_void, c_int, *const c_char, usize, usize, *mut usize, *mut *mut Str) -> *mut *mut Compiled;
pub type CompileTextFunc =
    unsafe extern "C" fn(*mut Ctx, *mut c_void, c_int, *const c_char, usize, *mut usize, *mut *mut Str) -> *mut *mut Compiled;
pub type CallFunc =
    unsafe extern "C" fn(*mut Ctx, *mut c_void, *mut c_void, *mut Compiled, c_int, *mut *mut Str, usize, *mut *mut Str, usize);

/// SCRIPT FLUSH and FUNCTION FLUSH free every function by itself; there is nothing else to reset.
unsafe extern "C" fn reset() -> *mut c_void {
    std::ptr::null_mut()
}

/// Whether the server has scripting engines.
pub fn are_there() -> bool {
    // SAFETY: set by `api::init`, before anything runs.
    unsafe { api::RegisterScriptingEngine }.is_some()
}

/// Registers an engine; false where the server refuses it, as where it has one of this name.
pub fn register(ctx: Context<'_>, name: &CStr, engine: &Engine) -> bool {
    // SAFETY: set by `api::init`, before anything runs.
    let Some(register) = (unsafe { api::RegisterScriptingEngine }) else { return false };
    VERSIONS.iter().any(|&version| {
        let compile = if version == 1 { engine.compile_text as *const c_void } else { engine.compile as *const c_void };
        let mut methods = EngineMethods {
            version,
            compile,
            free: engine.free as *const c_void,
            call: engine.call as *const c_void,
            bytes: engine.bytes as *const c_void,
            reset: reset as *const c_void,
            memory: engine.memory as *const c_void,
            debugger: [std::ptr::null(); 4],
        };
        // SAFETY: the structure is as the header has it, and copied; each function has the type that its
        // version calls it with, `reset` without its arguments, which it does not look at.
        unsafe { register(ctx.raw(), name.as_ptr(), std::ptr::null_mut(), &raw mut methods) == api::OK }
    })
}

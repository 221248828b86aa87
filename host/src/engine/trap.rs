//! How a call into a module ends other than by returning: the errors that it chose, and the faults that it
//! did not.

use std::fmt;

use wasmtime::{Error, Trap, WasmBacktrace};

use super::clock::ASIDE_MS;

/// The command ends with this error, by choice: `redis.Fail`, or an error reply to an import call. Not a
/// fault.
#[derive(Debug)]
pub struct Failed(pub Vec<u8>);

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", String::from_utf8_lossy(&self.0))
    }
}

impl std::error::Error for Failed {}

/// The call ran longer than it may.
#[derive(Debug)]
pub enum TimedOut {
    /// Than `wasm.time-limit`.
    Limit,
    /// Than what no command waits for may: [`ASIDE_MS`].
    Aside,
}

impl fmt::Display for TimedOut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimedOut::Limit => write!(formatter, "it ran longer than wasm.time-limit"),
            TimedOut::Aside => write!(formatter, "it ran longer than the {ASIDE_MS} ms that it may take here"),
        }
    }
}

impl std::error::Error for TimedOut {}

/// What went wrong, in a few words, on one line.
pub fn describe(error: &Error) -> String {
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return trap.to_string();
    }
    let text = error.chain().last().map_or_else(|| error.to_string(), ToString::to_string);
    text.lines().next().unwrap_or_default().to_string()
}

/// As [`describe`], with the functions that were running, where any were.
pub fn located(error: &Error) -> String {
    if error.downcast_ref::<WasmBacktrace>().is_none_or(|backtrace| backtrace.frames().is_empty()) {
        return describe(error);
    }
    format!("{}; functions: {}", describe(error), functions(error))
}

/// Why a module cannot be linked and instantiated, on one line: what was being done, and the cause.
pub fn describe_link(error: &Error) -> String {
    if error.downcast_ref::<WasmBacktrace>().is_some() {
        return located(error);
    }
    let causes: Vec<String> = error.chain().map(|cause| cause.to_string().lines().next().unwrap_or_default().to_string()).collect();
    causes.join(": ")
}

/// The functions of the module that were running, innermost first, on one line.
pub fn functions(error: &Error) -> String {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return "none".into() };
    let names: Vec<String> = backtrace
        .frames()
        .iter()
        .take(16)
        .map(|frame| frame.func_name().map_or_else(|| format!("function {}", frame.func_index()), str::to_string))
        .collect();
    names.join(" < ")
}

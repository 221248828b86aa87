//! The settings of Wasmtime, for life inside redis-server.

use wasmtime::{Config, Engine, ProfilingStrategy, WasmFeatures};

/// Bytes of the server's stack that modules may use in one call of the server, or of a command within
/// another.
pub const MODULE_STACK: usize = 512 << 10;

/// An environment variable for developers: where it is set, `perf` can name the functions of the modules.
const PERF_MAP: &str = "WASM_PERF_MAP";
/// Another: where it is set, modules are compiled without the checks that end them, to measure what these
/// cost. `wasm.time-limit` is void then.
const NO_TIME_LIMIT: &str = "WASM_NO_TIME_LIMIT";

/// The engine that compiles and runs every module.
///
/// # Errors
/// What Wasmtime finds wrong with these settings on this processor.
pub fn new() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    // The server owns SIGSEGV and its crash report: bounds are checked in code. This turns Wasmtime's spectre
    // mitigations off too.
    config.signals_based_traps(false);
    // One reservation of the whole address space of a memory: it never moves, so its base is a constant of
    // the compiled code.
    config.memory_reservation(1 << 32);
    config.memory_may_move(false);
    config.memory_guard_size(0);
    config.memory_init_cow(false);
    // wasm.max-memory limits each memory: a module has one.
    config.wasm_multi_memory(false);
    config.wasm_memory64(false);
    // Its results depend on the processor, and a replica may have another one.
    config.wasm_relaxed_simd(false);
    // No module needs them: what is refused needs no trust.
    config.wasm_features(WasmFeatures::FUNCTION_REFERENCES | WasmFeatures::GC, false);
    config.epoch_interruption(std::env::var_os(NO_TIME_LIMIT).is_none());
    config.max_wasm_stack(MODULE_STACK);
    // Traps name functions, not places in them, and no native debugger looks into modules: what it takes to
    // compile is saved.
    config.generate_address_map(false);
    config.native_unwind_info(false);
    if std::env::var_os(PERF_MAP).is_some() {
        config.profiler(ProfilingStrategy::PerfMap);
    }
    Engine::new(&config)
}

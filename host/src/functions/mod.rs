//! Valkey's scripting engine `wasm`: files of the kit as libraries of functions, by FUNCTION LOAD, and as
//! scripts, by EVAL. The server keeps, replicates and stores their code.

mod call;
mod code;
mod engine;
mod function;
mod library;

pub use engine::register;

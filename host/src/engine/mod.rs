//! Wasmtime: how modules are read, weighed, compiled and timed, and what their errors mean.

pub mod cache;
pub mod clock;
pub mod compile;
pub mod inspect;
pub mod library;
pub mod setup;
pub mod source;
pub mod stack;
pub mod threads;
pub mod trap;
pub mod weight;

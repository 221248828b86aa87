//! Modules that are loaded, replaced and unloaded while the server serves.

pub mod commands;
mod job;

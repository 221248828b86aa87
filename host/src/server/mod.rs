//! The server that this library is loaded into, as the rest of the host sees it: its functions behind types
//! that keep their contracts.
//!
//! All that is `unsafe` because of the server's C interface stands here, but for the functions that it calls.

pub mod api;
pub mod blocked;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod context;
pub mod filter;
pub mod guard;
mod header;
pub mod info;
pub mod keys;
pub mod kit_settings;
pub mod listeners;
pub mod log;
pub mod ok;
pub mod outermost;
pub mod permissions;
pub mod register;
pub mod reply;
pub mod scripting;
pub mod stream;
pub mod strings;
pub mod text;
pub mod trusted;
pub mod values;

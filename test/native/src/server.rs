//! The host's own list of the server's functions.

#[allow(dead_code, reason = "the host's whole list")]
#[path = "../../../host/src/server/header.rs"]
mod header;

#[allow(dead_code, reason = "the host's whole list")]
#[path = "../../../host/src/server/api.rs"]
pub mod api;

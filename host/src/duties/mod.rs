//! What the host does for the server and for all modules, whoever they are: files, memory, time, information.

pub mod append_only;
pub mod folders;
pub mod info;
pub mod kits;
pub mod maxmemory;
pub mod rdb;
pub mod slots;
pub mod sweep;

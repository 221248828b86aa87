//! The modules of this load: their files, what they declare, how they are linked, and what became of them.
//! Plain data, for all above.

pub mod callable;
pub mod declare;
pub mod file;
pub mod folder;
pub mod glob;
pub mod kept;
pub mod libraries;
pub mod link;
pub mod loaded;
pub mod module;
pub mod moving;
pub mod name;
pub mod namespace;
pub mod shelf;
pub mod slot;
pub mod slot_set;
pub mod sweeper;
pub mod target;
pub mod triggers;

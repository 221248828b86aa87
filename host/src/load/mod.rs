//! The steps of a load: files become modules that run.

pub mod ended;
pub mod events;
pub mod files;
pub mod fresh;
pub mod in_place;
pub mod install;
pub mod instantiate;
pub mod relink;
pub mod satellite;
pub mod unload;

//! Modules that run: their memory, their limits, what they reply, and what becomes of their faults.

pub mod abort;
pub mod answer;
pub mod back_off;
pub mod call;
pub mod codes;
pub mod committing;
pub mod data;
pub mod faults;
pub mod group;
pub mod ids;
pub mod journal;
pub mod limits;
pub mod memory;
pub mod part;
pub mod region;
pub mod reply;
pub mod stacks;
pub mod state;

//! Numbers of what is loaded, each of a type of its own: one cannot be taken for another.

/// A module, among all in the order of the arguments.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct MemberId(pub usize);

/// A group, among all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct GroupId(pub usize);

/// A registered command, among all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SlotId(pub usize);

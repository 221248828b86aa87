//! Whose turn it is to reclaim what has expired, and when.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::guest::back_off::BackOff;

/// The timer, and whose turn it is.
#[derive(Default)]
pub struct Sweeper {
    /// The timer that the server holds, and when it is due.
    pub timer: Cell<Option<(u64, Instant)>>,
    /// How long the next turn sweeps.
    pub slice: Cell<Duration>,
    /// The place of the module that the next turn begins with.
    pub first: Cell<usize>,
}

/// When a module is to be swept next.
#[derive(Default)]
pub struct Turn {
    /// `None`: at once.
    pub due: Cell<Option<Instant>>,
    pub back_off: BackOff,
}

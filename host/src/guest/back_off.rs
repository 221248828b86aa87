//! How long a module is left alone after a fault in what the host calls by itself: longer each time in a row.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// At first, and at most. It doubles with each fault in a row.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(256);

#[derive(Default)]
pub struct BackOff {
    /// Until when; `None` where the last call went well.
    until: Cell<Option<Instant>>,
    /// How long the next fault keeps the module waiting; zero where the last call went well.
    next: Cell<Duration>,
}

impl BackOff {
    /// Whether the module is to be left alone now.
    #[inline]
    pub fn lasts(&self) -> bool {
        self.until.get().is_some_and(|until| Instant::now() < until)
    }

    /// A call went well.
    #[inline]
    pub fn end(&self) {
        self.until.set(None);
        self.next.set(Duration::ZERO);
    }

    /// A call went wrong: answers how long the module is left alone.
    #[cold]
    pub fn begin(&self) -> Duration {
        let length = self.next.get().max(FIRST);
        self.next.set((length * 2).min(LONGEST));
        self.until.set(Some(Instant::now() + length));
        length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_a_limit_and_ends_with_a_call_that_goes_well() {
        let back_off = BackOff::default();
        assert!(!back_off.lasts());
        let lengths: Vec<u64> = (0..10).map(|_| back_off.begin().as_secs()).collect();
        assert_eq!(lengths, [1, 2, 4, 8, 16, 32, 64, 128, 256, 256]);
        assert!(back_off.lasts());
        back_off.end();
        assert!(!back_off.lasts());
        assert_eq!(back_off.begin(), FIRST);
    }
}

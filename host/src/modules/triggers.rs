//! What the host has modules do by itself: at intervals, and after events of keys.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ffi::c_int;
use std::time::{Duration, Instant};

use super::glob;
use crate::guest::back_off::BackOff;

/// Milliseconds of an interval, at least and at most: a year.
const MS_MIN: i64 = 10;
const MS_MAX: i64 = 365 * 24 * 60 * 60 * 1000;
/// Bytes of an event's name, and of a pattern.
const EVENT_BYTES_MAX: usize = 128;
const PATTERN_BYTES_MAX: usize = 1024;
/// Either of both that one module may declare.
const EACH_MAX: usize = 64;
/// The name that stands for every event.
const ANY: &[u8] = b"*";

/// What a file declares, in the order in which its handlers are registered.
#[derive(Default)]
pub struct Declared {
    pub every: Vec<Every>,
    pub on: Vec<On>,
}

/// A handler that is run at intervals.
pub struct Every {
    pub period: Duration,
    /// When its next turn is; `None`: an interval after this server decides what is written.
    pub due: Cell<Option<Instant>>,
    pub back_off: BackOff,
}

/// A handler that is run after events.
pub struct On {
    pub event: Box<[u8]>,
    /// Of the keys.
    pub pattern: Box<[u8]>,
    /// After it ran too long.
    pub back_off: BackOff,
}

impl Declared {
    /// # Errors
    /// What is wrong with it.
    pub fn add_every(&mut self, ms: i64) -> Result<(), String> {
        if !(MS_MIN..=MS_MAX).contains(&ms) {
            return Err(format!("an interval of {ms} ms: it has {MS_MIN} to {MS_MAX}"));
        }
        if self.every.len() == EACH_MAX {
            return Err(format!("more than {EACH_MAX} intervals"));
        }
        self.every.push(Every { period: Duration::from_millis(ms.unsigned_abs()), due: Cell::new(None), back_off: BackOff::default() });
        Ok(())
    }

    /// # Errors
    /// What is wrong with it.
    pub fn add_on(&mut self, event: &[u8], pattern: &[u8]) -> Result<(), String> {
        if event.is_empty() || event.len() > EVENT_BYTES_MAX || pattern.is_empty() || pattern.len() > PATTERN_BYTES_MAX {
            let (has, have) = (event.len(), pattern.len());
            return Err(format!("an event of {has} bytes and a pattern of {have}: 1 to {EVENT_BYTES_MAX} and {PATTERN_BYTES_MAX}"));
        }
        if self.on.len() == EACH_MAX {
            return Err(format!("more than {EACH_MAX} events"));
        }
        self.on.push(On { event: event.into(), pattern: pattern.into(), back_off: BackOff::default() });
        Ok(())
    }

    pub fn is_none(&self) -> bool {
        self.every.is_empty() && self.on.is_empty()
    }
}

impl On {
    /// Whether it is run after this event of this key.
    pub fn hears(&self, event: &[u8], key: &[u8]) -> bool {
        (*self.event == *event || *self.event == *ANY) && glob::matches(&self.pattern, key)
    }

    /// As it is written, for the log.
    pub fn shown(&self) -> String {
        let [event, pattern] = [&self.event, &self.pattern].map(|text| text.escape_ascii().to_string());
        format!("on({event}, {pattern})")
    }
}

/// What has come of a module's handlers, for INFO, whatever files it has had.
#[derive(Default)]
pub struct Counts {
    pub every_runs: Cell<u64>,
    pub every_failed: Cell<u64>,
    /// Runs that took so long that the next turn was put off, and turns that have passed without a run.
    pub every_slow: Cell<u64>,
    pub every_missed: Cell<u64>,
    pub on_runs: Cell<u64>,
    pub on_failed: Cell<u64>,
    /// Events that no handler was run after.
    pub on_dropped: Cell<u64>,
    pub log: Seldom,
}

/// Adds to a counter.
pub fn count(counter: &Cell<u64>, more: u64) {
    counter.set(counter.get() + more);
}

/// Keeps what happens often from filling the log: a line a minute.
#[derive(Default)]
pub struct Seldom {
    last: Cell<Option<Instant>>,
    hidden: Cell<u64>,
}

impl Seldom {
    const PERIOD: Duration = Duration::from_secs(60);

    /// What is to be logged with a line now, beside it: how many there were since the last one. `None`: it is
    /// not to be logged.
    pub fn begin(&self) -> Option<String> {
        if self.last.get().is_some_and(|last| last.elapsed() < Self::PERIOD) {
            count(&self.hidden, 1);
            return None;
        }
        self.last.set(Some(Instant::now()));
        Some(match self.hidden.take() {
            0 => String::new(),
            hidden => format!(" (and {hidden} more of its handlers' since the last such line)"),
        })
    }
}

/// An event that waits for what caused it to end.
pub struct Event {
    pub name: Box<[u8]>,
    pub key: Box<[u8]>,
    pub database: c_int,
    /// How many handlers have caused each other before it.
    pub depth: u32,
}

impl Event {
    fn bytes(&self) -> usize {
        self.name.len() + self.key.len() + size_of::<Event>()
    }
}

/// The timers, and the events that wait.
#[derive(Default)]
pub struct Triggers {
    /// The timer of the intervals that the server holds, and when it is due.
    pub timer: Cell<Option<(u64, Instant)>>,
    /// Whether the server tells of events.
    pub is_subscribed: Cell<bool>,
    /// Since when the server is to call for the events that wait; and the timer by which it does, where it
    /// has one for that.
    pub asked: Cell<Option<Instant>>,
    pub waking: Cell<Option<u64>>,
    /// How many handlers have caused each other up to the one that runs; 0 while none does.
    pub depth: Cell<u32>,
    waiting: RefCell<VecDeque<Event>>,
    bytes: Cell<usize>,
}

impl Triggers {
    /// Events that may wait, and their bytes.
    const WAITING_MAX: usize = 16_384;
    const BYTES_MAX: usize = 16 << 20;

    /// Keeps an event; false where there is no room.
    pub fn put(&self, event: Event) -> bool {
        let bytes = self.bytes.get() + event.bytes();
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() == Self::WAITING_MAX || bytes > Self::BYTES_MAX {
            return false;
        }
        self.bytes.set(bytes);
        waiting.push_back(event);
        true
    }

    /// The event that has waited for longest.
    pub fn take(&self) -> Option<Event> {
        let event = self.waiting.borrow_mut().pop_front()?;
        self.bytes.set(self.bytes.get() - event.bytes());
        Some(event)
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.borrow().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded() {
        let triggers = Triggers::default();
        let event = |bytes: usize| Event { name: Box::from(&b"set"[..]), key: vec![b'k'; bytes].into(), database: 0, depth: 0 };
        assert_eq!((0..20_000).filter(|_| triggers.put(event(1))).count(), Triggers::WAITING_MAX);
        assert_eq!(std::iter::from_fn(|| triggers.take()).count(), Triggers::WAITING_MAX);
        assert!(triggers.put(event(15 << 20)) && !triggers.put(event(1 << 20)) && triggers.put(event(1)));
        assert_eq!(std::iter::from_fn(|| triggers.take()).map(|event| event.key.len()).collect::<Vec<_>>(), [15 << 20, 1]);
        assert_eq!((triggers.bytes.get(), triggers.waiting()), (0, 0));
    }

    #[test]
    fn what_is_declared_has_its_limits() {
        let mut declared = Declared::default();
        for ms in [i64::MIN, -1, 0, 9, MS_MAX + 1, i64::MAX] {
            assert!(declared.add_every(ms).is_err(), "{ms}");
        }
        assert!(declared.add_every(10).is_ok() && declared.add_every(MS_MAX).is_ok());
        let long = vec![b'a'; 1025];
        assert!(declared.add_on(b"", b"*").is_err() && declared.add_on(b"set", b"").is_err());
        assert!(declared.add_on(&long[..129], b"*").is_err() && declared.add_on(b"set", &long).is_err());
        assert!(declared.add_on(&long[..128], &long[..1024]).is_ok() && declared.add_on(b"*", b"user:*").is_ok());
        assert!(declared.on[1].hears(b"del", b"user:1") && !declared.on[1].hears(b"del", b"use"));
        assert_eq!((3..100).filter(|_| declared.add_every(10).is_ok()).count(), EACH_MAX - 2);
        assert_eq!((3..100).filter(|_| declared.add_on(b"set", b"*").is_ok()).count(), EACH_MAX - 2);
    }

    #[test]
    fn a_line_a_minute_is_logged() {
        let seldom = Seldom::default();
        assert_eq!(seldom.begin().as_deref(), Some(""));
        assert!(seldom.begin().is_none() && seldom.begin().is_none());
        seldom.last.set(None);
        assert_eq!(seldom.begin().as_deref(), Some(" (and 2 more of its handlers' since the last such line)"));
    }
}

//! A module, and what it runs.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::SystemTime;

use super::file::WasmFile;
use super::link::Link;
use super::sweeper::Turn;
use super::triggers::Counts;
use crate::guest::codes::Codes;
use crate::guest::faults::Identity;
use crate::guest::ids::GroupId;

/// A module, and what it is known for; it may be missing for a while.
pub struct LoadedModule {
    pub identity: Rc<Identity>,
    /// The group that it runs in, or is to run in.
    pub group: Cell<GroupId>,
    pub codes: Codes,
    /// When it is to reclaim what has expired.
    pub turn: Turn,
    /// What came of its handlers of intervals and events.
    pub counts: Counts,
    /// Whether its file was given as an argument: then what is wrong with it is wrong with the load.
    pub is_given: Cell<bool>,
    state: RefCell<Presence>,
    /// The name of its data, as its file had it that served last.
    data_name: RefCell<Rc<[u8]>>,
    /// Since when it has been as it is.
    pub since: Cell<SystemTime>,
    /// How often its file has been replaced.
    pub reloads: Cell<u64>,
}

/// Whether a module is there.
pub enum Presence {
    Serving(Rc<Running>),
    /// Its commands are unknown, its data is kept; and why.
    Missing(String),
}

/// What a module runs.
pub struct Running {
    pub file: WasmFile,
    pub links: Vec<(String, Link)>,
}

impl LoadedModule {
    pub fn new(identity: Rc<Identity>, group: GroupId, is_given: bool) -> LoadedModule {
        let data_name = RefCell::new(Rc::from(identity.name.as_bytes()));
        LoadedModule {
            identity,
            group: Cell::new(group),
            codes: Codes::default(),
            turn: Turn::default(),
            counts: Counts::default(),
            is_given: Cell::new(is_given),
            state: RefCell::new(Presence::Missing("it is being loaded".into())),
            data_name,
            since: Cell::new(SystemTime::now()),
            reloads: Cell::new(0),
        }
    }

    /// What it runs; `None` while it is missing.
    pub fn running(&self) -> Option<Rc<Running>> {
        match &*self.state.borrow() {
            Presence::Serving(running) => Some(running.clone()),
            Presence::Missing(_) => None,
        }
    }

    /// Why it is missing, if it is.
    pub fn missing(&self) -> Option<String> {
        match &*self.state.borrow() {
            Presence::Serving(_) => None,
            Presence::Missing(reason) => Some(reason.clone()),
        }
    }

    /// Whether it runs something after this event of this key.
    pub fn hears(&self, event: &[u8], key: &[u8]) -> bool {
        match &*self.state.borrow() {
            Presence::Serving(running) => running.file.triggers.on.iter().any(|on| on.hears(event, key)),
            Presence::Missing(_) => false,
        }
    }

    /// From now on it is so.
    pub fn become_(&self, presence: Presence) {
        if let Presence::Serving(running) = &presence {
            self.data_name.replace(Rc::from(running.file.data_name().0));
        }
        self.state.replace(presence);
        self.since.set(SystemTime::now());
    }

    pub fn name(&self) -> &str {
        &self.identity.name
    }

    /// The name of its data: its own, or that of the type that it registers.
    pub fn data_name(&self) -> Rc<[u8]> {
        self.data_name.borrow().clone()
    }
}

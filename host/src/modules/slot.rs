//! A registered command.

use std::cell::{Cell, RefCell};
use std::ffi::{CString, c_int};
use std::rc::Rc;

use crate::describe::declaration::Late;
use crate::describe::find::Finder;
use crate::guest::faults::Identity;
use crate::guest::ids::{GroupId, MemberId};
use crate::guest::state::Handler;

/// One registered command, and what the host does about it at each call.
pub struct Slot {
    pub name: CString,
    pub member: MemberId,
    /// Its module.
    pub module: Rc<Identity>,
    /// The group that its module runs in.
    pub group: GroupId,
    /// How often it was run.
    pub calls: Cell<u64>,
    /// As declared. The server checks it too, but not of what it reads from the append-only file.
    pub arity: c_int,
    pub late: Option<Late>,
    /// What finds its keys, where the server cannot by itself.
    pub finder: Option<Finder>,
    /// Changes with the contents of the group.
    pub handler: RefCell<Handler>,
    pub write: bool,
    pub may_replicate: bool,
    pub deny_oom: bool,
    /// A command that the replication stream and the append-only file alone may run.
    pub effect: bool,
}

impl Slot {
    /// Its name, for the log.
    pub fn shown(&self) -> String {
        self.name.to_string_lossy().into_owned()
    }

    /// Whether `argc` words, the command's name counted, are as many as it takes.
    pub fn takes(&self, argc: c_int) -> bool {
        if self.arity < 0 { argc >= -self.arity } else { argc == self.arity }
    }
}

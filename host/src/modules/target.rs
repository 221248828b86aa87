//! Where what a file holds goes to: the present groups, or those of a load beside them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::loaded::Host;
use crate::guest::group::Group;
use crate::guest::ids::MemberId;
use crate::guest::state::Handler;

/// What a load beside the present data goes to.
#[derive(Default)]
pub struct Target {
    pub loading: RefCell<Loading>,
    /// Whether the load that runs, or was the last one, is beside the present data: some servers give it up before they tell that it failed.
    pub beside: Cell<bool>,
}

#[derive(Default)]
pub enum Loading {
    /// No such load runs.
    #[default]
    No,
    /// Fresh groups could not be made: what comes for them is refused.
    Refused,
    Into(Rc<Stores>),
}

/// The present groups once more, in the same order, and the handlers of all command slots in them.
pub struct Stores {
    pub groups: Vec<Group>,
    pub handlers: Vec<Handler>,
}

/// Runs `action` with the group that a module's data is to be loaded into; `None` where there is none, and the load is to be refused.
pub fn with_target<T>(host: &Host, member: MemberId, action: impl FnOnce(&Group) -> T) -> Option<T> {
    // Kept alive here, not borrowed: other events may come from within a load.
    let stores = match &*host.target.loading.borrow() {
        Loading::No => None,
        Loading::Refused => return None,
        Loading::Into(stores) => Some(stores.clone()),
    };
    let group = host.modules[member.0].group.0;
    Some(action(stores.as_ref().map_or(&host.groups[group], |stores| &stores.groups[group])))
}

/// A load of any kind begins.
pub fn note_load(host: &Host) {
    host.target.beside.set(!matches!(&*host.target.loading.borrow(), Loading::No));
}

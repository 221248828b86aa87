//! Where what a file holds goes to: the present groups, or those of a load beside them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::kept::Kept;
use crate::guest::group::Group;
use crate::guest::ids::MemberId;
use crate::guest::state::Handler;

/// What a load beside the present data goes to.
#[derive(Default)]
pub struct Target {
    pub loading: RefCell<Loading>,
    /// Whether the load that runs, or was the last one, is beside the present data: some servers give it up
    /// before they tell that it failed.
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
    pub handlers: Vec<Option<Handler>>,
    /// What is kept for modules that are not loaded.
    pub kept: Kept,
    /// Modules that have refused what came for them.
    pub refused: RefCell<Vec<MemberId>>,
}

impl Target {
    /// A load of any kind begins.
    pub fn note_load(&self) {
        self.beside.set(!matches!(&*self.loading.borrow(), Loading::No));
    }
}

//! Files that are loaded as libraries of functions: each is a module for itself, which has no data, no
//! commands and no name among the modules.

use std::cell::RefCell;
use std::ops::Deref;
use std::rc::{Rc, Weak};

use super::module::LoadedModule;
use super::namespace::{COMMANDS_MAX, MODULES_MAX};
use super::slot::Slot;
use crate::guest::group::Group;
use crate::guest::ids::{MemberId, SlotId};

/// Libraries, and scripts of EVAL, at once: each has a memory of its own, of 4 GiB of addresses. The server
/// keeps 500 scripts of EVAL.
pub const LIBRARIES_MAX: usize = 2048;

/// A file that is loaded as a library of functions, or as a script of EVAL.
pub struct Library {
    pub member: MemberId,
    pub module: Rc<LoadedModule>,
    /// It is alone in it.
    pub group: Group,
    /// What its functions run.
    pub slots: Vec<Slot>,
    /// Whether it is a script of EVAL.
    pub is_script: bool,
    all: Libraries,
}

impl Library {
    /// The number of one of its functions: none of a command's.
    #[inline]
    pub fn number(&self, place: usize) -> SlotId {
        SlotId(COMMANDS_MAX * (1 + self.member.0 - MODULES_MAX) + place)
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        self.all.remove(self.member);
    }
}

/// All of them that are there.
#[derive(Clone, Default)]
pub struct Libraries {
    places: Rc<RefCell<Vec<Option<Place>>>>,
}

struct Place {
    module: Rc<LoadedModule>,
    library: Weak<Library>,
}

/// What they come to.
#[derive(Default)]
pub struct Sum {
    pub libraries: usize,
    pub functions: usize,
    /// Bytes of linear memory.
    pub bytes: u64,
}

impl Libraries {
    /// Has a module run as a library, whose number is the first that is free.
    ///
    /// # Errors
    /// There are too many.
    pub fn add(&self, module: LoadedModule) -> Result<MemberId, String> {
        let mut places = self.places.borrow_mut();
        let place = places.iter().position(Option::is_none).unwrap_or(places.len());
        if place == LIBRARIES_MAX {
            return Err(format!("more than {LIBRARIES_MAX} libraries and scripts at once"));
        }
        let added = Some(Place { module: Rc::new(module), library: Weak::new() });
        match places.get_mut(place) {
            Some(free) => *free = added,
            None => places.push(added),
        }
        Ok(MemberId(MODULES_MAX + place))
    }

    /// A module that was added runs in this group from now on.
    pub fn complete(&self, member: MemberId, group: Group, slots: Vec<Slot>, is_script: bool) -> Option<Rc<Library>> {
        let mut places = self.places.borrow_mut();
        let place = places.get_mut(member.0.checked_sub(MODULES_MAX)?)?.as_mut()?;
        let library = Rc::new(Library { member, module: place.module.clone(), group, slots, is_script, all: self.clone() });
        place.library = Rc::downgrade(&library);
        Some(library)
    }

    /// A module that was added is there no longer.
    pub fn remove(&self, member: MemberId) {
        let removed = member.0.checked_sub(MODULES_MAX).and_then(|place| self.places.borrow_mut().get_mut(place)?.take());
        // Outside of the borrow: what it held is dropped now.
        drop(removed);
    }

    /// The module of this number.
    pub fn module(&self, member: MemberId) -> Option<Rc<LoadedModule>> {
        let places = self.places.borrow();
        places.get(member.0.checked_sub(MODULES_MAX)?)?.as_ref().map(|place| place.module.clone())
    }

    /// The function of this number.
    pub fn function(&self, number: SlotId) -> Option<Command<'static>> {
        let number = number.0.checked_sub(COMMANDS_MAX)?;
        let places = self.places.borrow();
        let library = places.get(number / COMMANDS_MAX)?.as_ref()?.library.upgrade()?;
        let place = number % COMMANDS_MAX;
        (place < library.slots.len()).then_some(Command::Function(library, place))
    }

    /// What libraries, or scripts of EVAL, come to.
    pub fn sum(&self, of_scripts: bool) -> Sum {
        let mut sum = Sum::default();
        for library in self.places.borrow().iter().flatten().filter_map(|place| place.library.upgrade()) {
            if library.is_script == of_scripts {
                sum.libraries += 1;
                sum.functions += library.slots.len();
                sum.bytes += library.group.reserved_bytes();
            }
        }
        sum
    }
}

/// What runs: a command of a module, or a function of a library.
pub enum Command<'a> {
    Slot(&'a Slot),
    Function(Rc<Library>, usize),
}

impl Deref for Command<'_> {
    type Target = Slot;

    fn deref(&self) -> &Slot {
        match self {
            Command::Slot(slot) => slot,
            Command::Function(library, place) => &library.slots[*place],
        }
    }
}

/// A module, or one that runs as a library.
pub enum Owner<'a> {
    Module(&'a LoadedModule),
    Library(Rc<LoadedModule>),
}

impl Deref for Owner<'_> {
    type Target = LoadedModule;

    fn deref(&self) -> &LoadedModule {
        match self {
            Owner::Module(module) => module,
            Owner::Library(module) => module,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::faults::{Faults, Identity};
    use crate::guest::ids::GroupId;

    #[test]
    fn a_place_that_is_free_again_is_taken_again() {
        let libraries = Libraries::default();
        let add = || {
            let identity = Rc::new(Identity { name: "a".into(), faults: Faults::new().unwrap() });
            libraries.add(LoadedModule::new(identity, GroupId(0), false))
        };
        let first = add().unwrap();
        let all: Vec<MemberId> = (1..LIBRARIES_MAX).map(|_| add().unwrap()).collect();
        assert_eq!(first, MemberId(MODULES_MAX));
        assert!(add().unwrap_err().contains("more than 2048"));
        libraries.remove(all[7]);
        assert!(libraries.module(all[7]).is_none() && libraries.module(all[8]).is_some());
        assert_eq!(add(), Ok(all[7]));
        assert!(add().is_err());
        libraries.remove(MemberId(0));
        libraries.remove(MemberId(MODULES_MAX + LIBRARIES_MAX));
        assert!(add().is_err());
    }
}

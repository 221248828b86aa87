//! A registered command.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, c_int};
use std::rc::Rc;

use crate::describe::declaration::{Declaration, FLAG_EFFECT, Late};
use crate::describe::description::{Begin, Description, Keys};
use crate::describe::find::Finder;
use crate::guest::faults::Identity;
use crate::guest::ids::{GroupId, MemberId};
use crate::guest::state::Handler;
use crate::server::api;
use crate::server::register::Places;
use crate::server::strings::Arguments;

/// One registered command, and what the host does about it at each call.
pub struct Slot {
    pub name: CString,
    pub member: Cell<MemberId>,
    /// Its module.
    pub module: RefCell<Rc<Identity>>,
    /// The group that its module runs in.
    pub group: Cell<GroupId>,
    /// How often it was run.
    pub calls: Cell<u64>,
    /// As declared. The server checks it too, but not of what it reads from the append-only file, nor where
    /// modules may be replaced.
    pub arity: Cell<c_int>,
    pub late: Cell<Option<Late>>,
    /// What finds its keys, where the server cannot by itself.
    pub finder: RefCell<Option<Finder>>,
    /// Changes with the contents of the group; `None` while no module has the command.
    pub handler: RefCell<Option<Handler>>,
    /// What the server was told of it for good.
    pub fixed: Fixed,
    pub write: bool,
    pub may_replicate: bool,
    pub deny_oom: bool,
    /// A command that the replication stream and the append-only file alone may run.
    pub effect: bool,
}

/// What a server takes of a command once, so that no other file can change it.
pub struct Fixed {
    /// Its flags, in order.
    flags: Vec<String>,
    keys: Places,
    specifications: Vec<Keys>,
    /// Its categories of permissions, in order.
    categories: Vec<String>,
}

/// Whether a command of this arity takes `argc` words, its name counted.
pub fn takes(arity: c_int, argc: c_int) -> bool {
    if arity < 0 { argc >= -arity } else { argc == arity }
}

impl Fixed {
    pub fn of(declaration: &Declaration, description: Option<&Description>) -> Fixed {
        let mut flags: Vec<String> = declaration.flags.split_ascii_whitespace().map(str::to_string).collect();
        flags.sort_unstable();
        let specifications = description.map_or(Vec::new(), |description| description.keys.clone());
        let mut categories = description.map_or(Vec::new(), |description| description.categories.clone());
        categories.sort_unstable();
        Fixed { flags, keys: declaration.keys, specifications, categories }
    }

    /// Whether the command has this flag.
    pub fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|other| other == flag)
    }

    /// In what the `other` differs, if it does.
    pub fn difference(&self, other: &Fixed) -> Option<&'static str> {
        if self.flags != other.flags || self.keys != other.keys || self.specifications != other.specifications {
            return Some("flags or keys");
        }
        (self.categories != other.categories).then_some("categories of permissions")
    }
}

impl Slot {
    /// A command that a module, of this identity and group, has declared and serves.
    pub fn new(
        (member, module, group): (MemberId, Rc<Identity>, GroupId),
        declaration: &Declaration,
        description: Option<&Description>,
        handler: Handler,
    ) -> Slot {
        let flags: Vec<&str> = declaration.flags.split_ascii_whitespace().collect();
        let write = flags.contains(&"write");
        Slot {
            name: declaration.name.clone(),
            member: Cell::new(member),
            module: RefCell::new(module),
            group: Cell::new(group),
            calls: Cell::new(0),
            arity: Cell::new(declaration.arity),
            late: Cell::new(declaration.late),
            finder: RefCell::new(description.and_then(Finder::of)),
            handler: RefCell::new(Some(handler)),
            fixed: Fixed::of(declaration, description),
            write,
            may_replicate: write || flags.contains(&"may-replicate"),
            deny_oom: flags.contains(&"deny-oom"),
            effect: flags.contains(&FLAG_EFFECT),
        }
    }

    /// The module `member`, of this identity and group, serves it from now on.
    pub fn serve(&self, server: (MemberId, &Rc<Identity>, GroupId), declaration: &Declaration, finder: Option<Finder>, handler: Handler) {
        let (member, module, group) = server;
        self.member.set(member);
        self.module.replace(module.clone());
        self.group.set(group);
        self.arity.set(declaration.arity);
        self.late.set(declaration.late);
        self.finder.replace(finder);
        self.handler.replace(Some(handler));
    }

    /// No module serves it from now on: clients hear that the command is unknown.
    pub fn park(&self) {
        self.handler.replace(None);
    }

    /// The place of the first key among these words, the name first; `None` where there is none.
    pub fn first_key(&self, words: &[&[u8]]) -> Option<usize> {
        let place = match &*self.finder.borrow() {
            Some(finder) => finder.places(words).first()?.0,
            None => self.fixed.keys.0,
        };
        usize::try_from(place).ok().filter(|place| (1..words.len()).contains(place))
    }

    /// The places of all keys among these words.
    pub fn keys(&self, words: &[&[u8]]) -> Vec<usize> {
        if let Some(finder) = &*self.finder.borrow() {
            return finder.places(words).iter().map(|(place, _)| *place as usize).collect();
        }
        let (first, last, step) = self.fixed.keys;
        let last = if last < 0 { words.len() as c_int + last } else { last };
        let places = (first..=last).step_by(step.max(1) as usize).filter_map(|place| usize::try_from(place).ok());
        places.filter(|place| (1..words.len()).contains(place)).collect()
    }

    /// The place of the key of this name among these words, and the server's bits for it; `None`: the command
    /// declares no such key.
    #[inline]
    pub fn key_named(&self, words: Arguments<'_>, name: &[u8]) -> Option<(usize, u64)> {
        let count = words.count();
        let is_it = |place: &c_int| (1..count).contains(place) && words.get(*place as usize).bytes() == name;
        if self.finder.borrow().is_some() {
            return self.key_found(words, name);
        }
        let range = |first: c_int, last: c_int, step: c_int, flags: u64| {
            let last = if last < 0 { count + last } else { last };
            (first..=last).step_by(step.max(1) as usize).find(is_it).map(|place| (place as usize, flags))
        };
        if self.fixed.specifications.is_empty() {
            let (first, last, step) = self.fixed.keys;
            return range(first, last, step, if self.write { api::CMD_KEY_RW } else { api::CMD_KEY_RO });
        }
        self.fixed.specifications.iter().find_map(|keys| match keys.begin {
            Begin::At(first) => range(first, if keys.last < 0 { keys.last } else { first + keys.last }, keys.step, keys.flags),
            Begin::After(..) => None,
        })
    }

    /// As [`Slot::key_named`], where some keys stand behind a word that is searched for.
    #[cold]
    fn key_found(&self, words: Arguments<'_>, name: &[u8]) -> Option<(usize, u64)> {
        let words: Vec<&[u8]> = words.iter().map(|word| word.bytes()).collect();
        let places = self.finder.borrow().as_ref().map_or(Vec::new(), |finder| finder.places(&words));
        let found = places.into_iter().find(|(place, _)| words.get(*place as usize).is_some_and(|word| *word == name));
        found.map(|(place, flags)| (place as usize, flags))
    }

    pub fn is_parked(&self) -> bool {
        self.handler.borrow().is_none()
    }

    /// Whether it has this name, in any case, as the server takes names.
    pub fn is_named(&self, name: &CStr) -> bool {
        self.name.to_bytes().eq_ignore_ascii_case(name.to_bytes())
    }

    /// Its name, for the log.
    pub fn shown(&self) -> String {
        self.name.to_string_lossy().into_owned()
    }

    /// Whether `argc` words, the command's name counted, are as many as it takes.
    pub fn takes(&self, argc: c_int) -> bool {
        takes(self.arity.get(), argc)
    }
}

//! A function of a library: which keys it takes, and what the server is told of it.

use std::ffi::c_int;
use std::rc::Rc;

use crate::calls::register::specification;
use crate::describe::declaration::Declaration;
use crate::describe::description::{Begin, Description};
use crate::describe::find::Finder;
use crate::modules::libraries::Library;
use crate::modules::slot::Slot;
use crate::server::api;
use crate::server::strings::{Arguments, Held};

/// A function, as the server holds it.
pub struct Function {
    pub name: String,
    /// The same, in the place of a command's name.
    pub word: Held,
    pub description: Vec<u8>,
    pub flags: u64,
    pub body: Body,
}

pub enum Body {
    Runs {
        library: Rc<Library>,
        /// Its place among the library's slots.
        place: usize,
        keys: Keys,
    },
    /// Its library cannot be used here, for this reason.
    Unusable(String),
}

impl Function {
    pub fn new(name: String, description: Vec<u8>, flags: u64, body: Body) -> Function {
        Function { word: Held::new(name.as_bytes()), name, description, flags, body }
    }
}

/// The name of the function of a command: letters and digits, which the server takes, and `_` for all others.
pub fn name_of(command: &str) -> String {
    command.chars().map(|each| if each.is_ascii_alphanumeric() { each.to_ascii_lowercase() } else { '_' }).collect()
}

/// What the server is told of a command that is called as a function. One that only reads may run where
/// memory is short, also without a flag.
pub fn flags_of(slot: &Slot) -> u64 {
    let told = [
        (!slot.write, api::SCRIPT_NO_WRITES),
        (slot.write && !slot.deny_oom, api::SCRIPT_ALLOW_OOM),
        (slot.fixed.has("allow-stale"), api::SCRIPT_ALLOW_STALE),
        (slot.fixed.has("no-cluster"), api::SCRIPT_NO_CLUSTER),
    ];
    told.iter().filter(|(has, _)| *has).map(|(_, flag)| flag).sum()
}

/// Which of a function's arguments are keys.
pub enum Keys {
    /// As many, and they are the first.
    First(usize),
    /// What the syntax finds.
    Found(Finder),
}

impl Keys {
    pub fn of(declaration: &Declaration, description: &Description) -> Keys {
        let mut all = description.keys.clone();
        if all.is_empty() {
            all.extend(specification(declaration, true));
        }
        let find = |all| Keys::Found(Finder::of_keys(all, &description.arguments));
        let mut places = Vec::new();
        for keys in &all {
            match keys.begin {
                Begin::At(first) if keys.last >= 0 => places.extend((first..=first + keys.last).step_by(keys.step.max(1) as usize)),
                _ => return find(all),
            }
        }
        places.sort_unstable();
        // A key that may be left out is one of the arguments only where it is there.
        let least = declaration.arity.abs() - 1;
        let are_first = places.iter().zip(1..).all(|(place, wanted)| *place == wanted) && places.len() as c_int <= least;
        if are_first { Keys::First(places.len()) } else { find(all) }
    }

    /// # Errors
    /// The first `count` of these arguments are not the keys that the syntax finds in them.
    #[inline]
    pub fn check(&self, name: &str, count: usize, arguments: Arguments<'_>) -> Result<(), String> {
        match self {
            Keys::First(wanted) if *wanted == count => Ok(()),
            Keys::First(wanted) => Err(other_count(name, *wanted, count)),
            Keys::Found(finder) => {
                let words: Vec<&[u8]> = arguments.iter().map(|word| word.bytes()).collect();
                let mut places: Vec<c_int> = finder.places(&words).iter().map(|(place, _)| *place).collect();
                places.sort_unstable();
                match places.iter().zip(1..).find(|(place, wanted)| *place != wanted) {
                    Some((place, _)) => Err(format!("ERR {name} takes a key as its argument {place}, and keys come first in a function")),
                    None if places.len() == count => Ok(()),
                    None => Err(other_count(name, places.len(), count)),
                }
            }
        }
    }
}

#[cold]
fn other_count(name: &str, wanted: usize, count: usize) -> String {
    format!("ERR {name} takes {wanted} keys with these arguments, not {count}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_has_a_name_that_the_server_takes() {
        assert_eq!(name_of("LIMIT.TAKE"), "limit_take");
        assert_eq!(name_of("a-b:C.9"), "a_b_c_9");
    }

    fn keys(text: &str) -> Option<usize> {
        let (declaration, description) = Declaration::parse(format!("name: a\n{text}").as_bytes()).unwrap();
        match Keys::of(&declaration, &description) {
            Keys::First(count) => Some(count),
            Keys::Found(_) => None,
        }
    }

    #[test]
    fn keys_that_are_always_the_first_are_counted_once() {
        assert_eq!(keys("syntax: a"), Some(0));
        assert_eq!(keys("syntax: a:key b\nkeys: 1 RW"), Some(1));
        assert_eq!(keys("syntax: a:key b:key c\nkeys: 1 RO\nkeys: 2 RW"), Some(2));
        assert_eq!(keys("syntax: a:key b:key c\nkeys: 1..2 RO"), Some(2));
        assert_eq!(keys("syntax: a:key ...\nkeys: 1..-1 RO"), None);
        assert_eq!(keys("syntax: [a:key]\nkeys: 1 RO"), None);
        assert_eq!(keys("syntax: a b:key\nkeys: 2 RO"), None);
        assert_eq!(keys("syntax: a:key [TO b:key]\nkeys: 1 RO\nkeys: TO@2 RW"), None);
    }
}

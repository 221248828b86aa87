//! The keys among a command's words, where some stand behind a word that is searched for: servers route by
//! what is at fixed places alone, and their search takes a value that reads like the word for it.

use std::ffi::c_int;

use super::description::{Begin, Description, Keys};
use super::syntax::{self, Argument, Kind};

/// What finds the keys of one command.
#[derive(Debug)]
pub struct Finder {
    keys: Vec<Keys>,
    /// What may begin with a word of its own, and how many words it takes at least, its own counted.
    options: Vec<(String, usize)>,
}

impl Finder {
    /// `None` where all keys stand at fixed places: servers find these by themselves.
    pub fn of(description: &Description) -> Option<Finder> {
        let is_behind = description.keys.iter().any(|keys| matches!(keys.begin, Begin::After(..)));
        is_behind.then(|| Finder::of_keys(description.keys.clone(), &description.arguments))
    }

    /// Of any command, with these keys and arguments.
    pub fn of_keys(keys: Vec<Keys>, arguments: &[Argument]) -> Finder {
        let mut options = Vec::new();
        collect(arguments, &mut options);
        Finder { keys, options }
    }

    /// Places of the keys, and the server's bits for each; the command's name is at 0. O(words) for each
    /// specification.
    pub fn places(&self, words: &[&[u8]]) -> Vec<(c_int, u64)> {
        self.keys.iter().flat_map(|keys| self.places_of(keys, words).map(|place| (place as c_int, keys.flags))).collect()
    }

    fn places_of(&self, keys: &Keys, words: &[&[u8]]) -> impl Iterator<Item = usize> + use<> {
        let (first, count) = match &keys.begin {
            Begin::At(first) => (Some(*first as usize), words.len()),
            Begin::After(word, from) => (self.search(word.to_bytes(), *from as usize, words), words.len()),
        };
        let first = first.unwrap_or(count);
        let last = if keys.last < 0 { count.saturating_sub(keys.last.unsigned_abs() as usize) } else { first + keys.last as usize };
        (first..=last).step_by(keys.step as usize).filter(move |&place| place < count)
    }

    /// The place behind a word that is no value of another option.
    fn search(&self, word: &[u8], from: usize, words: &[&[u8]]) -> Option<usize> {
        let mut at = from;
        while at < words.len() {
            if words[at].eq_ignore_ascii_case(word) {
                return Some(at + 1);
            }
            let option = self.options.iter().find(|(token, _)| words[at].eq_ignore_ascii_case(token.as_bytes()));
            at += option.map_or(1, |&(_, length)| length);
        }
        None
    }
}

/// The options among these arguments, and within them.
fn collect(arguments: &[Argument], options: &mut Vec<(String, usize)>) {
    for argument in arguments {
        let first = argument.token.as_ref().or_else(|| argument.children.first().filter(|_| argument.kind == Kind::Block)?.token.as_ref());
        if let Some(token) = first {
            options.push((token.clone(), syntax::least(argument)));
        } else {
            collect(&argument.children, options);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, line: &str) -> Vec<c_int> {
        let finder = Finder::of(&Description::parse(text.as_bytes(), false).unwrap()).unwrap();
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        finder.places(&words).into_iter().map(|(place, _)| place).collect()
    }

    #[test]
    fn keys_at_fixed_places_alone_are_left_to_the_server() {
        assert!(Finder::of(&Description::parse(b"syntax: a:key b\nkeys: 1 RW", false).unwrap()).is_none());
    }

    #[test]
    fn a_value_that_reads_like_the_word_is_none() {
        let text = "syntax: a [NOTE text] [RANGE low high] [NX|XX] [FROM source:key]\nkeys: FROM@2 RO";
        assert_eq!(found(text, "c a"), []);
        assert_eq!(found(text, "c FROM"), []);
        assert_eq!(found(text, "c a from k"), [3]);
        assert_eq!(found(text, "c a NOTE FROM FROM k"), [5]);
        assert_eq!(found(text, "c a range FROM from nx FROM k"), [7]);
        assert_eq!(found(text, "c a FROM FROM"), [3]);
        assert_eq!(found(text, "c a FROM"), []);
    }

    #[test]
    fn each_specification_finds_its_own() {
        let text = "syntax: k:key [FROM a:key] [TO b:key]\nkeys: 1 RW\nkeys: FROM@2 RO\nkeys: TO@2 RW";
        assert_eq!(found(text, "c k FROM TO TO x"), [1, 3, 5]);
        assert_eq!(found(text, "c k TO FROM FROM x"), [1, 5, 3]);
        assert_eq!(found(text, "c k"), [1]);
        assert_eq!(found(text, "c"), []);
        assert_eq!(found("syntax: (a:key b ...) \nkeys: 1..-1/2 RW\nkeys: X@1 RW", "c a 1 b 2"), [1, 3]);
    }
}

//! What a module registers as a command: its name, its flags, its arity and its keys.

use std::ffi::{CString, c_int};

use super::description::{Begin, Description};
use super::syntax;
use crate::server::register::Places;
use crate::server::text;

/// What a module says of a command when it registers it.
#[derive(Debug, Clone, PartialEq)]
pub struct Declaration {
    pub name: CString,
    pub flags: String,
    /// Where its keys are; all 0 where it has none.
    pub keys: Places,
    /// As in COMMAND INFO: the name counts, a negative number is a minimum.
    pub arity: c_int,
    /// Which of its arguments may be late, if any.
    pub late: Option<Late>,
}

/// Arguments that stay with the server, where they are long, until the module asks for them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Late {
    first: usize,
    /// From one to the next; 0: there is one.
    step: usize,
}

impl Late {
    /// `2`, or `2/2`: that one, and each second one behind it.
    fn parse(text: &str) -> Option<Late> {
        let (first, step) = match text.split_once('/') {
            Some((first, step)) => (first, step.parse().ok().filter(|&step| step > 0)?),
            None => (text, 0),
        };
        Some(Late { first: first.parse().ok().filter(|&first| first > 0)?, step })
    }

    /// Whether the argument at this place may be late; the command's name is at 0.
    #[inline]
    pub fn is_at(self, place: usize) -> bool {
        place == self.first || (self.step > 0 && place > self.first && (place - self.first).is_multiple_of(self.step))
    }
}

/// The server's flags that a command may have. With others the server would call what a module does not have
/// (`getkeys-api`, `getchannels-api`), let in whom it should stop (`no-auth`, `allow-busy`, `internal`), or
/// run what then seems to come from a file (`allow-loading`).
const PERMITTED_FLAGS: [&str; 12] = [
    "write",
    "readonly",
    "may-replicate",
    "deny-oom",
    "deny-script",
    "admin",
    "fast",
    "no-monitor",
    "no-slowlog",
    "no-cluster",
    "no-mandatory-keys",
    "allow-stale",
];

/// The host's own flag: a command that the replication stream and the append-only file alone may run.
pub const FLAG_EFFECT: &str = "effect";

/// Bytes of a command's name, and the arguments that its keys may be among: what no server has trouble with.
pub const NAME_BYTES_MAX: usize = 128;
const KEY_PLACE_MAX: c_int = 1 << 16;

impl Declaration {
    /// Reads the lines `name`, `flags`, `arity` and `late` of a text, and a description from the others.
    /// Where no line tells it, the arity is what the syntax takes; the keys are the first that are told by
    /// their place.
    ///
    /// # Errors
    /// The line that breaks the grammar, or what is missing.
    pub fn parse(text: &[u8]) -> Result<(Declaration, Description), String> {
        let (mut name, mut flags, mut arity, mut late) = (None, None, None, None);
        let mut rest = Vec::new();
        for line in String::from_utf8_lossy(text).lines() {
            let (key, value) = line.split_once(':').map_or(("", ""), |(key, value)| (key.trim(), value.trim()));
            let target = match key {
                "name" => &mut name,
                "flags" => &mut flags,
                "arity" => &mut arity,
                "late" => &mut late,
                _ => {
                    rest.extend_from_slice(line.as_bytes());
                    rest.push(b'\n');
                    continue;
                }
            };
            if target.replace(value.to_string()).is_some() {
                return Err(format!("{key} is told twice"));
            }
        }
        let mut description = Description::parse(&rest, false)?;
        description.text = text.to_vec();
        let keys = description.keys.first().map_or((0, 0, 0), |keys| match keys.begin {
            Begin::At(first) => (first, if keys.last < 0 { keys.last } else { first + keys.last }, keys.step),
            Begin::After(..) => (0, 0, 0),
        });
        let arity = match arity {
            Some(arity) => arity.parse().map_err(|_| format!("{arity} is no arity"))?,
            None => syntax::arity(&description.arguments),
        };
        let late = match late {
            Some(late) => Some(Late::parse(&late).ok_or_else(|| format!("{late} is no place of late arguments"))?),
            None => None,
        };
        let name = name.ok_or("no line tells its name")?;
        Ok((Declaration { name: text::line(name.as_bytes()), flags: flags.unwrap_or_default(), keys, arity, late }, description))
    }

    /// Servers exit, or count without end, when they meet a command of an empty name, with keys in impossible
    /// places, or with some flags.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let name = self.name.to_bytes();
        let is_named = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.iter().all(|&byte| byte.is_ascii_graphic() && byte != b'|');
        if !is_named {
            return Err(format!("a command's name is 1 to {NAME_BYTES_MAX} visible ASCII characters without |"));
        }
        let Declaration { keys: (first, last, step), arity, .. } = *self;
        let places = 1..=KEY_PLACE_MAX;
        let has_keys = places.contains(&first)
            && places.contains(&step)
            && ((first..=KEY_PLACE_MAX).contains(&last) || (-KEY_PLACE_MAX..0).contains(&last));
        if !has_keys && self.keys != (0, 0, 0) {
            return Err(format!("its keys cannot be at {first} to {last} by {step}"));
        }
        if arity == 0 || !(-KEY_PLACE_MAX..=KEY_PLACE_MAX).contains(&arity) {
            return Err(format!("no command takes {arity} arguments"));
        }
        let mut flags = self.flags.split_ascii_whitespace();
        if let Some(flag) = flags.find(|flag| *flag != FLAG_EFFECT && !PERMITTED_FLAGS.contains(flag)) {
            let flag: String = flag.chars().take(NAME_BYTES_MAX).collect();
            return Err(format!("a command of a module cannot have the flag {flag}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Declaration {
        Declaration::parse(text.as_bytes()).unwrap().0
    }

    #[test]
    fn a_text_is_a_whole_declaration() {
        let text = "  name: a.set\n  flags: write  fast\n  syntax: key:key value [NX|XX]\n  keys: 1 RW UPDATE\n";
        let (declaration, description) = Declaration::parse(text.as_bytes()).unwrap();
        assert_eq!(declaration, Declaration { name: c"a.set".into(), flags: "write  fast".into(), keys: (1, 1, 1), arity: -3, late: None });
        assert_eq!(description.text, text.as_bytes());
        assert!(declaration.check().is_ok());
    }

    #[test]
    fn arity_and_keys_follow_from_the_other_lines() {
        let of = |text: &str| {
            let declaration = parsed(&format!("name: a\n{text}"));
            (declaration.arity, declaration.keys)
        };
        assert_eq!(of(""), (1, (0, 0, 0)));
        assert_eq!(of("syntax: a:key b\nkeys: 1 RO"), (3, (1, 1, 1)));
        assert_eq!(of("syntax: a:key ...\nkeys: 1..-1 RO"), (-2, (1, -1, 1)));
        assert_eq!(of("syntax: (a:key value ...)\nkeys: 1..-1/2 OW"), (-3, (1, -1, 2)));
        assert_eq!(of("arity: -5\nkeys: 3 RW"), (-5, (3, 3, 1)));
        assert_eq!(of("syntax: [ID id:key]\nkeys: ID@1 RW"), (-1, (0, 0, 0)));
    }

    #[test]
    fn late_arguments_are_one_or_every_other() {
        let places = |text: &str| {
            let late = parsed(&format!("name: a\nlate: {text}")).late.unwrap();
            (0..8).filter(|&place| late.is_at(place)).collect::<Vec<_>>()
        };
        assert_eq!(places("2"), [2]);
        assert_eq!(places("2/2"), [2, 4, 6]);
        assert_eq!(places("3/1"), [3, 4, 5, 6, 7]);
        for text in ["0", "2/0", "-1", "2/-1", "a", "", "2/"] {
            let reason = Declaration::parse(format!("name: a\nlate: {text}").as_bytes()).unwrap_err();
            assert!(reason.contains("is no place of late arguments"), "{text}: {reason}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, reason) in [
            ("summary: a", "no line tells its name"),
            ("name: a\nname: b", "name is told twice"),
            ("name: a\narity: many", "many is no arity"),
            ("name: a\ncolour: red", "no such key is known"),
        ] {
            assert!(Declaration::parse(text.as_bytes()).unwrap_err().contains(reason), "{text}");
        }
        for (text, reason) in [
            ("name: ", "a command's name is"),
            ("name: a|b", "a command's name is"),
            ("name: a\narity: 0", "no command takes 0"),
            ("name: a\nflags: no-auth", "cannot have the flag no-auth"),
        ] {
            assert!(parsed(text).check().unwrap_err().contains(reason), "{text}");
        }
    }
}

//! What a module tells of a command, from the text that it passes to `redis.SetCommandInfo`: its grammar is
//! in `docs/ABI.md`.

use std::ffi::{CString, c_int};

use super::syntax::{self, Argument};
use crate::server::api;

/// Bytes that one text may have, and key specifications that it may give: more than any command needs.
const TEXT_BYTES_MAX: usize = 16 << 10;
const KEYS_MAX: usize = 16;
/// Places of arguments that no command goes beyond.
const PLACE_MAX: c_int = 1 << 16;

/// One command, described.
#[derive(Debug, Default)]
pub struct Description {
    /// The text itself: what is told twice must be the same.
    pub text: Vec<u8>,
    pub summary: Option<CString>,
    pub complexity: Option<CString>,
    pub since: Option<CString>,
    pub tips: Option<CString>,
    pub keys: Vec<Keys>,
    pub arguments: Vec<Argument>,
    /// Names of categories; those that begin with `@` are the module's own.
    pub categories: Vec<String>,
}

/// One specification of keys: where they are, and what is done with them.
#[derive(Debug, Clone, PartialEq)]
pub struct Keys {
    pub begin: Begin,
    /// The last one: counted from the first, or from the end where negative.
    pub last: c_int,
    pub step: c_int,
    /// The server's bits.
    pub flags: u64,
}

/// Where keys begin.
#[derive(Debug, Clone, PartialEq)]
pub enum Begin {
    At(c_int),
    /// After this word, which is searched from a place on.
    After(CString, c_int),
}

/// Words for the server's bits of a key specification: what the command needs of the key itself, one of them
/// …
const ACCESS: [(&str, u64); 4] = [("RO", api::CMD_KEY_RO), ("RW", api::CMD_KEY_RW), ("OW", api::CMD_KEY_OW), ("RM", api::CMD_KEY_RM)];
/// … and of the data behind it.
const DATA: [(&str, u64); 4] =
    [("ACCESS", api::CMD_KEY_ACCESS), ("UPDATE", api::CMD_KEY_UPDATE), ("INSERT", api::CMD_KEY_INSERT), ("DELETE", api::CMD_KEY_DELETE)];

impl Description {
    /// Reads a description. `has_key`: the command was registered with the place of a key, which counts where
    /// no line tells of keys.
    ///
    /// # Errors
    /// The line that breaks the grammar, and how.
    pub fn parse(bytes: &[u8], has_key: bool) -> Result<Description, String> {
        if bytes.len() > TEXT_BYTES_MAX {
            return Err(format!("it has {} bytes, more than {TEXT_BYTES_MAX}", bytes.len()));
        }
        if let Some(byte) = bytes.iter().find(|&&byte| byte != b'\n' && !(b' '..=b'~').contains(&byte)) {
            return Err(format!("it holds the byte {byte}: it is lines of ASCII text"));
        }
        let text = String::from_utf8_lossy(bytes);
        let mut description = Description { text: bytes.to_vec(), ..Description::default() };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            description.take(line).map_err(|reason| format!("{line}: {reason}"))?;
        }
        let count = if description.keys.is_empty() { usize::from(has_key) } else { description.keys.len() };
        if count == 0 && description.arguments.iter().any(Argument::holds_key) {
            return Err("its syntax has a key, and no line tells where".into());
        }
        syntax::number_keys(&mut description.arguments, count);
        Ok(description)
    }

    fn take(&mut self, line: &str) -> Result<(), String> {
        let (key, value) = line.split_once(':').ok_or("it is not `key: value`")?;
        let value = value.trim();
        if value.is_empty() {
            return Err("nothing follows the colon".into());
        }
        match key {
            "summary" => once(&mut self.summary, value),
            "complexity" => once(&mut self.complexity, value),
            "since" => once(&mut self.since, value),
            "tips" => once(&mut self.tips, &value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")),
            "keys" if self.keys.len() == KEYS_MAX => Err(format!("more than {KEYS_MAX} of them")),
            "keys" => {
                self.keys.push(keys(value)?);
                Ok(())
            }
            "syntax" if !self.arguments.is_empty() => Err(TWICE.into()),
            "syntax" => {
                self.arguments = syntax::parse(value)?;
                Ok(())
            }
            "acl" if !self.categories.is_empty() => Err(TWICE.into()),
            "acl" => {
                self.categories = value.split_ascii_whitespace().map(category).collect::<Result<_, _>>()?;
                Ok(())
            }
            _ => Err("no such key is known".into()),
        }
    }
}

const TWICE: &str = "it is told already";

fn once(target: &mut Option<CString>, value: &str) -> Result<(), String> {
    if target.is_some() {
        return Err(TWICE.into());
    }
    *target = Some(c_string(value));
    Ok(())
}

/// Text without a NUL, as all here is.
fn c_string(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

fn category(word: &str) -> Result<String, String> {
    let name = word.strip_prefix('@').unwrap_or(word);
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte));
    if is_name { Ok(word.into()) } else { Err(format!("{word} is no name of a category")) }
}

/// `1 RO ACCESS`, `1..-1/2 OW UPDATE`, `ID@2 RW INSERT`.
fn keys(value: &str) -> Result<Keys, String> {
    let mut words = value.split_ascii_whitespace();
    let place = words.next().unwrap_or_default();
    let mut keys = match place.split_once('@') {
        Some((word, from)) => {
            if !syntax::is_token(word) {
                return Err("what stands before @ is no word of a syntax, of capitals".into());
            }
            Keys { begin: Begin::After(c_string(word), positive(from)?), last: 0, step: 1, flags: 0 }
        }
        None => range(place)?,
    };
    for word in words {
        let (_, flag) = ACCESS.iter().chain(&DATA).find(|(name, _)| *name == word).ok_or_else(|| format!("{word} is no flag of a key"))?;
        keys.flags |= flag;
    }
    if ACCESS.iter().filter(|(_, flag)| keys.flags & flag != 0).count() != 1 {
        return Err("it needs one of RO, RW, OW and RM".into());
    }
    Ok(keys)
}

/// `first`, `first..last`, `first..last/step`.
fn range(place: &str) -> Result<Keys, String> {
    let (range, step) = place.split_once('/').map_or((place, Ok(1)), |(range, step)| (range, positive(step)));
    let (first, last) = range.split_once("..").unwrap_or((range, range));
    let first = positive(first)?;
    let last = match last.strip_prefix('-') {
        Some(last) => -positive(last)?,
        None => positive(last)? - first,
    };
    if !range.contains("..-") && last < 0 {
        return Err("its last key comes before its first".into());
    }
    Ok(Keys { begin: Begin::At(first), last, step: step?, flags: 0 })
}

fn positive(text: &str) -> Result<c_int, String> {
    match text.parse::<c_int>() {
        Ok(number @ 1..=PLACE_MAX) => Ok(number),
        _ => Err(format!("{text} is no place of an argument, 1 to {PLACE_MAX}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Description {
        Description::parse(text.as_bytes(), false).unwrap()
    }

    fn refused(text: &str) -> String {
        Description::parse(text.as_bytes(), false).unwrap_err()
    }

    #[test]
    fn every_line_is_read() {
        let text = "\n  summary: Sets it: now\n syntax: key:key\n complexity: O(1)\n since: 0.2.0\n keys: 1 RW UPDATE\n tips: a  b\n acl: @own write\n";
        let description = parsed(text);
        assert_eq!(description.summary.unwrap().to_bytes(), b"Sets it: now");
        assert_eq!(description.complexity.unwrap().to_bytes(), b"O(1)");
        assert_eq!(description.since.unwrap().to_bytes(), b"0.2.0");
        assert_eq!(description.tips.unwrap().to_bytes(), b"a b");
        assert_eq!(description.categories, ["@own", "write"]);
        assert_eq!(description.keys[0].flags, api::CMD_KEY_RW | api::CMD_KEY_UPDATE);
        assert_eq!(description.text, text.as_bytes());
    }

    #[test]
    fn keys_are_places_ranges_or_after_a_word() {
        let of = |text: &str| {
            let keys = keys(text).unwrap();
            (keys.begin, keys.last, keys.step)
        };
        assert_eq!(of("2 RO"), (Begin::At(2), 0, 1));
        assert_eq!(of("1..-1 RO ACCESS"), (Begin::At(1), -1, 1));
        assert_eq!(of("1..-1/2 OW UPDATE"), (Begin::At(1), -1, 2));
        assert_eq!(of("2..5 RM DELETE"), (Begin::At(2), 3, 1));
        assert_eq!(of("ID@2 RW INSERT"), (Begin::After(c"ID".into(), 2), 0, 1));
    }

    #[test]
    fn what_breaks_the_grammar_is_told() {
        for (text, reason) in [
            ("summary", "it is not `key: value`"),
            ("summary:", "nothing follows the colon"),
            ("summary: a\nsummary: b", "it is told already"),
            ("syntax: a\nsyntax: b", "it is told already"),
            ("colour: red", "no such key is known"),
            ("keys: 0 RO", "0 is no place"),
            ("keys: 70000 RO", "70000 is no place"),
            ("keys: x RO", "x is no place"),
            ("keys: 1", "it needs one of RO"),
            ("keys: 1 RO RW", "it needs one of RO"),
            ("keys: 1 ACCESS", "it needs one of RO"),
            ("keys: 1 RO QUICKLY", "QUICKLY is no flag"),
            ("keys: 3..2 RO", "its last key comes before its first"),
            ("keys: 1..-1/0 RO", "0 is no place"),
            ("keys: id@2 RO", "no word of a syntax"),
            ("keys: ID@0 RO", "0 is no place"),
            ("acl: @", "@ is no name"),
            ("acl: Write", "Write is no name"),
            ("summary: caf\u{e9}", "lines of ASCII text"),
            ("syntax: key:key", "no line tells where"),
        ] {
            let told = refused(text);
            assert!(told.contains(reason), "{text}: {told}");
        }
        assert!(refused(&"x".repeat(TEXT_BYTES_MAX + 1)).contains("more than"));
        assert!(refused(&"keys: 1 RO\n".repeat(KEYS_MAX + 1)).contains("more than"));
        assert!(Description::parse(b"syntax: key:key", true).is_ok());
    }
}

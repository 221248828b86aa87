//! Strings.

use wasmtime::Result;

use super::whole::check_deadline;
use super::{Own, failed};
use crate::guest::journal::{Before, Deed, KEEP};
use crate::server::api;
use crate::server::clock;
use crate::server::strings::{Held, Strings, Word};
use crate::server::values::{Kind, OpenKey};

/// Strings up to so many bytes may be stored compactly: a look at their bytes would make them larger for
/// good, so GET is asked for a copy.
const COMPACT_BYTES_MAX: usize = 128;

/// The digits of an integer, and its sign.
const INTEGER_BYTES_MAX: usize = 20;

impl Own<'_> {
    /// Hands the bytes of the string to `take`; `None`: it is absent.
    ///
    /// # Errors
    /// It holds another kind of value.
    pub fn text(&self) -> Result<Option<Held>> {
        let Some(key) = self.read(Kind::String)? else { return Ok(None) };
        if key.length() > COMPACT_BYTES_MAX {
            return Ok(Some(Held::new(key.text())));
        }
        drop(key);
        let answer = self.ctx.call(c"GET", &Strings::of_words([Word::Held(self.key.string())]));
        Ok(answer.ok().and_then(|answer| answer.bytes().map(Held::new)))
    }

    /// Sets it, whatever it held. `deadline`: Unix ms, 0: none, [`KEEP`]: the one that is there. One that has
    /// passed deletes the key.
    ///
    /// # Errors
    /// The deadline is none.
    pub fn set(mut self, value: &[u8], deadline: i64) -> Result<()> {
        if deadline != KEEP {
            check_deadline(deadline)?;
            if deadline != 0 && deadline <= clock::command_ms() {
                return self.delete().map(drop);
            }
        }
        let key = self.open()?;
        let found = key.deadline();
        let before = match key.kind() {
            Kind::Absent => Before::Absent,
            Kind::String => Before::Text(Held::new(key.text()), found),
            _ => {
                drop(key);
                return self.set_instead(value, deadline);
            }
        };
        let value = Held::new(value);
        key.set_text(value.string());
        match deadline {
            0 => {}
            KEEP => set_found(&key, found),
            deadline => key.set_deadline(deadline),
        }
        drop(key);
        self.note(before, Deed::Set(value, deadline));
        Ok(())
    }

    /// Sets a key that holds another kind of value: that one is deleted first.
    #[cold]
    fn set_instead(mut self, value: &[u8], deadline: i64) -> Result<()> {
        self.note(Before::Doomed, Deed::Replace);
        self.set(value, if deadline == KEEP { 0 } else { deadline })
    }

    /// Deletes it where it is this string; whether it was.
    ///
    /// # Errors
    /// It holds another kind of value.
    pub fn delete_if(mut self, value: &[u8]) -> Result<bool> {
        if self.journal.is_doomed(self.key.bytes()) {
            return Ok(false);
        }
        let (key, is_there) = self.write(Kind::String)?;
        if !is_there || key.length() != value.len() || key.text() != value {
            return Ok(false);
        }
        let before = Before::Text(Held::new(value), key.deadline());
        key.delete();
        drop(key);
        self.note(before, Deed::Delete);
        Ok(true)
    }

    /// Puts bytes at its end; how many it has then.
    ///
    /// # Errors
    /// It holds another kind of value, or would be longer than the server allows.
    pub fn append(mut self, bytes: &[u8]) -> Result<i64> {
        let (key, is_there) = self.write(Kind::String)?;
        let length = key.length();
        let value = Held::new(bytes);
        if !is_there {
            key.set_text(value.string());
        } else if !key.append(bytes) {
            return Err(failed("ERR string exceeds maximum allowed size (proto-max-bulk-len)"));
        }
        drop(key);
        self.note(if is_there { Before::Start(length) } else { Before::Absent }, Deed::Append(value));
        Ok((length + bytes.len()) as i64)
    }

    /// Adds to the integer that it is, 0 where it is absent; the sum.
    ///
    /// # Errors
    /// It is no integer, or the sum is none of 64 bits.
    pub fn increment(mut self, by: i64) -> Result<i64> {
        let (key, is_there) = self.write(Kind::String)?;
        let found = key.deadline();
        let before = if is_there { Some(Held::new(if key.length() > INTEGER_BYTES_MAX { b"" } else { key.text() })) } else { None };
        let value = before.as_ref().map_or(Some(0), |text| integer(text.bytes()));
        let value = value.ok_or_else(|| failed("ERR value is not an integer or out of range"))?;
        let sum = value.checked_add(by).ok_or_else(|| failed("ERR increment or decrement would overflow"))?;
        key.set_text(Held::new(sum.to_string().as_bytes()).string());
        set_found(&key, found);
        drop(key);
        self.note(before.map_or(Before::Absent, |text| Before::Text(text, found)), Deed::IncrBy(by));
        Ok(sum)
    }
}

/// Sets the deadline again that a key has had.
fn set_found(key: &OpenKey<'_>, deadline: i64) {
    if deadline != api::NO_EXPIRE {
        key.set_deadline(deadline);
    }
}

/// The integer that a text is, in the server's own form: no blanks, no plus, no leading zeros.
pub fn integer(text: &[u8]) -> Option<i64> {
    let value: i64 = str::from_utf8(text).ok()?.parse().ok()?;
    (value.to_string().as_bytes() == text).then_some(value)
}

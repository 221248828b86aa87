//! Lists.

use wasmtime::Result;

use super::{Own, failed};
use crate::guest::journal::{Before, Deed};
use crate::server::strings::Held;
use crate::server::values::{End, Kind};

impl Own<'_> {
    /// Puts a value at an end; how many there are then.
    ///
    /// # Errors
    /// The key holds another kind of value.
    pub fn push(mut self, end: End, value: &[u8]) -> Result<i64> {
        let value = Held::new(value);
        let (key, is_there) = self.write(Kind::List)?;
        key.push(end, value.string());
        let length = key.length() as i64;
        drop(key);
        self.note(if is_there { Before::Unpushed(end) } else { Before::Absent }, Deed::Push(end, value));
        Ok(length)
    }

    /// Takes the value at an end out; `None`: the key is absent.
    ///
    /// # Errors
    /// The key holds another kind of value.
    pub fn pop(mut self, end: End) -> Result<Option<Held>> {
        let (key, is_there) = self.write(Kind::List)?;
        if !is_there {
            return Ok(None);
        }
        let deadline = key.deadline();
        let Some(value) = key.pop(end) else { return Ok(None) };
        let is_gone = key.kind() == Kind::Absent;
        drop(key);
        self.note(Before::Unpopped(end, Held::of(value.string()), deadline), Deed::Pop(end, is_gone));
        Ok(Some(value))
    }

    /// The value at a place, negative ones from the end; `None`: there is none.
    ///
    /// # Errors
    /// The key holds another kind of value.
    pub fn element(&self, index: i64) -> Result<Option<Held>> {
        Ok(self.read(Kind::List)?.and_then(|key| key.element(index)))
    }

    /// Sets the value at a place, negative ones from the end.
    ///
    /// # Errors
    /// The key holds another kind of value, or has no such place.
    pub fn set_element(mut self, index: i64, value: &[u8]) -> Result<()> {
        let value = Held::new(value);
        let (key, is_there) = self.write(Kind::List)?;
        if !is_there {
            return Err(failed("ERR no such key"));
        }
        let Some(found) = key.element(index).filter(|_| key.set_element(index, value.string())) else {
            return Err(failed("ERR index out of range"));
        };
        drop(key);
        self.note(Before::Element(index, found), Deed::ListSet(index, value));
        Ok(())
    }
}

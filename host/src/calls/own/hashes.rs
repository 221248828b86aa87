//! Hashes.

use wasmtime::Result;

use super::strings::integer;
use super::{Own, failed};
use crate::guest::journal::{Before, Deed};
use crate::server::strings::Held;
use crate::server::values::Kind;

impl Own<'_> {
    /// The value of a field; `None`: it is absent.
    ///
    /// # Errors
    /// The key holds another kind of value.
    pub fn field(&self, field: &[u8]) -> Result<Option<Held>> {
        Ok(self.read(Kind::Hash)?.and_then(|key| key.field(Held::new(field).string())))
    }

    /// Hands all fields and values to `take`.
    ///
    /// # Errors
    /// The key holds another kind of value.
    pub fn each_field(&self, take: impl FnMut(&[u8], &[u8])) -> Result<()> {
        if let Some(key) = self.read(Kind::Hash)? {
            key.each_field(take);
        }
        Ok(())
    }

    /// Sets a field; whether it is a new one.
    ///
    /// # Errors
    /// The key holds another kind of value.
    pub fn set_field(mut self, field: &[u8], value: &[u8]) -> Result<bool> {
        let (field, value) = (Held::new(field), Held::new(value));
        let (key, is_there) = self.write(Kind::Hash)?;
        let found = if is_there { key.field(field.string()) } else { None };
        let deadline = key.deadline();
        key.set_field(field.string(), value.string());
        drop(key);
        let is_new = found.is_none();
        let before = if is_there { Before::Field(Held::of(field.string()), found, deadline) } else { Before::Absent };
        self.note(before, Deed::HashSet(field, value));
        Ok(is_new)
    }

    /// Takes a field out; whether it was there.
    ///
    /// # Errors
    /// The key holds another kind of value.
    pub fn delete_field(mut self, field: &[u8]) -> Result<bool> {
        let field = Held::new(field);
        let (key, _) = self.write(Kind::Hash)?;
        let Some(value) = key.field(field.string()) else { return Ok(false) };
        let deadline = key.deadline();
        key.delete_field(field.string());
        let is_gone = key.kind() == Kind::Absent;
        drop(key);
        self.note(Before::Field(Held::of(field.string()), Some(value), deadline), Deed::HashDelete(field, is_gone));
        Ok(true)
    }

    /// Adds to the integer in a field, 0 where it is absent; the sum.
    ///
    /// # Errors
    /// The key holds another kind of value, the field no integer, or the sum is none of 64 bits.
    pub fn increment_field(mut self, field: &[u8], by: i64) -> Result<i64> {
        let field = Held::new(field);
        let (key, is_there) = self.write(Kind::Hash)?;
        let found = if is_there { key.field(field.string()) } else { None };
        let value = found.as_ref().map_or(Some(0), |text| integer(text.bytes()));
        let value = value.ok_or_else(|| failed("ERR hash value is not an integer"))?;
        let sum = value.checked_add(by).ok_or_else(|| failed("ERR increment or decrement would overflow"))?;
        let deadline = key.deadline();
        key.set_field(field.string(), Held::new(sum.to_string().as_bytes()).string());
        drop(key);
        let before = if is_there { Before::Field(Held::of(field.string()), found, deadline) } else { Before::Absent };
        self.note(before, Deed::HashIncrBy(field, sum));
        Ok(sum)
    }
}

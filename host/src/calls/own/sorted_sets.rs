//! Sorted sets.

use wasmtime::Result;

use super::{Own, failed};
use crate::guest::journal::{Before, Deed};
use crate::server::strings::Held;
use crate::server::values::Kind;

impl Own<'_> {
    /// The score of a member; `None`: it is absent.
    ///
    /// # Errors
    /// The key holds another kind of value.
    pub fn score(&self, member: &[u8]) -> Result<Option<f64>> {
        Ok(self.read(Kind::SortedSet)?.and_then(|key| key.score(Held::new(member).string())))
    }

    /// Hands the members with scores from `min` to `max`, both included, to `take`, while it says yes.
    ///
    /// # Errors
    /// The key holds another kind of value, or a bound is no number.
    pub fn each_member(&self, min: f64, max: f64, take: impl FnMut(&[u8], f64) -> bool) -> Result<()> {
        if min.is_nan() || max.is_nan() {
            return Err(failed("ERR min or max is not a float"));
        }
        if let Some(key) = self.read(Kind::SortedSet)? {
            key.each_member(min, max, take);
        }
        Ok(())
    }

    /// Sets the score of a member; whether it is a new one.
    ///
    /// # Errors
    /// The key holds another kind of value, or the score is no number.
    pub fn set_score(self, member: &[u8], score: f64) -> Result<bool> {
        self.score_member(member, |_| score, |member, score, _| Deed::ZsetAdd(member, score)).map(|(_, is_new)| is_new)
    }

    /// Adds to the score of a member, 0 where it is absent; the sum.
    ///
    /// # Errors
    /// The key holds another kind of value, or the sum is no number.
    pub fn increment_score(self, member: &[u8], by: f64) -> Result<f64> {
        self.score_member(member, |found| found.unwrap_or(0.0) + by, |member, _, _| Deed::ZsetIncrBy(member, by)).map(|(score, _)| score)
    }

    fn score_member(
        mut self,
        member: &[u8],
        wanted: impl FnOnce(Option<f64>) -> f64,
        deed: impl FnOnce(Held, f64, bool) -> Deed,
    ) -> Result<(f64, bool)> {
        let member = Held::new(member);
        let (key, is_there) = self.write(Kind::SortedSet)?;
        let found = if is_there { key.score(member.string()) } else { None };
        let score = wanted(found);
        if score.is_nan() {
            return Err(failed("ERR resulting score is not a number (NaN)"));
        }
        if found == Some(score) {
            return Ok((score, false));
        }
        let deadline = key.deadline();
        key.set_score(member.string(), score);
        drop(key);
        let before = if is_there { Before::Member(Held::of(member.string()), found, deadline) } else { Before::Absent };
        self.note(before, deed(member, score, found.is_none()));
        Ok((score, found.is_none()))
    }

    /// Takes a member out; whether it was there.
    ///
    /// # Errors
    /// The key holds another kind of value.
    pub fn delete_member(mut self, member: &[u8]) -> Result<bool> {
        let member = Held::new(member);
        let (key, is_there) = self.write(Kind::SortedSet)?;
        let Some(score) = (if is_there { key.score(member.string()) } else { None }) else { return Ok(false) };
        let deadline = key.deadline();
        key.delete_member(member.string());
        let is_gone = key.kind() == Kind::Absent;
        drop(key);
        self.note(Before::Member(Held::of(member.string()), Some(score), deadline), Deed::ZsetDelete(member, is_gone));
        Ok(true)
    }
}

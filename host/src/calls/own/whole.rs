//! What every kind of key has.

use wasmtime::Result;

use super::{Own, WRONG_TYPE, failed};
use crate::guest::journal::{Before, Deed};
use crate::server::api;
use crate::server::clock;
use crate::server::values::Kind;

/// What [`deadline`] answers where there is no key.
const ABSENT: i64 = -1;
/// Deadlines that a key may have, in Unix ms, as those of tables.
const DEADLINE_MAX: i64 = 1 << 53;

impl Own<'_> {
    /// The number of its kind in the server's API; 0: it is absent.
    pub fn kind(&self) -> i32 {
        self.look(|kind, _| kind.number()).unwrap_or(0)
    }

    /// Bytes of a string, elements of what else there is; 0 where it is absent. `kind`: the number of the
    /// kind that it must hold.
    ///
    /// # Errors
    /// It holds another one.
    pub fn length(&self, kind: i32) -> Result<i64> {
        if self.journal.is_doomed(self.key.bytes()) {
            return Ok(0);
        }
        let Some(key) = self.ctx.open(self.key.string()) else { return Ok(0) };
        match key.kind() {
            Kind::Absent => Ok(0),
            found if found.number() == kind => Ok(key.length() as i64),
            _ => Err(failed(WRONG_TYPE)),
        }
    }

    /// When it expires, in Unix ms; 0: never; −1: it is absent.
    pub fn deadline(&self) -> i64 {
        self.look(|_, deadline| if deadline == api::NO_EXPIRE { 0 } else { deadline }).unwrap_or(ABSENT)
    }

    fn look<T>(&self, take: impl FnOnce(Kind, i64) -> T) -> Option<T> {
        if self.journal.is_doomed(self.key.bytes()) {
            return None;
        }
        let key = self.ctx.look_at(self.key.string())?;
        let kind = key.kind();
        (kind != Kind::Absent).then(|| take(kind, key.deadline()))
    }

    /// Deletes it; whether it was there.
    pub fn delete(mut self) -> Result<bool> {
        if self.look(|_, _| ()).is_none() {
            return Ok(false);
        }
        self.note(Before::Doomed, Deed::Delete);
        Ok(true)
    }

    /// Sets when it expires, in Unix ms; 0: never. One that has passed deletes it. Whether there was anything
    /// to change.
    ///
    /// # Errors
    /// The deadline is none.
    pub fn expire_at(mut self, deadline: i64) -> Result<bool> {
        check_deadline(deadline)?;
        if deadline != 0 && deadline <= clock::command_ms() {
            return self.delete();
        }
        if self.journal.is_doomed(self.key.bytes()) {
            return Ok(false);
        }
        let key = self.open()?;
        let before = key.deadline();
        if key.kind() == Kind::Absent || (deadline == 0 && before == api::NO_EXPIRE) {
            return Ok(false);
        }
        key.set_deadline(if deadline == 0 { api::NO_EXPIRE } else { deadline });
        drop(key);
        self.note(Before::Deadline(before), if deadline == 0 { Deed::Persist } else { Deed::ExpireAt(deadline) });
        Ok(true)
    }
}

/// # Errors
/// The Unix ms are none that a key may expire at.
pub fn check_deadline(deadline: i64) -> Result<()> {
    if (0..=DEADLINE_MAX).contains(&deadline) {
        Ok(())
    } else {
        Err(failed("ERR a deadline is a Unix time in milliseconds, from 0 to 2^53"))
    }
}

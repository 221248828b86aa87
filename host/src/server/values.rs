//! The server's own keys: what they hold, read and changed by the key functions of its module API.
//!
//! None of them tells anybody of a change: neither replicas nor the append-only file, nor WATCH, client-side
//! caching or subscribers.

use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::ptr::{NonNull, null_mut};

use super::api::{self, Ctx, Key, Str};
use super::context::Context;
use super::guard::guarded;
use super::strings::{Held, ServerString, Strings, Word};
use crate::rm;

/// What a key holds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    Absent,
    String,
    List,
    Hash,
    SortedSet,
    /// A set, a stream, or a value of a module: by its number in the server's API.
    Other(c_int),
}

impl Kind {
    /// Its number in the server's API.
    pub fn number(self) -> c_int {
        match self {
            Kind::Absent => api::KEY_TYPE_EMPTY,
            Kind::String => api::KEY_TYPE_STRING,
            Kind::List => api::KEY_TYPE_LIST,
            Kind::Hash => api::KEY_TYPE_HASH,
            Kind::SortedSet => api::KEY_TYPE_ZSET,
            Kind::Other(number) => number,
        }
    }
}

/// An end of a list.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum End {
    Head,
    Tail,
}

impl End {
    fn number(self) -> c_int {
        match self {
            End::Head => api::LIST_HEAD,
            End::Tail => api::LIST_TAIL,
        }
    }
}

/// A key that is open, and closed when this is dropped. Nothing else touches the database meanwhile.
pub struct OpenKey<'a> {
    raw: NonNull<Key>,
    call: PhantomData<&'a Ctx>,
}

impl<'a> Context<'a> {
    /// Opens a key to read it; `None` where it is absent.
    #[inline]
    pub fn open(self, name: ServerString<'_>) -> Option<OpenKey<'a>> {
        self.open_as(name, api::KEY_READ)
    }

    /// As [`Context::open`], and its time of access stays as it is.
    pub fn look_at(self, name: ServerString<'_>) -> Option<OpenKey<'a>> {
        self.open_as(name, api::KEY_READ | api::KEY_NO_TOUCH)
    }

    /// Opens a key to change it, be it there or not; `None` where the server does not.
    #[inline]
    pub fn open_to_write(self, name: ServerString<'_>) -> Option<OpenKey<'a>> {
        self.open_as(name, api::KEY_READ | api::KEY_WRITE)
    }

    #[inline]
    fn open_as(self, name: ServerString<'_>, mode: c_int) -> Option<OpenKey<'a>> {
        // SAFETY: the context and the name are alive; closed by the drop below.
        NonNull::new(unsafe { rm!(OpenKey(self.raw(), name.raw(), mode)) }).map(|raw| OpenKey { raw, call: PhantomData })
    }

    /// All of a key, as RESTORE takes it; `None` where it is absent.
    pub fn dump(self, name: ServerString<'_>) -> Option<Box<[u8]>> {
        let answer = self.call(c"DUMP", &Strings::of_words([Word::Held(name)])).ok()?;
        answer.bytes().map(Into::into)
    }

    /// Makes a key of what [`Context::dump`] gave, in the place of any that is there. `deadline`: Unix ms, or
    /// [`api::NO_EXPIRE`]. False where the server does not.
    pub fn restore(self, name: ServerString<'_>, payload: &[u8], deadline: i64) -> bool {
        let deadline = deadline.max(0).to_string();
        let words =
            [Word::Held(name), Word::Bytes(deadline.as_bytes()), Word::Bytes(payload), Word::Bytes(b"REPLACE"), Word::Bytes(b"ABSTTL")];
        self.call(c"RESTORE", &Strings::of_words(words)).is_ok_and(|answer| !answer.is_error())
    }
}

impl Drop for OpenKey<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: opened once, closed once.
        unsafe { rm!(CloseKey(self.raw.as_ptr())) };
    }
}

/// What every kind of key has.
impl OpenKey<'_> {
    #[inline]
    fn raw(&self) -> *mut Key {
        self.raw.as_ptr()
    }

    #[inline]
    pub fn kind(&self) -> Kind {
        // SAFETY: the key is open, here and below.
        match unsafe { rm!(KeyType(self.raw())) } {
            api::KEY_TYPE_EMPTY => Kind::Absent,
            api::KEY_TYPE_STRING => Kind::String,
            api::KEY_TYPE_LIST => Kind::List,
            api::KEY_TYPE_HASH => Kind::Hash,
            api::KEY_TYPE_ZSET => Kind::SortedSet,
            other => Kind::Other(other),
        }
    }

    /// Bytes of a string, elements of what else there is; 0 where it is absent.
    #[inline]
    pub fn length(&self) -> usize {
        // SAFETY: as above.
        unsafe { rm!(ValueLength(self.raw())) }
    }

    /// When it expires, in Unix ms; [`api::NO_EXPIRE`]: never. Redis 8.2 ends where it is asked this of a key
    /// that is absent.
    #[inline]
    pub fn deadline(&self) -> i64 {
        if self.kind() == Kind::Absent {
            return api::NO_EXPIRE;
        }
        // SAFETY: as above.
        unsafe { rm!(GetAbsExpire(self.raw())) }
    }

    /// As [`OpenKey::deadline`], to be set.
    pub fn set_deadline(&self, deadline: i64) {
        // SAFETY: as above, to be written.
        unsafe { _ = rm!(SetAbsExpire(self.raw(), deadline)) };
    }

    /// Takes the key out of the database.
    #[inline]
    pub fn delete(&self) {
        // SAFETY: as above.
        unsafe { _ = rm!(DeleteKey(self.raw())) };
    }
}

/// Strings.
impl OpenKey<'_> {
    /// The bytes of a string. The server makes a compact one a plain one for this, which stays.
    #[inline]
    pub fn text(&self) -> &[u8] {
        let mut length = 0;
        // SAFETY: the key is open and holds a string, which nothing changes while it is borrowed.
        unsafe {
            let bytes = rm!(StringDMA(self.raw(), &raw mut length, api::KEY_READ));
            if bytes.is_null() { &[] } else { std::slice::from_raw_parts(bytes.cast(), length) }
        }
    }

    /// Makes it a string without a deadline, whatever it was.
    #[inline]
    pub fn set_text(&self, value: ServerString<'_>) {
        // SAFETY: as above, to be written; the server keeps the string too.
        unsafe { _ = rm!(StringSet(self.raw(), value.raw())) };
    }

    /// Puts bytes at the end of a string; false where it would be longer than the server allows.
    pub fn append(&self, bytes: &[u8]) -> bool {
        let length = self.length();
        if !self.truncate(length + bytes.len()) {
            return false;
        }
        let mut room = 0;
        // SAFETY: the string is as long by now, and nothing else has its bytes.
        unsafe {
            let start = rm!(StringDMA(self.raw(), &raw mut room, api::KEY_WRITE)).cast::<u8>();
            if start.is_null() || room < length + bytes.len() {
                return false;
            }
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), start.add(length), bytes.len());
        }
        true
    }

    /// Makes a string this long; false where the server does not.
    pub fn truncate(&self, length: usize) -> bool {
        // SAFETY: as above.
        unsafe { rm!(StringTruncate(self.raw(), length)) == api::OK }
    }
}

/// Hashes.
impl OpenKey<'_> {
    /// The value of a field; `None` where it is absent.
    pub fn field(&self, name: ServerString<'_>) -> Option<Held> {
        let mut value: *mut Str = null_mut();
        // SAFETY: as above; the list of fields ends with null. The value is to be freed.
        unsafe {
            rm!(HashGet(self.raw(), api::HASH_NONE, name.raw(), &raw mut value, null_mut::<c_void>()));
            (!value.is_null()).then(|| Held::owned(value))
        }
    }

    /// Sets a field, and makes the hash where it is absent.
    pub fn set_field(&self, name: ServerString<'_>, value: ServerString<'_>) {
        // SAFETY: as above.
        unsafe { _ = rm!(HashSet(self.raw(), api::HASH_NONE, name.raw(), value.raw(), null_mut::<c_void>())) };
    }

    /// Takes a field out, and the key with its last one.
    pub fn delete_field(&self, name: ServerString<'_>) {
        // SAFETY: as above.
        unsafe { _ = rm!(HashSet(self.raw(), api::HASH_NONE, name.raw(), api::HASH_DELETE, null_mut::<c_void>())) };
    }

    /// Hands all fields and their values to `take`, in no order. O(fields).
    pub fn each_field(&self, mut take: impl FnMut(&[u8], &[u8])) {
        type Take<'a> = &'a mut dyn FnMut(&[u8], &[u8]);
        unsafe extern "C" fn on_field(_: *mut Key, field: *mut Str, value: *mut Str, data: *mut c_void) {
            if value.is_null() {
                return;
            }
            // SAFETY: the server lends both for this call; the data is what `ScanKey` was handed below.
            guarded(|| unsafe {
                let take = &mut *data.cast::<Take<'_>>();
                take(ServerString::new(field).bytes(), ServerString::new(value).bytes());
            });
        }
        let mut taker: Take<'_> = &mut take;
        // SAFETY: as above; the cursor is freed once, and the data outlives the scan.
        unsafe {
            let cursor = rm!(ScanCursorCreate());
            while rm!(ScanKey(self.raw(), cursor, on_field, (&raw mut taker).cast())) != 0 {}
            rm!(ScanCursorDestroy(cursor));
        }
    }
}

/// Sorted sets.
impl OpenKey<'_> {
    /// The score of a member; `None` where it is absent.
    pub fn score(&self, member: ServerString<'_>) -> Option<f64> {
        let mut score = 0.0;
        // SAFETY: as above.
        let found = unsafe { rm!(ZsetScore(self.raw(), member.raw(), &raw mut score)) };
        (found == api::OK).then_some(score)
    }

    /// Sets the score of a member, and makes the set where it is absent.
    pub fn set_score(&self, member: ServerString<'_>, score: f64) {
        // SAFETY: as above; without flags.
        unsafe { _ = rm!(ZsetAdd(self.raw(), score, member.raw(), null_mut())) };
    }

    /// Takes a member out, and the key with its last one.
    pub fn delete_member(&self, member: ServerString<'_>) {
        // SAFETY: as above.
        unsafe { _ = rm!(ZsetRem(self.raw(), member.raw(), null_mut())) };
    }

    /// Hands the members with scores from `min` to `max`, both included, to `take`, in their order, while it
    /// says yes. O(log n), and those that it takes.
    pub fn each_member(&self, min: f64, max: f64, mut take: impl FnMut(&[u8], f64) -> bool) {
        // SAFETY: as above; each member is freed once, and the walk ends before anything else happens.
        unsafe {
            if rm!(ZsetFirstInScoreRange(self.raw(), min, max, 0, 0)) != api::OK {
                return;
            }
            while rm!(ZsetRangeEndReached(self.raw())) == 0 {
                let mut score = 0.0;
                let member = rm!(ZsetRangeCurrentElement(self.raw(), &raw mut score));
                if member.is_null() || !take(Held::owned(member).bytes(), score) {
                    break;
                }
                rm!(ZsetRangeNext(self.raw()));
            }
            rm!(ZsetRangeStop(self.raw()));
        }
    }
}

/// Lists.
impl OpenKey<'_> {
    /// Puts a value at an end, and makes the list where it is absent.
    pub fn push(&self, end: End, value: ServerString<'_>) {
        // SAFETY: as above.
        unsafe { _ = rm!(ListPush(self.raw(), end.number(), value.raw())) };
    }

    /// Takes the value at an end out, and the key with its last one.
    pub fn pop(&self, end: End) -> Option<Held> {
        // SAFETY: as above; the value is to be freed.
        unsafe {
            let value = rm!(ListPop(self.raw(), end.number()));
            (!value.is_null()).then(|| Held::owned(value))
        }
    }

    /// The value at a place, negative ones from the end; `None` where there is none.
    pub fn element(&self, index: i64) -> Option<Held> {
        // SAFETY: as above; the value is to be freed.
        unsafe {
            let value = rm!(ListGet(self.raw(), index));
            (!value.is_null()).then(|| Held::owned(value))
        }
    }

    /// Sets the value at a place; false where there is none.
    pub fn set_element(&self, index: i64, value: ServerString<'_>) -> bool {
        // SAFETY: as above.
        unsafe { rm!(ListSet(self.raw(), index, value.raw())) == api::OK }
    }
}

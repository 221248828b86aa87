//! What the server answers when it is called.

use std::ffi::c_char;
use std::marker::PhantomData;
use std::ptr::NonNull;

use super::api::{self, CallReply};
use crate::rm;

/// An answer of the server, freed when it is dropped.
pub struct Answer(NonNull<CallReply>);

impl Answer {
    /// `None` for null.
    ///
    /// # Safety
    /// `raw` is null, or an answer that nobody else frees.
    pub unsafe fn new(raw: *mut CallReply) -> Option<Answer> {
        NonNull::new(raw).map(Answer)
    }

    pub fn is_error(&self) -> bool {
        // SAFETY: the answer is alive.
        unsafe { rm!(CallReplyType(self.0.as_ptr())) == api::REPLY_ERROR }
    }

    /// The text of an error, for a message.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(self.proto().trim_ascii()).trim_start_matches('-').to_string()
    }

    /// The bytes of a text, if it is one.
    pub fn bytes(&self) -> Option<&[u8]> {
        text_of(self.0.as_ptr())
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<String> {
        text_of(self.0.as_ptr()).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// The text at this place of an array.
    pub fn text_at(&self, index: usize) -> Option<String> {
        let element = self.element(index)?;
        text_of(element).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// The texts of an array; what is no text is an empty one.
    pub fn texts(&self) -> Vec<String> {
        texts_of(self.0.as_ptr())
    }

    /// The texts of an array that stands at this place of an array.
    pub fn texts_at(&self, index: usize) -> Vec<String> {
        self.element(index).map_or(Vec::new(), texts_of)
    }

    /// All texts and numbers of an array, whatever arrays they stand in, one after the other.
    pub fn leaves(&self) -> Vec<String> {
        let mut leaves = Vec::new();
        add_leaves(self.0.as_ptr(), &mut leaves);
        leaves
    }

    /// Whether an array stands at this place of an array.
    pub fn has_array_at(&self, index: usize) -> bool {
        // SAFETY: the element is alive as the answer is.
        self.element(index).is_some_and(|element| unsafe { rm!(CallReplyType(element)) } == api::REPLY_ARRAY)
    }

    /// The answer as it goes over the wire.
    pub fn proto(&self) -> &[u8] {
        let mut length = 0;
        // SAFETY: the answer is alive, and so are its bytes.
        unsafe {
            let bytes = rm!(CallReplyProto(self.0.as_ptr(), &raw mut length));
            std::slice::from_raw_parts(bytes.cast::<u8>(), length)
        }
    }

    /// Never frees it.
    pub fn leak(self) -> NonNull<CallReply> {
        let raw = self.0;
        std::mem::forget(self);
        raw
    }

    fn element(&self, index: usize) -> Option<*mut CallReply> {
        element_of(self.0.as_ptr(), index)
    }
}

/// A part of an answer, which lives as long as that does.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    raw: NonNull<CallReply>,
    answer: PhantomData<&'a Answer>,
}

/// What a part of an answer is; of those that hold others, how many.
pub enum Value<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Double(f64),
    Text(&'a [u8]),
    Status(&'a [u8]),
    Error(&'a [u8]),
    /// A number as its digits.
    BigNumber(&'a [u8]),
    Array(usize),
    Set(usize),
    Map(usize),
    /// What no command of the server's answers yet.
    Other,
}

impl Answer {
    /// All of it.
    pub fn item(&self) -> Item<'_> {
        Item { raw: self.0, answer: PhantomData }
    }
}

impl<'a> Item<'a> {
    pub fn value(self) -> Value<'a> {
        let raw = self.raw.as_ptr();
        let mut length = 0;
        // SAFETY: the answer is alive, and so is this part of it, here and below; each is asked for what it
        // is.
        unsafe {
            let bytes = |start: *const c_char, length: usize| {
                if start.is_null() { &[][..] } else { std::slice::from_raw_parts(start.cast::<u8>(), length) }
            };
            match rm!(CallReplyType(raw)) {
                api::REPLY_INTEGER => Value::Integer(rm!(CallReplyInteger(raw))),
                api::REPLY_BOOL => Value::Bool(rm!(CallReplyBool(raw)) != 0),
                api::REPLY_DOUBLE => Value::Double(rm!(CallReplyDouble(raw))),
                api::REPLY_BIG_NUMBER => {
                    let start = rm!(CallReplyBigNumber(raw, &raw mut length));
                    Value::BigNumber(bytes(start, length))
                }
                api::REPLY_VERBATIM => {
                    let mut format = std::ptr::null();
                    let start = rm!(CallReplyVerbatim(raw, &raw mut length, &raw mut format));
                    Value::Text(bytes(start, length))
                }
                api::REPLY_STRING | api::REPLY_ERROR => {
                    let start = rm!(CallReplyProto(raw, &raw mut length));
                    match bytes(start, length) {
                        [b'-', error @ .., b'\r', b'\n'] => Value::Error(error),
                        [b'+', status @ .., b'\r', b'\n'] => Value::Status(status),
                        _ => text_of(raw).map_or(Value::Null, Value::Text),
                    }
                }
                api::REPLY_ARRAY => Value::Array(rm!(CallReplyLength(raw))),
                api::REPLY_SET => Value::Set(rm!(CallReplyLength(raw))),
                api::REPLY_MAP => Value::Map(rm!(CallReplyLength(raw))),
                api::REPLY_NULL => Value::Null,
                _ => Value::Other,
            }
        }
    }

    /// The element at this place of an array or a set.
    pub fn element(self, index: usize) -> Option<Item<'a>> {
        let raw = self.raw.as_ptr();
        // SAFETY: as above; null past its end.
        let element = unsafe {
            match rm!(CallReplyType(raw)) {
                api::REPLY_SET => rm!(CallReplySetElement(raw, index)),
                _ => rm!(CallReplyArrayElement(raw, index)),
            }
        };
        NonNull::new(element).map(|raw| Item { raw, answer: PhantomData })
    }

    /// The key and the value at this place of a map.
    pub fn pair(self, index: usize) -> Option<[Item<'a>; 2]> {
        let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: as above; both are null past its end.
        unsafe { _ = rm!(CallReplyMapElement(self.raw.as_ptr(), index, &raw mut key, &raw mut value)) };
        Some([NonNull::new(key)?, NonNull::new(value)?].map(|raw| Item { raw, answer: PhantomData }))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: freed once; nothing borrows from it any more.
        unsafe { rm!(FreeCallReply(self.0.as_ptr())) };
    }
}

/// The bytes of a text, of an answer that is alive for `'a`.
fn text_of<'a>(reply: *mut CallReply) -> Option<&'a [u8]> {
    let mut length = 0;
    // SAFETY: the private callers hand over an answer that is alive; its bytes live as long.
    unsafe {
        let bytes = rm!(CallReplyStringPtr(reply, &raw mut length));
        (!bytes.is_null()).then(|| std::slice::from_raw_parts(bytes.cast(), length))
    }
}

/// What stands at this place of an answer that is alive; `None` past its end.
fn element_of(reply: *mut CallReply, index: usize) -> Option<*mut CallReply> {
    // SAFETY: the private callers hand over an answer that is alive; null past its end.
    let element = unsafe { rm!(CallReplyArrayElement(reply, index)) };
    (!element.is_null()).then_some(element)
}

/// The texts of an array, of an answer that is alive; what is no text is an empty one.
fn texts_of(reply: *mut CallReply) -> Vec<String> {
    (0..)
        .map_while(|index| element_of(reply, index))
        .map(|element| String::from_utf8_lossy(text_of(element).unwrap_or(b"")).into_owned())
        .collect()
}

/// Adds the texts and numbers of an answer that is alive.
fn add_leaves(reply: *mut CallReply, leaves: &mut Vec<String>) {
    // SAFETY: the private callers hand over an answer that is alive.
    match unsafe { rm!(CallReplyType(reply)) } {
        api::REPLY_ARRAY => (0..).map_while(|index| element_of(reply, index)).for_each(|element| add_leaves(element, leaves)),
        // SAFETY: as above.
        api::REPLY_INTEGER => leaves.push(unsafe { rm!(CallReplyInteger(reply)) }.to_string()),
        _ => leaves.push(String::from_utf8_lossy(text_of(reply).unwrap_or(b"")).into_owned()),
    }
}

//! A part of a reply: how it is sent, and how it is held.

use crate::server::context::Context;
use crate::server::{ok, text};

#[derive(Clone, Copy, PartialEq)]
pub enum Container {
    Array,
    Map,
    /// An array for clients of RESP2.
    Set,
}

impl Container {
    /// Elements per unit of the container's length.
    pub fn per_entry(self) -> u64 {
        match self {
            Container::Array | Container::Set => 1,
            Container::Map => 2,
        }
    }
}

/// A part of a reply, as the server has a function for it.
#[derive(Clone, Copy)]
pub enum Reply<'a> {
    /// The text's CR, LF and NUL become spaces, as those of an error do.
    Status(&'a [u8]),
    Error(&'a [u8]),
    Bulk(&'a [u8]),
    Integer(i64),
    Double(f64),
    /// An integer for clients of RESP2.
    Bool(bool),
    /// The digits of an integer; a text for clients of RESP2.
    BigNumber(&'a [u8]),
    Null,
    /// The server's own error of a wrong number of arguments.
    WrongArity,
    /// The head of a container, and its length, -1: it is told afterwards …
    Open(Container, i64),
    /// … by this.
    SetLength(Container, i64),
}

/// Bytes of a part's tag and number as it is held.
pub const HEAD_BYTES: usize = 9;

impl<'a> Reply<'a> {
    /// Hands it to the server.
    #[inline(always)]
    pub fn send(self, ctx: Context<'_>) {
        match self {
            Reply::Bulk(bytes) => ctx.reply_bytes(bytes),
            Reply::Null => ctx.reply_null(),
            Reply::Integer(value) => ctx.reply_integer(value),
            Reply::Double(value) => ctx.reply_double(value),
            Reply::Bool(value) => ctx.reply_bool(value),
            Reply::BigNumber(digits) => ctx.reply_big_number(digits),
            Reply::Status(b"OK") => ok::reply(ctx),
            Reply::Status(text) => text::with_line(text, |text| ctx.reply_status(text)),
            Reply::Error(text) => text::with_line(text, |text| ctx.reply_error(text)),
            Reply::WrongArity => ctx.wrong_arity(),
            Reply::Open(Container::Array, length) => ctx.reply_array(length),
            Reply::Open(Container::Map, length) => ctx.reply_map(length),
            Reply::Open(Container::Set, length) => ctx.reply_set(length),
            Reply::SetLength(Container::Array | Container::Set, length) => ctx.set_array_length(length),
            Reply::SetLength(Container::Map, length) => ctx.set_map_length(length),
        }
    }

    /// As it is held: a tag, a number, and the bytes that this is the number of, if it has any.
    #[inline(always)]
    pub fn encoded(self) -> (u8, u64, &'a [u8]) {
        match self {
            Reply::Bulk(bytes) => (0, bytes.len() as u64, bytes),
            Reply::Null => (1, 0, &[]),
            Reply::Integer(value) => (2, value.cast_unsigned(), &[]),
            Reply::Status(text) => (3, text.len() as u64, text),
            Reply::Error(text) => (4, text.len() as u64, text),
            Reply::WrongArity => (5, 0, &[]),
            Reply::Open(Container::Array, length) => (6, length.cast_unsigned(), &[]),
            Reply::Open(Container::Map, length) => (7, length.cast_unsigned(), &[]),
            Reply::SetLength(Container::Array | Container::Set, length) => (8, length.cast_unsigned(), &[]),
            Reply::SetLength(Container::Map, length) => (9, length.cast_unsigned(), &[]),
            Reply::Double(value) => (10, value.to_bits(), &[]),
            Reply::Open(Container::Set, length) => (11, length.cast_unsigned(), &[]),
            Reply::Bool(value) => (12, value.into(), &[]),
            Reply::BigNumber(digits) => (13, digits.len() as u64, digits),
        }
    }

    /// Adds it to those that are held, or handed to a module.
    #[inline(always)]
    pub fn write(self, parts: &mut Vec<u8>) {
        let (tag, number, bytes) = self.encoded();
        let mut head = [tag; HEAD_BYTES];
        head[1..].copy_from_slice(&number.to_le_bytes());
        parts.extend_from_slice(&head);
        if !bytes.is_empty() {
            parts.extend_from_slice(bytes);
        }
    }

    /// As [`decode`](Self::decode), off what a module has written: `None` also for what is no part of it, as
    /// errors and lengths that are told afterwards are not.
    #[inline(always)]
    pub fn decode_written(written: &mut &'a [u8]) -> Option<Reply<'a>> {
        if !matches!(written.first(), Some(0..=3 | 6 | 7 | 10..=13)) {
            return None;
        }
        Reply::decode(written)
    }

    /// Takes the first part off what is held; `None` at its end.
    #[inline(always)]
    pub fn decode(held: &mut &'a [u8]) -> Option<Reply<'a>> {
        let (head, mut rest) = held.split_first_chunk::<HEAD_BYTES>()?;
        let [tag, number @ ..] = *head;
        let number = u64::from_le_bytes(number);
        let bytes: &[u8] = if matches!(tag, 0 | 3 | 4 | 13) { rest.split_off(..number as usize)? } else { &[] };
        let value = number.cast_signed();
        *held = rest;
        Some(match tag {
            0 => Reply::Bulk(bytes),
            1 => Reply::Null,
            2 => Reply::Integer(value),
            3 => Reply::Status(bytes),
            4 => Reply::Error(bytes),
            5 => Reply::WrongArity,
            6 => Reply::Open(Container::Array, value),
            7 => Reply::Open(Container::Map, value),
            8 => Reply::SetLength(Container::Array, value),
            9 => Reply::SetLength(Container::Map, value),
            10 => Reply::Double(f64::from_bits(number)),
            11 => Reply::Open(Container::Set, value),
            12 => Reply::Bool(number != 0),
            _ => Reply::BigNumber(bytes),
        })
    }
}

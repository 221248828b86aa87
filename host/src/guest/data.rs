//! A module's data on its way into a file, or out of one.
//!
//! In the host's own type each value has its kind before it, so that a host without the module can keep what
//! it does not understand:
//!
//! ```text
//! string name, { 1, string | 2, unsigned } …, { 3, effect } …, 0     of each module
//! ```

use std::cell::{Cell, RefCell};

use crate::server::stream::Stream;

/// A value of a module's data, kept as it came.
#[derive(Clone)]
pub enum Piece {
    Bytes(Box<[u8]>),
    Number(u64),
}

/// What comes next in the host's type: the end of a module's data, one of its values, or an effect.
pub const END: u64 = 0;
pub const BYTES: u64 = 1;
pub const NUMBER: u64 = 2;
pub const EFFECT: u64 = 3;

/// Where a module's values go to, or come from.
#[derive(Clone, Copy)]
pub enum Data<'a> {
    /// A type of its own, which holds nothing else.
    Own(Stream<'a>),
    /// Its part of the host's type.
    Shared(&'a Pieces<'a>),
    /// The host's own memory.
    Held(&'a Held),
}

/// A module's values in the host's memory: those that it has saved, or is to load.
#[derive(Default)]
pub struct Held {
    pieces: RefCell<Vec<Piece>>,
    /// How many of them were loaded.
    next: Cell<usize>,
    failed: Cell<bool>,
}

impl Held {
    pub fn of(pieces: Vec<Piece>) -> Held {
        Held { pieces: RefCell::new(pieces), ..Held::default() }
    }

    pub fn into_pieces(self) -> Vec<Piece> {
        self.pieces.into_inner()
    }

    pub fn is_empty(&self) -> bool {
        self.pieces.borrow().is_empty()
    }

    /// Whether none is left to be loaded.
    pub fn is_used_up(&self) -> bool {
        self.next.get() == self.pieces.borrow().len()
    }

    fn save(&self, piece: Piece) {
        self.pieces.borrow_mut().push(piece);
    }

    /// The next value, lent to `action`, which answers `None` where it is of another kind.
    fn load<T>(&self, action: impl FnOnce(&Piece) -> Option<T>) -> Option<T> {
        if self.failed.get() {
            return None;
        }
        let result = self.pieces.borrow().get(self.next.get()).and_then(action);
        match result {
            Some(_) => self.next.set(self.next.get() + 1),
            None => self.failed.set(true),
        }
        result
    }
}

/// The part of one module in the host's type.
pub struct Pieces<'a> {
    stream: Stream<'a>,
    /// To be written before the first value: the name, and the encoding where it is told.
    name: &'a [u8],
    encoding: Option<u64>,
    begun: Cell<bool>,
    /// The kind that was read last and not taken.
    next: Cell<Option<u64>>,
    /// Whether the module has asked for what is not there.
    failed: Cell<bool>,
    /// What was read, where it is to be kept if the module refuses it; `None` once that is too much.
    copy: RefCell<Option<Copied>>,
}

/// What was read of a module's part.
#[derive(Default)]
struct Copied {
    pieces: Vec<Piece>,
    bytes: u64,
}

/// Bytes of a module's part that are held twice while it is loaded, so that the part can be kept if the
/// module refuses it. Nearly all refusals are of a schema, which comes first.
const COPIED_MAX: u64 = 256 << 20;

impl<'a> Pieces<'a> {
    /// `name`, and the `encoding` where the first value tells it: to be written before the others.
    pub fn new(stream: Stream<'a>, name: &'a [u8], encoding: Option<u64>) -> Pieces<'a> {
        Pieces {
            stream,
            name,
            encoding,
            begun: Cell::new(false),
            next: Cell::new(None),
            failed: Cell::new(false),
            copy: RefCell::default(),
        }
    }

    /// What is read from now on is copied, for [`Pieces::take_copy`].
    pub fn begin_copy(&self) {
        self.copy.replace(Some(Copied::default()));
    }

    /// What was read since [`Pieces::begin_copy`]; `None` where that was too much.
    pub fn take_copy(&self) -> Option<Vec<Piece>> {
        self.copy.take().map(|copied| copied.pieces)
    }

    fn note(&self, length: usize, piece: impl FnOnce() -> Piece) {
        let mut copy = self.copy.borrow_mut();
        let Some(copied) = &mut *copy else { return };
        copied.bytes += length as u64;
        if copied.bytes > COPIED_MAX {
            *copy = None;
        } else {
            copied.pieces.push(piece());
        }
    }

    /// Writes the end, where anything was written; whether there was.
    pub fn end(&self) -> bool {
        if self.begun.get() {
            self.stream.save_unsigned(END);
        }
        self.begun.get()
    }

    /// Whether a value comes next, and not the end of all or an effect: whether there is any data.
    pub fn has_values(&self) -> bool {
        let kind = self.kind();
        self.next.set(Some(kind));
        !matches!(kind, END | EFFECT)
    }

    /// What kind comes next; any where the stream has failed.
    pub fn kind(&self) -> u64 {
        self.next.take().unwrap_or_else(|| self.stream.load_unsigned())
    }

    fn begin(&self, kind: u64) {
        if !self.begun.replace(true) {
            self.stream.save_bytes(self.name);
            if let Some(encoding) = self.encoding {
                self.stream.save_unsigned(NUMBER);
                self.stream.save_unsigned(encoding);
            }
        }
        self.stream.save_unsigned(kind);
    }

    /// Whether a value of this kind comes next. What else comes is left to whoever asks by [`Pieces::kind`].
    fn expect(&self, wanted: u64) -> bool {
        if self.failed.get() {
            return false;
        }
        let kind = self.kind();
        if kind != wanted || self.stream.has_failed() {
            self.next.set(Some(kind));
            self.failed.set(true);
        }
        !self.failed.get()
    }
}

impl<'a> Data<'a> {
    /// The same, to be kept where no lifetime reaches.
    ///
    /// # Safety
    /// It is forgotten before `'a` ends.
    pub unsafe fn forever(self) -> Data<'static> {
        // SAFETY: by this function's contract, for either.
        unsafe {
            match self {
                Data::Own(stream) => Data::Own(stream.forever()),
                Data::Shared(pieces) => Data::Shared(&*(&raw const *pieces).cast::<Pieces<'static>>()),
                Data::Held(held) => Data::Held(&*(&raw const *held).cast::<Held>()),
            }
        }
    }

    pub fn save_unsigned(self, value: u64) {
        match self {
            Data::Own(stream) => stream.save_unsigned(value),
            Data::Shared(pieces) => {
                pieces.begin(NUMBER);
                pieces.stream.save_unsigned(value);
            }
            Data::Held(held) => held.save(Piece::Number(value)),
        }
    }

    pub fn save_bytes(self, bytes: &[u8]) {
        match self {
            Data::Own(stream) => stream.save_bytes(bytes),
            Data::Shared(pieces) => {
                pieces.begin(BYTES);
                pieces.stream.save_bytes(bytes);
            }
            Data::Held(held) => held.save(Piece::Bytes(bytes.into())),
        }
    }

    /// The next number; any where there is none.
    pub fn load_unsigned(self) -> u64 {
        match self {
            Data::Own(stream) => stream.load_unsigned(),
            Data::Shared(pieces) if pieces.expect(NUMBER) => {
                let value = pieces.stream.load_unsigned();
                pieces.note(size_of::<u64>(), || Piece::Number(value));
                value
            }
            Data::Shared(_) => 0,
            Data::Held(held) => held.load(|piece| if let Piece::Number(value) = piece { Some(*value) } else { None }).unwrap_or(0),
        }
    }

    /// The next byte string, lent to `action`; `None` where there is none.
    pub fn load_bytes<T>(self, action: impl FnOnce(&[u8]) -> T) -> Option<T> {
        match self {
            Data::Own(stream) => stream.load_bytes(action),
            Data::Shared(pieces) if pieces.expect(BYTES) => pieces.stream.load_bytes(|bytes| {
                pieces.note(bytes.len(), || Piece::Bytes(bytes.into()));
                action(bytes)
            }),
            Data::Shared(_) => None,
            Data::Held(held) => held.load(|piece| if let Piece::Bytes(bytes) = piece { Some(action(bytes)) } else { None }),
        }
    }

    /// Whether something was asked for that is not there, or the stream has failed.
    pub fn has_failed(self) -> bool {
        match self {
            Data::Own(stream) => stream.has_failed(),
            Data::Shared(pieces) => pieces.failed.get() || pieces.stream.has_failed(),
            Data::Held(held) => held.failed.get(),
        }
    }
}

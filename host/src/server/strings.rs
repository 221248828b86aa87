//! Strings of the server: those that it lends for a call, and those that are made for it.

use std::ffi::{CStr, c_int};
use std::marker::PhantomData;

use smallvec::SmallVec;

use super::api::Str;
use crate::rm;

/// A string that the server holds for as long as `'a`.
#[derive(Clone, Copy)]
pub struct ServerString<'a> {
    raw: *mut Str,
    held: PhantomData<&'a Str>,
}

impl<'a> ServerString<'a> {
    /// # Safety
    /// `raw` is a string of the server that lives for `'a`.
    pub unsafe fn new(raw: *mut Str) -> ServerString<'a> {
        ServerString { raw, held: PhantomData }
    }

    #[inline]
    pub fn raw(self) -> *mut Str {
        self.raw
    }

    /// The same, to be kept where no lifetime reaches.
    ///
    /// # Safety
    /// It is forgotten before `'a` ends.
    #[inline]
    pub unsafe fn forever(self) -> ServerString<'static> {
        ServerString { raw: self.raw, held: PhantomData }
    }

    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        let mut length = 0;
        // SAFETY: the string is alive for 'a; the server answers that many bytes, which it does not change
        // meanwhile.
        unsafe { std::slice::from_raw_parts(rm!(StringPtrLen(self.raw, &raw mut length)).cast::<u8>(), length) }
    }
}

/// The words of a command, its name first, which the server holds for as long as `'a`.
#[derive(Clone, Copy)]
pub struct Arguments<'a> {
    first: *mut *mut Str,
    count: c_int,
    held: PhantomData<&'a Str>,
}

impl<'a> Arguments<'a> {
    /// Those of no command.
    pub const NONE: Arguments<'static> = Arguments { first: std::ptr::null_mut(), count: 0, held: PhantomData };

    /// # Safety
    /// `argv` holds `argc` strings of the server, and lives for `'a` as they do.
    #[inline]
    pub unsafe fn new(argv: *mut *mut Str, argc: c_int) -> Arguments<'a> {
        Arguments { first: argv, count: argc, held: PhantomData }
    }

    /// How many there are, as the server counts them.
    #[inline]
    pub fn count(self) -> c_int {
        self.count
    }

    /// # Panics
    /// There are no more than `index` of them.
    #[inline]
    pub fn get(self, index: usize) -> ServerString<'a> {
        assert!(index < self.count as usize, "an argument that is not there");
        // SAFETY: the array has as many entries, each of them a string that is alive for 'a.
        unsafe { ServerString::new(*self.first.add(index)) }
    }

    /// All of them, the name first.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = ServerString<'a>> {
        (0..self.count as usize).map(move |index| self.get(index))
    }

    /// Those behind the first `count`, of which the last one is in the place of the name.
    ///
    /// # Panics
    /// There are no more than `count` of them.
    pub fn after(self, count: usize) -> Arguments<'a> {
        assert!(count < self.count as usize, "arguments that are not there");
        // SAFETY: the array has more entries than that.
        Arguments { first: unsafe { self.first.add(count) }, count: self.count - count as c_int, held: PhantomData }
    }

    /// Bytes of all but the name. O(their number).
    pub fn bytes(self) -> u64 {
        self.iter().skip(1).map(|argument| argument.bytes().len() as u64).sum()
    }

    /// The same, to be kept where no lifetime reaches.
    ///
    /// # Safety
    /// It is forgotten before `'a` ends.
    #[inline]
    pub unsafe fn forever(self) -> Arguments<'static> {
        Arguments { first: self.first, count: self.count, held: PhantomData }
    }
}

/// A byte string on its way to the server: one that the server holds already, or bytes to be made one.
#[derive(Clone, Copy)]
pub enum Word<'a> {
    Held(ServerString<'a>),
    Bytes(&'a [u8]),
}

impl<'a> Word<'a> {
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Word::Held(string) => string.bytes(),
            Word::Bytes(bytes) => bytes,
        }
    }
}

/// Strings for the server. Those that are made for it are freed together.
pub struct Strings<'a> {
    all: SmallVec<[*mut Str; 8]>,
    made: SmallVec<[*mut Str; 8]>,
    held: PhantomData<&'a Str>,
}

impl<'a> Strings<'a> {
    pub fn new(bytes: impl IntoIterator<Item = &'a [u8]>) -> Strings<'a> {
        Strings::of_words(bytes.into_iter().map(Word::Bytes))
    }

    pub fn of_texts(texts: &[&'a CStr]) -> Strings<'a> {
        Strings::new(texts.iter().map(|text| text.to_bytes()))
    }

    pub fn of_words(words: impl IntoIterator<Item = Word<'a>>) -> Strings<'a> {
        let mut strings = Strings { all: SmallVec::new(), made: SmallVec::new(), held: PhantomData };
        for word in words {
            strings.all.push(match word {
                Word::Held(string) => string.raw,
                Word::Bytes(bytes) => {
                    let string = create(bytes);
                    strings.made.push(string);
                    string
                }
            });
        }
        strings
    }

    #[inline]
    pub fn as_ptr(&self) -> *const *mut Str {
        self.all.as_ptr()
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// All of them.
    pub(super) fn all(&self) -> &[*mut Str] {
        &self.all
    }

    /// The bytes of each.
    pub fn words(&self) -> impl Iterator<Item = &[u8]> {
        // SAFETY: the strings are alive as long as this is.
        self.all.iter().map(|&string| unsafe { ServerString::new(string) }.bytes())
    }

    /// All of them, the first one in the place of a command's name.
    pub fn arguments(&self) -> Arguments<'_> {
        Arguments { first: self.all.as_ptr().cast_mut(), count: self.all.len() as c_int, held: PhantomData }
    }
}

impl Drop for Strings<'_> {
    fn drop(&mut self) {
        for &string in &self.made {
            // SAFETY: made by `create`, freed once.
            unsafe { rm!(FreeString(std::ptr::null_mut(), string)) };
        }
    }
}

/// Lends `action` a string of these bytes.
pub fn with_string<T>(bytes: &[u8], action: impl FnOnce(ServerString<'_>) -> T) -> T {
    action(Held::new(bytes).string())
}

/// A string of these bytes, to be freed by whoever asked for it.
pub(super) fn create(bytes: &[u8]) -> *mut Str {
    // SAFETY: the server copies the bytes.
    unsafe { rm!(CreateString(std::ptr::null_mut(), bytes.as_ptr().cast(), bytes.len())) }
}

/// A string that is kept for as long as this is.
pub struct Held(*mut Str);

impl Held {
    /// A copy of these bytes.
    pub fn new(bytes: &[u8]) -> Held {
        Held(create(bytes))
    }

    /// The same string, which the server keeps as well.
    #[inline]
    pub fn of(string: ServerString<'_>) -> Held {
        // SAFETY: the string is alive; it lives on until the drop below.
        unsafe { rm!(RetainString(std::ptr::null_mut(), string.raw)) };
        Held(string.raw)
    }

    /// # Safety
    /// `raw` is a string of the server that whoever asked for it is to free.
    pub(super) unsafe fn owned(raw: *mut Str) -> Held {
        Held(raw)
    }

    #[inline]
    pub fn string(&self) -> ServerString<'_> {
        ServerString { raw: self.0, held: PhantomData }
    }

    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.string().bytes()
    }
}

impl Drop for Held {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: kept by this alone, and freed once.
        unsafe { rm!(FreeString(std::ptr::null_mut(), self.0)) };
    }
}

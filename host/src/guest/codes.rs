//! The codes of errors: the server keeps a counter for each that it meets, for good, and shows all of them in
//! INFO.

use std::borrow::Cow;

/// Codes that a group of modules may have beside `ERR`.
const CODES_MAX: usize = 64;
/// Bytes of a text within which the server looks for the blank that ends its code; where there is none, it
/// counts `ERR`. Source: afterErrorReply in the server.
const CODE_BYTES_MAX: usize = 31;

/// The codes that the modules of a group have used.
#[derive(Default)]
pub struct Codes(Vec<Box<[u8]>>);

impl Codes {
    /// An error as it may be sent: as it is while its code is one of the first that were used, else with
    /// `ERR` before it.
    pub fn admit<'a>(&mut self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(length) = text.iter().take(CODE_BYTES_MAX).position(|&byte| byte == b' ') else { return text.into() };
        let code = &text[..length];
        if code == b"ERR" || self.0.iter().any(|known| **known == *code) {
            return text.into();
        }
        if self.0.len() < CODES_MAX {
            self.0.push(code.into());
            return text.into();
        }
        [b"ERR ", text].concat().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_beyond_the_first_become_part_of_the_text() {
        let mut codes = Codes::default();
        for number in 0..CODES_MAX {
            let text = format!("CODE{number} text");
            assert_eq!(*codes.admit(text.as_bytes()), *text.as_bytes());
        }
        assert_eq!(*codes.admit(b"CODE0 again"), *b"CODE0 again");
        assert_eq!(*codes.admit(b"ERR text"), *b"ERR text");
        assert_eq!(*codes.admit(b"MORE text"), *b"ERR MORE text");
        let long = [b'X'; 100];
        assert_eq!(*codes.admit(&long), long);
    }
}

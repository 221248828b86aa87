//! The codes of errors: the server keeps a counter for each that it meets, for good, and shows all of them in
//! INFO; and clients act on some of them.

use std::borrow::Cow;
use std::cell::RefCell;

/// Codes that a module may have beside `ERR`.
const CODES_MAX: usize = 64;
/// Bytes of a text within which the server looks for the blank that ends its code; where there is none, it
/// counts `ERR`. Source: afterErrorReply in the server.
const CODE_BYTES_MAX: usize = 31;
/// Codes that tell clients of the server's state, and what to do next: to ask another node, to wait, to sign
/// in. No module can know any of that.
const RESERVED: [&[u8]; 11] = [
    b"MOVED",
    b"ASK",
    b"TRYAGAIN",
    b"CLUSTERDOWN",
    b"READONLY",
    b"LOADING",
    b"MASTERDOWN",
    b"NOAUTH",
    b"WRONGPASS",
    b"NOPERM",
    b"EXECABORT",
];

/// The codes that a module has used.
#[derive(Default)]
pub struct Codes(RefCell<Vec<Box<[u8]>>>);

impl Codes {
    /// A module's error as it may be sent: as it is while its code is one of the first that the module has
    /// used, and none of the server's own, else with `ERR` before it.
    pub fn admit<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        // A line break becomes a blank on the way.
        let end = text.iter().position(|byte| b" \r\n\0".contains(byte));
        let code = &text[..end.unwrap_or(text.len())];
        if RESERVED.contains(&code) {
            return [b"ERR ", text].concat().into();
        }
        if end.is_none() || code.len() >= CODE_BYTES_MAX || code == b"ERR" {
            return text.into();
        }
        let mut known = self.0.borrow_mut();
        if known.iter().any(|known| **known == *code) {
            return text.into();
        }
        if known.len() < CODES_MAX {
            known.push(code.into());
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
        let codes = Codes::default();
        for number in 0..CODES_MAX {
            let text = format!("CODE{number} text");
            assert_eq!(*codes.admit(text.as_bytes()), *text.as_bytes());
        }
        assert_eq!(*codes.admit(b"CODE0 again"), *b"CODE0 again");
        assert_eq!(*codes.admit(b"ERR text"), *b"ERR text");
        assert_eq!(*codes.admit(b"MORE text"), *b"ERR MORE text");
        assert_eq!(*codes.admit(b"MORE\rtext"), *b"ERR MORE\rtext");
        let long = [b'X'; 100];
        assert_eq!(*codes.admit(&long), long);
    }

    #[test]
    fn the_servers_own_codes_become_part_of_the_text() {
        let codes = Codes::default();
        for code in RESERVED.iter().map(|code| str::from_utf8(code).unwrap()) {
            for text in [format!("{code} 1 host:1"), format!("{code}\n1"), format!("{code}\0"), code.to_string()] {
                assert_eq!(*codes.admit(text.as_bytes()), *format!("ERR {text}").as_bytes());
            }
        }
        for text in ["MOVEDON text", "moved text", " MOVED text", ""] {
            assert_eq!(*codes.admit(text.as_bytes()), *text.as_bytes());
        }
    }
}

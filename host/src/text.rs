//! Text on its way to the server: C strings, and lines that cannot be broken.

use std::ffi::CString;

/// `bytes` as a C string in which CR, LF and NUL are spaces: an error or a status must stay one line, and ends at its first NUL.
pub fn line(bytes: &[u8]) -> CString {
    let clean: Vec<u8> = bytes.iter().map(|&byte| if matches!(byte, b'\r' | b'\n' | 0) { b' ' } else { byte }).collect();
    CString::new(clean).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_line_holds_no_line_break_and_no_nul() {
        assert_eq!(super::line(b"a\r\nb\0c\xff").as_bytes(), b"a  b c\xff");
    }
}

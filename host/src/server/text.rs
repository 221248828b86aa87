//! Text on its way to the server: C strings, and lines that cannot be broken.

use std::ffi::{CStr, CString};

/// Bytes of a line: the server's log keeps no more of one, and nobody reads more of an error or a status.
pub const LINE_BYTES_MAX: usize = 1024;
/// Bytes of a line that needs no allocation: nearly every status, event and error.
const SHORT: usize = 128;

/// What a line keeps of `bytes`: at most [`LINE_BYTES_MAX`]. Comes before any copy and any conversion, which
/// may be three times as long.
#[inline]
pub fn cut(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(LINE_BYTES_MAX)]
}

/// `bytes`, cut, as a C string in which CR, LF and NUL are spaces: an error or a status must stay one line,
/// and ends at its first NUL.
pub fn line(bytes: &[u8]) -> CString {
    let clean: Vec<u8> = cut(bytes).iter().map(|&byte| clean(byte)).collect();
    CString::new(clean).unwrap_or_default()
}

/// As [`line`], lent to `action`, and without an allocation where the text is short.
#[inline]
pub fn with_line<T>(bytes: &[u8], action: impl FnOnce(&CStr) -> T) -> T {
    if bytes.len() >= SHORT {
        return action(&line(bytes));
    }
    let mut buffer = [0u8; SHORT];
    for (target, &byte) in buffer.iter_mut().zip(bytes) {
        *target = clean(byte);
    }
    // SAFETY: the bytes before the one at their length are clean, and that one is as the buffer was made:
    // NUL.
    action(unsafe { CStr::from_bytes_with_nul_unchecked(&buffer[..=bytes.len()]) })
}

/// The shortest text that reads back as this number, as servers write scores from Redis 7.2 on: with an
/// exponent, and its sign, where there would be many zeros.
pub fn double(value: f64) -> String {
    const WHOLE_MAX: f64 = (i64::MAX / 2) as f64;
    if !value.is_finite() {
        return format!("{value}").to_lowercase();
    }
    let short = format!("{value:e}");
    let (digits, exponent) = short.split_once('e').unwrap_or((&short, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let count = digits.bytes().filter(u8::is_ascii_digit).count() as i32;
    let last = exponent - (count - 1);
    let zeros_are_few = if last < 0 { last > -7 || exponent.abs() < 4 } else { exponent.abs() < count + 7 };
    if zeros_are_few || (value.fract() == 0.0 && value.abs() <= WHOLE_MAX) { format!("{value}") } else { format!("{digits}e{exponent:+}") }
}

#[inline]
fn clean(byte: u8) -> u8 {
    if matches!(byte, b'\r' | b'\n' | 0) { b' ' } else { byte }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_no_line_break_and_no_nul() {
        assert_eq!(line(b"a\r\nb\0c\xff").as_bytes(), b"a  b c\xff");
    }

    #[test]
    fn a_double_reads_back_and_is_short() {
        let told: Vec<String> = [0.1, -0.0, 3.0, 1e300, -2.5e-9, f64::NAN, f64::NEG_INFINITY].into_iter().map(double).collect();
        assert_eq!(told, ["0.1", "-0", "3", "1e+300", "-2.5e-9", "nan", "-inf"]);
    }

    #[test]
    fn a_line_keeps_what_the_log_keeps() {
        let long = vec![0xff; 1 << 20];
        assert_eq!(line(&long).as_bytes(), &long[..LINE_BYTES_MAX]);
        assert_eq!(with_line(&long, |text| text.to_bytes().len()), LINE_BYTES_MAX);
    }

    #[test]
    fn short_and_long_lines_are_the_same_text() {
        for length in [0, 1, SHORT - 1, SHORT, SHORT + 1, 1000] {
            let bytes: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
            let lent = with_line(&bytes, |text| text.to_bytes().to_vec());
            assert_eq!(lent, line(&bytes).as_bytes(), "{length} bytes");
        }
    }
}

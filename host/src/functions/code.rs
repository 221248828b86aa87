//! What stands behind the first line of FUNCTION LOAD and EVAL: a WebAssembly file, or base64 of one.

/// How a WebAssembly file begins.
const MAGIC: &[u8] = b"\0asm";

/// The file that this code is.
///
/// # Errors
/// It is neither.
pub fn file(code: &[u8]) -> Result<Vec<u8>, String> {
    let code = code.strip_prefix(b"\n").unwrap_or(code);
    if code.starts_with(MAGIC) {
        return Ok(code.to_vec());
    }
    decode(code).filter(|file| file.starts_with(MAGIC)).ok_or_else(|| NEITHER.into())
}

const NEITHER: &str = "what follows the first line is neither a WebAssembly file nor base64 of a whole one";

/// Reads base64, in lines of any length; `None` where it is none.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut digits: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if !digits.len().is_multiple_of(4) {
        return None;
    }
    for _ in 0..2 {
        digits.pop_if(|last| *last == b'=');
    }
    let mut file = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.chunks(4) {
        let mut bits = 0;
        for &digit in group {
            bits = bits << 6 | u32::from(value(digit)?);
        }
        let bytes = (bits << (6 * (4 - group.len()))).to_be_bytes();
        file.extend_from_slice(&bytes[1..group.len()]);
    }
    Some(file)
}

fn value(digit: u8) -> Option<u8> {
    Some(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_back() {
        for (text, bytes) in [("", &b""[..]), ("AA==", b"\0"), ("AGE=", b"\0a"), ("AGFz", b"\0as"), ("AGFz\nbQ==\n", b"\0asm")] {
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(bytes), "{text}");
        }
        assert_eq!(decode(b"+/+/").as_deref(), Some(&[0xfb, 0xff, 0xbf][..]));
        for text in ["A", "AGFz=", "AGFzb", "A===", "AG=z", "AGF-", "AGF\0"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_code_is_a_file_or_base64_of_one() {
        assert_eq!(file(b"\n\0asm\x01").unwrap(), b"\0asm\x01");
        assert_eq!(file(b"\n\n AGFzbQE=\n").unwrap(), b"\0asm\x01");
        for code in ["", "\n", "\nreturn 1", "\nAGFz", "\nAGFzbQE", "\nAGFzbQE=\0"] {
            assert_eq!(file(code.as_bytes()).unwrap_err(), NEITHER, "{code:?}");
        }
    }
}

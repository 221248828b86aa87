//! `wasm.trusted`: modules that may share a memory with others, by direct links, in words `name:sha256`. The
//! files beside this library need no word.

use std::cell::RefCell;

struct Static(RefCell<Vec<(String, String)>>);

// SAFETY: the server calls modules from its main thread alone.
unsafe impl Sync for Static {}

static TRUSTED: Static = Static(RefCell::new(Vec::new()));

/// Characters of a SHA-256 in hexadecimal.
const HASH_CHARS: usize = 64;

/// Takes another text.
///
/// # Errors
/// The word that cannot be taken, and why; nothing has changed.
pub fn take(text: &[u8]) -> Result<(), String> {
    let text = str::from_utf8(text).map_err(|_| "wasm.trusted is no text".to_string())?;
    let all = text.split_ascii_whitespace().map(parse).collect::<Result<Vec<_>, String>>()?;
    TRUSTED.0.replace(all);
    Ok(())
}

/// Whether the module of this name may share a memory while its file has this SHA-256, in hexadecimal.
pub fn names(name: &str, hash: &str) -> bool {
    TRUSTED.0.borrow().iter().any(|(trusted, sum)| trusted == name && sum == hash)
}

fn parse(word: &str) -> Result<(String, String), String> {
    word.split_once(':')
        .filter(|(name, hash)| !name.is_empty() && hash.len() == HASH_CHARS && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .map(|(name, hash)| (name.to_string(), hash.to_ascii_lowercase()))
        .ok_or_else(|| format!("{word} is no name:sha256"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trusted_with_its_sum_alone() {
        let (one, other) = ("a1".repeat(32), "B2".repeat(32));
        take(format!(" x:{one}  y:{other} ").as_bytes()).unwrap();
        assert!(names("x", &one) && names("y", &"b2".repeat(32)));
        assert!(!names("x", &"b2".repeat(32)) && !names("z", &one));
        for wrong in ["x", "x:", &format!(":{one}"), &format!("x:{}", &one[1..]), &format!("x:{}", "g1".repeat(32))] {
            assert_eq!(take(wrong.as_bytes()), Err(format!("{wrong} is no name:sha256")));
        }
        assert!(names("x", &one));
        take(b"").unwrap();
        assert!(!names("x", &one));
    }
}

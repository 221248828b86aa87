//! Patterns of keys, as the server has them: `*` any bytes, `?` one byte, `[abc]` `[a-z]` `[^a]` one of a
//! class, `\` takes the next byte as it is. At a difference it goes back to the last star alone, which finds
//! the same as a search from each of them: O(pattern × text) at most.

/// Whether the text matches the pattern, from end to end.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut place) = (0, 0);
    // Where the pattern goes on behind the last star, and the text that this is to be tried on next.
    let mut last: Option<(usize, usize)> = None;
    while place < text.len() {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            last = Some((at, place));
            continue;
        }
        if let Some(length) = element(&pattern[at..], text[place]) {
            at += length;
            place += 1;
            continue;
        }
        let Some((star, tried)) = last else { return false };
        last = Some((star, tried + 1));
        (at, place) = (star, tried + 1);
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

/// The bytes of the one element that the pattern begins with, where the byte matches it.
fn element(pattern: &[u8], byte: u8) -> Option<usize> {
    match *pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', ref class @ ..] => of_class(class, byte).map(|length| length + 1),
        [b'\\', escaped, ..] => (escaped == byte).then_some(2),
        [first, ..] => (first == byte).then_some(1),
    }
}

/// The bytes of a class behind its `[`, where the byte is in it. One that is never closed ends with the
/// pattern.
fn of_class(class: &[u8], byte: u8) -> Option<usize> {
    let is_negated = class.first() == Some(&b'^');
    let mut at = usize::from(is_negated);
    let mut found = false;
    loop {
        at += match class[at..] {
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', escaped, ..] => {
                found |= escaped == byte;
                2
            }
            [low, b'-', high, ..] => {
                found |= (low.min(high)..=low.max(high)).contains(&byte);
                3
            }
            [one, ..] => {
                found |= one == byte;
                1
            }
        };
    }
    (found != is_negated).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_are_those_of_the_server() {
        let cases: &[(&str, &str, bool)] = &[
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("user:*", "user:1", true),
            ("user:*", "user:", true),
            ("user:*", "user", false),
            ("*:end", "a:end:end", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("h[\\]]llo", "h]llo", true),
            ("h[ab", "hb", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "aXb", false),
            ("**a**", "bab", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), *expected, "{pattern} {text}");
        }
        let (pattern, text) = ("*a".repeat(500), "a".repeat(100_000) + "b");
        assert!(!matches(pattern.as_bytes(), text.as_bytes()));
    }
}

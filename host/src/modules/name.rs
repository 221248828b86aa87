//! A module's name: its identity in files, effects and INFO.

use wasmparser::{Parser, Payload};

/// Names that the host's own settings, commands and fields of INFO begin with, and what they will.
const RESERVED: [&str; 11] = ["wasm", "link", "max", "time", "dir", "allow", "cache", "trusted", "settings", "modules", "run"];
/// Bytes of the name of a module whose data the host looks after.
const KIT_BYTES_MAX: usize = 32;
/// The custom section in which a file tells its name: lines `key: value`.
const SECTION: &str = "redis-wasm";

/// Checks the name of a file; `is_kit`: whether the host looks after its data, and finds it by this name.
///
/// # Errors
/// The name is taken, or none of a kit's; or the file says that it has another.
pub fn check(name: &str, bytes: &[u8], is_kit: bool) -> Result<(), String> {
    if RESERVED.contains(&name) {
        return Err(format!("{name} is a name of the host's own: no module can have it"));
    }
    if let Some(told) = told(bytes, "name:")
        && told != name
    {
        return Err(format!("it was built as {told}, and its file is named {name}: give it the name that it was built with"));
    }
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let fits = name.len() <= KIT_BYTES_MAX && name.starts_with(|first: char| first.is_ascii_lowercase());
    if is_kit && !(fits && name.bytes().all(is_letter)) {
        return Err(format!("the name of a module that exports apply has a letter and at most {} of a to z and 0 to 9", KIT_BYTES_MAX - 1));
    }
    Ok(())
}

/// How the file's data lies in memory, as its custom section tells, if it has one: two files that tell the
/// same can take over from each other.
pub fn layout(bytes: &[u8]) -> Option<String> {
    told(bytes, "layout:")
}

/// The name that the file was built with, if its custom section tells one.
pub fn of(bytes: &[u8]) -> Option<String> {
    told(bytes, "name:")
}

/// The names of the file's tables, if its custom section tells them.
pub fn tables(bytes: &[u8]) -> Option<Vec<String>> {
    Some(told(bytes, "tables:")?.split_ascii_whitespace().map(str::to_string).collect())
}

/// What the file's custom section tells behind this word, if it has one.
fn told(bytes: &[u8], word: &str) -> Option<String> {
    let sections = Parser::new(0).parse_all(bytes).map_while(Result::ok);
    let text = sections.into_iter().find_map(|payload| match payload {
        Payload::CustomSection(section) if section.name() == SECTION => Some(String::from_utf8_lossy(section.data()).into_owned()),
        _ => None,
    })?;
    text.lines().find_map(|line| line.strip_prefix(word)).map(|told| told.trim().to_string())
}

//! `wasm.settings`: the settings of kit modules, in one text of words `module.setting=number`.
//!
//! A module declares its own before it runs; each change of the text is checked against all that are
//! declared. Words of modules that are not there are kept, for when they are.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// Bytes of a setting's name.
const NAME_BYTES_MAX: usize = 32;

/// What a module has declared of one setting.
struct Declared {
    default: i64,
    min: i64,
    max: i64,
    /// Lives as long as the process.
    value: &'static AtomicI64,
}

#[derive(Default)]
struct Settings {
    /// What the text says, by the names in it.
    told: BTreeMap<String, i64>,
    /// By `module.setting`.
    declared: BTreeMap<String, Declared>,
}

struct Static(RefCell<Option<Settings>>);

// SAFETY: the server calls modules from its main thread alone.
unsafe impl Sync for Static {}

static SETTINGS: Static = Static(RefCell::new(None));

/// Forgets what modules have declared: a load begins.
pub fn forget() {
    SETTINGS.0.replace(None);
}

/// Declares the setting `name` of a module: a whole number from `min` to `max`. What the text says of it
/// holds, else `default`.
///
/// # Errors
/// The name or the numbers are none, the module has a setting of this name already, or the text has a number
/// outside of its range.
pub fn declare(module: &str, name: &str, default: i64, min: i64, max: i64) -> Result<&'static AtomicI64, String> {
    if !is_name(name) {
        return Err(format!("the setting {name:?}: a name has a letter and at most {} of a to z, 0 to 9 and -", NAME_BYTES_MAX - 1));
    }
    if !(min..=max).contains(&default) {
        return Err(format!("the setting {name}: its default {default} is outside of {min} to {max}"));
    }
    let mut settings = SETTINGS.0.borrow_mut();
    let Settings { told, declared } = settings.get_or_insert_default();
    let whole = format!("{module}.{name}");
    if declared.contains_key(&whole) {
        return Err(format!("the setting {name} twice"));
    }
    let setting = Declared { default, min, max, value: Box::leak(Box::new(AtomicI64::new(default))) };
    if let Some(&value) = told.get(&whole) {
        setting.check(&whole, value)?;
        setting.value.store(value, Relaxed);
    }
    let value = setting.value;
    declared.insert(whole, setting);
    Ok(value)
}

/// Takes another text: each setting that is declared has the value that the text tells, else its default.
///
/// # Errors
/// The word that cannot be taken, and why; nothing has changed.
pub fn take(text: &[u8]) -> Result<(), String> {
    let text = str::from_utf8(text).map_err(|_| "wasm.settings is no text".to_string())?;
    let mut told = BTreeMap::new();
    for word in text.split_ascii_whitespace() {
        let (name, value) = parse(word)?;
        if told.insert(name.to_string(), value).is_some() {
            return Err(format!("{name} stands there twice"));
        }
    }
    let mut settings = SETTINGS.0.borrow_mut();
    let settings = settings.get_or_insert_default();
    for (name, &value) in &told {
        settings.declared.get(name).map_or(Ok(()), |setting| setting.check(name, value))?;
    }
    for (name, setting) in &settings.declared {
        setting.value.store(told.get(name).copied().unwrap_or(setting.default), Relaxed);
    }
    settings.told = told;
    Ok(())
}

impl Declared {
    fn check(&self, name: &str, value: i64) -> Result<(), String> {
        let Declared { min, max, .. } = self;
        if (*min..=*max).contains(&value) { Ok(()) } else { Err(format!("{name} takes {min} to {max}, not {value}")) }
    }
}

/// The name and the number of a word `module.setting=number`.
fn parse(word: &str) -> Result<(&str, i64), String> {
    let wrong = || format!("{word} is no module.setting=number");
    let (name, value) = word.split_once('=').ok_or_else(wrong)?;
    let (_, setting) = name.split_once('.').filter(|(module, _)| !module.is_empty()).ok_or_else(wrong)?;
    if !is_name(setting) {
        return Err(wrong());
    }
    Ok((name, value.parse().map_err(|_| wrong())?))
}

fn is_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.len() <= NAME_BYTES_MAX && name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In one test: they share what is declared.
    #[test]
    fn each_setting_has_what_the_text_tells_or_its_default() {
        forget();
        take(b" limit.burst=5  other.x=-7 ").unwrap();
        let burst = declare("limit", "burst", 10, 1, 100).unwrap();
        let window = declare("limit", "window", 60, 1, 3600).unwrap();
        assert_eq!((burst.load(Relaxed), window.load(Relaxed)), (5, 60));
        take(b"limit.window=9").unwrap();
        assert_eq!((burst.load(Relaxed), window.load(Relaxed)), (10, 9));
        for (text, error) in [
            (&b"limit.window=8 limit.burst=101"[..], "limit.burst takes 1 to 100, not 101"),
            (b"limit.burst=1 limit.burst=1", "limit.burst stands there twice"),
            (b"limit.burst", "limit.burst is no module.setting=number"),
            (b"burst=1", "burst=1 is no module.setting=number"),
            (b".burst=1", ".burst=1 is no module.setting=number"),
            (b"limit.Burst=1", "limit.Burst=1 is no module.setting=number"),
            (b"limit.burst=1.5", "limit.burst=1.5 is no module.setting=number"),
            (b"limit.burst=\xff", "wasm.settings is no text"),
        ] {
            assert_eq!(take(text), Err(error.to_string()));
        }
        assert_eq!((burst.load(Relaxed), window.load(Relaxed)), (10, 9));
        assert!(declare("limit", "burst", 1, 1, 1).unwrap_err().contains("twice"));
        assert!(declare("limit", "wide", 0, 1, 1).unwrap_err().contains("its default 0 is outside of 1 to 1"));
        assert!(declare("limit", "No", 1, 1, 1).unwrap_err().contains("a name has"));
        take(b"limit.late=7").unwrap();
        assert_eq!(declare("limit", "late", 1, 1, 5).unwrap_err(), "limit.late takes 1 to 5, not 7");
    }
}

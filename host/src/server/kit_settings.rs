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
    /// Where the value is of each that was ever declared, likewise: a file that declares it no more may not
    /// come to serve.
    cells: BTreeMap<String, &'static AtomicI64>,
}

struct Static(RefCell<Option<Settings>>);

// SAFETY: the server calls modules from its main thread alone.
unsafe impl Sync for Static {}

static SETTINGS: Static = Static(RefCell::new(None));

/// Forgets what modules have declared: a load begins.
pub fn forget() {
    SETTINGS.0.replace(None);
}

/// What a module declares of one setting: a whole number from `min` to `max`.
pub struct KitSetting {
    pub name: String,
    pub default: i64,
    pub min: i64,
    pub max: i64,
}

/// Checks what a module declares; nothing has changed afterwards.
///
/// # Errors
/// A name or numbers are none, a name is there twice, or the text has a number outside of its range.
pub fn check(module: &str, settings: &[(i32, KitSetting)]) -> Result<(), String> {
    for (place, (_, KitSetting { name, default, min, max })) in settings.iter().enumerate() {
        if !is_name(name) {
            return Err(format!("the setting {name:?}: a name has a letter and at most {} of a to z, 0 to 9 and -", NAME_BYTES_MAX - 1));
        }
        if !(min..=max).contains(&default) {
            return Err(format!("the setting {name}: its default {default} is outside of {min} to {max}"));
        }
        if settings[..place].iter().any(|(_, other)| other.name == *name) {
            return Err(format!("the setting {name} twice"));
        }
        let whole = format!("{module}.{name}");
        let told = SETTINGS.0.borrow().as_ref().and_then(|all| all.told.get(&whole).copied());
        told.map_or(Ok(()), |value| check_range(&whole, value, *min, *max))?;
    }
    Ok(())
}

/// The settings of a module, which have been checked, take the place of those that it had. What the text says
/// of one holds, else its default. Answers where the values are, by the module's handles.
pub fn adopt(module: &str, settings: &[(i32, KitSetting)]) -> BTreeMap<i32, &'static AtomicI64> {
    let mut all = SETTINGS.0.borrow_mut();
    let Settings { told, declared, cells } = all.get_or_insert_default();
    declared.retain(|whole, _| whole.split_once('.').is_none_or(|(of, _)| of != module));
    let mut values = BTreeMap::new();
    for &(handle, KitSetting { ref name, default, min, max }) in settings {
        let whole = format!("{module}.{name}");
        let value = *cells.entry(whole.clone()).or_insert_with(|| Box::leak(Box::new(AtomicI64::new(default))));
        value.store(told.get(&whole).copied().unwrap_or(default), Relaxed);
        declared.insert(whole, Declared { default, min, max, value });
        values.insert(handle, value);
    }
    values
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
        settings.declared.get(name).map_or(Ok(()), |setting| check_range(name, value, setting.min, setting.max))?;
    }
    for (name, setting) in &settings.declared {
        setting.value.store(told.get(name).copied().unwrap_or(setting.default), Relaxed);
    }
    settings.told = told;
    Ok(())
}

fn check_range(name: &str, value: i64, min: i64, max: i64) -> Result<(), String> {
    if (min..=max).contains(&value) { Ok(()) } else { Err(format!("{name} takes {min} to {max}, not {value}")) }
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

    fn setting(handle: i32, name: &str, default: i64, (min, max): (i64, i64)) -> (i32, KitSetting) {
        (handle, KitSetting { name: name.into(), default, min, max })
    }

    /// In one test: they share what is declared.
    #[test]
    fn each_setting_has_what_the_text_tells_or_its_default() {
        forget();
        take(b" limit.burst=5  other.x=-7 ").unwrap();
        let both = [setting(1, "burst", 10, (1, 100)), setting(2, "window", 60, (1, 3600))];
        check("limit", &both).unwrap();
        let cells = adopt("limit", &both);
        let (burst, window) = (cells[&1], cells[&2]);
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
        let refused = |settings: &[(i32, KitSetting)]| check("limit", settings).unwrap_err();
        assert_eq!(refused(&[setting(1, "burst", 1, (1, 1)), setting(2, "burst", 1, (1, 1))]), "the setting burst twice");
        assert!(refused(&[setting(1, "wide", 0, (1, 1))]).contains("its default 0 is outside of 1 to 1"));
        assert!(refused(&[setting(1, "No", 1, (1, 1))]).contains("a name has"));
        take(b"limit.late=7").unwrap();
        assert_eq!(refused(&[setting(1, "late", 1, (1, 5))]), "limit.late takes 1 to 5, not 7");
        // Another file of the module: what both have stays where it is.
        take(b"limit.window=9").unwrap();
        let cells = adopt("limit", &[setting(7, "window", 1, (1, 10))]);
        assert!(std::ptr::eq(cells[&7], window) && window.load(Relaxed) == 9);
        take(b"limit.burst=101").unwrap();
    }
}

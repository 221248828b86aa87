//! What is kept for modules that are not loaded here: their data, as a file had it, and the effects that came
//! behind it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use super::slot_set::SlotSet;
use crate::guest::data::Piece;

/// Bytes that the effects kept for all modules may have, as [`Effect::bytes`] counts them.
const EFFECTS_MAX: u64 = 64 << 20;
/// Bytes that a value counts beside its own.
const EACH: u64 = 64;

/// One effect: `wasm.apply <key> <module> <format> <argument> …`.
#[derive(Clone)]
pub struct Effect {
    pub key: Box<[u8]>,
    pub format: Box<[u8]>,
    pub arguments: Vec<Box<[u8]>>,
}

/// What is kept for one module.
#[derive(Default)]
pub struct Part {
    pub pieces: Vec<Piece>,
    /// What came behind them, in its order.
    pub effects: Vec<Effect>,
    bytes: u64,
    effect_bytes: u64,
}

/// What is kept for all of them.
#[derive(Default)]
pub struct Kept {
    /// By the module's name. Within one call of the host alone.
    parts: RefCell<BTreeMap<Box<[u8]>, Part>>,
    effect_bytes: Cell<u64>,
    /// The modules that the running load, or the last one, has come to a part of, missing here or not.
    begun: RefCell<BTreeSet<Box<[u8]>>>,
}

/// The format of an effect by which what lies in some slots of a cluster goes: its one argument, as text.
pub const DROP_SLOTS: &[u8] = b"-3";

impl Effect {
    fn of_slots(slots: &SlotSet) -> Effect {
        Effect { key: Box::default(), format: DROP_SLOTS.into(), arguments: vec![slots.to_string().into_bytes().into()] }
    }

    /// The slots that go by it, if it is such an effect.
    pub fn slots(&self) -> Option<SlotSet> {
        let text = self.arguments.first().filter(|_| *self.format == *DROP_SLOTS)?;
        SlotSet::parse(str::from_utf8(text).ok()?)
    }

    /// Its format, if that is a number as an effect has it.
    pub fn format_of(text: &[u8]) -> Option<i32> {
        str::from_utf8(text).ok()?.parse().ok()
    }

    fn bytes(&self) -> u64 {
        let arguments: u64 = self.arguments.iter().map(|argument| argument.len() as u64 + EACH).sum();
        (self.key.len() + self.format.len()) as u64 + EACH + arguments
    }
}

impl Kept {
    /// A load begins.
    pub fn begin_load(&self) {
        self.begun.borrow_mut().clear();
    }

    /// A module's part of a file begins: it takes the place of what is kept for that module.
    ///
    /// # Errors
    /// The running load has come to a part of this module before, in whichever section.
    pub fn begin_part(&self, module: &[u8]) -> Result<(), String> {
        if !self.begun.borrow_mut().insert(module.into()) {
            return Err(format!("the module {} is there twice", module.escape_ascii()));
        }
        self.take(|name| name == module);
        Ok(())
    }

    /// Keeps a value of a module's data behind those that are kept already.
    pub fn add_piece(&self, module: &[u8], piece: Piece) {
        let length = if let Piece::Bytes(bytes) = &piece { bytes.len() } else { 0 };
        self.change(module, |part| {
            part.bytes += length as u64 + EACH;
            part.pieces.push(piece);
        });
    }

    /// Keeps an effect behind what is kept for its module already.
    ///
    /// # Errors
    /// There are more than may be kept.
    pub fn add_effect(&self, module: &[u8], effect: Effect) -> Result<(), String> {
        let bytes = effect.bytes();
        if self.effect_bytes.get() + bytes > EFFECTS_MAX {
            let most = EFFECTS_MAX >> 20;
            return Err(format!("more than {most} MiB of effects wait for modules that are not loaded here"));
        }
        self.effect_bytes.set(self.effect_bytes.get() + bytes);
        self.change(module, |part| {
            part.bytes += bytes;
            part.effect_bytes += bytes;
            part.effects.push(effect);
        });
        Ok(())
    }

    /// What is kept in these slots for the modules that `is_it` is to go: once they are loaded, in its turn
    /// among the effects. That counts no bytes, and is one effect with another such before it.
    pub fn drop_slots(&self, slots: &SlotSet, is_it: impl Fn(&[u8]) -> bool) {
        if slots.is_empty() {
            return;
        }
        for (_, part) in self.parts.borrow_mut().iter_mut().filter(|(name, _)| is_it(name)) {
            let before = part.effects.pop_if(|last| last.slots().is_some());
            let mut all = before.and_then(|last| last.slots()).unwrap_or_default();
            all.add_all(slots);
            part.effects.push(Effect::of_slots(&all));
        }
    }

    fn change(&self, module: &[u8], action: impl FnOnce(&mut Part)) {
        let mut parts = self.parts.borrow_mut();
        match parts.get_mut(module) {
            Some(part) => action(part),
            None => action(parts.entry(module.into()).or_default()),
        }
    }

    /// Runs `action` with what is kept for a module: nothing where there is none.
    pub fn with<T>(&self, module: &[u8], action: impl FnOnce(&Part) -> T) -> T {
        let parts = self.parts.borrow();
        match parts.get(module) {
            Some(part) => action(part),
            None => action(&Part::default()),
        }
    }

    /// Keeps nothing for this module any more.
    pub fn forget(&self, module: &[u8]) {
        self.take(|name| name == module);
    }

    /// Hands out what is kept for the first module that `is_wanted`.
    pub fn take(&self, is_wanted: impl Fn(&[u8]) -> bool) -> Option<(Box<[u8]>, Part)> {
        let mut parts = self.parts.borrow_mut();
        let name = parts.keys().find(|name| is_wanted(name))?.clone();
        let part = parts.remove(&name)?;
        self.effect_bytes.set(self.effect_bytes.get() - part.effect_bytes);
        Some((name, part))
    }

    /// Calls `action` for each module with what is kept for it.
    pub fn each(&self, mut action: impl FnMut(&[u8], &Part)) {
        self.parts.borrow().iter().for_each(|(name, part)| action(name, part));
    }

    pub fn is_empty(&self) -> bool {
        self.parts.borrow().is_empty()
    }

    /// How many modules something is kept for, and its bytes.
    pub fn size(&self) -> (u64, u64) {
        let parts = self.parts.borrow();
        (parts.len() as u64, parts.values().map(|part| part.bytes).sum())
    }

    pub fn clear(&self) {
        self.parts.borrow_mut().clear();
        self.effect_bytes.set(0);
    }

    /// Changes what is kept with that of `other`.
    pub fn swap(&self, other: &Kept) {
        self.parts.swap(&other.parts);
        self.effect_bytes.swap(&other.effect_bytes);
        self.begun.swap(&other.begun);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_dropped_in_their_turn() {
        let kept = Kept::default();
        let slots = |text| SlotSet::parse(text).unwrap();
        kept.drop_slots(&slots("1"), |_| true);
        assert!(kept.is_empty(), "where nothing is kept, nothing is dropped");
        let effect = || Effect { key: b"k"[..].into(), format: b"1"[..].into(), arguments: Vec::new() };
        kept.add_piece(b"one", Piece::Number(1));
        kept.add_effect(b"other", effect()).unwrap();
        kept.drop_slots(&slots("1-3"), |_| true);
        kept.drop_slots(&slots("5"), |name| name == b"other");
        kept.add_effect(b"other", effect()).unwrap();
        let size = kept.size();
        kept.drop_slots(&slots("5"), |_| true);
        assert_eq!(kept.size(), size);
        let told = |module: &[u8]| {
            kept.with(module, |part| part.effects.iter().map(|each| each.slots().map(|slots| slots.to_string())).collect::<Vec<_>>())
        };
        assert_eq!(told(b"one"), [Some("1-3,5".into())]);
        assert_eq!(told(b"other"), [None, Some("1-3,5".into()), None, Some("5".into())]);
    }
}

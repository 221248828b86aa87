//! Slots of a cluster that are on their way to another node, or away already, with what modules hold in them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::slot_set::SlotSet;

const HANDED: &str = "HANDED";
const IMPORTED: &str = "IMPORTED";

/// What becomes of slots here. All of it is empty on a server that is in no cluster.
#[derive(Default)]
pub struct Moving {
    /// Slots whose data another node has, though the cluster may still name this one: and that node's id.
    handed: RefCell<BTreeMap<u16, String>>,
    /// Slots whose data is to be dropped here.
    leaving: RefCell<SlotSet>,
    /// Slots whose data has come from another node while the cluster did not name this one yet.
    pub imported: RefCell<SlotSet>,
    /// Keys that have brought data along and are to be deleted.
    pub spent: RefCell<Vec<Box<[u8]>>>,
    /// Slots whose data is to be dropped once the server lets it be told to replicas.
    pub owed: RefCell<SlotSet>,
    /// Slots whose data has come, once the server lets that be told to replicas.
    pub taken: RefCell<SlotSet>,
    /// Whether the host itself calls the effect that releases slots.
    pub releases: Cell<bool>,
    /// Whether this server has become a primary, and has not looked yet at whose slots its data lies in.
    pub is_promoted: Cell<bool>,
    /// Whether a slot is handed over before the server looks at the command that opens it.
    pub hands_ahead: Cell<bool>,
    /// The slots whose data is being taken from another node.
    pub taking: RefCell<SlotSet>,
    /// Why the command is refused that the server comes to next.
    pub refusal: RefCell<Option<String>>,
    /// Slots that the server moves at once, by its names of these moves.
    pub moves: RefCell<BTreeMap<String, Move>>,
    /// Whether any of them goes from here.
    pub exports: Cell<bool>,
    /// Ids that lie in other slots than what they belong to, as counted last; `None` before, and after a
    /// load.
    pub strays: Cell<Option<u64>>,
    /// Slots that were to go, by moves that ended otherwise, and when the last one did.
    doubted: RefCell<SlotSet>,
    doubted_at: Cell<Option<Instant>>,
    /// The slots of which it was told last that their data has come without them.
    told: RefCell<SlotSet>,
    /// When a slot was moved by itself last, as long as modules may keep what finds the entries of others.
    pub indexed: Cell<Option<Instant>>,
    /// When the cluster was asked last.
    asked: Cell<Option<Instant>>,
    /// Whether any slot is handed, leaving or about to go: what each command looks at.
    is_any: Cell<bool>,
}

/// Slots that the server moves at once.
pub struct Move {
    pub slots: SlotSet,
    /// Whether they come here.
    pub is_import: bool,
    /// The key that has a child write what they hold, where the server needs one for that.
    pub anchor: Option<String>,
    /// What makes it fail.
    pub broken: Option<String>,
}

impl Moving {
    #[inline]
    pub fn is_any(&self) -> bool {
        self.is_any.get()
    }

    /// The node that has this slot's data by now, where that is another one.
    pub fn handed_to(&self, slot: u16) -> Option<String> {
        self.handed.borrow().get(&slot).cloned()
    }

    /// Another node has the data of these slots.
    pub fn hand(&self, slots: &SlotSet, node: &str) {
        self.imported.borrow_mut().remove_all(slots);
        self.handed.borrow_mut().extend(slots.iter().map(|slot| (slot, node.to_string())));
        self.note();
    }

    /// The slots that the key of this name takes along, by a move that runs.
    pub fn slots_taken_by(&self, key: &[u8]) -> Option<SlotSet> {
        let moves = self.moves.borrow();
        moves.values().find(|one| one.anchor.as_ref().is_some_and(|name| name.as_bytes() == key)).map(|one| one.slots.clone())
    }

    /// Whether this slot is one whose data is being taken, or comes by a move that runs.
    pub fn takes(&self, slot: u16) -> bool {
        self.taking.borrow().contains(slot) || self.moves.borrow().values().any(|one| one.is_import && one.slots.contains(slot))
    }

    /// Whether anything is to be told to replicas once the server lets it.
    pub fn owes(&self) -> bool {
        !self.spent.borrow().is_empty() || !self.owed.borrow().is_empty() || !self.taken.borrow().is_empty()
    }

    /// Whether another node has the data of any slot that the cluster may still name this one for.
    pub fn has_handed(&self) -> bool {
        !self.handed.borrow().is_empty()
    }

    /// Forgets that another node has the data of slots for which `is_over` holds, given the slot and that
    /// node's id: the server itself sends clients there.
    pub fn forget_handed(&self, is_over: impl Fn(u16, &str) -> bool) {
        self.handed.borrow_mut().retain(|slot, node| !is_over(*slot, node));
        self.note();
    }

    /// The data of these slots is here, or is of no concern any more.
    pub fn take_back(&self, slots: &SlotSet) {
        self.handed.borrow_mut().retain(|slot, _| !slots.contains(*slot));
        self.owed.borrow_mut().remove_all(slots);
        self.note();
    }

    /// What is to be known after a restart, a line each: `HANDED <slot> <node>` and `IMPORTED <slots>`.
    pub fn marks(&self) -> Vec<String> {
        let mut marks: Vec<String> = self.handed.borrow().iter().map(|(slot, node)| format!("{HANDED} {slot} {node}")).collect();
        let imported = self.imported.borrow();
        if !imported.is_empty() {
            marks.push(format!("{IMPORTED} {imported}"));
        }
        marks
    }

    /// Knows what such a line says. What it does not understand it leaves alone.
    pub fn note_mark(&self, mark: &str) {
        let words: Vec<&str> = mark.split(' ').collect();
        match words[..] {
            [HANDED, slots, node] if let Some(slots) = SlotSet::parse(slots) => self.hand(&slots, node),
            [IMPORTED, slots] if let Some(slots) = SlotSet::parse(slots) => self.imported.borrow_mut().add_all(&slots),
            _ => {}
        }
    }

    /// Another server's data comes in the place of what is here: its marks come with it.
    pub fn forget_marks(&self) {
        self.handed.borrow_mut().clear();
        self.imported.take();
        self.leaving.take();
        self.note();
    }

    /// The data of these slots is to be dropped.
    pub fn leave(&self, slots: &SlotSet) {
        self.imported.borrow_mut().remove_all(slots);
        self.leaving.borrow_mut().add_all(slots);
        self.note();
    }

    /// The data of these slots has been dropped.
    pub fn left(&self, slots: &SlotSet) {
        self.leaving.borrow_mut().remove_all(slots);
        self.note();
    }

    pub fn leaving(&self) -> SlotSet {
        self.leaving.borrow().clone()
    }

    pub fn is_leaving(&self, slot: u16) -> bool {
        self.leaving.borrow().contains(slot)
    }

    /// These slots were to go, and the move has ended otherwise: another node may have them all the same.
    pub fn doubt(&self, slots: &SlotSet) {
        self.doubted.borrow_mut().add_all(slots);
        self.doubted_at.set(Some(Instant::now()));
    }

    /// Slots that another node may have, by a move that ended some minutes ago at most.
    pub fn doubted(&self) -> SlotSet {
        const LASTS: Duration = Duration::from_secs(300);
        if self.doubted_at.get().is_some_and(|at| at.elapsed() > LASTS) {
            self.doubted_at.set(None);
            self.doubted.take();
        }
        self.doubted.borrow().clone()
    }

    /// It is known whose these slots are.
    pub fn trust(&self, slots: &SlotSet) {
        self.doubted.borrow_mut().remove_all(slots);
    }

    /// Whether the cluster was asked within the last second; if not, it is now.
    pub fn is_asked_lately(&self) -> bool {
        const PERIOD: Duration = Duration::from_secs(1);
        let is_late = self.asked.get().is_none_or(|asked| asked.elapsed() > PERIOD);
        if is_late {
            self.asked.set(Some(Instant::now()));
        }
        !is_late
    }

    /// Whether these slots are others than those of which it was told last.
    pub fn is_new_loss(&self, slots: &SlotSet) -> bool {
        self.told.replace(slots.clone()) != *slots
    }

    /// What the server moves at once has changed.
    pub fn note(&self) {
        self.exports.set(self.moves.borrow().values().any(|one| !one.is_import));
        self.is_any.set(self.exports.get() || !self.handed.borrow().is_empty() || !self.leaving.borrow().is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_say_what_is_known() {
        let moving = Moving::default();
        assert!(moving.marks().is_empty() && !moving.is_any());
        moving.imported.borrow_mut().add_all(&SlotSet::parse("7-9").unwrap());
        moving.hand(&SlotSet::parse("3,8").unwrap(), "07c3");
        let marks = moving.marks();
        assert_eq!(marks, ["HANDED 3 07c3", "HANDED 8 07c3", "IMPORTED 7,9"]);
        let other = Moving::default();
        marks.iter().map(String::as_str).chain(["", "HANDED", "HANDED x y", "LATER 5"]).for_each(|mark| other.note_mark(mark));
        assert_eq!(other.marks(), marks);
        assert_eq!((other.handed_to(3).as_deref(), other.handed_to(4), other.is_any()), (Some("07c3"), None, true));
        other.take_back(&SlotSet::of(3));
        other.forget_marks();
        assert!(other.marks().is_empty() && !other.is_any());
    }
}

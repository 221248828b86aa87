//! A list that grows while others read it.

use std::cell::{Cell, UnsafeCell};

/// A list that takes as many entries as it was made for; they stay where they are.
pub struct Shelf<T> {
    places: Box<[UnsafeCell<Option<T>>]>,
    count: Cell<usize>,
}

impl<T> Shelf<T> {
    pub fn with_room(most: usize) -> Shelf<T> {
        Shelf { places: (0..most).map(|_| UnsafeCell::new(None)).collect(), count: Cell::new(0) }
    }

    /// Adds an entry behind the others, and answers its place.
    ///
    /// # Panics
    /// It has as many entries as it was made for.
    pub fn push(&self, entry: T) -> usize {
        let place = self.count.get();
        // SAFETY: nobody has been lent what is behind the last entry.
        unsafe { *self.places[place].get() = Some(entry) };
        self.count.set(place + 1);
        place
    }

    /// Drops the last entry.
    ///
    /// # Safety
    /// Nothing borrows it.
    pub unsafe fn pop(&self) {
        let Some(last) = self.count.get().checked_sub(1) else { return };
        self.count.set(last);
        // SAFETY: by this function's contract.
        drop(unsafe { (*self.places[last].get()).take() });
    }

    #[inline]
    pub fn get(&self, place: usize) -> Option<&T> {
        // SAFETY: an entry is written before anybody is lent it, and dropped when nobody is.
        unsafe { (*self.places.get(place)?.get()).as_ref() }
    }

    pub fn len(&self) -> usize {
        self.count.get()
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.places.len()).map_while(|place| self.get(place))
    }
}

impl<T> std::ops::Index<usize> for Shelf<T> {
    type Output = T;

    #[inline]
    fn index(&self, place: usize) -> &T {
        self.get(place).expect("an entry of this shelf")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_stay_where_they_are() {
        let shelf = Shelf::with_room(2);
        assert_eq!((shelf.len(), shelf.push("one")), (0, 0));
        let one = &shelf[0];
        assert_eq!(shelf.push("two"), 1);
        assert_eq!(shelf.len(), 2);
        assert_eq!(*one, "one");
        assert_eq!(shelf.iter().copied().collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(shelf.get(2), None);
        // SAFETY: nothing borrows it.
        unsafe { shelf.pop() };
        assert_eq!((shelf.len(), shelf.get(1), *one), (1, None, "one"));
        assert_eq!(shelf.push("three"), 1);
    }
}

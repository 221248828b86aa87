//! A list that grows while others read it.

use std::cell::{Cell, OnceCell};

/// A list that takes as many entries as it was made for; they stay where they are.
pub struct Shelf<T> {
    places: Box<[OnceCell<T>]>,
    count: Cell<usize>,
}

impl<T> Shelf<T> {
    pub fn with_room(most: usize) -> Shelf<T> {
        Shelf { places: (0..most).map(|_| OnceCell::new()).collect(), count: Cell::new(0) }
    }

    /// Adds an entry behind the others, and answers its place.
    ///
    /// # Panics
    /// It has as many entries as it was made for.
    pub fn push(&self, entry: T) -> usize {
        let place = self.count.get();
        assert!(self.places[place].set(entry).is_ok(), "places fill up in their order");
        self.count.set(place + 1);
        place
    }

    #[inline]
    pub fn get(&self, place: usize) -> Option<&T> {
        self.places.get(place)?.get()
    }

    pub fn len(&self) -> usize {
        self.count.get()
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().map_while(OnceCell::get)
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
    }
}

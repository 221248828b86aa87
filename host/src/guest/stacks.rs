//! The stacks that compilers of other languages keep in linear memory. A call that does not return leaves the
//! pointer where it was: the host puts it back, or the stack would run out after some errors.

use wasmtime::{AsContextMut, Val};

use super::state::{Positions, State};

/// Where the stack pointers are now.
pub fn positions(store: &mut impl AsContextMut<Data = State>) -> Positions {
    let count = store.as_context().data().stack_pointers.len();
    (0..count)
        .map(|index| {
            let pointer = store.as_context().data().stack_pointers[index];
            pointer.get(&mut *store).i32().unwrap_or(0)
        })
        .collect()
}

/// Puts the stack pointers back to where they were.
pub fn put_back(store: &mut impl AsContextMut<Data = State>, positions: &[i32]) {
    for (index, &position) in positions.iter().enumerate() {
        let pointer = store.as_context().data().stack_pointers[index];
        // It is a mutable i32: load/instantiate.rs has checked it.
        let _ = pointer.set(&mut *store, Val::I32(position));
    }
}

/// A call comes in.
#[inline]
pub fn begin(store: &mut impl AsContextMut<Data = State>) {
    if !store.as_context().data().stack_pointers.is_empty() {
        let before = positions(store);
        store.as_context_mut().data_mut().stacks = before;
    }
}

/// It has not returned.
#[cold]
pub fn rewind(store: &mut impl AsContextMut<Data = State>) {
    let before = std::mem::take(&mut store.as_context_mut().data_mut().stacks);
    put_back(store, &before);
    store.as_context_mut().data_mut().stacks = before;
}

//! Where modules say that they are in the middle of a commit.

use wasmtime::{AsContextMut, Val};

use super::memory;
use super::state::{Committing, State};

/// Bytes of the word in memory by which a module may say so.
pub const WORD_BYTES: u32 = 4;

impl Committing {
    fn is_set(self, store: &mut impl AsContextMut<Data = State>) -> bool {
        match self {
            Committing::Global(global) => global.get(&mut *store).i32() != Some(0),
            Committing::Word(address) => {
                let Some(memory) = store.as_context().data().memory else { return false };
                memory::slice(memory.data(&*store), address, WORD_BYTES).is_ok_and(|word| word != [0; 4])
            }
        }
    }

    fn clear(self, store: &mut impl AsContextMut<Data = State>) {
        match self {
            // It is a mutable i32: load/instantiate.rs has checked it.
            Committing::Global(global) => _ = global.set(&mut *store, Val::I32(0)),
            Committing::Word(address) => {
                let Some(memory) = store.as_context().data().memory else { return };
                if let Ok(word) = memory::slice_mut(memory.data_mut(&mut *store), address, WORD_BYTES) {
                    word.fill(0);
                }
            }
        }
    }
}

/// Whether any member of the store's group is in the middle of a commit.
pub fn is_committing(store: &mut impl AsContextMut<Data = State>) -> bool {
    let count = store.as_context().data().committing.len();
    (0..count).any(|index| {
        let committing = store.as_context().data().committing[index];
        committing.is_set(store)
    })
}

/// No member is in the middle of a commit any longer.
pub fn clear(store: &mut impl AsContextMut<Data = State>) {
    for index in 0..store.as_context().data().committing.len() {
        let committing = store.as_context().data().committing[index];
        committing.clear(store);
    }
}

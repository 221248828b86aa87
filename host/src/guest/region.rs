//! Linear memory that is the host's: it grew it for itself, or the module's `allocate` gave it.

use wasmtime::{AsContext, AsContextMut, Memory, Result, StoreContextMut};

use super::limits::Limits;
use super::memory::{self, PAGE};

/// Bytes of a region's first part, which is there from the start.
const SMALL: u32 = PAGE as u32;
/// A larger part that stays resident between calls, in bytes; what exceeds it goes back to the system after
/// the call.
const RESIDENT_MAX: u32 = 4 << 20;

/// A part of linear memory for bytes on their way in. Modules do not know it: their heaps use what they grew,
/// or gave it away.
///
/// ```text
///   small: 64 KiB, for nearly every call        large: as big as the longest call so far, found at need
/// ```
#[derive(Clone, Copy, Default)]
pub struct Region {
    small: Option<u32>,
    large: Option<(u32, u32)>,
    /// The most bytes that were reserved of the large part since its memory went back to the system.
    resident: u32,
}

impl Region {
    /// The address of `length` bytes for this call, where the part that is always there holds them.
    #[inline]
    pub fn small(&self, length: u64) -> Option<u32> {
        self.small.filter(|_| length <= u64::from(SMALL))
    }

    /// The address of `length` bytes for this call; `None` when the memory cannot grow to hold them.
    ///
    /// # Errors
    /// The module's `allocate` fails, or answers what is no place in its memory.
    pub fn reserve(&mut self, store: &mut StoreContextMut<'_, impl AsMut<Limits>>, memory: Memory, length: u64) -> Result<Option<u32>> {
        if length <= u64::from(SMALL) {
            if self.small.is_none() {
                self.small = obtain(store, memory, SMALL)?;
            }
            return Ok(self.small);
        }
        let Ok(length) = u32::try_from(length) else { return Ok(None) };
        let pointer = self.find(store, memory, length)?;
        self.resident = self.resident.max(pointer.map_or(0, |_| length));
        Ok(pointer)
    }

    /// The address of the large part, which has room for `length` bytes afterwards.
    fn find(&mut self, store: &mut StoreContextMut<'_, impl AsMut<Limits>>, memory: Memory, length: u32) -> Result<Option<u32>> {
        let (pointer, size) = self.large.unwrap_or_default();
        if length <= size {
            return Ok(Some(pointer));
        }
        let Some(size_new) = whole_pages(length.max(size.saturating_mul(2))).or_else(|| whole_pages(length)) else { return Ok(None) };
        let is_at_end = u64::from(pointer) + u64::from(size) == memory.data_size(store.as_context()) as u64;
        if is_at_end && store.data_mut().as_mut().allocate.is_none() {
            if grow(store, memory, size_new - size).is_none() {
                return Ok(None);
            }
            self.large = Some((pointer, size_new));
            return Ok(Some(pointer));
        }
        let Some(pointer) = obtain(store, memory, size_new)? else { return Ok(None) };
        // The old part is given up: its pages go back to the system, and doubling bounds the address space so
        // lost.
        self.decommit(store, memory);
        self.large = Some((pointer, size_new));
        Ok(Some(pointer))
    }

    /// Whether more of it is resident than is to stay so between calls.
    #[inline]
    pub fn is_large(&self) -> bool {
        self.resident > RESIDENT_MAX
    }

    /// Gives the memory of the large part back to the system; what it held is gone.
    #[cold]
    pub fn decommit<T>(&mut self, store: &mut StoreContextMut<'_, T>, of: Memory) {
        self.resident = 0;
        let Some((pointer, size)) = self.large else { return };
        // The region lies in the memory, which never shrinks.
        _ = memory::discard(of.data_mut(store.as_context_mut()), pointer, size);
    }
}

/// `length` rounded up to whole pages; `None` past the address space.
fn whole_pages(length: u32) -> Option<u32> {
    length.checked_next_multiple_of(SMALL)
}

/// The address of `bytes` more, whole pages; `None` when the memory cannot grow to hold them.
fn obtain(store: &mut StoreContextMut<'_, impl AsMut<Limits>>, memory: Memory, bytes: u32) -> Result<Option<u32>> {
    let Some(allocate) = store.data_mut().as_mut().allocate.clone() else { return Ok(grow(store, memory, bytes)) };
    let pointer = allocate.call(store.as_context_mut(), bytes)?;
    memory::slice(memory.data(store.as_context()), pointer, bytes)?;
    Ok((pointer != 0).then_some(pointer))
}

/// Grows `memory` by `bytes`, whole pages, and answers the address of the new part.
fn grow(store: &mut StoreContextMut<'_, impl AsMut<Limits>>, memory: Memory, bytes: u32) -> Option<u32> {
    store.data_mut().as_mut().by_host = true;
    let page = memory.grow(store.as_context_mut(), u64::from(bytes) / PAGE);
    store.data_mut().as_mut().by_host = false;
    u32::try_from(page.ok()? * PAGE).ok()
}

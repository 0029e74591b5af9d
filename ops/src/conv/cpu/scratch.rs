//! Working memory that is used again: fresh memory costs more than many of the operations here.

use crate::element::Element;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Bytes behind every buffer that may be read and overwritten, so that copies can go in whole registers.
const SLACK: usize = 512;

/// Blocks that a thread keeps.
const KEPT: usize = 12;

/// Memory that was set to zero when it was allocated, so that it always holds numbers.
struct Block {
    pointer: NonNull<u8>,
    size: usize,
}

impl Block {
    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 64).expect("invariant: the size of a buffer fits into the address space")
    }

    fn new(size: usize) -> Self {
        let layout = Self::layout(size);
        // SAFETY: the size is not zero, because of the slack.
        match NonNull::new(unsafe { alloc_zeroed(layout) }) {
            Some(pointer) => Self { pointer, size },
            None => handle_alloc_error(layout),
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.pointer.as_ptr(), Self::layout(self.size)) }
    }
}

thread_local! {
    static BLOCKS: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// A buffer with arbitrary contents, on a cache line boundary.
pub(super) struct Scratch<T> {
    block: Option<Block>,
    len: usize,
    element: PhantomData<T>,
}

// SAFETY: the block is owned like a vector's memory.
unsafe impl<T: Send> Send for Scratch<T> {}
unsafe impl<T: Sync> Sync for Scratch<T> {}

impl<T: Element> Scratch<T> {
    pub fn new(len: usize) -> Self {
        let size = len * size_of::<T>() + SLACK;
        let kept = BLOCKS.with_borrow_mut(|blocks| {
            let fits = |block: &(usize, &Block)| block.1.size >= size;
            let best = blocks.iter().enumerate().filter(fits).min_by_key(|(_, block)| block.size);
            best.map(|(i, _)| i).map(|i| blocks.swap_remove(i))
        });
        let block = kept.unwrap_or_else(|| Block::new((size + size / 4).next_multiple_of(4096)));
        Self { block: Some(block), len, element: PhantomData }
    }

    /// The first element. [`SLACK`] bytes behind the last one are part of the allocation.
    pub fn pointer(&self) -> *mut T {
        self.block.as_ref().map_or(std::ptr::null_mut(), |block| block.pointer.as_ptr().cast())
    }
}

impl<T> Drop for Scratch<T> {
    fn drop(&mut self) {
        let Some(block) = self.block.take() else { return };
        // A thread that ends has no store any more; the block is freed then.
        let _ = BLOCKS.try_with(|blocks| {
            if let Ok(mut blocks) = blocks.try_borrow_mut() {
                blocks.push(block);
                if blocks.len() > KEPT
                    && let Some(smallest) = (0..blocks.len()).min_by_key(|&i| blocks[i].size)
                {
                    blocks.swap_remove(smallest);
                }
            }
        });
    }
}

impl<T: Element> Deref for Scratch<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: the block holds `len` numbers, zeros at first, and T is a float type: every bit pattern is valid.
        unsafe { std::slice::from_raw_parts(self.pointer(), self.len) }
    }
}

impl<T: Element> DerefMut for Scratch<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and the block has one owner.
        unsafe { std::slice::from_raw_parts_mut(self.pointer(), self.len) }
    }
}

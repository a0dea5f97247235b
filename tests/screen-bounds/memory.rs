//! An allocator that counts the memory of each thread.

#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// The system's allocator, with counters.
pub(crate) struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

/// Returns the number of bytes that this thread has allocated and not freed.
pub(crate) fn live() -> usize {
    LIVE.get().try_into().unwrap_or(0)
}

/// Returns the maximum of [`live`] since [`reset_peak`].
pub(crate) fn peak() -> usize {
    PEAK.get().try_into().unwrap_or(0)
}

pub(crate) fn reset_peak() {
    PEAK.set(LIVE.get());
}

/// Returns the number of bytes that this thread has ever allocated.
pub(crate) fn allocated() -> usize {
    ALLOCATED.get()
}

fn count(more: usize, less: usize) {
    // The counters no longer exist when a thread has ended.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + more.cast_signed() - less.cast_signed());
        PEAK.set(PEAK.get().max(live.get()));
        ALLOCATED.set(ALLOCATED.get() + more);
    });
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size.saturating_sub(layout.size()), layout.size().saturating_sub(size));
        // SAFETY: as above.
        unsafe { System.realloc(place, layout, size) }
    }
}

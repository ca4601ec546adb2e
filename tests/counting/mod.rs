//! An allocator that counts, for whoever asserts what something costs: sizes do not depend on the machine, times do.
//!
//! Use: `#[global_allocator] static ALLOCATOR: Counting = Counting;` and [`measured`]. Only the calling thread is counted.

#![allow(unsafe_code, reason = "an allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counted.
pub struct Counting;

/// What a piece of work cost, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// The most it held at one time.
    pub peak: usize,
    /// All that it asked for, given back or not: about the work it did.
    pub asked: usize,
    /// What it left behind.
    pub kept: usize,
}

#[derive(Clone, Copy)]
struct Count {
    held: isize,
    peak: isize,
    asked: usize,
}

thread_local! {
    static COUNT: Cell<Count> = const { Cell::new(Count { held: 0, peak: 0, asked: 0 }) };
}

/// Does the work and says what it cost.
pub fn measured<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let before = COUNT.get();
    COUNT.set(Count {
        peak: before.held,
        asked: 0,
        ..before
    });
    let result = work();
    let after = COUNT.get();
    let cost = Cost {
        peak: (after.peak - before.held).unsigned_abs(),
        asked: after.asked,
        kept: (after.held - before.held).max(0).unsigned_abs(),
    };
    (result, cost)
}

fn count(taken: usize, given: usize) {
    // A thread that ends has no counter any more, and nobody who asks.
    let _ = COUNT.try_with(|cell| {
        let mut count = cell.get();
        count.held += taken as isize - given as isize;
        count.peak = count.peak.max(count.held);
        count.asked += taken;
        cell.set(count);
    });
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(0, layout.size());
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        unsafe { System.realloc(place, layout, size) }
    }
}

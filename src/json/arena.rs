//! The memory that values live in, and how much of it there may be.

use std::cell::Cell;
use std::ops::Deref;

use bumpalo::Bump;

/// Where a request's documents and intermediate values live; freed as a whole.
///
/// Allocating never fails, so a limit can't be enforced there: whoever is about to allocate what an input decides asks
/// [`Arena::fits`], before or soon after.
#[derive(Debug)]
pub struct Arena {
    bump: Bump,
    /// In bytes.
    limit: usize,
    /// Whether something was told that it doesn't fit.
    overrun: Cell<bool>,
}

/// A list that grows in an [`Arena`], and stays there.
pub type ArenaVec<'a, T> = bumpalo::collections::Vec<'a, T>;
/// A text that grows in an [`Arena`], and stays there.
pub type ArenaString<'a> = bumpalo::collections::String<'a>;

impl Arena {
    /// What an arena may hold unless it is told otherwise, in bytes: 256 MiB.
    pub const DEFAULT_LIMIT: usize = 256 * 1024 * 1024;

    /// An arena of the default limit that holds nothing yet.
    pub fn new() -> Self {
        Self::of(Bump::new())
    }

    /// An arena that has `bytes` of memory from the start, and takes no more from the system before they are used up.
    pub fn with_capacity(bytes: usize) -> Self {
        Self::of(Bump::with_capacity(bytes))
    }

    fn of(bump: Bump) -> Self {
        Self { bump, limit: Self::DEFAULT_LIMIT, overrun: Cell::new(false) }
    }

    /// Frees everything that lives in it; its limit stays.
    pub fn reset(&mut self) {
        self.bump.reset();
        self.overrun.set(false);
    }

    /// Sets what it may hold, in bytes.
    pub fn set_limit(&mut self, bytes: usize) {
        self.limit = bytes;
    }

    /// Whether `bytes` more are within the limit.
    pub fn fits(&self, bytes: usize) -> bool {
        let fits = self.bump.allocated_bytes().checked_add(bytes).is_some_and(|total| total <= self.limit);
        if !fits {
            self.overrun.set(true);
        }
        fits
    }

    /// Whether [`Arena::fits`] ever said no since the last reset.
    pub fn was_overrun(&self) -> bool {
        self.overrun.get()
    }
}

impl Default for Arena {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Arena {
    type Target = Bump;

    fn deref(&self) -> &Bump {
        &self.bump
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_up_to_its_limit_and_remembers_who_asked_for_more() {
        let mut arena = Arena::new();
        arena.set_limit(1000);
        assert!(arena.fits(1000) && !arena.was_overrun());
        assert!(!arena.fits(1001) && !arena.fits(usize::MAX));
        assert!(arena.was_overrun());
        arena.reset();
        arena.set_limit(2 << 20);
        assert!(!arena.was_overrun());
        arena.alloc_slice_fill_copy(1 << 20, 0u8);
        assert!(arena.fits(0) && !arena.fits(1 << 20));
    }

    #[test]
    fn a_capacity_is_taken_at_once_and_no_more_before_it_is_used_up() {
        let arena = Arena::with_capacity(100_000);
        let before = arena.allocated_bytes();
        for _ in 0..1000 {
            arena.alloc_slice_fill_copy(100, 0u8);
        }
        assert_eq!(arena.allocated_bytes(), before);
    }
}

//! Sorts as Go's `sort.Slice` does. Go's sort is not stable, so where `sortBy` meets equal keys, only the same steps
//! give the same order: a pattern-defeating quicksort with Go's thresholds and pivots.

/// Up to this length Go sorts by insertion.
const MAX_INSERTION: usize = 12;
/// From this length a pivot is the median of three medians.
const SHORTEST_NINTHER: usize = 50;
/// Below this length nothing is shifted in a slice that seems sorted already.
const SHORTEST_SHIFTING: usize = 50;
/// How many pairs out of order are put right in a slice that seems sorted already.
const MAX_STEPS: usize = 5;
/// The swaps that finding a pivot takes in a slice that falls.
const MAX_SWAPS: usize = 12;

/// Sorts by `less`, which need not be consistent: NaN is less than nothing and nothing is less than it.
pub fn sort<T>(items: &mut [T], less: impl Fn(&T, &T) -> bool) {
    let len = items.len();
    let bad_pivots = usize::BITS - len.leading_zeros();
    Sorter { items, less }.quick(0, len, bad_pivots);
}

struct Sorter<'s, T, F> {
    items: &'s mut [T],
    less: F,
}

/// What choosing a pivot tells about the order found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hint {
    Unknown,
    Increasing,
    Decreasing,
}

impl<T, F: Fn(&T, &T) -> bool> Sorter<'_, T, F> {
    fn less(&self, i: usize, j: usize) -> bool {
        match (self.items.get(i), self.items.get(j)) {
            (Some(a), Some(b)) => (self.less)(a, b),
            _ => false,
        }
    }

    fn swap(&mut self, i: usize, j: usize) {
        if i.max(j) < self.items.len() {
            self.items.swap(i, j);
        }
    }

    /// Sorts `from..to`. The shorter part is sorted by recursion, so that its depth is logarithmic.
    fn quick(&mut self, mut from: usize, mut to: usize, mut bad_pivots: u32) {
        let (mut was_balanced, mut was_partitioned) = (true, true);
        loop {
            let len = to - from;
            if len <= MAX_INSERTION {
                return self.insertion(from, to);
            }
            if bad_pivots == 0 {
                return self.heap(from, to);
            }
            if !was_balanced {
                self.break_patterns(from, to);
                bad_pivots -= 1;
            }
            let (mut pivot, mut hint) = self.choose_pivot(from, to);
            if hint == Hint::Decreasing {
                if let Some(part) = self.items.get_mut(from..to) {
                    part.reverse();
                }
                pivot = to - 1 - (pivot - from);
                hint = Hint::Increasing;
            }
            if was_balanced && was_partitioned && hint == Hint::Increasing && self.nearly_sorted(from, to) {
                return;
            }
            if from > 0 && !self.less(from - 1, pivot) {
                from = self.partition_equal(from, to, pivot);
                continue;
            }
            let (middle, partitioned) = self.partition(from, to, pivot);
            was_partitioned = partitioned;
            let (left, right) = (middle - from, to - middle);
            was_balanced = left.min(right) >= len / 8;
            if left < right {
                self.quick(from, middle, bad_pivots);
                from = middle + 1;
            } else {
                self.quick(middle + 1, to, bad_pivots);
                to = middle;
            }
        }
    }

    fn insertion(&mut self, from: usize, to: usize) {
        for i in from + 1..to {
            let mut j = i;
            while j > from && self.less(j, j - 1) {
                self.swap(j, j - 1);
                j -= 1;
            }
        }
    }

    fn heap(&mut self, from: usize, to: usize) {
        let len = to - from;
        for root in (0..=(len - 1) / 2).rev() {
            self.sift_down(root, len, from);
        }
        for end in (0..len).rev() {
            self.swap(from, from + end);
            self.sift_down(0, end, from);
        }
    }

    fn sift_down(&mut self, mut root: usize, end: usize, first: usize) {
        loop {
            let mut child = 2 * root + 1;
            if child >= end {
                return;
            }
            if child + 1 < end && self.less(first + child, first + child + 1) {
                child += 1;
            }
            if !self.less(first + root, first + child) {
                return;
            }
            self.swap(first + root, first + child);
            root = child;
        }
    }

    /// Puts what is less than the pivot before it and the rest behind it; also whether that was so already.
    fn partition(&mut self, from: usize, to: usize, pivot: usize) -> (usize, bool) {
        self.swap(from, pivot);
        let (mut i, mut j) = (from + 1, to - 1);
        let mut partitioned = true;
        loop {
            while i <= j && self.less(i, from) {
                i += 1;
            }
            while i <= j && !self.less(j, from) {
                j -= 1;
            }
            if i > j {
                break;
            }
            self.swap(i, j);
            partitioned = false;
            i += 1;
            j -= 1;
        }
        self.swap(j, from);
        (j, partitioned)
    }

    /// Puts what equals the pivot before what is greater; nothing is less.
    fn partition_equal(&mut self, from: usize, to: usize, pivot: usize) -> usize {
        self.swap(from, pivot);
        let (mut i, mut j) = (from + 1, to - 1);
        loop {
            while i <= j && !self.less(from, i) {
                i += 1;
            }
            while i <= j && self.less(from, j) {
                j -= 1;
            }
            if i > j {
                return i;
            }
            self.swap(i, j);
            i += 1;
            j -= 1;
        }
    }

    /// Puts a few pairs right; whether the slice is sorted then.
    fn nearly_sorted(&mut self, from: usize, to: usize) -> bool {
        let mut i = from + 1;
        for _ in 0..MAX_STEPS {
            while i < to && !self.less(i, i - 1) {
                i += 1;
            }
            if i == to {
                return true;
            }
            if to - from < SHORTEST_SHIFTING {
                return false;
            }
            self.swap(i, i - 1);
            if i - from >= 2 {
                let mut j = i - 1;
                while j >= 1 && self.less(j, j - 1) {
                    self.swap(j, j - 1);
                    j -= 1;
                }
            }
            if to - i >= 2 {
                let mut j = i + 1;
                while j < to && self.less(j, j - 1) {
                    self.swap(j, j - 1);
                    j += 1;
                }
            }
        }
        false
    }

    /// Moves three elements to places that only the length decides.
    fn break_patterns(&mut self, from: usize, to: usize) {
        let len = to - from;
        let mut random = len as u64;
        let mask = (1usize << (usize::BITS - len.leading_zeros())) - 1;
        let middle = from + len / 4 * 2;
        for index in middle - 1..=middle + 1 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let other = random as usize & mask;
            self.swap(index, from + if other >= len { other - len } else { other });
        }
    }

    fn choose_pivot(&self, from: usize, to: usize) -> (usize, Hint) {
        let len = to - from;
        let mut swaps = 0;
        let quarter = len / 4;
        let mut places = [from + quarter, from + quarter * 2, from + quarter * 3];
        if len >= SHORTEST_NINTHER {
            places = places.map(|place| self.median([place - 1, place, place + 1], &mut swaps));
        }
        let pivot = self.median(places, &mut swaps);
        let hint = match swaps {
            0 => Hint::Increasing,
            MAX_SWAPS => Hint::Decreasing,
            _ => Hint::Unknown,
        };
        (pivot, hint)
    }

    fn median(&self, [a, b, c]: [usize; 3], swaps: &mut usize) -> usize {
        let mut order = |a, b| {
            if self.less(b, a) {
                *swaps += 1;
                (b, a)
            } else {
                (a, b)
            }
        };
        let (a, b) = order(a, b);
        let (b, _) = order(b, c);
        order(a, b).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A permutation that is not random: multiples of a number without common divisor.
    fn scattered(len: usize, step: usize) -> Vec<usize> {
        (0..len).map(|i| i * step % len).collect()
    }

    #[test]
    fn sorts_slices_of_every_shape() {
        for len in [0usize, 1, 2, 11, 12, 13, 49, 50, 51, 100, 707] {
            for step in [1, 3, 7, 31, len.saturating_sub(1)] {
                for modulus in [1, 2, 5, usize::MAX] {
                    let mut items: Vec<usize> = scattered(len, step).into_iter().map(|i| i % modulus).collect();
                    let mut expected = items.clone();
                    expected.sort_unstable();
                    sort(&mut items, |a, b| a < b);
                    assert_eq!(items, expected, "length {len}, step {step}, modulus {modulus}");
                }
            }
        }
    }

    #[test]
    fn equal_keys_end_where_go_puts_them() {
        let mut items: Vec<usize> = (0..20).collect();
        sort(&mut items, |a, b| a % 3 < b % 3);
        assert_eq!(items, [9, 18, 15, 3, 12, 0, 6, 10, 7, 4, 13, 16, 1, 19, 8, 5, 11, 14, 2, 17]);
    }
}

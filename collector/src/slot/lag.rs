//! The bins in which edges count how late records tell of their flows: whole seconds, coarser from two minutes on.

/// Below this, a bin is one second; from here on 64 bins for each doubling: at most 1.6 % too much.
const FINE: u64 = 128;
const OCTAVE: u64 = FINE / 2;
/// 2^17 s, a day and a half: later ones count in the last bin.
const DOUBLINGS: u64 = 10;

/// How many bins there are.
pub const LAG_BINS: usize = (FINE + DOUBLINGS * OCTAVE) as usize;

/// The bin of a time in milliseconds.
pub fn lag_bin(ms: u64) -> usize {
    let seconds = ms.div_ceil(1_000);
    if seconds < FINE {
        return seconds as usize;
    }
    // The seven highest bits tell doubling and place.
    let doubling = u64::from(seconds.ilog2() - FINE.ilog2());
    let place = (seconds >> (doubling + 1)) - OCTAVE;
    ((FINE + doubling * OCTAVE + place) as usize).min(LAG_BINS - 1)
}

/// The largest time in a bin, in milliseconds.
pub fn lag_ms(bin: usize) -> u64 {
    let bin = (bin as u64).min(LAG_BINS as u64 - 1);
    if bin < FINE {
        return bin * 1_000;
    }
    let (doubling, place) = ((bin - FINE) / OCTAVE, (bin - FINE) % OCTAVE);
    (((OCTAVE + place + 1) << (doubling + 1)) - 1) * 1_000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_bin_says_at_least_its_times_and_hardly_more(ms in prop_oneof![0..130_000u64, 0..131_071_000u64]) {
            let told = lag_ms(lag_bin(ms));
            prop_assert!(told >= ms, "{told}");
            prop_assert!(told < ms + 1_000 + ms / 60, "{told}");
        }
    }

    #[test]
    fn what_is_later_than_a_day_and_a_half_counts_in_the_last_bin() {
        assert_eq!(lag_bin(u64::MAX), LAG_BINS - 1);
        assert_eq!(lag_bin(131_071_000), LAG_BINS - 1);
    }
}

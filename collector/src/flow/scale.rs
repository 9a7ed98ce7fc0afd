//! Counters scaled by the sampling rate: the one place where a rate is applied.

use super::{Batch, Column, Run};

/// The value of a counter column times the row's sampling rate, rounded once; unscaled where the rate is
/// unknown. Saturates. The row must have the column.
pub fn scaled(batch: &Batch, run: &Run, column: Column, row: usize) -> u64 {
    let value = batch.u64s(column)[row];
    if !batch.has(run, Column::SamplingRate, row) {
        return value;
    }
    scale(value, batch.f32s(Column::SamplingRate)[row])
}

/// `value` times `rate`, rounded once, exact where the rate is whole.
pub fn scale(value: u64, rate: f32) -> u64 {
    let rate = f64::from(rate);
    if rate == 1.0 {
        return value;
    }
    if rate.fract() == 0.0 && rate > 0.0 && rate < 9e15 {
        return value.saturating_mul(rate as u64);
    }
    (value as f64 * rate).round() as u64
}

#[cfg(test)]
mod tests {
    use super::scale;

    #[test]
    fn a_whole_rate_scales_exactly_and_another_is_rounded_once() {
        assert_eq!(scale(9_007_199_254_740_993, 1.0), 9_007_199_254_740_993);
        assert_eq!(scale(9_007_199_254_740_993, 2.0), 18_014_398_509_481_986);
        assert_eq!(scale(3, 1.5), 5);
        assert_eq!(scale(u64::MAX, 100.0), u64::MAX);
    }
}

//! Durations as the kinds write them: a number and one of s, m, h, d, w, y.

const SECOND: u64 = 1_000;

/// Milliseconds of a duration such as `48h`; a year has 365 days. `None` when it has another form or does not fit.
pub fn parse(text: &str) -> Option<u64> {
    let unit = match text.bytes().last()? {
        b's' => SECOND,
        b'm' => 60 * SECOND,
        b'h' => 3_600 * SECOND,
        b'd' => 86_400 * SECOND,
        b'w' => 7 * 86_400 * SECOND,
        b'y' => 365 * 86_400 * SECOND,
        _ => return None,
    };
    let number = &text[..text.len() - 1];
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_in_milliseconds() {
        let read = ["10s", "1m", "48h", "14d", "2w", "3y"].map(parse);
        let expected = [10_000, 60_000, 172_800_000, 1_209_600_000, 1_209_600_000, 94_608_000_000];
        assert_eq!(read, expected.map(Some));
    }

    #[test]
    fn other_forms_and_overflow_are_none() {
        for text in ["", "s", "10", "1.5h", "-1s", "+1s", "1 s", "1ms", "10é", "99999999999999999999y"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}

//! Sizes as the kinds write them: Kubernetes quantities of whole bytes, such as `64Mi`.

/// Bytes of a size: a number, or a number and one of k, M, G, T, Ki, Mi, Gi, Ti. `None` when it has another form or does
/// not fit.
pub fn parse(text: &str) -> Option<u64> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit: u64 = match unit {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_and_binary_units_are_told_apart() {
        let read = ["65536", "4k", "4Ki", "64M", "64Mi", "1G", "1Gi"].map(parse);
        let expected = [65_536, 4_000, 4_096, 64_000_000, 64 << 20, 1_000_000_000, 1 << 30];
        assert_eq!(read, expected.map(Some));
    }

    #[test]
    fn other_forms_and_overflow_are_none() {
        for text in
            ["", "Mi", "1.5Mi", "-1", "+1", "1 Mi", "1mi", "1K", "64MB", "6é", "99999999999999999999Gi"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}

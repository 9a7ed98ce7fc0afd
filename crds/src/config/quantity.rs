//! Kubernetes quantities, as far as the kinds take them: 2, 1.5, 500m, 256Mi.

/// Thousandths of a quantity: a number with at most three decimals, and one of m, k, M, G, T, Ki, Mi, Gi, Ti or none.
/// `None` when it has another form.
pub fn thousandths(text: &str) -> Option<u128> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit() && byte != b'.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit: u128 = match unit {
        "m" => 1,
        "" => 1_000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "T" => 1_000_000_000_000_000,
        "Ki" => 1_000 << 10,
        "Mi" => 1_000 << 20,
        "Gi" => 1_000 << 30,
        "Ti" => 1_000 << 40,
        _ => return None,
    };
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let digits =
        |text: &str| !text.is_empty() && text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > 3 {
        return None;
    }
    let decimals: u128 = format!("{decimals:0<3}").parse().ok()?;
    (whole.parse::<u128>().ok()? * 1_000 + decimals).checked_mul(unit).map(|millionths| millionths / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fractions_and_units_are_read_in_thousandths() {
        let read = ["2", "1.5", "0.25", "500m", "1k", "1Ki", "1.5Gi"].map(thousandths);
        let expected = [2_000, 1_500, 250, 500, 1_000_000, 1_024_000, 3 * (1_000 << 29)];
        assert_eq!(read, expected.map(Some));
    }

    #[test]
    fn other_forms_are_none() {
        for text in ["", "m", ".5", "1.", "1.2345", "-1", "+1", "1e3", "1 Gi", "1Pi", "1.5.1"] {
            assert_eq!(thousandths(text), None, "{text}");
        }
    }
}

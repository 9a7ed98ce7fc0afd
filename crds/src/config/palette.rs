//! Colors for what was given none.

/// Distinct on light and dark ground; a list longer than this begins anew.
const COLORS: [&str; 16] = [
    "#3B82C4", "#E07B39", "#4CA64C", "#C94F5C", "#8A63B8", "#9C7A54", "#D66FA8", "#7F8790", "#B5A52B",
    "#2FA8A8", "#5B6FD8", "#D9A441", "#6FB36F", "#E08A8A", "#A98BD0", "#4F9BB0",
];

/// The color of the `index`-th thing in a list.
pub(super) fn color(index: usize) -> String {
    COLORS[index % COLORS.len()].to_owned()
}

//! Figures by collector and protocol, as Markdown: median, and range in brackets.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Figures of one table, in the order in which they came.
pub(crate) struct Table {
    title: String,
    rows: Vec<String>,
    columns: Vec<String>,
    cells: BTreeMap<(usize, usize), Vec<f64>>,
    lost: BTreeMap<(usize, usize), u64>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(title: &str) -> Self {
        let (rows, columns) = (Vec::new(), Vec::new());
        Self { title: title.to_owned(), rows, columns, cells: BTreeMap::new(), lost: BTreeMap::new() }
    }

    /// Adds one measurement; `lost` is told beside the median.
    pub(crate) fn add(&mut self, row: &str, column: &str, value: f64, lost: u64) {
        let at = (place(&mut self.rows, row), place(&mut self.columns, column));
        self.cells.entry(at).or_default().push(value);
        *self.lost.entry(at).or_default() += lost;
    }

    /// The table, with so many digits after the point.
    pub(crate) fn text(&self, digits: usize) -> String {
        let mut text = format!("\n## {}\n\n| |", self.title);
        for column in &self.columns {
            let _ = write!(text, " {column} |");
        }
        text += "\n|---|";
        text += &"---|".repeat(self.columns.len());
        text.push('\n');
        for (row, name) in self.rows.iter().enumerate() {
            let _ = write!(text, "| {name} |");
            for column in 0..self.columns.len() {
                let _ = write!(text, " {} |", self.cell((row, column), digits));
            }
            text.push('\n');
        }
        text
    }

    /// Medians of one row over those of another.
    pub(crate) fn ratios(&self, row: &str, over: &str) -> String {
        let find = |name: &str| self.rows.iter().position(|row| row == name);
        let Some((row, over)) = find(row).zip(find(over)) else { return String::new() };
        let mut text = format!("| {} / {} |", self.rows[row], self.rows[over]);
        for column in 0..self.columns.len() {
            let ratio = median(&self.cells[&(row, column)]) / median(&self.cells[&(over, column)]);
            let _ = write!(text, " **{ratio:.2}** |");
        }
        text + "\n"
    }

    fn cell(&self, at: (usize, usize), digits: usize) -> String {
        let Some(values) = self.cells.get(&at) else { return String::new() };
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let mut text = format!("{:.digits$}", median(values));
        if let [first, .., last] = sorted[..] {
            let _ = write!(text, " [{first:.digits$}-{last:.digits$}]");
        }
        match self.lost.get(&at) {
            Some(lost) if *lost > 0 => text + &format!(" lost {lost} flows"),
            _ => text,
        }
    }
}

fn place(names: &mut Vec<String>, name: &str) -> usize {
    names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    })
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

//! What is wrong, and where: `file:line:column: path.to.field: what is wrong; what would be right`.

use std::fmt;
use std::path::PathBuf;

/// A place in a file, as editors count: both from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "said above")]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// Something that keeps a file, or an object in it, from being used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, or the folder when it has no file to blame.
    pub file: PathBuf,
    /// Where in the file.
    pub position: Option<Position>,
    /// The field, such as `spec.channels[2].filter`; empty when it is not about a field.
    pub path: String,
    /// What is wrong; what would be right.
    pub message: String,
}

/// Something worth knowing that stops nothing: a foreign object that was skipped, a change that waits for a
/// restart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// The file or folder that it is about.
    pub file: PathBuf,
    /// Where in the file.
    pub position: Option<Position>,
    /// What there is to know.
    pub message: String,
}

impl Problem {
    /// A problem with a file as a whole.
    pub(super) fn of_file(file: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self { file: file.into(), position: None, path: String::new(), message: message.into() }
    }

    /// A problem at a place of a file.
    pub(super) fn at(file: impl Into<PathBuf>, position: Position, message: impl Into<String>) -> Self {
        Self { position: Some(position), ..Self::of_file(file, message) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_place(f, &self.file, self.position)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_place(f, &self.file, self.position)?;
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

fn write_place(f: &mut fmt::Formatter<'_>, file: &std::path::Path, at: Option<Position>) -> fmt::Result {
    write!(f, "{}:", file.display())?;
    if let Some(Position { line, column }) = at {
        write!(f, "{line}:{column}:")?;
    }
    f.write_str(" ")
}

//! Files and folders: what is read, and how much of it at most.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::object::Parsed;
use super::problem::{Position, Problem};
use super::yaml;

/// Bytes of one file.
const MAX_FILE: u64 = 4 << 20;
/// YAML files in one folder.
const MAX_FILES: usize = 1_000;

/// The YAML files directly in a folder, by name.
///
/// # Errors
/// When the folder cannot be read, or holds more than [`MAX_FILES`].
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let refuse = |error: io::Error| Problem::of_file(folder, format!("cannot be read: {error}"));
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(refuse)? {
        let path = entry.map_err(refuse)?.path();
        // ConfigMap volumes and editors keep their own files under names with a dot first.
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && is_yaml(&path) && !path.is_dir() {
            files.push(path);
        }
    }
    if files.len() > MAX_FILES {
        let message = format!("{} YAML files; at most {MAX_FILES} are read from one folder", files.len());
        return Err(Problem::of_file(folder, message));
    }
    files.sort();
    Ok(files)
}

/// Whether a file is taken for YAML.
pub(super) fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Reads a file and every object in it. Whatever is wrong is among the problems.
pub(super) fn read(path: &Path) -> Parsed {
    match text(path) {
        Ok(text) => parse(path, &text),
        Err(problem) => Parsed { problems: vec![problem], ..Parsed::default() },
    }
}

/// Reads every object in a file's text.
pub(super) fn parse(path: &Path, text: &str) -> Parsed {
    let (file, text): (Arc<Path>, Arc<str>) = (path.into(), text.into());
    let (documents, unreadable) = yaml::documents(&text);
    let mut parsed = Parsed::default();
    for document in documents {
        parsed.document(&file, &text, document);
    }
    if let Some(unreadable) = unreadable {
        parsed.problems.push(Problem::at(path, unreadable.at, unreadable.message));
    }
    parsed
}

fn text(path: &Path) -> Result<String, Problem> {
    let refuse = |error: io::Error| Problem::of_file(path, format!("cannot be read: {error}"));
    // A pipe or a device would block or never end.
    if !fs::metadata(path).map_err(refuse)?.is_file() {
        return Err(Problem::of_file(path, "not a file; name a YAML file or a folder of them"));
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(refuse)?.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(refuse)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Problem::of_file(path, format!("larger than {} MiB; split it", MAX_FILE >> 20)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..good]).into_owned();
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let at = Position { line: before.matches('\n').count() + 1, column };
        Problem::at(
            path,
            at,
            format!("byte 0x{:02x} is not UTF-8; save the file as UTF-8", error.as_bytes()[good]),
        )
    })
}

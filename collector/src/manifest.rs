//! Reads kinds from YAML files, with positions, and watches a folder of them.
//!
//! ```text
//! file > yaml (tree with positions) > schema, CEL rules (object) > filters, references (set) > render
//! ```
//!
//! A problem never hides another: every stage reports all that it finds, and what is good goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crds::config::Rendered;

mod file;
mod object;
mod problem;
mod schema;
mod set;
mod watch;
mod yaml;

pub use problem::{Note, Position, Problem};
pub use watch::{Change, Watcher};

use object::Parsed;

/// What a look at files and folders found.
#[derive(Debug, Default)]
pub struct Report {
    /// Files read.
    pub files: usize,
    /// Objects of ours in them that keep to their schema.
    pub objects: usize,
    /// Everything that is wrong, by file and position.
    pub problems: Vec<Problem>,
    /// What is worth knowing.
    pub notes: Vec<Note>,
}

/// Checks files and folders: schema, rules, filters, and what the objects of one folder say of each other. Files
/// given by name count as a part of their folder.
pub fn validate(paths: &[PathBuf]) -> Report {
    let mut report = Report::default();
    for (_, files) in by_folder(paths, &mut report.problems) {
        let parsed = read_all(&files);
        report.files += files.len();
        report.objects += parsed.objects.len();
        let examined = set::examine(&parsed.objects);
        report.problems.extend(parsed.problems.into_iter().chain(examined.problems));
        report.notes.extend(parsed.notes.into_iter().chain(examined.notes));
    }
    report.problems.sort();
    report.problems.dedup();
    report.notes.sort();
    report
}

/// Renders the folder's collector with its profiles and targets.
///
/// # Errors
/// Everything that is wrong in the folder.
pub fn render(folder: &Path) -> Result<(Rendered, Vec<Note>), Vec<Problem>> {
    let parsed = read_all(&file::list(folder).map_err(|problem| vec![problem])?);
    let examined = set::examine(&parsed.objects);
    let mut problems: Vec<Problem> = parsed.problems.into_iter().chain(examined.problems).collect();
    problems.sort();
    let Some((_, fleet)) = examined.collector else {
        problems.push(no_collector(folder));
        return Err(problems);
    };
    let (true, Some(fleet)) = (problems.is_empty(), fleet) else { return Err(problems) };
    let profiles = examined.profiles.into_iter().filter_map(|(_, config)| config).collect();
    let targets = examined.targets.into_iter().filter_map(|(_, config)| config).collect();
    let rendered = fleet.with(profiles).and_then(|rendered| rendered.exporting(targets));
    let rendered = rendered.map_err(|violation| vec![whole(folder, &violation)])?;
    Ok((rendered, parsed.notes.into_iter().chain(examined.notes).collect()))
}

fn no_collector(folder: &Path) -> Problem {
    let right =
        "add one file with apiVersion: weir.dev/v1alpha1, kind: FlowCollector, metadata.name and spec: {}";
    Problem::of_file(folder, format!("there is no FlowCollector in this folder; {right}"))
}

/// A violation of all objects together.
fn whole(folder: &Path, violation: &crds::config::Violation) -> Problem {
    Problem { path: violation.path.clone(), ..Problem::of_file(folder, violation.message.clone()) }
}

fn read_all(files: &[PathBuf]) -> Parsed {
    let mut all = Parsed::default();
    for path in files {
        let parsed = file::read(path);
        all.objects.extend(parsed.objects);
        all.problems.extend(parsed.problems);
        all.notes.extend(parsed.notes);
    }
    all
}

/// The files that are meant, each once, by the folder that they are in.
fn by_folder(paths: &[PathBuf], problems: &mut Vec<Problem>) -> BTreeMap<PathBuf, Vec<PathBuf>> {
    let mut folders: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
    for path in paths {
        if path.is_dir() {
            match file::list(path) {
                Ok(files) if files.is_empty() => {
                    problems
                        .push(Problem::of_file(path, "there is no YAML file in this folder; name another"));
                }
                Ok(files) => folders.entry(path.clone()).or_default().extend(files),
                Err(problem) => problems.push(problem),
            }
        } else {
            let folder = path.parent().unwrap_or(Path::new("")).to_owned();
            folders.entry(folder).or_default().insert(path.clone());
        }
    }
    folders.into_iter().map(|(folder, files)| (folder, files.into_iter().collect())).collect()
}

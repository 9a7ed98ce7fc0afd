//! A folder that is watched: what it gives now, told anew whenever that changes.
//!
//! Polled, because that works on every file system and sees every way to change a file (written in place, renamed
//! over, ConfigMap volumes that swap a link): four looks a second at names, sizes and times; files are read only
//! when those changed and then stood still for one look, so that half a file is not taken for a whole one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crds::config::Rendered;

use super::problem::{Note, Problem};

mod folder;
mod stamp;

use folder::Folder;

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// What a folder gives now.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The configuration: for what is broken, what it last gave; for fields that need a restart, what runs.
    pub rendered: Rendered,
    /// Whether `rendered` differs from what was told before: when not, there is nothing to apply.
    pub renewed: bool,
    /// Everything that is wrong now.
    pub problems: Vec<Problem>,
    /// What is worth knowing now, such as a change that waits for a restart.
    pub notes: Vec<Note>,
}

/// Watches a folder with one FlowCollector, its FlowProfiles and its ExportTargets.
///
/// - A file that breaks keeps what it last gave, object by object; what is good in it is taken.
/// - A file that is deleted takes its objects with it; the last collector stays until there is another.
/// - An object that two files give is taken from the one that gave it first.
#[derive(Debug)]
pub struct Watcher {
    folder: Arc<Mutex<Folder>>,
}

impl Watcher {
    /// Reads the folder. Broken profiles are left out, and among the problems.
    ///
    /// # Errors
    /// Everything that is wrong, when there is no collector to run.
    pub fn open(folder: impl Into<PathBuf>) -> Result<(Self, Change), Vec<Problem>> {
        let (folder, change) = Folder::open(folder.into())?;
        Ok((Self { folder: Arc::new(Mutex::new(folder)) }, change))
    }

    /// Waits until the folder gives something else, or something else is wrong with it. May be dropped and called
    /// again: nothing is lost.
    pub async fn next(&mut self) -> Change {
        loop {
            let folder = Arc::clone(&self.folder);
            let look = tokio::task::spawn_blocking(move || {
                folder.lock().unwrap_or_else(PoisonError::into_inner).look();
            });
            // A look that panicked is told by the panic hook; the next one tries again.
            _ = look.await;
            if let Some(change) = self.folder.lock().unwrap_or_else(PoisonError::into_inner).told() {
                return change;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The folder.
    pub fn path(&self) -> PathBuf {
        self.folder.lock().unwrap_or_else(PoisonError::into_inner).path().to_owned()
    }
}

/// Names the folder or file that a note is about.
fn note(file: &Path, message: impl Into<String>) -> Note {
    Note { file: file.to_owned(), position: None, message: message.into() }
}

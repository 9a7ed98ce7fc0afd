//! What was in force last, kept on disk for a start without API and files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crds::config::hot::{Hot, HotProfile, HotTarget};
use crds::config::{CONFIG_VERSION, SourceConfig};
use serde::{Deserialize, Serialize};

use super::Taken;
use crate::folder;

const FILE: &str = "hot.json";
/// No kept configuration is larger.
const MAX_BYTES: u64 = 64 << 20;

/// Why it cannot be kept or read.
#[derive(Debug, thiserror::Error)]
#[error("the hot configuration kept in {}: {reason}", .path.display())]
pub struct KeepError {
    path: PathBuf,
    reason: String,
}

/// Where it is kept.
#[derive(Clone, Debug)]
pub struct Kept {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Form {
    version: String,
    collector: String,
    hash: String,
    sources: Vec<SourceConfig>,
    profiles: Vec<HotProfile>,
    targets: Vec<HotTarget>,
}

impl Kept {
    /// In the data folder of the program.
    pub fn new(folder: &Path) -> Self {
        Self { path: folder.join(FILE) }
    }

    /// What was kept for a collector; none: nothing, or it was another collector's.
    ///
    /// # Errors
    /// When what is there cannot be read.
    pub fn load(&self, collector: &str) -> Result<Option<Taken>, KeepError> {
        let length = match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found.map_err(|error| self.failed(&error))?.len(),
        };
        if length > MAX_BYTES {
            return Err(self.failed(&"larger than 64 MiB"));
        }
        let text = fs::read(&self.path).map_err(|error| self.failed(&error))?;
        let form: Form = serde_json::from_slice(&text).map_err(|error| self.failed(&error))?;
        let Form { version, collector: kept_for, hash, sources, profiles, targets } = form;
        if version != CONFIG_VERSION || kept_for != collector {
            return Ok(None);
        }
        Ok(Some(Taken { hot: Hot { collector: kept_for, sources, profiles, targets }, hash }))
    }

    /// Keeps it: wholly or, when the machine fails meanwhile, what was kept before.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn store(&self, taken: &Taken) -> Result<(), KeepError> {
        let Hot { collector, sources, profiles, targets } = taken.hot.clone();
        let version = CONFIG_VERSION.to_owned();
        let form = Form { version, collector, hash: taken.hash.clone(), sources, profiles, targets };
        let text = serde_json::to_vec(&form).map_err(|error| self.failed(&error))?;
        self.write(&text).map_err(|error| self.failed(&error))
    }

    fn write(&self, text: &[u8]) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        self.path.parent().map_or(Ok(()), folder::sync)
    }

    fn failed(&self, reason: &dyn std::fmt::Display) -> KeepError {
        KeepError { path: self.path.clone(), reason: reason.to_string() }
    }
}

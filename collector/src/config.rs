//! Rendered configuration from a file: read, checked for its version, and read again when it changes.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crds::config::{AggregatorConfig, CONFIG_VERSION, EdgeConfig};
use serde::de::DeserializeOwned;

/// How often a file is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// No configuration is larger.
const MAX_BYTES: u64 = 16 << 20;

/// Why a file is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is too large to be one.
    #[error("{}: larger than 16 MiB", .0.display())]
    TooLarge(PathBuf),
    /// It is not of the form that `weir render` prints.
    #[error("{}: {source}; `weir render` prints the right form", .path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What the parser said, with line and column.
        source: serde_yaml::Error,
    },
    /// It was rendered for another version.
    #[error("{}: version {found:?}, but this program reads {CONFIG_VERSION:?}: render it anew", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: String,
    },
}

/// A configuration that says its version.
pub trait Versioned: DeserializeOwned {
    /// The version tag.
    fn version(&self) -> &str;
}

impl Versioned for EdgeConfig {
    fn version(&self) -> &str {
        &self.version
    }
}

impl Versioned for AggregatorConfig {
    fn version(&self) -> &str {
        &self.version
    }
}

/// Reads a configuration.
///
/// # Errors
/// When the file cannot be read, is of another form or for another version.
pub fn read<T: Versioned>(path: &Path) -> Result<T, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_BYTES {
        return Err(ConfigError::TooLarge(path.to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let config: T =
        serde_yaml::from_str(&text).map_err(|source| ConfigError::Form { path: path.to_owned(), source })?;
    if config.version() != CONFIG_VERSION {
        return Err(ConfigError::Version { path: path.to_owned(), found: config.version().to_owned() });
    }
    Ok(config)
}

/// A file that is read again when it has changed.
#[derive(Debug)]
pub struct ConfigFile {
    path: PathBuf,
    seen: Option<(SystemTime, u64)>,
}

impl ConfigFile {
    /// Remembers how the file looks now.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), seen: look(path) }
    }

    /// Waits until the file looks different, then reads it. A file that is away for a moment is no change.
    pub async fn changed<T: Versioned>(&mut self) -> Result<T, ConfigError> {
        loop {
            tokio::time::sleep(LOOK).await;
            let now = look(&self.path);
            if now.is_some() && now != self.seen {
                self.seen = now;
                return read(&self.path);
            }
        }
    }
}

fn look(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGE: &str = "version: weir.dev/config/v1\ncollector: default/a\nslotMs: 10000\nlisteners: []\nsources: []\nprofiles: []\n";

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edge.yaml");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn a_configuration_of_another_version_or_form_is_refused_with_the_way_out() {
        let (_folder, path) = file(EDGE);
        assert_eq!(read::<EdgeConfig>(&path).unwrap().collector, "default/a");
        let (_folder, path) = file(&EDGE.replace("v1", "v9"));
        let error = read::<EdgeConfig>(&path).unwrap_err().to_string();
        assert!(error.contains("config/v9") && error.contains("render it anew"), "{error}");
        let (_folder, path) = file(&EDGE.replace("sources: []", "sauces: []"));
        let error = read::<EdgeConfig>(&path).unwrap_err().to_string();
        assert!(error.contains("sauces") && error.contains("line 5"), "{error}");
    }

    #[tokio::test]
    async fn a_changed_file_is_read_again() {
        let (_folder, path) = file(EDGE);
        let mut watched = ConfigFile::new(&path);
        std::fs::write(&path, EDGE.replace("default/a", "default/longer")).unwrap();
        let changed = tokio::time::timeout(Duration::from_secs(5), watched.changed::<EdgeConfig>()).await;
        assert_eq!(changed.unwrap().unwrap().collector, "default/longer");
    }
}

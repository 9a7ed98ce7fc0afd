//! The mounted files: a folder `0` to `3` for each ConfigMap, a file for each key.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crds::config::hot::{SHARDS, Shard};

/// No file is larger: a ConfigMap holds 1 MiB.
const FILE_BYTES: u64 = 1 << 20;
/// No folder has more files.
const FILES: usize = 4_096;

/// Why the files cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", .path.display())]
pub(super) struct MountError {
    path: PathBuf,
    source: io::Error,
}

/// Name, time and size of each file: what tells that something changed.
type Stamp = Vec<(PathBuf, Option<SystemTime>, u64)>;

/// A folder that is read again when it looks different.
#[derive(Debug)]
pub(super) struct Mount {
    folder: PathBuf,
    seen: Stamp,
    shards: [Shard; SHARDS],
}

impl Mount {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), seen: Vec::new(), shards: Default::default() }
    }

    /// What lay there at the last look.
    pub(super) fn shards(&self) -> &[Shard; SHARDS] {
        &self.shards
    }

    /// Looks; returns whether anything was read anew. A folder that is not there is an empty one.
    ///
    /// # Errors
    /// When what is there cannot be read.
    pub(super) fn read(&mut self) -> Result<bool, MountError> {
        let mut stamp = Stamp::new();
        for shard in 0..SHARDS {
            let folder = self.folder.join(shard.to_string());
            files(&folder, &mut stamp).map_err(|source| MountError { path: folder, source })?;
        }
        let changed = stamp != self.seen;
        if changed {
            let mut shards: [Shard; SHARDS] = Default::default();
            for (path, ..) in &stamp {
                let failed = |source| MountError { path: path.clone(), source };
                insert(&mut shards, path).map_err(failed)?;
            }
            (self.seen, self.shards) = (stamp, shards);
        }
        Ok(changed)
    }
}

/// The files of a folder in order. Kubernetes keeps what it swaps under names that begin with two dots.
fn files(folder: &Path, stamp: &mut Stamp) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    let mut names = BTreeMap::new();
    for entry in entries.take(FILES) {
        let path = entry?.path();
        if path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.')) {
            continue;
        }
        match std::fs::metadata(&path) {
            Ok(found) if found.is_file() => names.insert(path, (found.modified().ok(), found.len())),
            // Swapped while it was looked at: the next look sees what has taken its place.
            _ => continue,
        };
    }
    stamp.extend(names.into_iter().map(|(path, (modified, length))| (path, modified, length)));
    Ok(())
}

fn insert(shards: &mut [Shard; SHARDS], path: &Path) -> io::Result<()> {
    let part = |path: Option<&Path>| path?.file_name()?.to_str().map(str::to_owned);
    let at = part(path.parent()).and_then(|name| name.parse::<usize>().ok());
    let (Some(shard), Some(key)) = (at.and_then(|at| shards.get_mut(at)), part(Some(path))) else {
        return Ok(());
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "larger than 1 MiB"));
    }
    if key.ends_with(".gz") {
        shard.binary.insert(key, bytes);
    } else {
        let text = String::from_utf8(bytes);
        let text = text.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        shard.data.insert(key, text);
    }
    Ok(())
}

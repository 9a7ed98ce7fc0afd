//! Tells, without reading it, whether a file may have changed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::super::file;
use super::super::problem::Problem;

/// What changes when a file does; links are followed, so that a swapped link is another file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The folder's files; `None` for one that cannot be looked at.
pub(super) type Listing = Result<BTreeMap<PathBuf, Option<Stamp>>, Problem>;

pub(super) fn listing(folder: &Path) -> Listing {
    let stamped = |path: PathBuf| {
        let stamp = fs::metadata(&path).ok().map(|meta| Stamp {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        });
        (path, stamp)
    };
    Ok(file::list(folder)?.into_iter().map(stamped).collect())
}

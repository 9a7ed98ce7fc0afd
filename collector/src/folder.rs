//! A folder that one process at a time writes to.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process has it.
    #[error("{} is in use by process {holder}: stop that one, or use another folder", .folder.display())]
    Locked {
        /// The folder.
        folder: PathBuf,
        /// The other process's id, as it wrote it.
        holder: String,
    },
    /// It cannot be made or written.
    #[error("cannot write to {}: {source}: make it a writable folder, or use another one", .folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Holds a folder's lock until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Makes the folder when it is not there, and locks it by the file `lock` in it.
    ///
    /// # Errors
    /// When another process holds it, or it cannot be written.
    pub fn take(folder: &Path) -> Result<Self, FolderError> {
        let io = |source| FolderError::Io { folder: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(io)?;
        let open =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(folder.join("lock"));
        let mut file = open.map_err(io)?;
        match file.try_lock() {
            Ok(()) => write_pid(&mut file).map_err(io).map(|()| Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).map_err(io)?;
                Err(FolderError::Locked { folder: folder.to_owned(), holder: holder.trim().to_owned() })
            }
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// Makes a rename, a new file or an unlink in `folder` durable.
///
/// # Errors
/// What the system says.
pub fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_the_pid_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::take(folder.path()).unwrap();
        let refused = FolderLock::take(folder.path()).unwrap_err().to_string();
        assert!(refused.contains(&format!("in use by process {}", std::process::id())), "{refused}");
        drop(first);
        FolderLock::take(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let refused = FolderLock::take(&file.join("data")).unwrap_err().to_string();
        assert!(refused.contains("file/data") && refused.contains("use another one"), "{refused}");
    }
}

//! Where a program keeps its data.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use clap::Args;

use super::Failure;

/// The folder of everything that outlives the program.
#[derive(Clone, Debug, Args)]
pub(super) struct DataFolder {
    /// Folder for data [default: /var/lib/weir as root, else $XDG_DATA_HOME/weir or ~/.local/share/weir]
    #[arg(long = "data", value_name = "DIR")]
    given: Option<PathBuf>,
}

impl DataFolder {
    /// As given on the command line.
    #[cfg(test)]
    pub(super) fn at(folder: PathBuf) -> Self {
        Self { given: Some(folder) }
    }

    /// The folder: as given, else as configured, else by who runs the program.
    pub(super) fn resolve(&self, configured: Option<&str>) -> Result<PathBuf, Failure> {
        if let Some(folder) = self.given.clone().or_else(|| configured.map(PathBuf::from)) {
            return Ok(folder);
        }
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        usual(is_root(), variable("XDG_DATA_HOME"), variable("HOME")).ok_or_else(|| {
            Failure::Usage("neither XDG_DATA_HOME nor HOME is set: give --data DIR".to_owned())
        })
    }

    /// The folder as [`DataFolder::resolve`] finds it, made when it is not there.
    pub(super) fn make(&self, configured: Option<&str>) -> Result<PathBuf, Failure> {
        let folder = self.resolve(configured)?;
        std::fs::create_dir_all(&folder).map_err(|error| {
            let folder = folder.display();
            Failure::System(format!("cannot make {folder}: {error}; choose another folder with --data DIR"))
        })?;
        Ok(folder)
    }
}

fn usual(root: bool, xdg: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    if root {
        return Some(PathBuf::from("/var/lib/weir"));
    }
    // The XDG base directory specification: relative paths are invalid and to be ignored.
    let data = xdg.filter(|path| path.is_absolute()).or_else(|| Some(home?.join(".local/share")));
    Some(data?.join("weir"))
}

/// A process's entry in /proc belongs to its effective user.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|entry| entry.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_are_kept_where_it_is_said_else_where_the_system_wants_them() {
        let path = |text: &str| Some(PathBuf::from(text));
        let given = DataFolder { given: path("/a") };
        assert_eq!(given.resolve(Some("/b")).unwrap(), PathBuf::from("/a"));
        assert_eq!(DataFolder { given: None }.resolve(Some("/b")).unwrap(), PathBuf::from("/b"));
        assert_eq!(usual(true, path("/x"), path("/h")), path("/var/lib/weir"));
        assert_eq!(usual(false, path("/x"), path("/h")), path("/x/weir"));
        assert_eq!(usual(false, path("x"), path("/h")), path("/h/.local/share/weir"));
        assert_eq!(usual(false, None, None), None);
    }
}

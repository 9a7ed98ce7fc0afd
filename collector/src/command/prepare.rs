//! `weir prepare`: gives a data folder to the user as whom an edge runs.

use std::os::unix::fs::chown;

use clap::Args;

use super::Failure;
use super::data::DataFolder;

const EXAMPLES: &str = "\
The folder alone is given away, not what lies in it: what an edge wrote is its own already.

Examples:
  weir prepare --data /var/lib/weir --owner 65532:65532";

/// Make a data folder and give it to a user: for the container that runs before an edge whose folder is on its node
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Prepare {
    /// User and group, as numbers
    #[arg(long, value_name = "UID:GID", value_parser = owner)]
    owner: (u32, u32),
    #[command(flatten)]
    data: DataFolder,
}

impl Prepare {
    /// Makes the folder where it is missing, and gives it away where it is somebody else's.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let folder = self.data.make(None)?;
        let (user, group) = self.owner;
        chown(&folder, Some(user), Some(group)).map_err(|error| {
            let folder = folder.display();
            Failure::System(format!(
                "cannot give {folder} to {user}:{group}: {error}; this needs root with the capability CHOWN"
            ))
        })
    }
}

fn owner(text: &str) -> Result<(u32, u32), String> {
    let parsed =
        text.split_once(':').and_then(|(user, group)| Some((user.parse().ok()?, group.parse().ok()?)));
    parsed.ok_or_else(|| "expected two numbers, as in 65532:65532".to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn an_owner_is_two_numbers() {
        assert_eq!(owner("65532:0"), Ok((65_532, 0)));
        for wrong in ["", "65532", "weir:weir", "1:2:3", "-1:0"] {
            assert!(owner(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_folder_is_made_and_belongs_to_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let own = std::fs::metadata(folder.path()).unwrap();
        let data = DataFolder::at(folder.path().join("net/zone1"));
        Prepare { owner: (own.uid(), own.gid()), data }.run().unwrap();
        let made = std::fs::metadata(folder.path().join("net/zone1")).unwrap();
        assert_eq!((made.uid(), made.gid()), (own.uid(), own.gid()));
    }
}

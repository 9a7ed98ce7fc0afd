//! Who takes a test cluster down when the test is gone: a process of its own, that outlives a killed test.
//!
//! What it does stands in `e2e/cluster/guard`. It learns of the test's end by the end of its standard input, which
//! comes with a return, a panic, an exit and a kill alike; what it would miss if it were killed too is swept by
//! the next cluster that starts.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::address::Slot;
use crate::deadline::wait_for;

/// Fixed, whatever TMPDIR says: the folder's lock is what keeps two clusters off the same addresses.
const FOLDER: &str = "/tmp/weir-cluster";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/guard");

/// A claim to a slot, with the folder that holds the cluster's state. Dropping it takes down all that was started by
/// [`Guard::command`], and removes the folder.
#[derive(Debug)]
pub(crate) struct Guard {
    process: Child,
    slot: Slot,
    folder: PathBuf,
}

impl Guard {
    /// Takes the first free slot, after sweeping what killed runs left.
    ///
    /// # Panics
    /// When sixteen clusters run already.
    pub(crate) fn hold() -> Self {
        for folder in folders() {
            run(&["sweep".as_ref(), folder.as_os_str()]);
        }
        let taken = Slot::all().find_map(Self::claim);
        taken.unwrap_or_else(|| panic!("sixteen test clusters run already: see {FOLDER}.*"))
    }

    fn claim(slot: Slot) -> Option<Self> {
        let folder = PathBuf::from(format!("{FOLDER}.{}", slot.number()));
        let mut command = Command::new(SCRIPT);
        command.arg("hold").arg(&folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        // Its own group: an interrupt from the terminal is for the test, and the guard has work to do then.
        let spawned = command.process_group(0).spawn();
        let mut process = spawned.unwrap_or_else(|error| panic!("cannot start {SCRIPT}: {error}"));
        let mut said = String::new();
        let output = process.stdout.take().expect("its output is piped");
        BufReader::new(output).read_line(&mut said).expect("a pipe can be read");
        if said == "ready\n" {
            return Some(Self { process, slot, folder });
        }
        process.wait().expect("a child can be waited for");
        None
    }

    pub(crate) fn slot(&self) -> Slot {
        self.slot
    }

    /// Where the cluster's state lies.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A command that belongs to the cluster and ends with it.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        command(&self.folder, program)
    }

    /// Lets the cluster outlive this process, until [`take_down_kept`].
    pub(crate) fn keep(mut self) {
        let input = self.process.stdin.as_mut().expect("its input is piped");
        input.write_all(b"keep\n").expect("the guard lives");
        let door = self.folder.join("down");
        wait_for("the guard", Duration::from_secs(5), String::new, || door.exists().then_some(()));
        // Without the destructor, which waits for the end.
        drop(self.process.stdin.take());
        std::mem::forget(self);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // It can only have been killed, and then the next cluster sweeps.
        let _ = self.process.wait();
    }
}

/// As [`Guard::command`], of the cluster in `folder`.
pub(crate) fn command(folder: &Path, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env("WEIR_CLUSTER", folder).process_group(0);
    command
}

/// Does `verb` (`halt` or `remove`) to a node of the cluster in `folder`.
pub(crate) fn of_node(verb: &str, folder: &Path, node: &str) {
    run(&[verb.as_ref(), folder.as_os_str(), node.as_ref()]);
}

/// Takes down every cluster that was kept, and what killed runs left. Gives the folders.
pub fn take_down_kept() -> Vec<PathBuf> {
    let kept = |folder: &PathBuf| folder.join("down").exists();
    let (kept, others): (Vec<_>, Vec<_>) = folders().into_iter().partition(kept);
    kept.iter().for_each(|folder| run(&["down".as_ref(), folder.as_os_str()]));
    others.iter().for_each(|folder| run(&["sweep".as_ref(), folder.as_os_str()]));
    kept
}

fn folders() -> Vec<PathBuf> {
    let all = Slot::all().map(|slot| PathBuf::from(format!("{FOLDER}.{}", slot.number())));
    all.filter(|folder| fs::symlink_metadata(folder).is_ok()).collect()
}

fn run(arguments: &[&OsStr]) {
    let mut command = Command::new(SCRIPT);
    command.args(arguments).stdin(Stdio::null());
    let status = command.status().unwrap_or_else(|error| panic!("cannot start {SCRIPT}: {error}"));
    assert!(status.success(), "{command:?} ended with {status}");
}

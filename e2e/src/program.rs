//! Real programs: found by name or path, their output kept, ended by their process id.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::deadline::wait_for;

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `command`; what it prints on either stream goes to `<folder>/<name>.log`.
    ///
    /// # Panics
    /// When it cannot be started: the message names the program.
    #[must_use]
    pub fn start(name: &str, folder: &Path, mut command: Command) -> Self {
        let log = folder.join(format!("{name}.log"));
        let out = File::create(&log).expect("the test's folder is writable");
        let err = out.try_clone().expect("a file can be opened twice");
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        let started = command.spawn();
        let child = started.unwrap_or_else(|error| panic!("cannot start {name} ({command:?}): {error}"));
        Self { name: name.to_owned(), child, log }
    }

    /// What it has printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line that `wanted` maps to something.
    ///
    /// # Panics
    /// When it ends first, or does not print it within `limit`.
    pub fn wait_for_line<T>(&mut self, limit: Duration, wanted: impl Fn(&str) -> Option<T>) -> T {
        let (name, log) = (self.name.clone(), self.log.clone());
        let explain = || fs::read_to_string(log).unwrap_or_default();
        wait_for(&format!("a line of {name}"), limit, explain, || {
            let found = self.output().lines().find_map(&wanted);
            if found.is_none() {
                self.assert_running();
            }
            found
        })
    }

    /// # Panics
    /// When it has ended: the message holds its output.
    pub fn assert_running(&mut self) {
        if let Some(status) = self.child.try_wait().expect("a child can be asked") {
            panic!("{} ended with {status}:\n{}", self.name, self.output());
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a child has an id");
        // It may have ended by itself.
        let _ = kill_process(id, signal);
    }

    /// Waits until it ends.
    ///
    /// # Panics
    /// When it does not within `limit`.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let (name, log) = (self.name.clone(), self.log.clone());
        let explain = || fs::read_to_string(log).unwrap_or_default();
        wait_for(&format!("the end of {name}"), limit, explain, || {
            self.child.try_wait().expect("a child can be asked")
        })
    }

    /// Sends SIGTERM and waits until it ends.
    ///
    /// # Panics
    /// When it does not within ten seconds.
    pub fn stop(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait(Duration::from_secs(10))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only for a program that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `command` to its end and gives its standard output.
///
/// # Panics
/// When it cannot be started or fails: the message holds what it printed.
pub fn output_of(mut command: Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}:\n{out}{err}", output.status);
    out
}

/// A program of this repository, built with the same profile as the running test.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn own(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its path");
    let folder = test.ancestors().nth(2).expect("tests lie in target/<profile>/deps");
    let path = folder.join(name);
    assert!(path.is_file(), "{} is not there: run `make e2e`, which builds it first", path.display());
    path
}

//! What has started and what fails; told over a Unix socket in the data folder to whoever connects.
//!
//! The socket speaks no protocol: it writes one JSON [`Report`] to each connection and closes it.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;
use utoipa::ToSchema;

/// The socket's name in the data folder.
pub const SOCKET_NAME: &str = "weir.sock";

const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const REPORT_LIMIT: u64 = 256 << 10;

/// How one part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// It works.
    Ok,
    /// It has not come up yet.
    Starting,
    /// It does not work; the reason says why.
    Failing,
}

/// One part of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// The part's name.
    pub name: String,
    /// How it is.
    pub state: CheckState,
    /// Why, when it fails.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// All parts of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// Whether every part works.
    pub ok: bool,
    /// The parts, by name.
    pub checks: Vec<Check>,
}

/// Why health could not be served or asked for.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// The socket could not be made.
    #[error("cannot listen for `weir health` at {path}: {reason}")]
    Bind {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// Nobody answers.
    #[error("nothing answers at {path} ({reason}): is weir running with this data folder?")]
    Away {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// Whoever answers is not us.
    #[error("{path} answered with something that is no health report: {reason}")]
    Answer {
        /// The socket.
        path: PathBuf,
        /// What does not fit.
        reason: serde_json::Error,
    },
}

/// The health of a program, shared by its parts. A part that was never named is not asked about.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<BTreeMap<&'static str, (CheckState, String)>>>);

impl Health {
    /// Names a part that has to come up before the program is ready.
    pub fn starting(&self, part: &'static str) {
        self.set(part, CheckState::Starting, String::new());
    }

    /// The part works (again).
    pub fn ok(&self, part: &'static str) {
        self.set(part, CheckState::Ok, String::new());
    }

    /// The part does not work.
    pub fn failing(&self, part: &'static str, reason: impl Into<String>) {
        self.set(part, CheckState::Failing, reason.into());
    }

    /// How everything is.
    pub fn report(&self) -> Report {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let check = |(&name, (state, reason)): (&&'static str, &(CheckState, String))| Check {
            name: name.to_owned(),
            state: *state,
            reason: reason.clone(),
        };
        let checks: Vec<Check> = parts.iter().map(check).collect();
        Report { ok: checks.iter().all(|check| check.state == CheckState::Ok), checks }
    }

    /// Answers at `folder`/[`SOCKET_NAME`] for as long as the returned future is polled. The caller holds the
    /// folder's lock, so that a socket found there is a dead one's.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn serve(&self, folder: &Path) -> Result<impl Future<Output = ()> + Send + use<>, HealthError> {
        let path = folder.join(SOCKET_NAME);
        let listener = bind(&path).map_err(|reason| HealthError::Bind { path: path.clone(), reason })?;
        let health = self.clone();
        Ok(async move {
            let _remove = RemoveOnDrop(path);
            loop {
                health.answer_one(&listener).await;
            }
        })
    }

    async fn answer_one(&self, listener: &UnixListener) {
        // One at a time: whoever connects gets its answer at once or is let go.
        let Ok((stream, _)) = listener.accept().await else {
            return tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let Ok(body) = serde_json::to_vec(&self.report()) else { return };
        let mut rest = body.as_slice();
        let write = async {
            while !rest.is_empty() && stream.writable().await.is_ok() {
                match stream.try_write(rest) {
                    Ok(written) => rest = &rest[written..],
                    Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(_) => break,
                }
            }
        };
        if tokio::time::timeout(Duration::from_secs(1), write).await.is_err() {
            tracing::debug!("a health client did not read its answer");
        }
    }

    fn set(&self, part: &'static str, state: CheckState, reason: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(part, (state, reason));
    }
}

/// Asks the program that runs with the data folder `folder`.
///
/// # Errors
/// When nobody answers within five seconds, or not with a report.
pub fn ask(folder: &Path) -> Result<Report, HealthError> {
    let path = folder.join(SOCKET_NAME);
    let read = || {
        let stream = UnixStream::connect(&path)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        let mut bytes = Vec::new();
        stream.take(REPORT_LIMIT).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|reason| HealthError::Away { path: path.clone(), reason })?;
    serde_json::from_slice(&bytes).map_err(|reason| HealthError::Answer { path, reason })
}

fn bind(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

struct RemoveOnDrop(PathBuf);

impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        if let Err(e) = std::fs::remove_file(&self.0) {
            tracing::debug!(path = %self.0.display(), error = %e, "health socket not removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_ok_when_every_part_that_was_named_is() {
        let health = Health::default();
        assert!(health.report().ok);
        health.starting("store");
        assert!(!health.report().ok);
        health.ok("store");
        health.failing("sockets", "port 2055 is taken");
        let report = health.report();
        assert!(!report.ok);
        assert_eq!(report.checks[0].reason, "port 2055 is taken");
        assert_eq!(report.checks[1].state, CheckState::Ok);
        health.ok("sockets");
        assert!(health.report().ok);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whoever_asks_at_the_socket_gets_the_report_even_after_a_crash_left_one() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::net::UnixListener::bind(folder.path().join(SOCKET_NAME)).unwrap();
        let health = Health::default();
        health.failing("store", "the disk is full");
        let serving = tokio::spawn(health.serve(folder.path()).unwrap());
        let path = folder.path().to_owned();
        let report = tokio::task::spawn_blocking(move || ask(&path)).await.unwrap().unwrap();
        assert_eq!(report, health.report());
        serving.abort();
        serving.await.unwrap_err();
        assert!(!folder.path().join(SOCKET_NAME).exists());
    }

    #[test]
    fn a_folder_without_a_program_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let text = ask(folder.path()).unwrap_err().to_string();
        assert!(text.contains("is weir running with this data folder?"), "{text}");
    }
}

//! The relay's own side: takes connections of edges and does what they order.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::{info, warn};

use super::raw::RawSockets;
use super::{Done, orders, read_request};

/// Targets of all edges on a machine; more are turned away.
const CONNECTIONS: usize = 64;

/// Why a relay did not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No right to have a raw socket.
    #[error("cannot open a raw socket: {0}; run it as root with the capability NET_RAW")]
    Raw(io::Error),
    /// The path cannot be listened on.
    #[error("cannot listen on {}: {source}", .path.display())]
    Listen {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another relay is there.
    #[error("{} is another relay's: stop it, or give another path", .0.display())]
    Taken(PathBuf),
}

/// A relay that listens.
#[derive(Debug)]
pub struct Relay {
    path: PathBuf,
    listener: UnixListener,
    sockets: RawSockets,
}

impl Relay {
    /// Opens the raw sockets, and the Unix socket with the mode 0660.
    ///
    /// # Errors
    /// Without the right to raw sockets, or when the path is another relay's or cannot be used.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let sockets = RawSockets::open().map_err(OpenError::Raw)?;
        if UnixStream::connect(path).is_ok() {
            return Err(OpenError::Taken(path.to_owned()));
        }
        let failed = |source| OpenError::Listen { path: path.to_owned(), source };
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o660)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), listener, sockets })
    }

    /// Serves edges, each on a thread of its own, until the process ends.
    pub fn serve(&self) {
        let open = Arc::new(AtomicUsize::new(0));
        for stream in self.listener.incoming() {
            let outcome = stream.and_then(|stream| self.take(stream, &open));
            if let Err(error) = outcome {
                warn!(%error, "an edge's connection was not taken");
            }
        }
    }

    /// Takes the socket's file away, so that nobody waits for a relay that ends.
    pub fn close(&self) {
        // Somebody may have removed it already.
        drop(std::fs::remove_file(&self.path));
    }

    fn take(&self, stream: UnixStream, open: &Arc<AtomicUsize>) -> io::Result<()> {
        if open.load(Ordering::Relaxed) >= CONNECTIONS {
            return Err(io::Error::other(format!("there are {CONNECTIONS} connections already")));
        }
        let (sockets, open) = (self.sockets.share()?, Arc::clone(open));
        open.fetch_add(1, Ordering::Relaxed);
        let left = Arc::clone(&open);
        let work = move || {
            if let Err(error) = work(stream, sockets) {
                warn!(%error, "an edge's connection ended");
            }
            left.fetch_sub(1, Ordering::Relaxed);
        };
        let started = std::thread::Builder::new().name("relay".to_owned()).spawn(work);
        started.map(|_| ()).inspect_err(|_| _ = open.fetch_sub(1, Ordering::Relaxed))
    }
}

fn work(mut stream: UnixStream, mut sockets: RawSockets) -> io::Result<()> {
    info!("an edge is connected");
    let mut request = Vec::new();
    while read_request(&mut stream, &mut request)? {
        let mut done = Done::default();
        for order in orders(&request) {
            let malformed =
                || io::Error::new(io::ErrorKind::InvalidData, "a request that is not of the form");
            sockets.send(&order.ok_or_else(malformed)?, &mut done);
        }
        stream.write_all(&done.write())?;
    }
    Ok(())
}

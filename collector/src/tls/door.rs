//! How a port takes connections: as they come, or over TLS with the newest certificate.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::credentials::stopgap;
use super::{Current, Peer};

/// For a handshake.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection, with or without TLS.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// How a port takes connections.
#[derive(Clone, Debug)]
pub enum Door {
    /// As they come: for a port that only this machine can reach.
    Plain,
    /// Our programs, which must show a certificate.
    Ingest(Current),
    /// People, who show a token; before the first certificate is there, with one that nobody trusts.
    Api(Current),
}

impl Door {
    /// Takes a connection, and says who is at its other end if a certificate tells.
    ///
    /// # Errors
    /// When the handshake fails, or takes longer than ten seconds.
    pub async fn open(&self, stream: TcpStream) -> io::Result<(Box<dyn Duplex>, Option<Peer>)> {
        let (config, shown) = match self {
            Self::Plain => return Ok((Box::new(stream), None)),
            Self::Ingest(current) => {
                let credentials = current.borrow().clone();
                let not_yet = || io::Error::new(io::ErrorKind::NotConnected, "no certificate yet");
                (credentials.ok_or_else(not_yet)?.ingest(), true)
            }
            Self::Api(current) => match current.borrow().clone() {
                Some(credentials) => (credentials.api(), false),
                None => (before_enrollment()?, false),
            },
        };
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the handshake took too long");
        let accepted = tokio::time::timeout(PATIENCE, TlsAcceptor::from(config).accept(stream));
        let stream = accepted.await.map_err(late)??;
        if !shown {
            return Ok((Box::new(stream), None));
        }
        let leaf = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let leaf = leaf.ok_or_else(|| invalid("no certificate was shown"))?;
        let peer = Peer::of(leaf).map_err(invalid)?;
        Ok((Box::new(stream), Some(peer)))
    }
}

fn before_enrollment() -> io::Result<Arc<ServerConfig>> {
    static STOPGAP: OnceLock<Arc<ServerConfig>> = OnceLock::new();
    if let Some(made) = STOPGAP.get() {
        return Ok(Arc::clone(made));
    }
    let made = Arc::new(stopgap().map_err(io::Error::other)?);
    Ok(Arc::clone(STOPGAP.get_or_init(|| made)))
}

fn invalid(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

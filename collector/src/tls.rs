//! TLS between Weir's own programs: keys that never leave memory, certificates that the operator signs, and who the
//! peer is by its certificate.
//!
//! What a program shows and whom it trusts are [`Credentials`], replaced as a whole: new connections use the newest,
//! open ones go on with what they began with.

mod credentials;
mod door;
mod enroll;
mod peer;

pub use credentials::{Credentials, CredentialsError, Issued};
pub use door::{Door, Duplex};
pub use enroll::{Enrollment, Expected};
pub use peer::{Peer, PeerError};

use std::sync::Arc;

use tokio::sync::watch;

/// The credentials as they are now; none: not enrolled yet.
pub type Current = watch::Receiver<Option<Arc<Credentials>>>;

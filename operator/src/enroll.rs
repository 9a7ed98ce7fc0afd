//! Certificates for everything that Weir runs: the authority, the enrolment port and rotation.
//!
//! - [`Authority::start`] takes over the root in a Secret of the operator's namespace, or makes it; every replica does,
//!   and spawns [`Authority::follow`].
//! - [`Authority::bundle`] gives the roots to trust: the leader writes [`Bundle::pem`] into each collector's ConfigMap
//!   `NAME-ca`, key `ca.crt`, unchanged: [`Bundle::hash`] is over the bytes.
//! - [`serve`] answers on the enrolment port, on every replica: token, pod and collector are asked about, never taken
//!   from the request.
//! - [`Authority::client_config`] connects the operator to aggregators; it is taken anew for each connection.
//! - [`Authority::rotate`] is called by the leader every few seconds with what runs ([`Fleet`]).
//!
//! It needs: `get`, `list`, `watch` and `update` of the one Secret and `create` of Secrets in the operator's namespace,
//! `create` of TokenReviews, and `get` of pods where collectors are.

mod authority;
mod certificate;
mod desk;
mod lifetimes;
mod limit;
mod outcome;
mod own;
mod rotation;
mod secret;
mod server;
mod token;

pub use authority::{Authority, AuthorityError, Home, SECRET, SERVICE};
pub use certificate::{RootError, SignError};
pub use desk::{Desk, Owners};
pub use lifetimes::Lifetimes;
pub use outcome::{Outcome, Outcomes};
pub use own::OwnError;
pub use rotation::{Bundle, Fleet, Phase, Policy, PolicyError, Root, Signer, State, Step};
pub use secret::SecretError;
pub use server::serve;
pub use token::{Member, Role};

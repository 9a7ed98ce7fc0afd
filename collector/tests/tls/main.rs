//! TLS between our programs: real handshakes, a certificate authority and an enrolment port of the test's own.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

mod operator;
mod renewal;
mod rights;

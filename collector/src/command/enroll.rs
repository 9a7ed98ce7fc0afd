//! How both roles get their certificate: the flags, and what follows from them.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::telemetry::Health;
use crate::tls::{Current, Enrollment, Expected};

/// Where certificates come from in a cluster.
#[derive(Clone, Debug, Args)]
pub(super) struct EnrollArgs {
    /// Get a certificate from the operator at this address, show it to our other programs and ask for theirs
    #[arg(long, value_name = "URL", requires = "ca_file", requires = "token_file")]
    enroll: Option<String>,
    /// The roots to trust, as PEM; followed when the file changes
    #[arg(long, value_name = "FILE", requires = "enroll")]
    ca_file: Option<PathBuf>,
}

impl EnrollArgs {
    /// Whether a certificate is asked for: in a cluster.
    pub(super) fn is_given(&self) -> bool {
        self.enroll.is_some()
    }

    /// Begins to enroll with the token in a file; none when no certificate is asked for.
    pub(super) fn follow(
        &self,
        token: Option<&Path>,
        expected: Expected,
        health: &Health,
    ) -> Result<Option<Current>, Failure> {
        let (Some(url), Some(roots), Some(token)) = (&self.enroll, &self.ca_file, token) else {
            return Ok(None);
        };
        if !url.starts_with("https://") {
            return Err(Failure::Usage(format!("--enroll {url}: write https://HOST:PORT")));
        }
        let url = url.trim_end_matches('/').to_owned();
        let enrollment = Enrollment { url, token: token.to_owned(), roots: roots.clone(), expected };
        Ok(Some(enrollment.follow(health.clone())))
    }
}

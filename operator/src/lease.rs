//! Who of the replicas leads: a Lease in the operator's namespace, made at run time, released at the end.

use kube::Client;
use kube_lease_manager::{DurationSeconds, LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::apply::MANAGER;

/// What a replica needs to stand for election.
#[derive(Clone, Debug)]
pub struct Election {
    /// Where the Lease lies.
    pub namespace: String,
    /// What it is called.
    pub name: String,
    /// How this replica is called: its pod.
    pub identity: String,
    /// Seconds that a lease holds without renewal.
    pub duration: DurationSeconds,
}

/// Whether this replica leads, as it changes. Dropping the receiver releases the lease, and the task ends.
///
/// # Errors
/// When the Lease cannot be read or made.
pub async fn stand(
    client: Client,
    election: &Election,
) -> Result<(watch::Receiver<bool>, JoinHandle<Result<LeaseManager, LeaseManagerError>>), LeaseManagerError> {
    // Renewed when a third is left.
    let grace = (election.duration / 3).max(1);
    let manager = LeaseManagerBuilder::new(client, election.name.as_str())
        .with_namespace(election.namespace.as_str())
        .with_identity(election.identity.as_str())
        .with_field_manager(format!("{MANAGER}-{}", election.identity))
        .with_duration(election.duration)
        .with_grace(grace)
        .build()
        .await?;
    Ok(manager.watch().await)
}

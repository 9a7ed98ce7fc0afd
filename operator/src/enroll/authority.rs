//! The certificate authority of one installation: every replica signs with the root in the Secret, the leader rotates.

use std::sync::{Arc, Mutex, PoisonError};

use crds::enroll::{EnrollAnswer, hash};
use crds::identity::Identity;
use futures::{StreamExt, pin_mut};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use rcgen::PublicKeyData;
use rustls::{ClientConfig, ServerConfig};
use tokio::sync::watch;

use super::certificate::{SignError, fresh_root, issue, service_names};
use super::own::{Own, OwnError};
use super::rotation::{Bundle, Fleet, Policy, PolicyError, State, Step, due};
use super::secret::{self, SecretError};

/// The Service in front of the enrolment port, unless the installation calls it otherwise.
pub const SERVICE: &str = "weir-operator-enroll";
/// The Secret with the authority's state.
pub const SECRET: &str = "weir-ca";

/// Where the authority lives.
#[derive(Clone, Debug)]
pub struct Home {
    /// The operator's own namespace.
    pub namespace: String,
    /// The Secret in it: [`SECRET`].
    pub secret: String,
    /// The Service in front of the enrolment port, in the same namespace: the port's certificate bears its names.
    pub service: String,
}

/// The authority; cloning gives another handle to the same one.
#[derive(Clone, Debug)]
pub struct Authority {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    secrets: Secrets,
    policy: Policy,
    names: Vec<String>,
    held: watch::Sender<Held>,
    bundle: watch::Sender<Bundle>,
    own: Mutex<Own>,
}

/// The Secret, by name.
#[derive(Clone, Debug)]
struct Secrets {
    api: Api<Secret>,
    namespace: String,
    name: String,
}

#[derive(Clone, Debug)]
struct Held {
    state: State,
    /// resourceVersion: an update names it, so that a leader that was replaced changes nothing.
    version: String,
}

/// Why the authority cannot work.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Lifetimes do not fit.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The API server cannot be asked, or refuses.
    #[error("Secret {secret}: {error}")]
    Api {
        /// `namespace/name`.
        secret: String,
        /// What it said.
        error: kube::Error,
    },
    /// The Secret does not hold an authority.
    #[error(
        "Secret {secret}: {error}; if no backup of it can be restored, delete it: a running operator writes back what it \
         holds, otherwise a new root is made and every program enrols again"
    )]
    Secret {
        /// `namespace/name`.
        secret: String,
        /// What is wrong.
        error: SecretError,
    },
    /// No certificate can be made.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The operator's own certificate cannot be made.
    #[error(transparent)]
    Own(#[from] OwnError),
}

impl Authority {
    /// Takes over the authority in its Secret, or makes one: whoever comes first.
    ///
    /// # Errors
    /// When the Secret cannot be read or made, or does not hold an authority.
    pub async fn start(client: Client, home: Home, policy: Policy) -> Result<Self, AuthorityError> {
        policy.check()?;
        let names = service_names(&home.service, &home.namespace);
        let api = Api::namespaced(client, &home.namespace);
        let secrets = Secrets { api, namespace: home.namespace, name: home.secret };
        let held = secrets.first(&policy).await?;
        Self::hold(secrets, held, names, policy)
    }

    fn hold(
        secrets: Secrets,
        held: Held,
        names: Vec<String>,
        policy: Policy,
    ) -> Result<Self, AuthorityError> {
        let own = Mutex::new(Own::new(&held.state, &names, &policy, Timestamp::now())?);
        let bundle = watch::Sender::new(held.state.bundle());
        let held = watch::Sender::new(held);
        Ok(Self { inner: Arc::new(Inner { secrets, policy, names, held, bundle, own }) })
    }

    /// The roots to trust, from now on.
    pub fn bundle(&self) -> watch::Receiver<Bundle> {
        self.inner.bundle.subscribe()
    }

    /// Where the rotation stands and what it is made of.
    pub fn state(&self) -> State {
        self.inner.held.borrow().state.clone()
    }

    /// How the operator connects to aggregators, as of now: take it anew for each connection.
    pub fn client_config(&self) -> ClientConfig {
        self.own(|own| own.client.clone())
    }

    /// How the enrolment port answers, as of now.
    pub(super) fn server_config(&self) -> Arc<ServerConfig> {
        self.own(|own| Arc::clone(&own.server))
    }

    /// Follows the Secret and renews the operator's own certificate. Runs as long as the operator does:
    /// nothing rotates without it.
    pub async fn follow(self) {
        let secrets = &self.inner.secrets;
        let seen = watcher::watch_object(secrets.api.clone(), &secrets.name).default_backoff();
        pin_mut!(seen);
        loop {
            let renewal = self.own(|own| own.renew_at).duration_since(Timestamp::now());
            // Looked at once a minute at least: the clock that certificates live by may be set.
            let wait = renewal.unsigned_abs().clamp(SOON, LOOK);
            tokio::select! {
                event = seen.next() => match event {
                    Some(Ok(Some(secret))) => self.take_over(secret).await,
                    Some(Ok(None)) => self.put_back(None).await,
                    Some(Err(error)) => tracing::warn!(%error, "the CA's Secret cannot be watched"),
                    None => return,
                },
                () = tokio::time::sleep(wait) => self.renew(Timestamp::now()),
            }
        }
    }

    /// Takes the rotation one step further, if one is due. For the leader, every few seconds.
    ///
    /// # Errors
    /// When the Secret cannot be written; the step is due again then.
    pub async fn rotate(&self, fleet: &Fleet<'_>) -> Result<Option<Step>, AuthorityError> {
        let Held { state, version } = self.inner.held.borrow().clone();
        let (policy, now) = (&self.inner.policy, Timestamp::now());
        let Some(step) = due(&state, policy, now, fleet) else { return Ok(None) };
        let behind = behind(&state, step, fleet);
        let next = state.after(step, policy, now, || fresh_root(policy, now))?;
        if !self.inner.secrets.replace(&next, &version).await? {
            return Ok(None);
        }
        let phase = next.phase.name();
        if behind > 0 {
            tracing::warn!(
                behind,
                "the root ends soon: the next one signs though not every program trusts it yet"
            );
        }
        tracing::info!(?step, phase, "rotation of the CA");
        Ok(Some(step))
    }

    /// A certificate for `identity`. The Secret is read first: a replica that lags behind must not sign with a root
    /// that is about to be dropped.
    pub(super) async fn sign(
        &self,
        key: &impl PublicKeyData,
        identity: &Identity,
        names: &[String],
    ) -> Result<EnrollAnswer, AuthorityError> {
        let state = self.inner.secrets.get().await?.map_or_else(|| self.state(), |held| held.state);
        let (chain, _) = issue(&state.signer, key, (identity, names), &self.inner.policy, Timestamp::now())?;
        let root = hash(&state.signer.root.certificate);
        Ok(EnrollAnswer { chain, bundle: state.bundle().pem, root })
    }

    async fn take_over(&self, secret: Secret) {
        match self.inner.secrets.held(&secret) {
            Ok(held) => {
                self.inner.bundle.send_if_modified(|bundle| {
                    let new = held.state.bundle();
                    let changed = *bundle != new;
                    *bundle = new;
                    changed
                });
                self.inner.held.send_replace(held);
                self.renew(Timestamp::now());
            }
            Err(error @ AuthorityError::Secret { error: SecretError::Newer(_), .. }) => {
                tracing::error!(%error, "the CA's Secret is not taken over");
            }
            Err(error) => {
                tracing::error!(%error, "the CA's Secret was damaged and is written back");
                self.put_back(secret.resource_version()).await;
            }
        }
    }

    /// Writes what this replica holds over a damaged Secret, or makes a deleted one anew.
    async fn put_back(&self, version: Option<String>) {
        let state = self.state();
        let done = match version {
            Some(version) => self.inner.secrets.replace(&state, &version).await.map(drop),
            None => self.inner.secrets.create(&state).await.map(drop),
        };
        match done {
            Ok(()) => tracing::warn!(secret = %self.inner.secrets.path(), "the CA's Secret was put back"),
            Err(error) => tracing::error!(%error, "the CA's Secret cannot be put back"),
        }
    }

    fn renew(&self, now: Timestamp) {
        let state = self.state();
        if !self.own(|own| own.is_stale(&state, now)) {
            return;
        }
        match Own::new(&state, &self.inner.names, &self.inner.policy, now) {
            Ok(own) => *self.inner.own.lock().unwrap_or_else(PoisonError::into_inner) = own,
            Err(error) => tracing::error!(%error, "the operator keeps its certificate, which ends"),
        }
    }

    fn own<T>(&self, read: impl FnOnce(&Own) -> T) -> T {
        read(&self.inner.own.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

const SOON: std::time::Duration = std::time::Duration::from_secs(1);
const LOOK: std::time::Duration = std::time::Duration::from_mins(1);

/// How many programs do not trust the root that will sign.
fn behind(state: &State, step: Step, fleet: &Fleet) -> usize {
    let wanted = state.bundle().hash;
    let lags = fleet.running.iter().filter(|program| program.bundle != wanted);
    if step == Step::Sign { lags.count() } else { 0 }
}

impl Secrets {
    fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    fn api_error(&self, error: kube::Error) -> AuthorityError {
        AuthorityError::Api { secret: self.path(), error }
    }

    fn held(&self, secret: &Secret) -> Result<Held, AuthorityError> {
        let empty = secret::Data::new();
        let state = secret::read(secret.data.as_ref().unwrap_or(&empty))
            .map_err(|error| AuthorityError::Secret { secret: self.path(), error })?;
        Ok(Held { state, version: secret.resource_version().unwrap_or_default() })
    }

    async fn get(&self) -> Result<Option<Held>, AuthorityError> {
        let secret = self.api.get_opt(&self.name).await.map_err(|error| self.api_error(error))?;
        secret.as_ref().map(|secret| self.held(secret)).transpose()
    }

    async fn first(&self, policy: &Policy) -> Result<Held, AuthorityError> {
        loop {
            if let Some(held) = self.get().await? {
                return Ok(held);
            }
            let state = State::new(fresh_root(policy, Timestamp::now())?);
            if let Some(held) = self.create(&state).await? {
                tracing::info!(secret = %self.path(), "made the root of this installation's certificates");
                return Ok(held);
            }
        }
    }

    /// `None`: another replica was first.
    async fn create(&self, state: &State) -> Result<Option<Held>, AuthorityError> {
        match self.api.create(&PostParams::default(), &self.object(state, None)).await {
            Ok(secret) => self.held(&secret).map(Some),
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(None),
            Err(error) => Err(self.api_error(error)),
        }
    }

    /// `false`: the Secret is another one than `version` by now.
    async fn replace(&self, state: &State, version: &str) -> Result<bool, AuthorityError> {
        let secret = self.object(state, Some(version.to_owned()));
        match self.api.replace(&self.name, &PostParams::default(), &secret).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => Ok(false),
            Err(error) => Err(self.api_error(error)),
        }
    }

    fn object(&self, state: &State, resource_version: Option<String>) -> Secret {
        let labels =
            [("app.kubernetes.io/managed-by", "weir-operator"), ("app.kubernetes.io/part-of", "weir")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let metadata = ObjectMeta {
            name: Some(self.name.clone()),
            namespace: Some(self.namespace.clone()),
            labels: Some(labels),
            resource_version,
            ..ObjectMeta::default()
        };
        let data = Some(secret::write(state));
        Secret { metadata, data, ..Secret::default() }
    }
}

#[cfg(test)]
pub(super) mod tests;

//! Who may see what in a cluster: Kubernetes is asked who sends a token (TokenReview), and what that user may read
//! (SubjectAccessReview). Answers are kept for seconds; while the API server is away, those it gave go on for minutes.

mod answers;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::Semaphore;
use tracing::{info, warn};

use self::answers::Answers;
use super::problem::Problem;
use crate::telemetry::{Metric, Metrics, Repeated};

/// For whom a token made for Weir is.
pub const AUDIENCE: &str = "weir.dev";
const GROUP: &str = "weir.dev";
/// Questions to the API server at once.
const QUESTIONS: usize = 16;
/// For an answer of the API server; then it is away.
const PATIENCE: Duration = Duration::from_secs(5);
/// Refusals go into the log at most so often, with the number of those left out.
const AUDIT: Duration = Duration::from_millis(50);
/// That the API server is away is said so often.
const SAY: Duration = Duration::from_secs(10);
/// Tokens kept; each at most 16 KiB.
const TOKENS: usize = 512;
const TOKEN_BYTES: usize = 16 << 10;
/// Rights kept.
const RIGHTS: usize = 4_096;

/// What a request wants to see.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Wanted {
    /// The series of a profile; without a name: of all in the namespace.
    Profile {
        /// Of the FlowProfile.
        namespace: String,
        /// Of the FlowProfile.
        name: String,
    },
    /// What is of the whole collector.
    Collector,
    /// `/metrics`.
    Metrics,
}

/// Why nothing is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// Nobody, or nobody that Kubernetes knows.
    Token(&'static str),
    /// Somebody who may not.
    Right(String),
    /// The API server does not answer.
    Away(String),
}

impl Denied {
    /// A word for the metrics.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Right(_) => "right",
            Self::Away(_) => "api_server",
        }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Token(detail) => Self::unauthorized(detail),
            Denied::Right(detail) => Self::forbidden(detail),
            Denied::Away(detail) => Self::unreviewed(detail),
        }
    }
}

/// Asks Kubernetes, and remembers.
pub struct Reviewer {
    client: Client,
    /// Namespace and name of the FlowCollector.
    collector: (String, String),
    metrics: Metrics,
    questions: Semaphore,
    denied: Mutex<Repeated>,
    away: Mutex<Repeated>,
    users: Answers<String, Option<Arc<UserInfo>>>,
    rights: Answers<(String, Wanted), bool>,
}

impl std::fmt::Debug for Reviewer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reviewer").field("collector", &self.collector).finish_non_exhaustive()
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Viewer {
    reviewer: Arc<Reviewer>,
    user: Arc<UserInfo>,
}

impl Reviewer {
    /// For the data of the FlowCollector `namespace/name`, by the API server of the cluster in which this runs.
    ///
    /// # Errors
    /// When nothing tells where the API server is.
    pub async fn new(collector: &str, metrics: Metrics) -> Result<Self, kube::Error> {
        Ok(Self::with(Client::try_default().await?, collector, metrics))
    }

    /// As [`Reviewer::new`], by a client that is there already.
    pub fn with(client: Client, collector: &str, metrics: Metrics) -> Self {
        let (namespace, name) = collector.split_once('/').unwrap_or(("default", collector));
        Self {
            client,
            collector: (namespace.to_owned(), name.to_owned()),
            metrics,
            questions: Semaphore::new(QUESTIONS),
            denied: Mutex::new(Repeated::every(AUDIT)),
            away: Mutex::new(Repeated::every(SAY)),
            users: Answers::new(TOKENS),
            rights: Answers::new(RIGHTS),
        }
    }

    /// Who sends a token.
    pub(super) async fn viewer(self: &Arc<Self>, token: &str) -> Result<Viewer, Denied> {
        if token.len() > TOKEN_BYTES {
            return Err(Denied::Token("the token is too long"));
        }
        let user = self.users.get(&token.to_owned(), || self.authenticate(token)).await?;
        let user = user.ok_or(Denied::Token(
            "Kubernetes knows no user with this token, or it is over; make one with: kubectl create token",
        ))?;
        Ok(Viewer { reviewer: Arc::clone(self), user })
    }

    /// A token for the API server, or one for Weir.
    async fn authenticate(&self, token: &str) -> Result<Option<Arc<UserInfo>>, Denied> {
        for audience in [None, Some(AUDIENCE)] {
            let spec = TokenReviewSpec {
                token: token.to_owned(),
                audiences: audience.map(|audience| vec![audience.to_owned()]),
            };
            let review = TokenReview { spec, ..TokenReview::default() };
            let status = self.ask(review).await?.status.unwrap_or_default();
            let audiences = status.audiences.unwrap_or_default();
            // An authenticator that knows no audiences names none: then the token is for the API server alone.
            let fits = audience.is_none_or(|audience| audiences.iter().any(|named| named == audience));
            if status.authenticated == Some(true) && fits {
                return Ok(status.user.map(Arc::new));
            }
        }
        Ok(None)
    }

    async fn authorize(&self, user: &UserInfo, wanted: &Wanted) -> Result<bool, Denied> {
        let mut spec = SubjectAccessReviewSpec {
            user: user.username.clone(),
            groups: user.groups.clone(),
            uid: user.uid.clone(),
            extra: user.extra.clone(),
            ..SubjectAccessReviewSpec::default()
        };
        match self.resource(wanted) {
            Some((resource, namespace, name)) => {
                spec.resource_attributes = Some(ResourceAttributes {
                    group: Some(GROUP.to_owned()),
                    resource: Some(resource.to_owned()),
                    subresource: Some("data".to_owned()),
                    verb: Some("get".to_owned()),
                    namespace: Some(namespace.to_owned()),
                    name: Some(name.to_owned()).filter(|name| !name.is_empty()),
                    ..ResourceAttributes::default()
                });
            }
            None => {
                spec.non_resource_attributes = Some(NonResourceAttributes {
                    path: Some("/metrics".to_owned()),
                    verb: Some("get".to_owned()),
                });
            }
        }
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        Ok(self.ask(review).await?.status.is_some_and(|status| status.allowed))
    }

    /// Resource, namespace and name; none: `/metrics`.
    fn resource<'a>(&'a self, wanted: &'a Wanted) -> Option<(&'static str, &'a str, &'a str)> {
        match wanted {
            Wanted::Profile { namespace, name } => Some(("flowprofiles", namespace, name)),
            Wanted::Collector => Some(("flowcollectors", &self.collector.0, &self.collector.1)),
            Wanted::Metrics => None,
        }
    }

    fn said(&self, wanted: &Wanted) -> String {
        match self.resource(wanted) {
            Some((resource, namespace, name)) => {
                let name = if name.is_empty() { "*" } else { name };
                format!("{resource}.{GROUP}/data {namespace}/{name}")
            }
            None => "/metrics".to_owned(),
        }
    }

    async fn ask<K>(&self, question: K) -> Result<K, Denied>
    where
        K: kube::Resource<DynamicType = ()>
            + Clone
            + serde::de::DeserializeOwned
            + serde::Serialize
            + std::fmt::Debug,
    {
        let asked = async {
            let _one = self.questions.acquire().await;
            Api::<K>::all(self.client.clone()).create(&PostParams::default(), &question).await
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.away(&error.to_string())),
            Err(_) => Err(self.away(&format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }

    fn away(&self, reason: &str) -> Denied {
        if let Some(unsaid) = self.away.lock().unwrap_or_else(PoisonError::into_inner).pass() {
            warn!(reason, unsaid, "the API server cannot be asked for rights");
        }
        Denied::Away(format!(
            "the Kubernetes API server cannot be asked whether you may see this ({reason}); try again"
        ))
    }
}

impl Viewer {
    /// Whether the user may see something.
    pub(super) async fn sees(&self, wanted: &Wanted) -> Result<bool, Denied> {
        // Groups and extra fields may differ between two tokens of one user.
        let who = serde_json::to_string(&*self.user).unwrap_or_default();
        let key = (who, wanted.clone());
        self.reviewer.rights.get(&key, || self.reviewer.authorize(&self.user, wanted)).await
    }

    /// Passes only who may see something; whoever may not is counted and goes into the log.
    pub(super) async fn must_see(&self, wanted: &Wanted) -> Result<(), Denied> {
        let sees = match wanted {
            Wanted::Profile { namespace, name } => self.sees_profile(namespace, name).await?,
            _ => self.sees(wanted).await?,
        };
        if sees {
            return Ok(());
        }
        let user = self.user.username.as_deref().unwrap_or_default();
        let resource = self.reviewer.said(wanted);
        self.reviewer.metrics.lock().add(Metric::AccessDenied, &[], 1);
        let unsaid = self.reviewer.denied.lock().unwrap_or_else(PoisonError::into_inner).pass();
        if let Some(unsaid) = unsaid {
            info!(user, verb = "get", resource, unsaid, "access denied");
        }
        Err(Denied::Right(format!(
            "{user} may not get {resource}; the ClusterRole weir-data-reader grants it, bound in the namespace"
        )))
    }

    /// Whether the user may see a profile: by a right for its whole namespace, or for it alone.
    pub(super) async fn sees_profile(&self, namespace: &str, name: &str) -> Result<bool, Denied> {
        for name in ["", name] {
            let wanted = Wanted::Profile { namespace: namespace.to_owned(), name: name.to_owned() };
            if self.sees(&wanted).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

//! The cluster that the kubeconfig names.

use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Resource};
use serde::de::DeserializeOwned;

use super::Place;
use crate::command::Failure;

/// A list is no longer; what is past it is not shown.
const MOST: u32 = 2_000;

/// A cluster, as one user sees it.
#[derive(Clone)]
pub(super) struct Cluster {
    /// Asks the API server.
    pub(super) client: Client,
    /// What the kubeconfig says.
    pub(super) config: Config,
    /// Where names without a namespace are.
    pub(super) namespace: String,
    /// Namespace and name of the ServiceAccount that reads for those without a token.
    pub(super) viewer: (String, String),
}

impl Cluster {
    /// Reads the kubeconfig; nothing is asked yet.
    pub(super) async fn connect(place: &Place) -> Result<Self, Failure> {
        // Whoever was first has set the same provider.
        _ = rustls::crypto::ring::default_provider().install_default();
        let Some((namespace, name)) = place.viewer.split_once('/') else {
            return Err(Failure::Usage(format!("--viewer {}: give NAMESPACE/NAME", place.viewer)));
        };
        let viewer = (namespace.to_owned(), name.to_owned());
        let config = configuration(place).await?;
        let client = Client::try_from(config.clone())
            .map_err(|error| Failure::Input(format!("the kubeconfig cannot be used: {error}")))?;
        let namespace = place.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        Ok(Self { client, config, namespace, viewer })
    }

    /// A kind in a namespace.
    pub(super) fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// All objects of a kind, in a namespace or everywhere.
    pub(super) async fn list<K>(&self, namespace: Option<&str>, labels: &str) -> Result<Vec<K>, Failure>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let api: Api<K> = match namespace {
            Some(namespace) => self.api(namespace),
            None => Api::all(self.client.clone()),
        };
        let parameters = ListParams::default().labels(labels).limit(MOST);
        let list = api.list(&parameters).await.map_err(|error| refused(&K::plural(&()), error))?;
        Ok(list.items)
    }
}

async fn configuration(place: &Place) -> Result<Config, Failure> {
    let options = KubeConfigOptions { context: place.context.clone(), ..KubeConfigOptions::default() };
    let read = match &place.kubeconfig {
        None => Config::from_kubeconfig(&options).await,
        Some(file) => match Kubeconfig::read_from(file) {
            Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &options).await,
            Err(error) => Err(error),
        },
    };
    read.map_err(|error| Failure::Input(format!("kubeconfig: {}", chain(&error))))
}

/// What the API server said, for the one who asked.
pub(super) fn refused(what: &str, error: kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) if status.is_not_found() => {
            Failure::Input(format!("{what}: {}; are Weir's CRDs installed?", status.message))
        }
        kube::Error::Api(status) => Failure::Input(format!("{what}: {}", status.message)),
        error => Failure::System(format!("{what}: {}", chain(&error))),
    }
}

/// An error with what caused it.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

//! The token with which an aggregator is asked.
//!
//! The API server's own proxy takes the Authorization header away, and a client certificate proves nothing to anybody
//! but the API server: so the token goes to the aggregator directly, and who has none asks for one.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::client::{Body, ConfigExt};
use tokio::sync::Mutex;
use tower::{Layer, ServiceExt, service_fn};
use warp::http::header::AUTHORIZATION;
use warp::http::{Request, Response};

use super::cluster::{Cluster, chain, refused};
use crate::command::Failure;

/// For whom a requested token is: aggregators alone.
const AUDIENCE: &str = "weir.dev";
const VALID: Duration = Duration::from_secs(3600);
/// A token is asked for anew after this time: a plugin's may hold no longer than a quarter of an hour.
const FRESH: Duration = Duration::from_secs(300);

/// Tokens, as long as they are needed.
pub(super) struct Tokens {
    cluster: Cluster,
    last: Mutex<Option<(Arc<String>, Instant)>>,
}

impl Tokens {
    /// Of whom the kubeconfig names.
    pub(super) fn new(cluster: Cluster) -> Self {
        Self { cluster, last: Mutex::default() }
    }

    /// A token that holds now.
    pub(super) async fn current(&self) -> Result<Arc<String>, Failure> {
        let mut last = self.last.lock().await;
        if let Some((token, since)) = last.as_ref()
            && since.elapsed() < FRESH
        {
            return Ok(Arc::clone(token));
        }
        let first = last.is_none();
        let token = match of_kubeconfig(&self.cluster)? {
            Some(token) => token,
            None => of_viewer(&self.cluster, first).await?,
        };
        let token = Arc::new(token);
        *last = Some((Arc::clone(&token), Instant::now()));
        Ok(token)
    }
}

/// What the kubeconfig would send to the API server: a token, a file's, or a plugin's; none for certificates.
fn of_kubeconfig(cluster: &Cluster) -> Result<Option<String>, Failure> {
    let failed =
        |error: &dyn std::error::Error| Failure::Input(format!("the kubeconfig's token: {}", chain(error)));
    let Some(layer) = cluster.config.auth_layer().map_err(|error| failed(&error))? else { return Ok(None) };
    // The only way to the token is to let it be put into a request: this service answers with what it was asked with.
    let echo = service_fn(|request: Request<Body>| async move {
        let mut answer = Response::new(());
        *answer.headers_mut() = request.into_parts().0.headers;
        Ok::<_, tower::BoxError>(answer)
    });
    let asked = layer.layer(echo).oneshot(Request::new(Body::empty()));
    // A plugin may open a browser and wait: apart from the threads that carry connections.
    let asked = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(asked));
    let asked = asked.map_err(|error| failed(&*error))?;
    let header = asked.headers().get(AUTHORIZATION);
    let text = header.and_then(|header| header.to_str().ok()).unwrap_or_default();
    Ok(text.strip_prefix("Bearer ").map(str::to_owned))
}

async fn of_viewer(cluster: &Cluster, say: bool) -> Result<String, Failure> {
    let (namespace, name) = &cluster.viewer;
    let spec = TokenRequestSpec {
        audiences: Some(vec![AUDIENCE.to_owned()]),
        expiration_seconds: i64::try_from(VALID.as_secs()).ok(),
        ..TokenRequestSpec::default()
    };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let accounts = cluster.api::<ServiceAccount>(namespace);
    let answer = accounts.create_token_request(name, &PostParams::default(), &request).await;
    let answer = answer.map_err(|error| {
        let why = refused(&format!("a token of ServiceAccount {namespace}/{name}"), error);
        Failure::Input(format!("the kubeconfig holds no token, and {why}; name another one with --viewer"))
    })?;
    if say {
        // Nothing is lost when nobody reads it.
        _ = writeln!(
            std::io::stderr(),
            "note: the kubeconfig holds no token; flow data are read as ServiceAccount {namespace}/{name}"
        );
    }
    answer
        .status
        .and_then(|status| status.token)
        .ok_or_else(|| Failure::System("the API server answered a token request without a token".to_owned()))
}

//! An API server that throttles, or is away: what was asked for meanwhile is done afterwards, without help.

use serde_json::{Value, json};

use crate::fixture::{LIMIT, Place, eventually};
use crate::proxy::{Mood, Proxy};

fn channel(filter: &str) -> Value {
    json!({"channels": [{"name": "web", "filter": filter}]})
}

async fn refused(proxy: &Proxy, times: usize) {
    eventually(&format!("{times} refusals"), LIMIT, async || {
        let refused = proxy.refused();
        (refused >= times).then_some(()).ok_or_else(|| format!("{refused}"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_operator_does_its_work_when_it_may_again() {
    let place = Place::new("throttled").await;
    let proxy = Proxy::start(place.client.clone(), usize::MAX).await;
    let mut operator = place.operator_at("a", &proxy.kubeconfig(&place));
    place.create("FlowCollector", "zone1", json!({})).await;
    place.made("zone1").await;
    place.create("FlowProfile", "web", channel("port 80")).await;
    place.condition("FlowProfile", "web", "Accepted", "True").await;
    proxy.set(Mood::Throttles);
    place.edit("FlowProfile", "web", channel("port 443")).await;
    refused(&proxy, 3).await;
    operator.assert_running();
    proxy.set(Mood::Well);
    place.condition("FlowProfile", "web", "Accepted", "True").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_api_server_was_away_the_same_operator_goes_on() {
    let place = Place::new("away").await;
    let proxy = Proxy::start(place.client.clone(), usize::MAX).await;
    let mut operator = place.operator_at("a", &proxy.kubeconfig(&place));
    place.create("FlowCollector", "zone1", json!({})).await;
    place.made("zone1").await;
    proxy.set(Mood::Away);
    refused(&proxy, 10).await;
    place.create("FlowProfile", "web", channel("port 80")).await;
    place
        .plane
        .kubectl_command(&["-n", &place.namespace, "delete", "daemonset", "zone1-edge"])
        .output()
        .expect("kubectl");
    proxy.set(Mood::Well);
    place.condition("FlowProfile", "web", "Accepted", "True").await;
    place.made("zone1").await;
    operator.assert_running();
}

//! The operator cut off from the API server after its n-th write, and killed, for every n: the next one converges.

use futures::future::join_all;
use rustix::process::Signal;
use serde_json::json;

use crate::fixture::{LIMIT, Place, eventually, snapshot};
use crate::proxy::Proxy;

/// Runs at once.
const TOGETHER: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_the_operator_is_cut_off_the_next_one_makes_it_whole() {
    let whole = reference().await;
    let (mut cuts, mut next) = (0, 1);
    loop {
        let batch = (next..next + TOGETHER).map(|writes| cut_after(writes, &whole));
        let ended = join_all(batch).await;
        cuts += ended.iter().filter(|&&cut| cut).count();
        if ended.contains(&false) {
            break;
        }
        next += TOGETHER;
    }
    assert!(cuts >= whole.len(), "{cuts} cuts for {} objects", whole.len());
}

async fn give_work(place: &Place) {
    place.create("FlowCollector", "zone1", json!({"exposure": {"type": "NodePort"}})).await;
    place.create("FlowProfile", "web", json!({"channels": [{"name": "web", "filter": "port 443"}]})).await;
}

/// What is there when nobody is cut off.
async fn reference() -> Vec<String> {
    let place = Place::new("whole").await;
    let _operator = place.operator("a");
    give_work(&place).await;
    place.made("zone1").await;
    place.condition("FlowProfile", "web", "Accepted", "True").await;
    names(&place).await
}

/// Says whether the operator wrote so much that it was cut off.
async fn cut_after(writes: usize, whole: &[String]) -> bool {
    let place = Place::new(&format!("cut{writes}")).await;
    give_work(&place).await;
    let proxy = Proxy::start(place.client.clone(), writes).await;
    let operator = place.operator_at("a", &proxy.kubeconfig(&place));
    let cut = eventually("the cut, or all is made", LIMIT, async || {
        if proxy.is_cut() {
            return Ok(true);
        }
        let object = place.profiles().get("web").await.map_err(|error| error.to_string())?;
        let accepted = crate::fixture::conditions(&object)
            .iter()
            .any(|one| one["type"] == "Accepted" && one["status"] == "True");
        let done = accepted && names(&place).await == whole && told(&place).await;
        done.then_some(false).ok_or_else(|| format!("{} writes", proxy.written()))
    })
    .await;
    operator.signal(Signal::KILL);
    drop(operator);
    let _next = place.operator("b");
    eventually(&format!("everything, though cut off after {writes} writes"), LIMIT, async || {
        let now = names(&place).await;
        (now == whole).then_some(()).ok_or_else(|| format!("{now:?}"))
    })
    .await;
    place.made("zone1").await;
    place.condition("FlowProfile", "web", "Accepted", "True").await;
    cut
}

/// Whether the collector has its status.
async fn told(place: &Place) -> bool {
    let object = place.collectors().get("zone1").await;
    object.is_ok_and(|object| {
        object.data["status"]["observedGeneration"].as_i64() == object.metadata.generation
    })
}

/// What is there; revisions have the UIDs of their objects in their names.
async fn names(place: &Place) -> Vec<String> {
    let mut names: Vec<String> = snapshot(place)
        .await
        .into_iter()
        .map(|(name, _)| match name.split_once(' ') {
            Some((kind @ ("ControllerRevision" | "ClusterRoleBinding"), _)) => kind.to_owned(),
            _ => name,
        })
        .collect();
    names.sort();
    names
}

//! The ConfigMaps: what rolls the pods, and what they take over as they run.

use std::collections::BTreeMap;

use crds::config::hot::{self, Shard};
use crds::config::{AggregatorConfig, EdgeConfig};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use super::Ground;
use crate::apply::Desired;
use crate::kind::Kind;
use crate::secrets::Data;

/// Roots that all programs trust.
pub(super) fn roots(ground: &Ground<'_>, bundle: &str) -> Desired {
    config_map(ground, "ca", "config", BTreeMap::from([("ca.crt".to_owned(), bundle.to_owned())]))
}

/// What the edges need of the targets' Secrets: nothing else of them, and none of it in a ConfigMap.
pub(super) fn secrets(ground: &Ground<'_>, data: &Data) -> Desired {
    let secret = Secret {
        metadata: ground.meta("targets", "edge"),
        data: Some(data.clone()),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    };
    Desired::new(Kind::Secret, &secret)
}

/// The hot plane.
pub(super) fn hot(ground: &Ground<'_>, shards: &[Shard; hot::SHARDS]) -> Vec<Desired> {
    let shard = |(at, shard): (usize, &Shard)| {
        let binary =
            shard.binary.iter().map(|(key, bytes)| (key.clone(), ByteString(bytes.clone()))).collect();
        let map = ConfigMap {
            metadata: ground.meta(&format!("hot-{at}"), "config"),
            data: Some(shard.data.clone()),
            binary_data: Some(binary),
            ..ConfigMap::default()
        };
        Desired::new(Kind::ConfigMap, &map)
    };
    // The one that names the hashes of all comes last: a reader finds a whole writing at once.
    let mut built: Vec<Desired> = shards.iter().enumerate().map(shard).collect();
    built.rotate_left(1);
    built
}

/// What an edge reads once.
pub(super) fn edge(ground: &Ground<'_>) -> Desired {
    let config = EdgeConfig { sources: Vec::new(), profiles: Vec::new(), ..ground.fleet.edge.clone() };
    config_map(ground, "edge", "edge", BTreeMap::from([("edge.yaml".to_owned(), yaml(&config))]))
}

/// What the aggregator reads once.
pub(super) fn aggregator(ground: &Ground<'_>) -> Desired {
    let config = AggregatorConfig {
        sources: Vec::new(),
        profiles: Vec::new(),
        storage_path: None,
        ..ground.fleet.aggregator.clone()
    };
    let data = BTreeMap::from([("aggregator.yaml".to_owned(), yaml(&config))]);
    config_map(ground, "aggregator", "aggregator", data)
}

/// What rolls the pods when it changes: the content alone.
pub(super) fn hash(config: &Desired) -> String {
    format!("{:016x}", xxh3_64(config.object["data"].to_string().as_bytes()))
}

fn config_map(ground: &Ground<'_>, part: &str, component: &str, data: BTreeMap<String, String>) -> Desired {
    let map = ConfigMap { metadata: ground.meta(part, component), data: Some(data), ..ConfigMap::default() };
    Desired::new(Kind::ConfigMap, &map)
}

#[allow(clippy::expect_used, reason = "a configuration is plain data")]
fn yaml<T: Serialize>(value: &T) -> String {
    serde_yaml::to_string(value).expect("a configuration is plain data")
}

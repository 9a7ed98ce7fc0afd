//! Who may do what at the ingest port.

use crds::fleet::FLEET_PATH;
use crds::identity::Identity;

/// Why a peer is sent away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// A word for the metrics.
    pub(super) reason: &'static str,
    /// What the peer is told.
    pub(super) text: String,
}

/// Lets a peer do what `path` is for at the aggregator of `collector`; returns the node that it may speak for, if it
/// is bound to one. Without TLS there is no peer, and no bound.
pub(super) fn admit<'a>(
    path: &str,
    peer: Option<&'a Identity>,
    collector: &str,
) -> Result<Option<&'a str>, Refusal> {
    let refused = |reason, text: String| Err(Refusal { reason, text });
    match peer {
        None => Ok(None),
        Some(Identity::Operator) if path == FLEET_PATH => Ok(None),
        Some(peer) if path == FLEET_PATH => {
            refused("not_the_operator", format!("{peer} may not ask for the fleet: the operator alone does"))
        }
        Some(Identity::Edge { collector: of, node, .. }) if of == collector => Ok(Some(node)),
        Some(peer @ Identity::Edge { .. }) => refused(
            "other_collector",
            format!("{peer} delivers here, but this is the aggregator of {collector}"),
        ),
        Some(peer) => refused("no_edge", format!("{peer} delivers here, but only edges do")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_of_the_same_collector_deliver_for_their_node_and_the_operator_alone_asks_for_the_fleet() {
        let edge = |collector: &str| Identity::Edge {
            collector: collector.into(),
            node: "node-a".into(),
            pod: "1".into(),
        };
        let (own, other) = (edge("net/zone1"), edge("net/zone2"));
        let aggregator = Identity::Aggregator { collector: "net/zone1".into(), pod: "2".into() };
        for path in ["/v1/blocks", "/v1/provisional", "/v1/report"] {
            let admitted = |peer| admit(path, peer, "net/zone1").map_err(|refusal| refusal.reason);
            assert_eq!(admitted(Some(&own)), Ok(Some("node-a")));
            assert_eq!(admitted(Some(&other)), Err("other_collector"));
            assert_eq!(admitted(Some(&aggregator)), Err("no_edge"));
            assert_eq!(admitted(Some(&Identity::Operator)), Err("no_edge"));
            assert_eq!(admitted(None), Ok(None));
        }
        let fleet = |peer| admit(FLEET_PATH, Some(peer), "net/zone1").map_err(|refusal| refusal.reason);
        assert_eq!(fleet(&Identity::Operator), Ok(None));
        for peer in [&own, &other, &aggregator] {
            assert_eq!(fleet(peer), Err("not_the_operator"));
        }
    }
}

//! Who a program is to the others: the URI in its certificate.
//!
//! The operator reads collector, node and pod from the token that Kubernetes gave the pod, never from what the pod
//! says, and writes them into the certificate (RFC 5280 4.2.1.6, uniformResourceIdentifier).

use std::fmt;
use std::str::FromStr;

/// Who a certificate speaks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Identity {
    /// The operator: may ask every aggregator how its fleet is.
    Operator,
    /// A FlowCollector's aggregator: edges deliver to it.
    Aggregator {
        /// `namespace/name` of the FlowCollector.
        collector: String,
        /// UID of its pod.
        pod: String,
    },
    /// An edge: delivers for its own node alone.
    Edge {
        /// `namespace/name` of the FlowCollector.
        collector: String,
        /// The node on which it runs.
        node: String,
        /// UID of its pod.
        pod: String,
    },
}

/// A URI that names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} names no program: weir://operator, weir://NAMESPACE/COLLECTOR/aggregator/POD-UID and \
     weir://NAMESPACE/COLLECTOR/edge/NODE/POD-UID do"
)]
pub struct NoIdentity(String);

const SCHEME: &str = "weir://";

impl Identity {
    /// The collector that it belongs to; the operator belongs to none.
    pub fn collector(&self) -> Option<&str> {
        match self {
            Self::Operator => None,
            Self::Aggregator { collector, .. } | Self::Edge { collector, .. } => Some(collector),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCHEME)?;
        match self {
            Self::Operator => f.write_str("operator"),
            Self::Aggregator { collector, pod } => write!(f, "{collector}/aggregator/{pod}"),
            Self::Edge { collector, node, pod } => write!(f, "{collector}/edge/{node}/{pod}"),
        }
    }
}

impl FromStr for Identity {
    type Err = NoIdentity;

    fn from_str(text: &str) -> Result<Self, NoIdentity> {
        let nobody = || NoIdentity(text.chars().take(256).collect());
        let parts: Vec<&str> = text.strip_prefix(SCHEME).ok_or_else(nobody)?.split('/').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(nobody());
        }
        match parts[..] {
            ["operator"] => Ok(Self::Operator),
            [namespace, name, "aggregator", pod] => {
                Ok(Self::Aggregator { collector: format!("{namespace}/{name}"), pod: pod.to_owned() })
            }
            [namespace, name, "edge", node, pod] => {
                let collector = format!("{namespace}/{name}");
                Ok(Self::Edge { collector, node: node.to_owned(), pod: pod.to_owned() })
            }
            _ => Err(nobody()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_reads_as_it_was_written_and_nothing_else_reads() {
        let (collector, pod) = ("net/zone1".to_owned(), "6b5f".to_owned());
        let edge =
            Identity::Edge { collector: collector.clone(), node: "node-a".to_owned(), pod: pod.clone() };
        for identity in [Identity::Operator, Identity::Aggregator { collector, pod }, edge] {
            assert_eq!(identity.to_string().parse(), Ok(identity));
        }
        for wrong in
            ["", "weir://", "weir://a", "weir://a//edge/n/p", "http://operator", "weir://a/b/edge/n/p/q"]
        {
            assert!(wrong.parse::<Identity>().is_err(), "{wrong}");
        }
    }
}

//! Which source a flow belongs to.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::SourceConfig;

/// Finds the source of an exporter, by the rule of precedence: the longest matching prefix first, then listener
/// with prefix over prefix alone, then listener alone.
///
/// ```
/// # use crds::{config::SourceConfig, sources::Sources};
/// # let source = |name: &str, listeners: &[&str], prefixes: &[&str]| SourceConfig {
/// #     name: name.into(),
/// #     listeners: listeners.iter().map(|l| (*l).into()).collect(),
/// #     prefixes: prefixes.iter().map(|p| p.parse().unwrap()).collect(),
/// #     ..Default::default()
/// # };
/// let sources = Sources::new(&[source("lan", &[], &["192.0.2.0/24"]), source("all", &["netflow"], &[])]).unwrap();
/// assert_eq!(sources.resolve("netflow", "192.0.2.9".parse().unwrap()), Some(0));
/// assert_eq!(sources.resolve("netflow", "198.51.100.1".parse().unwrap()), Some(1));
/// assert_eq!(sources.resolve("ipfix", "198.51.100.1".parse().unwrap()), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// By family, the longest prefix first.
    v4: Vec<Level>,
    v6: Vec<Level>,
    /// Sources without prefixes.
    listeners: HashMap<String, usize>,
}

/// Two sources that match the same exporters equally well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "sources {first:?} and {second:?} match {what} equally well; give one of them a longer prefix or other listeners"
)]
pub struct Tie {
    /// Position of the later one in the list.
    pub index: usize,
    /// Name of the earlier one.
    pub first: String,
    /// Name of the later one.
    pub second: String,
    /// What both claim.
    pub what: String,
}

/// All prefixes of one length.
#[derive(Clone, Debug)]
struct Level {
    length: u8,
    claims: HashMap<IpNet, Vec<Claim>>,
}

/// What a source claims of a prefix: all of it, or what comes to one listener.
#[derive(Clone, Debug)]
struct Claim {
    listener: Option<String>,
    source: usize,
}

impl Sources {
    /// Makes the tables. A source with neither listeners nor prefixes matches nothing (the kind refuses it).
    ///
    /// # Errors
    /// Every pair of sources that match equally well: which of them a flow would belong to is undefined.
    pub fn new(sources: &[SourceConfig]) -> Result<Self, Vec<Tie>> {
        let mut made = Self::default();
        let mut ties = Vec::new();
        for (index, source) in sources.iter().enumerate() {
            let rivals = match source.prefixes.is_empty() {
                true => made.claim_listeners(index, source),
                false => made.claim_prefixes(index, source),
            };
            ties.extend(rivals.into_iter().map(|(rival, what)| Tie {
                index,
                first: sources[rival].name.clone(),
                second: source.name.clone(),
                what,
            }));
        }
        if ties.is_empty() { Ok(made) } else { Err(ties) }
    }

    /// The position, in the list that [`Sources::new`] was given, of the source to which a flow belongs that came
    /// to `listener` from the UDP source address `exporter` (IPv4 may be mapped into IPv6). `None`: no source
    /// matches, the exporter becomes an automatic source. One table look-up for each prefix length in use: meant
    /// to be asked once a stream, not once a flow.
    pub fn resolve(&self, listener: &str, exporter: IpAddr) -> Option<usize> {
        let exporter = exporter.to_canonical();
        let levels = if exporter.is_ipv4() { &self.v4 } else { &self.v6 };
        levels
            .iter()
            .find_map(|level| level.resolve(listener, exporter))
            .or_else(|| self.listeners.get(listener).copied())
    }

    fn claim_listeners(&mut self, index: usize, source: &SourceConfig) -> Vec<(usize, String)> {
        let mut rivals = Vec::new();
        for listener in &source.listeners {
            match self.listeners.get(listener) {
                Some(&rival) if rival != index => rivals.push((rival, format!("listener {listener:?}"))),
                _ => _ = self.listeners.insert(listener.clone(), index),
            }
        }
        rivals
    }

    fn claim_prefixes(&mut self, index: usize, source: &SourceConfig) -> Vec<(usize, String)> {
        let mut rivals = Vec::new();
        for prefix in &source.prefixes {
            let claims = self.claims(prefix.trunc());
            let wanted: Vec<Option<&String>> = match source.listeners.is_empty() {
                true => vec![None],
                false => source.listeners.iter().map(Some).collect(),
            };
            for listener in wanted {
                match claims.iter().find(|claim| claim.listener.as_ref() == listener) {
                    Some(claim) if claim.source != index => {
                        rivals.push((claim.source, claimed(*prefix, listener)));
                    }
                    Some(_) => {}
                    None => claims.push(Claim { listener: listener.cloned(), source: index }),
                }
            }
        }
        rivals
    }

    fn claims(&mut self, prefix: IpNet) -> &mut Vec<Claim> {
        let levels = if prefix.addr().is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        let length = prefix.prefix_len();
        let at = levels.partition_point(|level| level.length > length);
        if levels.get(at).is_none_or(|level| level.length != length) {
            levels.insert(at, Level { length, claims: HashMap::new() });
        }
        levels[at].claims.entry(prefix).or_default()
    }
}

impl Level {
    fn resolve(&self, listener: &str, exporter: IpAddr) -> Option<usize> {
        let prefix = IpNet::new(exporter, self.length).ok()?.trunc();
        let claims = self.claims.get(&prefix)?;
        let with_listener = claims.iter().find(|claim| claim.listener.as_deref() == Some(listener));
        let alone = || claims.iter().find(|claim| claim.listener.is_none());
        with_listener.or_else(alone).map(|claim| claim.source)
    }
}

fn claimed(prefix: IpNet, listener: Option<&String>) -> String {
    match listener {
        Some(listener) => format!("{prefix} on listener {listener:?}"),
        None => prefix.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn source(name: &str, listeners: &[&str], prefixes: &[&str]) -> SourceConfig {
        SourceConfig {
            name: name.into(),
            listeners: listeners.iter().map(|l| (*l).into()).collect(),
            prefixes: prefixes.iter().map(|p| p.parse().unwrap()).collect(),
            ..SourceConfig::default()
        }
    }

    fn resolved<'a>(sources: &'a [SourceConfig], listener: &str, exporter: &str) -> Option<&'a str> {
        let table = Sources::new(sources).unwrap();
        table.resolve(listener, exporter.parse().unwrap()).map(|index| sources[index].name.as_str())
    }

    #[test]
    fn the_longest_prefix_wins_even_over_a_shorter_one_with_a_listener() {
        let sources = [source("net", &["any"], &["192.0.2.0/24"]), source("host", &[], &["192.0.2.7/32"])];
        assert_eq!(resolved(&sources, "any", "192.0.2.7"), Some("host"));
        assert_eq!(resolved(&sources, "any", "192.0.2.8"), Some("net"));
        assert_eq!(resolved(&sources, "netflow", "192.0.2.8"), None);
    }

    #[test]
    fn listener_with_prefix_wins_over_prefix_alone_and_that_over_listener_alone() {
        let sources = [
            source("listener", &["any"], &[]),
            source("prefix", &[], &["2001:db8::/32"]),
            source("both", &["any"], &["2001:db8::/32"]),
        ];
        assert_eq!(resolved(&sources, "any", "2001:db8::1"), Some("both"));
        assert_eq!(resolved(&sources, "ipfix", "2001:db8::1"), Some("prefix"));
        assert_eq!(resolved(&sources, "any", "2001:db9::1"), Some("listener"));
        assert_eq!(resolved(&sources, "ipfix", "192.0.2.1"), None);
    }

    #[test]
    fn an_ipv4_address_mapped_into_ipv6_is_the_ipv4_address() {
        let sources = [source("peer", &[], &["192.0.2.7/32"])];
        assert_eq!(resolved(&sources, "any", "::ffff:192.0.2.7"), Some("peer"));
    }

    #[test]
    fn two_sources_that_match_equally_well_are_refused_and_named() {
        let same = [source("a", &[], &["192.0.2.0/24"]), source("b", &[], &["192.0.2.0/24"])];
        let ties = Sources::new(&same).unwrap_err();
        assert_eq!((ties[0].index, ties[0].what.as_str()), (1, "192.0.2.0/24"));
        let shared = [source("a", &["x", "y"], &[]), source("b", &["y"], &[])];
        assert_eq!(Sources::new(&shared).unwrap_err()[0].what, "listener \"y\"");
        let both = [source("a", &["x", "y"], &["::/0"]), source("b", &["y"], &["::/0"])];
        assert_eq!(Sources::new(&both).unwrap_err()[0].what, "::/0 on listener \"y\"");
    }

    #[test]
    fn sources_that_share_a_prefix_on_different_listeners_do_not_tie() {
        let sources = [source("a", &["x"], &["::/0"]), source("b", &["y"], &["::/0"])];
        assert_eq!(resolved(&sources, "y", "2001:db8::1"), Some("b"));
    }

    /// The rule as it is worded: every match ranked, the best alone.
    fn by_the_words(sources: &[SourceConfig], listener: &str, exporter: IpAddr) -> Vec<usize> {
        let rank = |source: &SourceConfig| {
            let listens = source.listeners.iter().any(|name| name == listener);
            if !listens && !source.listeners.is_empty() {
                return None;
            }
            let longest =
                source.prefixes.iter().filter(|p| p.contains(&exporter)).map(IpNet::prefix_len).max();
            match longest {
                Some(length) => Some((1, length, listens)),
                None if source.prefixes.is_empty() && listens => Some((0, 0, true)),
                None => None,
            }
        };
        let best = sources.iter().filter_map(rank).max();
        let ranked = sources.iter().enumerate();
        ranked.filter(|(_, source)| best.is_some() && rank(source) == best).map(|(index, _)| index).collect()
    }

    fn any_source() -> impl Strategy<Value = SourceConfig> {
        let listeners = proptest::sample::subsequence(vec!["x", "y", "z"], 0..=3);
        let prefix = (0u8..4, 28u8..=32)
            .prop_map(|(low, length)| IpNet::new([192, 0, 2, low * 5].into(), length).unwrap().trunc());
        let prefixes = proptest::collection::vec(prefix, 0..3);
        (listeners, prefixes)
            .prop_map(|(listeners, prefixes)| SourceConfig { prefixes, ..source("s", &listeners, &[]) })
    }

    proptest! {
        #[test]
        fn the_tables_give_what_the_rule_says(sources in proptest::collection::vec(any_source(), 0..6)) {
            let made = Sources::new(&sources);
            for low in 0..32 {
                let exporter = IpAddr::from([192, 0, 2, low]);
                for listener in ["x", "y", "z", "unlisted"] {
                    let best = by_the_words(&sources, listener, exporter);
                    match &made {
                        Ok(table) => {
                            prop_assert!(best.len() < 2, "an unreported tie");
                            prop_assert_eq!(table.resolve(listener, exporter), best.first().copied());
                        }
                        Err(ties) => prop_assert!(!ties.is_empty()),
                    }
                }
            }
        }
    }
}

//! Which datagrams a target gets: by listener, by source, all or one in so many.

use crds::config::target::ReplicateConfig;
use crds::config::{ListenerConfig, SourceConfig};

/// A target's choice, with how many datagrams of each source it has seen.
#[derive(Debug)]
pub(super) struct Choice {
    /// By index; none: all.
    listeners: Option<Vec<bool>>,
    /// By index of the named sources; none: all.
    sources: Option<Vec<bool>>,
    one_in: u32,
    /// Datagrams to leave out before the next one, by index of the source.
    left: Vec<u32>,
}

impl Choice {
    /// What a target's configuration says. Names that are not there choose nothing.
    pub(super) fn new(
        config: &ReplicateConfig,
        listeners: &[ListenerConfig],
        sources: &[SourceConfig],
    ) -> Self {
        let chosen = |wanted: &[String], names: Vec<&String>| {
            (!wanted.is_empty()).then(|| names.into_iter().map(|name| wanted.contains(name)).collect())
        };
        Self {
            listeners: chosen(&config.listeners, listeners.iter().map(|listener| &listener.name).collect()),
            sources: chosen(&config.sources, sources.iter().map(|source| &source.name).collect()),
            one_in: config.one_in.max(1),
            left: Vec::new(),
        }
    }

    /// Whether it asks for the source of a datagram.
    pub(super) fn is_by_source(&self) -> bool {
        self.sources.is_some() || self.one_in > 1
    }

    /// Whether the next datagram that came to `listener` from `source` is chosen.
    pub(super) fn takes(&mut self, listener: u16, source: u16) -> bool {
        let among = |chosen: &Option<Vec<bool>>, index: u16| {
            chosen.as_ref().is_none_or(|chosen| chosen.get(usize::from(index)).copied().unwrap_or_default())
        };
        if !among(&self.listeners, listener) || !among(&self.sources, source) {
            return false;
        }
        self.one_in == 1 || self.is_turn(usize::from(source))
    }

    fn is_turn(&mut self, source: usize) -> bool {
        if source >= self.left.len() {
            self.left.resize(source + 1, 0);
        }
        let Some(left) = self.left.get_mut(source) else { return false };
        let turn = *left == 0;
        *left = if turn { self.one_in - 1 } else { *left - 1 };
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(text: &str) -> Choice {
        let config: ReplicateConfig = serde_yaml::from_str(text).unwrap();
        let listener = |name: &str| {
            serde_yaml::from_str::<ListenerConfig>(&format!("{{name: {name}, protocol: Auto, port: 0}}"))
                .unwrap()
        };
        let source = |name: &str| SourceConfig { name: name.to_owned(), ..SourceConfig::default() };
        Choice::new(&config, &[listener("a"), listener("b")], &[source("core"), source("edge")])
    }

    #[test]
    fn one_in_so_many_is_the_first_of_each_group_of_each_source() {
        let mut choice = choice("{destinations: [], oneIn: 3}");
        let of = |choice: &mut Choice, source| (0..7).map(|_| choice.takes(0, source)).collect::<Vec<_>>();
        assert_eq!(of(&mut choice, 5), [true, false, false, true, false, false, true]);
        assert_eq!(of(&mut choice, 0)[..3], [true, false, false], "sources are counted apart");
    }

    #[test]
    fn a_named_listener_or_source_leaves_the_others_out() {
        let mut by_source = choice("{destinations: [], oneIn: 1, sources: [edge]}");
        // 2 is the source `other`, from 3 on they are automatic.
        assert_eq!([0, 1, 2, 3].map(|source| by_source.takes(0, source)), [false, true, false, false]);
        let mut by_listener = choice("{destinations: [], oneIn: 1, listeners: [b]}");
        assert_eq!([0, 1].map(|listener| by_listener.takes(listener, 0)), [false, true]);
        assert!(!by_listener.is_by_source() && by_source.is_by_source());
    }
}

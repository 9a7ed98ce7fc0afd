//! Which tunnels are taken off before a sampled packet is counted: `sources[].decapsulate`, by exporter.

use std::net::IpAddr;

use crds::config::{ListenerConfig, SourceConfig};
use crds::sources::Sources;

use super::packet::Tunnels;

/// The sources' wishes. Where none has one, which is the rule, nothing is looked up.
#[derive(Debug, Default)]
pub(super) struct Decapsulation {
    asked: Option<Asked>,
}

#[derive(Debug)]
struct Asked {
    table: Sources,
    listeners: Vec<String>,
    /// By index of the source.
    tunnels: Vec<Tunnels>,
    /// The exporter of the datagram before.
    last: Option<((u16, IpAddr), Tunnels)>,
}

impl Decapsulation {
    /// The wishes of these sources. Sources that tie, which a checked configuration has not, have none.
    pub(super) fn new(listeners: &[ListenerConfig], sources: &[SourceConfig]) -> Self {
        if sources.iter().all(|source| source.decapsulate.is_empty()) {
            return Self::default();
        }
        let asked = Sources::new(sources).ok().map(|table| Asked {
            table,
            listeners: listeners.iter().map(|listener| listener.name.clone()).collect(),
            tunnels: sources.iter().map(|source| Tunnels::of(&source.decapsulate)).collect(),
            last: None,
        });
        Self { asked }
    }

    /// What is taken off the packets that an exporter sampled.
    pub(super) fn of(&mut self, listener: u16, exporter: IpAddr) -> Tunnels {
        self.asked.as_mut().map_or_else(Tunnels::default, |asked| asked.of(listener, exporter))
    }
}

impl Asked {
    fn of(&mut self, listener: u16, exporter: IpAddr) -> Tunnels {
        if let Some((last, tunnels)) = self.last
            && last == (listener, exporter)
        {
            return tunnels;
        }
        let name = self.listeners.get(usize::from(listener)).map_or("", String::as_str);
        let source = self.table.resolve(name, exporter);
        let tunnels = source.and_then(|source| self.tunnels.get(source)).copied().unwrap_or_default();
        self.last = Some(((listener, exporter), tunnels));
        tunnels
    }
}

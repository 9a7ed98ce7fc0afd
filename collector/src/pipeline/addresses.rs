//! Addresses that several exporters share, as behind address translation: streams that differ by nothing but their
//! port, each with a sequence of its own, over the same time.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use crate::slot::StreamKey;

/// A stream that was silent for so long is over.
const SILENT_MS: u64 = 60_000;
/// An exporter that starts anew uses another port; only streams that go on beside each other for so long are several.
const BESIDE_MS: u64 = 30_000;
/// No more streams are looked at.
const STREAMS: usize = 65_536;
/// No more addresses are told.
const TOLD: usize = 8;

/// From when to when something came.
#[derive(Clone, Copy, Debug)]
struct Span {
    first_ms: u64,
    last_ms: u64,
}

/// All streams of late.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    streams: HashMap<StreamKey, Span>,
}

impl Addresses {
    /// Takes the streams on which datagrams came, and tells which addresses are shared now, in order, at most eight.
    pub(super) fn shared<'a>(
        &mut self,
        active: impl Iterator<Item = &'a StreamKey>,
        now_ms: u64,
    ) -> Vec<String> {
        self.streams.retain(|_, span| now_ms.saturating_sub(span.last_ms) < SILENT_MS);
        for key in active {
            if let Some(span) = self.streams.get_mut(key) {
                span.last_ms = now_ms;
            } else if self.streams.len() < STREAMS {
                self.streams.insert(key.clone(), Span { first_ms: now_ms, last_ms: now_ms });
            }
        }
        let mut alike: HashMap<_, Vec<Span>> = HashMap::new();
        for (key, span) in &self.streams {
            let StreamKey { listener, exporter, protocol, domain, agent, .. } = key;
            alike.entry((listener, *exporter, protocol, *domain, *agent)).or_default().push(*span);
        }
        let several = alike.into_iter().filter(|(_, spans)| beside(spans));
        let addresses: BTreeSet<IpAddr> = several.map(|((_, exporter, ..), _)| exporter).collect();
        addresses.iter().take(TOLD).map(ToString::to_string).collect()
    }
}

/// Whether two of them went on beside each other for long.
fn beside(spans: &[Span]) -> bool {
    let both = |a: &Span, b: &Span| a.last_ms.min(b.last_ms).saturating_sub(a.first_ms.max(b.first_ms));
    // By their starts: if any two overlap for long, so do two of which one is the longest that began before.
    let mut spans = spans.to_vec();
    spans.sort_unstable_by_key(|span| span.first_ms);
    let Some((first, rest)) = spans.split_first() else { return false };
    let mut longest = *first;
    for span in rest {
        if both(&longest, span) >= BESIDE_MS {
            return true;
        }
        if span.last_ms > longest.last_ms {
            longest = *span;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(exporter: &str, port: u16, domain: u32) -> StreamKey {
        StreamKey {
            listener: "any".into(),
            exporter: exporter.parse().unwrap(),
            port,
            protocol: "netflow9".into(),
            domain,
            agent: None,
        }
    }

    #[test]
    fn streams_that_differ_only_by_port_and_go_on_beside_each_other_share_an_address() {
        let mut addresses = Addresses::default();
        let both = [key("192.0.2.1", 1, 0), key("192.0.2.1", 2, 0), key("192.0.2.2", 1, 0)];
        assert!(addresses.shared(both.iter(), 0).is_empty(), "not yet");
        assert!(addresses.shared(both.iter(), 20_000).is_empty());
        assert_eq!(addresses.shared(both.iter(), 30_000), ["192.0.2.1"]);
        assert!(addresses.shared(both[..1].iter(), 90_000).is_empty(), "the other one is over");
    }

    #[test]
    fn an_exporter_that_starts_anew_and_one_with_several_domains_share_nothing() {
        let mut addresses = Addresses::default();
        for second in 0..200 {
            let port = if second < 100 { 1 } else { 2 };
            let anew = [key("192.0.2.1", port, 0), key("192.0.2.2", 1, 1), key("192.0.2.2", 2, 2)];
            assert!(addresses.shared(anew.iter(), second * 1_000).is_empty(), "{second}");
        }
    }
}

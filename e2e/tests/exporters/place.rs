//! Where a scenario takes place: the collectors in one namespace, an exporter in another, a cable between them.

use std::net::SocketAddr;

use e2e::namespace::{Namespace, cable};
use e2e::nfdump::{Capture, Kind, Stored, Sums};
use e2e::weir::{Weir, write_folder};
use serde_json::Value;
use tempfile::TempDir;

/// The profile and its channels; `all` matches everything.
const PROFILE: &str = "default/proof";
const CHANNELS: &[(&str, &str)] = &[
    ("all", "any"),
    ("dns", "port 53"),
    ("dns4", "ipv4 and port 53"),
    ("dns6", "ipv6 and port 53"),
    ("http", "proto tcp and port 80"),
    ("ping", "proto icmp"),
];

/// Every channel: for an exporter that sends one stream to both collectors.
pub(crate) const EVERY: &[&str] = &["all", "dns", "dns4", "dns6", "http", "ping"];

/// The channels of the conversation: for an exporter whose two streams come from two processes, which may begin and
/// end on different packets of what the kernel sends by itself (neighbor discovery, multicast listeners).
pub(crate) const CONVERSATION: &[&str] = &["dns", "dns4", "dns6", "http", "ping"];

/// Namespaces and a folder; gone when dropped.
pub(crate) struct Place {
    pub(crate) exporter: Namespace,
    pub(crate) collector: Namespace,
    pub(crate) folder: TempDir,
}

/// Weir and nfcapd or sfcapd side by side in a [`Place`].
pub(crate) struct Collectors<'a> {
    weir: Weir<'a>,
    capture: Capture,
}

/// What both counted.
pub(crate) struct Counted<'a> {
    weir: Weir<'a>,
    stored: Stored,
}

impl Place {
    pub(crate) fn new() -> Self {
        let (exporter, collector) = (Namespace::create("exporter"), Namespace::create("collector"));
        cable((&exporter, "exp0"), (&collector, "exp0"));
        exporter.address("exp0", &["198.51.100.2/24"]);
        collector.address("exp0", &["198.51.100.1/24"]);
        Self { exporter, collector, folder: tempfile::tempdir().expect("a folder") }
    }

    /// A client and a server beside the exporter; the client's cable ends at the exporter's `eth0`, which is the
    /// server's interface.
    pub(crate) fn client(&self) -> Namespace {
        let client = Namespace::create("client");
        cable((&client, "eth0"), (&self.exporter, "eth0"));
        let [ipv4, ipv6] = e2e::traffic::client_addresses();
        client.address("eth0", &[&ipv4, &ipv6]);
        let [ipv4, ipv6] = e2e::traffic::server_addresses();
        self.exporter.address("eth0", &[&ipv4, &ipv6]);
        client
    }

    /// Where Weir listens for everything, and where nfcapd does.
    pub(crate) fn targets(&self) -> [SocketAddr; 2] {
        [([198, 51, 100, 1], 9996).into(), ([198, 51, 100, 1], 9997).into()]
    }

    pub(crate) fn collectors(&self, kind: Kind) -> Collectors<'_> {
        let yaml = self.folder.path().join("yaml");
        write_folder(&yaml, CHANNELS);
        Collectors {
            weir: Weir::standalone(&self.collector, &yaml, self.folder.path()),
            capture: Capture::start(kind, &self.collector, self.targets()[1], self.folder.path()),
        }
    }
}

impl<'a> Collectors<'a> {
    /// Waits until Weir has counted this in a channel: then the exporter has sent it.
    pub(crate) fn wait_for(&self, channel: &str, sent: Sums) {
        self.weir.wait_for(PROFILE, channel, sent);
    }

    /// To be called when the exporter has ended.
    pub(crate) fn stop(self) -> Counted<'a> {
        Counted { stored: self.capture.stop(), weir: self.weir }
    }
}

impl Counted<'_> {
    /// What nfdump counts under a channel's filter.
    pub(crate) fn stored(&self, channel: &str) -> Sums {
        let filter = CHANNELS.iter().find(|(name, _)| *name == channel).expect("a channel of the profile").1;
        self.stored.sums(filter)
    }

    /// Weir counts in this channel the packets and bytes that were sent, and as many flows as nfcapd: an exporter may
    /// report a flow in several steps.
    pub(crate) fn assert_sent(&self, channel: &str, sent: Sums) {
        let flows = self.stored(channel).flows;
        assert!(flows >= sent.flows, "{channel}: nfcapd has {flows} flows of {sent:?}");
        self.weir.expect(PROFILE, channel, Sums { flows, ..sent });
    }

    /// Weir counts in these channels what nfcapd counts.
    pub(crate) fn assert_like_nfcapd(&self, channels: &[&str]) {
        for channel in channels {
            let stored = self.stored(channel);
            assert!(stored.flows > 0 || *channel == "dns6", "nfcapd has flows of {channel}");
            self.weir.expect(PROFILE, channel, stored);
        }
    }

    /// Weir counts in these channels the samples and packets that sfcapd counts, which takes the frame for `bytes`.
    /// It gives frames that are no IP a record of zeros, so `all` has the same flows.
    pub(crate) fn assert_like_sfcapd(&self, channels: &[&str]) {
        for channel in channels {
            let stored = self.stored(channel);
            self.weir.wait_for(PROFILE, channel, Sums { bytes: 0, ..stored });
            let counted = self.weir.sums(PROFILE, channel);
            assert_eq!((counted.flows, counted.packets), (stored.flows, stored.packets), "{channel}");
            assert!(counted.bytes < stored.bytes, "{channel}: {counted:?} and {stored:?}");
        }
    }

    /// Every stream is of the exporter and of this protocol, wholly decoded, and nothing is missing.
    pub(crate) fn assert_lossless(&self, protocol: &str) {
        self.assert_decoded(protocol);
        assert_eq!(self.missing(), 0);
    }

    /// Every stream is of the exporter and of this protocol, and wholly decoded.
    pub(crate) fn assert_decoded(&self, protocol: &str) {
        let streams = self.streams();
        assert!(!streams.is_empty());
        for stream in streams {
            assert_eq!(stream["exporter"], "198.51.100.2", "{stream:#}");
            assert_eq!(stream["protocol"], protocol, "{stream:#}");
            assert_eq!(stream["undecodable"], serde_json::json!({}), "{stream:#}");
        }
    }

    /// What is missing by the sequence of all streams whose numbers are judged.
    pub(crate) fn missing(&self) -> i64 {
        self.streams().iter().filter_map(|stream| stream["missing"].as_i64()).sum()
    }

    /// The numbers of one stream count this.
    pub(crate) fn assert_sequence(&self, what: &str) {
        let streams = self.streams();
        assert!(streams.iter().any(|stream| stream["sequence"] == what), "{streams:#?}");
    }

    fn streams(&self) -> Vec<Value> {
        let answer = self.weir.get("/api/v1/exporters");
        answer["exporters"].as_array().unwrap_or_else(|| panic!("a list of streams: {answer:#}")).clone()
    }

    /// Weir ends as it should.
    pub(crate) fn end(self) {
        self.weir.stop();
    }
}

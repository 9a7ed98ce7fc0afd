//! pmacctd in the server's namespace: nfprobe and sfprobe.

use e2e::exporter::pmacctd::{Plugin, Pmacctd};
use e2e::nfdump::{Kind, Sums};
use e2e::traffic::{DNS_IPV4, DNS_IPV6, HTTP_AT_LEAST, PING, converse};

use super::place::{CONVERSATION, Collectors, Counted, Place};

/// Runs the conversation past pmacctd and waits for what `until` waits for.
fn observe<'a>(place: &'a Place, kind: Kind, plugin: Plugin, until: impl Fn(&Collectors<'_>)) -> Counted<'a> {
    let client = place.client();
    let collectors = place.collectors(kind);
    let pmacctd = Pmacctd::start(&place.exporter, "eth0", plugin, &place.targets(), place.folder.path());
    converse(&client, &place.exporter);
    until(&collectors);
    pmacctd.stop();
    collectors.stop()
}

fn nfprobe_agrees(version: u8, protocol: &str, dns6: Sums) {
    let place = Place::new();
    let counted = observe(&place, Kind::Nfcapd, Plugin::Nfprobe(version), |collectors| {
        collectors.wait_for("http", HTTP_AT_LEAST);
        collectors.wait_for("dns4", DNS_IPV4);
        collectors.wait_for("dns6", dns6);
        collectors.wait_for("ping", PING);
    });
    counted.assert_sent("dns4", DNS_IPV4);
    counted.assert_sent("dns6", dns6);
    counted.assert_sent("ping", PING);
    counted.assert_like_nfcapd(CONVERSATION);
    counted.assert_lossless(protocol);
    counted.end();
}

#[test]
fn pmacctd_nfprobe_with_netflow5_is_counted_as_sent() {
    nfprobe_agrees(5, "netflow5", Sums::default());
}

#[test]
fn pmacctd_nfprobe_with_netflow9_is_counted_as_sent() {
    nfprobe_agrees(9, "netflow9", DNS_IPV6);
}

#[test]
fn pmacctd_nfprobe_with_ipfix_is_counted_as_sent() {
    nfprobe_agrees(10, "ipfix", DNS_IPV6);
}

/// Every packet is a sample of its own, and a flow each.
#[test]
fn pmacctd_sfprobe_sampling_every_packet_is_counted_as_sent() {
    let place = Place::new();
    let samples = |sums: Sums| Sums { flows: sums.packets, ..sums };
    let counted = observe(&place, Kind::Sfcapd, Plugin::Sfprobe(1), |collectors| {
        collectors.wait_for("ping", samples(PING));
    });
    counted.assert_sent("dns4", samples(DNS_IPV4));
    counted.assert_sent("dns6", samples(DNS_IPV6));
    counted.assert_sent("ping", samples(PING));
    counted.assert_like_sfcapd(CONVERSATION);
    counted.assert_lossless("sflow5");
    counted.end();
}

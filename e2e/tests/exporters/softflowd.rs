//! softflowd in the server's namespace.

use e2e::exporter::softflowd::Softflowd;
use e2e::nfdump::{Kind, Sums};
use e2e::traffic::{DNS_IPV4, DNS_IPV6, HTTP_AT_LEAST, PING, converse, fill};

use super::place::{EVERY, Place};

/// More packets than the conversation has, and fewer than conversation and filling together.
const SEEN: u64 = 110;

fn counts_agree(version: u8, protocol: &str, dns6: Sums) {
    let place = Place::new();
    let client = place.client();
    let collectors = place.collectors(Kind::Nfcapd);
    let softflowd = Softflowd::start(&place.exporter, "eth0", version, &place.targets(), place.folder.path());
    converse(&client, &place.exporter);
    fill(&client, &place.exporter);
    softflowd.expire_after(SEEN);
    collectors.wait_for("http", HTTP_AT_LEAST);
    softflowd.stop();
    let counted = collectors.stop();
    counted.assert_sent("dns4", DNS_IPV4);
    counted.assert_sent("dns6", dns6);
    counted.assert_sent("ping", PING);
    counted.assert_like_nfcapd(EVERY);
    counted.assert_lossless(protocol);
    counted.end();
}

#[test]
fn softflowd_with_netflow5_is_counted_as_sent() {
    counts_agree(5, "netflow5", Sums::default());
}

#[test]
fn softflowd_with_netflow9_is_counted_as_sent() {
    counts_agree(9, "netflow9", DNS_IPV6);
}

#[test]
fn softflowd_with_ipfix_is_counted_as_sent() {
    counts_agree(10, "ipfix", DNS_IPV6);
}

//! nfreplay: what nfcapd stored of one exporter, sent once more.

use e2e::exporter::nfreplay;
use e2e::nfdump::{Capture, Kind, Sums};
use e2e::program::{output_of, own};
use serde_json::Value;

use super::place::{EVERY, Place};

/// What flow-generator sends is stored by nfcapd, replayed to Weir and to another nfcapd, and counted the same.
fn replayed_flows_are_counted(version: u8, generated: &str) {
    let place = Place::new();
    let collectors = place.collectors(Kind::Nfcapd);
    let first =
        Capture::start(Kind::Nfcapd, &place.exporter, ([127, 0, 0, 1], 9995).into(), place.folder.path());
    let mut generator = place.exporter.command(own("flow-generator"));
    generator.args(["-t", "127.0.0.1", "-p", "9995", "--protocol", generated]);
    generator.args(["--flows", "2000", "--rate", "20000", "--seed", "3"]);
    let said: Value = serde_json::from_str(&output_of(generator)).expect("the summary is JSON");
    let file = first.stop().file();
    for target in place.targets() {
        nfreplay(&place.exporter, &file, version, target);
    }
    collectors.wait_for("all", Sums { flows: 2_000, ..Sums::default() });
    let counted = collectors.stop();
    for (channel, sent) in
        [("all", &said), ("dns", &said["channels"]["dns"]), ("ping", &said["channels"]["icmp"])]
    {
        let number = |name: &str| sent[name].as_u64().expect("a count");
        let sent = Sums { flows: number("flows"), packets: number("packets"), bytes: number("bytes") };
        counted.assert_sent(channel, sent);
    }
    counted.assert_like_nfcapd(EVERY);
    counted.end();
}

#[test]
fn nfreplay_with_netflow5_is_counted_as_first_sent() {
    replayed_flows_are_counted(5, "netflow5");
}

#[test]
fn nfreplay_with_netflow9_is_counted_as_first_sent() {
    replayed_flows_are_counted(9, "ipfix");
}

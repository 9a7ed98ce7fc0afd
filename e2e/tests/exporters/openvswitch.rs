//! Open vSwitch between client and server, exporting on the way.

use e2e::exporter::openvswitch::{Export, Switch};
use e2e::namespace::Namespace;
use e2e::nfdump::{Kind, Sums};
use e2e::traffic::{
    DNS_IPV4, DNS_IPV6, HTTP_AT_LEAST, PING, client_addresses, converse, fill, server_addresses,
};
use e2e::weir::{Weir, write_folder};

use super::place::{Collectors, Counted, EVERY, Place};

/// Runs the conversation through a switch that exports, waits for what `until` waits for, and takes the export away.
fn observe<'a>(place: &'a Place, kind: Kind, export: Export, until: impl Fn(&Collectors<'_>)) -> Counted<'a> {
    let (client, server) = (Namespace::create("client"), Namespace::create("server"));
    let collectors = place.collectors(kind);
    let switch = Switch::start(&place.exporter, place.folder.path());
    switch.export(export, &place.targets());
    let (near, far) = (client_addresses(), server_addresses());
    switch.connect("port1", &client, &[&near[0], &near[1]]);
    switch.connect("port2", &server, &[&far[0], &far[1]]);
    converse(&client, &server);
    until(&collectors);
    switch.clear(export);
    drop(switch);
    collectors.stop()
}

/// It counts Ethernet frames: 14 bytes a packet more.
#[test]
fn openvswitch_with_netflow5_is_counted_as_sent() {
    let place = Place::new();
    let framed = |sums: Sums| Sums { bytes: sums.bytes + 14 * sums.packets, ..sums };
    let counted = observe(&place, Kind::Nfcapd, Export::NetFlow, |collectors| {
        collectors.wait_for("http", HTTP_AT_LEAST);
        collectors.wait_for("dns", DNS_IPV4);
        collectors.wait_for("ping", PING);
    });
    counted.assert_sent("dns", framed(DNS_IPV4));
    counted.assert_sent("ping", framed(PING));
    counted.assert_like_nfcapd(EVERY);
    // Its sequence is the number of a datagram's last flow, not of its first: what seems missing is no loss.
    counted.assert_decoded("netflow5");
    counted.end();
}

#[test]
fn openvswitch_with_sflow_sampling_every_packet_is_counted_as_sent() {
    let place = Place::new();
    let samples = |sums: Sums| Sums { flows: sums.packets, ..sums };
    let counted = observe(&place, Kind::Sfcapd, Export::SFlow, |collectors| {
        collectors.wait_for("ping", samples(PING));
    });
    counted.assert_sent("dns4", samples(DNS_IPV4));
    counted.assert_sent("dns6", samples(DNS_IPV6));
    counted.assert_sent("ping", samples(PING));
    counted.assert_like_sfcapd(EVERY);
    counted.assert_lossless("sflow5");
    counted.end();
}

/// It tells of each packet twice, at entry and at exit. Packets and bytes are compared with what was sent alone:
/// nfcapd takes the bridge's running totals, which stand beside a flow's own counters, for the flow's.
#[test]
fn openvswitch_with_ipfix_is_counted_as_sent() {
    let place = Place::new();
    let twice = |sums: Sums| Sums { flows: 2 * sums.flows, packets: 2 * sums.packets, bytes: 2 * sums.bytes };
    let sent = [("dns4", twice(DNS_IPV4)), ("dns6", twice(DNS_IPV6)), ("ping", twice(PING))];
    let counted = observe(&place, Kind::Nfcapd, Export::Ipfix, |collectors| {
        sent.iter().for_each(|(channel, sums)| collectors.wait_for(channel, *sums));
    });
    sent.iter().for_each(|(channel, sums)| counted.assert_sent(channel, *sums));
    // One sequence runs over both of its domains: they are counted together.
    counted.assert_lossless("ipfix");
    counted.assert_sequence("nonstandard (one sequence over all domains)");
    counted.end();
}

/// The commands of the README's section on Open vSwitch, word for word.
fn commands_of_the_readme() -> Vec<&'static str> {
    let readme = include_str!("../../../README.md");
    let section = readme.split("\n## ").find(|section| section.starts_with("Point Open vSwitch at it"));
    let lines = section.expect("the README tells of Open vSwitch").lines();
    lines.filter(|line| line.starts_with("ovs-vsctl ")).collect()
}

/// Weir and the switch are on one machine, as the README has them.
#[test]
fn the_readmes_commands_point_open_vswitch_at_weir_and_take_it_away_again() {
    let (machine, folder) = (Namespace::create("machine"), tempfile::tempdir().unwrap());
    let (client, server) = (Namespace::create("client"), Namespace::create("server"));
    let yaml = folder.path().join("yaml");
    write_folder(&yaml, &[("all", "any")]);
    let weir = Weir::standalone(&machine, &yaml, folder.path());
    let switch = Switch::start(&machine, folder.path());
    let (taking, giving): (Vec<_>, Vec<_>) =
        commands_of_the_readme().into_iter().partition(|line| line.contains(" clear "));
    assert_eq!((giving.len(), taking.len()), (3, 3), "NetFlow, sFlow and IPFIX");
    for line in giving {
        let _ = switch.shell(line);
    }
    let (near, far) = (client_addresses(), server_addresses());
    switch.connect("port1", &client, &[&near[0], &near[1]]);
    switch.connect("port2", &server, &[&far[0], &far[1]]);
    converse(&client, &server);
    // Enough that one packet in 64 is surely seen.
    (0..4).for_each(|_| fill(&client, &server));
    weir.wait_for_records("sflow5");
    weir.wait_for_records("netflow5");
    for line in taking {
        let _ = switch.shell(line);
    }
    // Sixty seconds have not passed: the switch sends what it holds when the export ends.
    weir.wait_for_records("ipfix");
    let left = switch.shell("ovs-vsctl --bare --columns=netflow,sflow,ipfix list Bridge br0");
    assert_eq!(left.trim(), "", "nothing is exported any more");
    weir.stop();
}

//! The same messages read by `netflow_parser`, an independent decoder: both have to agree.

use std::net::IpAddr;

use netflow_parser::variable_versions::field_value::FieldValue;
use netflow_parser::variable_versions::{ipfix, v9};
use netflow_parser::{NetflowPacket, NetflowParser};
use proptest::prelude::*;

use super::message::{Message, Spec, V5};
use super::rig::{Rig, Row};

/// Elements that both know as plain values, with their column and the lengths that exporters give them.
const ELEMENTS: &[(u16, &str, &[u16])] = &[
    (1, "bytes", &[4, 8]),
    (2, "packets", &[4, 8]),
    (5, "ip_tos", &[1]),
    (7, "src_port", &[2]),
    (11, "dst_port", &[2]),
    (10, "in_if", &[2, 4]),
    (14, "out_if", &[2, 4]),
    (16, "src_as", &[2, 4]),
    (17, "dst_as", &[2, 4]),
    (9, "src_mask", &[1]),
    (13, "dst_mask", &[1]),
    (8, "src_addr", &[4]),
    (12, "dst_addr", &[4]),
    (15, "next_hop", &[4]),
    (18, "bgp_next_hop", &[4]),
    (52, "min_ttl", &[1]),
    (53, "max_ttl", &[1]),
    (56, "src_mac", &[6]),
    (57, "dst_mac", &[6]),
    (58, "src_vlan", &[2]),
    (59, "dst_vlan", &[2]),
];

/// A template of some of them in any order, with records of random bytes. UDP, so that ports count.
fn flows() -> impl Strategy<Value = (Vec<Spec>, Vec<Vec<u8>>)> {
    let chosen = proptest::sample::subsequence(ELEMENTS, 1..ELEMENTS.len()).prop_shuffle();
    (chosen, any::<prop::sample::Index>(), 1..30_usize).prop_flat_map(|(chosen, pick, count)| {
        let mut fields: Vec<Spec> = chosen
            .iter()
            .map(|(element, _, lengths)| (*element, lengths[pick.index(lengths.len())], 0))
            .collect();
        fields.push((4, 1, 0));
        let length = fields.iter().map(|(_, length, _)| usize::from(*length)).sum::<usize>() - 1;
        let record = proptest::collection::vec(any::<u8>(), length).prop_map(|mut bytes| {
            bytes.push(17);
            bytes
        });
        (Just(fields), proptest::collection::vec(record, count))
    })
}

/// The oracle's values of one record by our column's name.
fn row<'a>(fields: &[Spec], values: impl Iterator<Item = &'a FieldValue>) -> Row {
    let names =
        |element: u16| ELEMENTS.iter().find(|(known, ..)| *known == element).map(|(_, name, _)| *name);
    fields
        .iter()
        .zip(values)
        .filter_map(|((element, ..), value)| Some((names(*element)?, text(value)?)))
        .collect()
}

fn text(value: &FieldValue) -> Option<String> {
    match value {
        FieldValue::DataNumber(number) => number.as_u64().map(|number| number.to_string()),
        FieldValue::MacAddr(mac) => Some(mac.iter().map(|byte| format!("{byte:02x}")).collect()),
        value => IpAddr::try_from(value).ok().map(|address| address.to_string()),
    }
}

fn oracle(messages: &[Vec<u8>], fields: &[Spec]) -> Vec<Row> {
    let mut parser = NetflowParser::default();
    let packets = messages.iter().flat_map(|message| parser.parse_bytes(message).packets);
    let mut rows = Vec::new();
    for packet in packets.collect::<Vec<_>>() {
        match packet {
            NetflowPacket::V9(message) => {
                for set in message.flowsets {
                    if let v9::FlowSetBody::Data(data) = set.body {
                        rows.extend(
                            data.fields.iter().map(|record| row(fields, record.iter().map(|pair| &pair.1))),
                        );
                    }
                }
            }
            NetflowPacket::IPFix(message) => {
                for set in message.flowsets {
                    if let ipfix::FlowSetBody::Data(data) = set.body {
                        rows.extend(
                            data.fields.iter().map(|record| row(fields, record.iter().map(|pair| &pair.1))),
                        );
                    }
                }
            }
            _ => {}
        }
    }
    rows
}

/// Every value that the oracle gives stands in our row.
fn agree(messages: &[Vec<u8>], fields: &[Spec], count: usize) -> Result<(), TestCaseError> {
    let mut rig = Rig::new();
    for message in messages {
        rig.feed(message);
    }
    let theirs = oracle(messages, fields);
    prop_assert_eq!((rig.rows.len(), theirs.len()), (count, count));
    for (ours, theirs) in rig.rows.iter().zip(&theirs) {
        prop_assert!(!theirs.is_empty() || fields.len() == 1);
        for (name, value) in theirs {
            prop_assert_eq!(ours.get(name), Some(value), "{}", name);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_netflow9_flows_are_read_as_netflow_parser_reads_them((fields, records) in flows()) {
        let messages = [
            Message::v9(1).template(256, &fields).bytes(),
            Message::v9(2).data(256, &records).bytes(),
        ];
        agree(&messages, &fields, records.len())?;
    }

    #[test]
    fn any_ipfix_flows_are_read_as_netflow_parser_reads_them((fields, records) in flows()) {
        let messages = [
            Message::ipfix(1).template(256, &fields).bytes(),
            Message::ipfix(1).data(256, &records).bytes(),
        ];
        agree(&messages, &fields, records.len())?;
    }

    #[test]
    fn any_netflow5_flows_are_read_as_netflow_parser_reads_them(
        count in 1..30_u16, noise in proptest::collection::vec(any::<u8>(), 30 * 48),
    ) {
        let mut bytes = V5 { count, ..V5::default() }.bytes();
        bytes.truncate(24);
        for record in noise.chunks(48).take(usize::from(count)) {
            bytes.extend(record);
            let at = bytes.len() - 48 + 38;
            bytes[at] = 6;
        }
        let mut rig = Rig::new();
        rig.feed(&bytes);
        let parsed = NetflowParser::default().parse_bytes(&bytes);
        let [NetflowPacket::V5(theirs)] = parsed.packets.as_slice() else {
            return Err(TestCaseError::fail("the oracle reads one message"));
        };
        prop_assert_eq!(rig.rows.len(), theirs.flowsets.len());
        for (ours, theirs) in rig.rows.iter().zip(&theirs.flowsets) {
            let expected = [
                ("src_addr", theirs.src_addr.to_string()),
                ("dst_addr", theirs.dst_addr.to_string()),
                ("next_hop", theirs.next_hop.to_string()),
                ("in_if", theirs.input.to_string()),
                ("out_if", theirs.output.to_string()),
                ("packets", theirs.d_pkts.to_string()),
                ("bytes", theirs.d_octets.to_string()),
                ("src_port", theirs.src_port.to_string()),
                ("dst_port", theirs.dst_port.to_string()),
                ("tcp_flags", theirs.tcp_flags.to_string()),
                ("ip_tos", theirs.tos.to_string()),
                ("src_as", theirs.src_as.to_string()),
                ("dst_as", theirs.dst_as.to_string()),
                ("src_mask", theirs.src_mask.to_string()),
                ("dst_mask", theirs.dst_mask.to_string()),
            ];
            for (name, value) in expected {
                prop_assert_eq!(ours.get(name), Some(&value), "{}", name);
            }
        }
    }
}

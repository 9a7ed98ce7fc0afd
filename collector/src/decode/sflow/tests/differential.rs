//! Random datagrams, field by field beside what `flowparser-sflow` reads.

use flowparser_sflow::{AddressType, FlowRecord, SflowParser, SflowSample};
use proptest::prelude::*;

use super::extended::text;
use super::*;

/// A random record of the kinds that both read.
fn record() -> impl Strategy<Value = Vec<u8>> {
    let number = any::<u32>;
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..160).prop_map(|header| raw(1, 1500, 4, &header)),
        (any::<bool>(), prop::collection::vec(number(), 12)).prop_map(|(v6, mut fields)| {
            fields[1] = [1, 6, 17, 58][fields[1] as usize % 4];
            if v6 {
                tagged(4, &words(&[&fields[..], &[7, 9]].concat()))
            } else {
                tagged(3, &words(&fields[..8]))
            }
        }),
        prop::collection::vec(number(), 4).prop_map(|fields| tagged(1001, &words(&fields))),
        prop::collection::vec(number(), 3)
            .prop_map(|fields| tagged(1002, &words(&[&[1][..], &fields].concat()))),
        (prop::collection::vec(number(), 4), prop::collection::vec(number(), 0..9)).prop_map(
            |(head, path)| {
                let count = path.len() as u32;
                tagged(
                    1003,
                    &words(&[&[1][..], &head, &[1, 2, count], &path, &[count], &path, &[0]].concat()),
                )
            }
        ),
        (any::<bool>(), prop::collection::vec(number(), 8)).prop_map(|(v6, fields)| {
            let [source, destination] = [&fields[..4], &fields[4..]];
            if v6 {
                tagged(1007, &words(&[&[2][..], source, &[2], destination].concat()))
            } else {
                tagged(1007, &words(&[1, source[0], 1, destination[0]]))
            }
        }),
        any::<[u16; 2]>().prop_map(|ports| tagged(1020, &words(&ports.map(u32::from)))),
        prop::collection::vec(number(), 0..12).prop_map(|labels| {
            tagged(1006, &words(&[&[1, 7, labels.len() as u32][..], &labels, &[0]].concat()))
        }),
        prop::collection::vec(number(), 0..4)
            .prop_map(|tags| tagged(1012, &words(&[&[tags.len() as u32][..], &tags].concat()))),
        ("[a-z]{0,9}", "[a-z]{0,9}").prop_map(|(source, destination)| {
            tagged(1004, &[words(&[106]), text(&source), words(&[106]), text(&destination)].concat())
        }),
        (1023..1025_u32, prop::collection::vec(number(), 8)).prop_map(|(format, mut fields)| {
            fields[1] &= 0xff;
            tagged(format, &words(&fields))
        }),
    ]
}

fn samples() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let sample = (any::<[u32; 4]>(), any::<bool>(), prop::collection::vec(record(), 1..4));
    let sample = sample.prop_map(|([source, rate, input, output], expanded, records)| {
        if !expanded {
            return flow(source, rate, input, output, &records);
        }
        let count = records.len() as u32;
        let head = words(&[1, 0, source, rate, 1, 0, input >> 30, input, output >> 30, output, count]);
        tagged(3, &[head, records.concat()].concat())
    });
    prop::collection::vec(sample, 0..6)
}

/// The fields that flowparser-sflow names alike, from the samples that describe a packet.
fn reference(payload: &[u8]) -> Vec<serde_json::Value> {
    let parsed = SflowParser::default().parse_bytes(payload);
    assert!(parsed.error.is_none());
    let samples = parsed.datagrams.into_iter().flat_map(|datagram| datagram.samples);
    let flows = samples.filter_map(|sample| match sample {
        SflowSample::Flow(flow) => Some((flow.sampling_rate, flow.records)),
        SflowSample::ExpandedFlow(flow) => Some((flow.sampling_rate, flow.records)),
        _ => None,
    });
    flows.filter_map(|(rate, records)| of_records(rate, &records)).collect()
}

/// What the records of one sample say, the later of two alike; none if they describe no packet.
fn of_records(rate: u32, records: &[FlowRecord]) -> Option<serde_json::Value> {
    let mut line = serde_json::Map::new();
    if rate > 0 {
        line.insert("sampling_rate".into(), (f64::from(rate as f32) as u64).into());
    }
    let mut described = false;
    for record in records {
        described |= matches!(
            record,
            FlowRecord::RawPacketHeader(_) | FlowRecord::SampledIpv4(_) | FlowRecord::SampledIpv6(_)
        );
        beside(record, &mut line);
    }
    described.then_some(line.into())
}

fn beside(record: &FlowRecord, line: &mut serde_json::Map<String, serde_json::Value>) {
    match record {
        FlowRecord::ExtendedRouter(router) => {
            line.insert("next_hop".into(), shown(&router.next_hop).into());
            line.insert("src_mask".into(), (router.src_mask_len & 0xff).into());
            line.insert("dst_mask".into(), (router.dst_mask_len & 0xff).into());
        }
        FlowRecord::ExtendedGateway(gateway) => {
            let path = gateway.as_path_segments.iter().flat_map(|segment| &segment.values);
            let ends = [("next_as", path.clone().next()), ("dst_as", path.last())];
            let sources = [("src_as", Some(&gateway.src_as)), ("prev_as", Some(&gateway.src_peer_as))];
            for (name, number) in ends.into_iter().chain(sources) {
                if let Some(number) = number.filter(|number| **number != 0) {
                    line.insert(name.into(), (*number).into());
                }
            }
        }
        FlowRecord::ExtendedNat(nat) => {
            line.insert("xlate_src_addr".into(), shown(&nat.src_address).into());
            line.insert("xlate_dst_addr".into(), shown(&nat.dst_address).into());
        }
        FlowRecord::ExtendedNatPort(nat) => {
            line.insert("xlate_src_port".into(), nat.src_port.into());
            line.insert("xlate_dst_port".into(), nat.dst_port.into());
        }
        FlowRecord::ExtendedUser(user) => {
            let name = [&user.src_user, &user.dst_user].into_iter().find(|name| !name.is_empty());
            if let Some(name) = name {
                line.insert("username".into(), name.clone().into());
            }
        }
        FlowRecord::ExtendedIpv4TunnelIngress(outer) => {
            line.insert("tun_src_addr".into(), outer.src_ip.to_string().into());
            line.insert("tun_dst_addr".into(), outer.dst_ip.to_string().into());
            line.insert("tun_proto".into(), outer.protocol.into());
        }
        _ => {}
    }
}

fn shown(address: &AddressType) -> String {
    match address {
        AddressType::IPv4(address) => address.to_string(),
        AddressType::IPv6(address) => std::net::IpAddr::from(*address).to_canonical().to_string(),
    }
}

proptest! {
    #[test]
    fn flowparser_sflow_reads_the_same_samples(samples in samples()) {
        let payload = datagram(1, &samples);
        let expected = reference(&payload);
        let (lines, counts) = decode(&payload);
        prop_assert_eq!(lines.len(), expected.len());
        let undecodable: u64 = counts.unwrap().undecodable.iter().map(|(_, count)| count).sum();
        prop_assert_eq!(undecodable as usize, samples.len() - expected.len());
        for (line, expected) in lines.iter().zip(&expected) {
            for (name, value) in expected.as_object().unwrap() {
                prop_assert_eq!(line.get(name), Some(value), "{}", name);
            }
        }
    }

    #[test]
    fn no_change_to_a_datagram_makes_the_decoder_panic_or_lose_a_sample_uncounted(
        samples in samples(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut payload = datagram(1, &samples);
        for (at, value) in flips {
            let at = 28 + at.index(payload.len());
            if let Some(byte) = payload.get_mut(at) {
                *byte = value;
            }
        }
        payload.truncate(28 + cut.index(payload.len() - 27));
        let (lines, counts) = decode(&payload);
        let counts = counts.unwrap();
        let passed: u64 = counts.undecodable.iter().map(|(_, n)| n).sum();
        prop_assert_eq!(lines.len() as u64, counts.records);
        prop_assert_eq!(counts.records + counts.options_records + passed, samples.len() as u64);
        prop_assert_eq!(counts.records_received, samples.len() as i64);
    }
}

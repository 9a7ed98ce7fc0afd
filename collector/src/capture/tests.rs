//! Captures built here byte by byte, and what the reader makes of them.

use std::net::Ipv6Addr;

use etherparse::{IpNumber, PacketBuilder};
use proptest::prelude::*;

use super::*;

const PAYLOAD: &[u8] = b"payload of a datagram";
const TIME_MS: u64 = 1_767_225_600_123;

/// A datagram without its borrow: exporter, its port, our port, time, payload.
type Taken = (IpAddr, u16, u16, u64, Vec<u8>);

fn read_with(reader: &mut Reader, file: &[u8]) -> (Vec<Taken>, Result<(), Error>) {
    let mut taken = Vec::new();
    let result = reader.read("file", 7, file, &mut |datagram| {
        let Datagram { exporter, exporter_port, port, received_ms, payload } = datagram;
        taken.push((exporter, exporter_port, port, received_ms, payload.to_vec()));
        ControlFlow::Continue(())
    });
    (taken, result.map(|_| ()))
}

fn read(file: &[u8]) -> (Vec<Taken>, Result<(), Error>, Counts) {
    let mut reader = Reader::default();
    let (taken, result) = read_with(&mut reader, file);
    (taken, result, reader.counts())
}

fn v4() -> Vec<u8> {
    build(PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 9], 64), PAYLOAD)
}

fn v6() -> Vec<u8> {
    let (source, destination) = ("2001:db8::1".parse::<Ipv6Addr>(), "2001:db8::9".parse::<Ipv6Addr>());
    build(PacketBuilder::ipv6(source.unwrap().octets(), destination.unwrap().octets(), 64), PAYLOAD)
}

fn build(ip: etherparse::PacketBuilderStep<etherparse::IpHeaders>, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    ip.udp(5000, 2055).write(&mut packet, payload).unwrap();
    packet
}

fn ethernet(tags: &[u16], ip: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x02; 12];
    for tag in tags {
        frame.extend([if tags.len() > 1 { 0x88 } else { 0x81 }, if tags.len() > 1 { 0xa8 } else { 0 }]);
        frame.extend(tag.to_be_bytes());
    }
    frame.extend(if ip[0] >> 4 == 4 { [0x08, 0x00] } else { [0x86, 0xdd] });
    frame.extend(ip);
    frame
}

/// A pcap file in one of its four flavors.
fn pcap(big_endian: bool, nanoseconds: bool, link: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    let word = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let half = |value: u16| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let mut file = word(if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 }).to_vec();
    file.extend([half(2), half(4)].concat());
    file.extend([word(0), word(0), word(65_535), word(link)].concat());
    for frame in frames {
        let fraction = if nanoseconds { 123_456_789 } else { 123_456 };
        let length = word(u32::try_from(frame.len()).unwrap());
        file.extend([word(1_767_225_600), word(fraction), length, length].concat());
        file.extend(frame);
    }
    file
}

/// A pcapng file: a section, one interface for each link type, one enhanced packet for each frame.
fn pcapng(big_endian: bool, options: &[u8], packets: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let word = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let half = |value: u16| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let block = |kind: u32, mut body: Vec<u8>| {
        body.resize(body.len().next_multiple_of(4), 0);
        let length = word(u32::try_from(body.len()).unwrap() + 12);
        [&word(kind)[..], &length, &body, &length].concat()
    };
    let section = [&word(0x1a2b_3c4d)[..], &half(1), &half(0), &[0xff; 8]].concat();
    let mut file = block(0x0a0d_0d0a, section);
    for (link, _) in packets {
        let head = [half(u16::try_from(*link).unwrap()), half(0)].concat();
        file.extend(block(1, [&head[..], &word(0), options].concat()));
    }
    for (at, (_, frame)) in packets.iter().enumerate() {
        let ticks = TIME_MS * 1000;
        let length = word(u32::try_from(frame.len()).unwrap());
        let time = [word((ticks >> 32) as u32), word((ticks & 0xffff_ffff) as u32)].concat();
        let head = [&word(u32::try_from(at).unwrap())[..], &time, &length, &length].concat();
        file.extend(block(6, [head, frame.clone()].concat()));
    }
    file
}

fn expected(version: u8) -> Taken {
    let exporter = if version == 4 { "192.0.2.1" } else { "2001:db8::1" };
    (exporter.parse().unwrap(), 5000, 2055, TIME_MS, PAYLOAD.to_vec())
}

#[test]
fn pcap_is_read_in_both_byte_orders_and_both_time_units() {
    for (big_endian, nanoseconds) in [(false, false), (false, true), (true, false), (true, true)] {
        let file = pcap(big_endian, nanoseconds, 1, &[ethernet(&[], &v4()), ethernet(&[], &v6())]);
        let (taken, result, counts) = read(&file);
        result.unwrap();
        assert_eq!(taken, [expected(4), expected(6)]);
        assert_eq!(counts, Counts { files: 1, packets: 2, datagrams: 2, ..Counts::default() });
    }
}

#[test]
fn every_link_type_that_is_documented_is_read() {
    let cooked = |proto: [u8; 2]| [&[0; 14][..], &proto, &v4()].concat();
    let cooked2 = |proto: [u8; 2]| [&proto[..], &[0; 18], &v6()].concat();
    let frames: [(u32, Vec<u8>, u8); 11] = [
        (1, ethernet(&[100], &v4()), 4),
        (1, ethernet(&[100, 200], &v6()), 6),
        (113, cooked([8, 0]), 4),
        (276, cooked2([0x86, 0xdd]), 6),
        (101, v4(), 4),
        (12, v6(), 6),
        (228, v4(), 4),
        (229, v6(), 6),
        (0, [&[2, 0, 0, 0][..], &v4()].concat(), 4),
        (0, [&[30, 0, 0, 0][..], &v6()].concat(), 6),
        (108, [&[0, 0, 0, 2][..], &v4()].concat(), 4),
    ];
    for (link, frame, version) in frames {
        let (taken, result, _) = read(&pcap(false, false, link, &[frame]));
        result.unwrap();
        assert_eq!(taken, [expected(version)], "link type {link}");
    }
}

#[test]
fn pcapng_is_read_with_interfaces_of_different_link_types_in_both_byte_orders() {
    for big_endian in [false, true] {
        let file = pcapng(big_endian, &[], &[(1, ethernet(&[5], &v4())), (101, v6())]);
        let (taken, result, _) = read(&file);
        result.unwrap();
        assert_eq!(taken, [expected(4), expected(6)]);
    }
}

#[test]
fn pcapng_time_resolution_as_a_power_of_two_is_understood() {
    // if_tsresol (9), one byte: 2^-20 s; ticks then are TIME_MS * 1000 of 2^-20 s.
    let options = [9, 0, 1, 0, 0x80 | 20, 0, 0, 0, 0, 0, 0, 0];
    let (taken, result, _) = read(&pcapng(false, &options, &[(101, v4())]));
    result.unwrap();
    assert_eq!(taken[0].3, ((u128::from(TIME_MS) * 1_000_000) >> 20) as u64);
}

#[test]
fn a_file_without_a_capture_magic_is_one_payload_with_the_time_it_was_written() {
    let (taken, result, counts) = read(PAYLOAD);
    result.unwrap();
    assert_eq!(taken, [(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0, 0, 7, PAYLOAD.to_vec())]);
    assert_eq!(counts.datagrams, 1);
}

#[test]
fn what_is_neither_capture_nor_payload_is_refused_with_the_right_form() {
    let gzip = read(&[0x1f, 0x8b, 8, 0]).1.unwrap_err().to_string();
    assert!(gzip.contains("gzip -dc FILE | weir decode -"), "{gzip}");
    assert!(read(&[]).1.unwrap_err().to_string().contains("empty"));
    let long = read(&vec![5; 65_508]).1.unwrap_err().to_string();
    assert!(long.contains("65507 bytes") && long.contains("pcapng"), "{long}");
}

#[test]
fn fragments_are_put_together_in_any_order_and_across_files() {
    let payload: Vec<u8> = (0..4000_u32).map(|at| (at % 251) as u8).collect();
    let whole = build(PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 9], 64), &payload);
    let part = |from: usize, to: usize| {
        let mut header = etherparse::Ipv4Header::new(
            u16::try_from(to - from).unwrap(),
            64,
            IpNumber::UDP,
            [192, 0, 2, 1],
            [192, 0, 2, 9],
        )
        .unwrap();
        header.identification = 77;
        header.more_fragments = to < whole.len() - 20;
        header.fragment_offset = u16::try_from(from / 8).unwrap().try_into().unwrap();
        let mut packet = Vec::new();
        header.write(&mut packet).unwrap();
        packet.extend(&whole[20 + from..20 + to]);
        packet
    };
    let mut reader = Reader::default();
    let first = pcap(false, false, 101, &[part(2960, 4008), part(0, 1480)]);
    let (taken, result) = read_with(&mut reader, &first);
    result.unwrap();
    assert!(taken.is_empty() && reader.counts().incomplete == 1);
    let (taken, result) = read_with(&mut reader, &pcap(true, true, 101, &[part(1480, 2960)]));
    result.unwrap();
    assert_eq!(taken[0].4, payload);
    assert_eq!((reader.counts().fragments, reader.counts().incomplete), (3, 0));
}

#[test]
fn unfinished_fragments_are_bounded_and_counted() {
    let mut header =
        etherparse::Ipv4Header::new(64, 64, IpNumber::UDP, [192, 0, 2, 1], [192, 0, 2, 9]).unwrap();
    header.more_fragments = true;
    let frames: Vec<Vec<u8>> = (0..1000_u16)
        .map(|id| {
            header.identification = id;
            let mut packet = Vec::new();
            header.write(&mut packet).unwrap();
            packet.extend([0; 64]);
            packet
        })
        .collect();
    let mut reader = Reader::default();
    read_with(&mut reader, &pcap(false, false, 101, &frames)).1.unwrap();
    assert_eq!(reader.fragments.waiting(), fragments::MOST);
    assert_eq!(reader.counts().incomplete, 1000);
}

#[test]
fn packets_that_are_no_datagrams_are_counted_by_reason() {
    let mut tcp = Vec::new();
    PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 9], 64).tcp(1, 2, 3, 4).write(&mut tcp, &[]).unwrap();
    let arp = [&[2; 12][..], &[8, 6], &[0; 28]].concat();
    let mut lying = ethernet(&[], &v4());
    lying[14 + 20 + 5] = 200;
    let file = pcap(false, false, 1, &[ethernet(&[], &tcp), arp, lying, ethernet(&[], &v4())]);
    let (taken, result, counts) = read(&file);
    result.unwrap();
    assert_eq!(taken.len(), 1);
    let expected = Counts {
        files: 1,
        packets: 4,
        datagrams: 1,
        not_udp: 1,
        not_ip: 1,
        malformed: 1,
        ..Counts::default()
    };
    assert_eq!(counts, expected);
    let (_, result, counts) = read(&pcap(false, false, 105, &[v4()]));
    result.unwrap();
    assert_eq!(counts.other_link, 1);
}

#[test]
fn a_packet_cut_by_the_snap_length_is_counted_as_cut() {
    let mut file = pcap(false, false, 1, &[ethernet(&[], &v4())[..40].to_vec()]);
    file[24 + 12] += 21;
    let (taken, result, counts) = read(&file);
    result.unwrap();
    assert!(taken.is_empty());
    assert_eq!(counts.cut, 1);
}

#[test]
fn a_file_that_ends_inside_a_packet_says_where_and_keeps_what_came_before() {
    let frame = ethernet(&[], &v4());
    let file = pcap(false, false, 1, &[frame.clone(), frame.clone()]);
    let (taken, result, _) = read(&file[..file.len() - 1]);
    assert_eq!(taken, [expected(4)]);
    let said = result.unwrap_err().to_string();
    let offset = 24 + 16 + frame.len();
    assert_eq!(said, format!("file: byte {offset}, after 1 whole packets: the file ends inside a packet"));
}

#[test]
fn a_length_that_lies_stops_at_a_bound() {
    let frame = ethernet(&[], &v4());
    let mut file = pcap(false, false, 1, &[frame.clone(), frame.clone()]);
    let at = 24 + 16 + frame.len() + 8;
    file[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    file.resize(2 * LARGEST_BLOCK, 0);
    let (taken, result, _) = read(&file);
    assert_eq!(taken.len(), 1);
    assert!(result.unwrap_err().to_string().contains("header is damaged"));
}

proptest! {
    #[test]
    fn no_change_to_a_capture_makes_the_reader_panic_or_lose_a_packet_uncounted(
        ng in any::<bool>(),
        big_endian in any::<bool>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let frame = ethernet(&[7], &v4());
        let mut file = if ng {
            pcapng(big_endian, &[], &[(1, frame), (101, v6())])
        } else {
            pcap(big_endian, false, 1, &[frame.clone(), frame])
        };
        for (at, value) in flips {
            let at = at.index(file.len());
            file[at] = value;
        }
        file.truncate(cut.index(file.len()) + 1);
        let (taken, _, counts) = read(&file);
        prop_assert_eq!(taken.len() as u64, counts.datagrams);
        if counts.packets > 0 {
            let passed = counts.other_link + counts.not_ip + counts.not_udp + counts.cut;
            let all = counts.datagrams + passed + counts.malformed + counts.fragments;
            prop_assert!(all >= counts.packets);
        }
    }
}

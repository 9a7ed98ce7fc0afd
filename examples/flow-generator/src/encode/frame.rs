//! The frame behind a sampled packet: Ethernet, IP and transport headers, lengths and checksums as they should be.

use std::net::{IpAddr, Ipv4Addr};

use etherparse::{PacketBuilder, PacketBuilderStep};

use crate::traffic::{Flow, Transport};

/// The frame of a sample, without its checksum and without the padding of a short one.
pub(super) fn frame(flow: &Flow) -> Vec<u8> {
    match (flow.src_addr, flow.dst_addr) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let ethernet = PacketBuilder::ethernet2(mac(1, src.octets()[3]), mac(2, dst.octets()[3]));
            transport(ethernet.ip(ipv4(src, dst, flow.tos)), flow)
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let ethernet = PacketBuilder::ethernet2(mac(1, src.octets()[15]), mac(2, dst.octets()[15]));
            transport(ethernet.ipv6(src.octets(), dst.octets(), 64), flow)
        }
        _ => unreachable!("both addresses of a flow are of one family"),
    }
}

/// Addresses from 00-00-5E-00-53-00 to -FF are for documentation (RFC 7042), not enough for two networks here:
/// locally administered ones.
fn mac(network: u8, host: u8) -> [u8; 6] {
    [0x02, 0, 0, 0, network, host]
}

fn ipv4(src: Ipv4Addr, dst: Ipv4Addr, tos: u8) -> etherparse::IpHeaders {
    let mut header = etherparse::Ipv4Header {
        source: src.octets(),
        destination: dst.octets(),
        time_to_live: 61,
        ..Default::default()
    };
    header.dscp = etherparse::IpDscp::try_new(tos >> 2).unwrap_or_default();
    etherparse::IpHeaders::Ipv4(header, etherparse::Ipv4Extensions::default())
}

fn transport(ip: PacketBuilderStep<etherparse::IpHeaders>, flow: &Flow) -> Vec<u8> {
    let ip_header = if flow.src_addr.is_ipv6() { 40 } else { 20 };
    let payload = |header: usize| vec![0_u8; usize::try_from(flow.bytes).unwrap_or(0) - ip_header - header];
    let mut out = Vec::with_capacity(1_600);
    let written = if flow.proto == Transport::Tcp.number() {
        let mut tcp = ip.tcp(flow.src_port, flow.dst_port, 1_000_000, 65_535);
        tcp = with_flags(tcp, flow.tcp_flags);
        tcp.write(&mut out, &payload(20))
    } else if flow.proto == Transport::Udp.number() {
        ip.udp(flow.src_port, flow.dst_port).write(&mut out, &payload(8))
    } else if flow.dst_port == 0 {
        ip.icmpv4_echo_reply(1, 1).write(&mut out, &payload(8))
    } else {
        ip.icmpv4_echo_request(1, 1).write(&mut out, &payload(8))
    };
    match written {
        Ok(()) => out,
        Err(error) => unreachable!("a packet of at most 1,500 octets always fits: {error}"),
    }
}

fn with_flags(
    tcp: PacketBuilderStep<etherparse::TcpHeader>,
    flags: u8,
) -> PacketBuilderStep<etherparse::TcpHeader> {
    let mut tcp = tcp;
    if flags & 0x01 != 0 {
        tcp = tcp.fin();
    }
    if flags & 0x02 != 0 {
        tcp = tcp.syn();
    }
    if flags & 0x08 != 0 {
        tcp = tcp.psh();
    }
    if flags & 0x10 != 0 {
        tcp = tcp.ack(2_000_000);
    }
    tcp
}

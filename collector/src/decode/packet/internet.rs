//! IPv4 and IPv6 with extension headers, and the transport's first bytes.

use super::{BRIDGING, IPV4, IPV6, Packet};
use crate::decode::reader::Reader;
use crate::flow::Column;

/// More extension headers than this are no packet that anybody forwards.
const MOST_EXTENSIONS: usize = 12;

/// IANA's numbers.
const HOP_BY_HOP: u8 = 0;
const ICMP: u8 = 1;
const IPIP: u8 = 4;
const TCP: u8 = 6;
const UDP: u8 = 17;
const DCCP: u8 = 33;
const IPV6_IN_IP: u8 = 41;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const GRE: u8 = 47;
const AUTHENTICATION: u8 = 51;
const ICMPV6: u8 = 58;
const DESTINATION: u8 = 60;
const SCTP: u8 = 132;
const UDP_LITE: u8 = 136;
const ETHERNET: u8 = 143;

/// The routing type of segment routing over IPv6 (RFC 8754, 2).
const SEGMENTS: u8 = 4;

/// The upper-layer protocol of an IP header, and whether its first bytes follow.
#[derive(Clone, Copy)]
struct Upper {
    proto: u8,
    first: bool,
}

impl Packet {
    /// The packet's IPv4 header and what follows it.
    pub(super) fn ipv4(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        self.etype(IPV4);
        let header = reader.array::<20>()?;
        let [lead, tos, l0, l1, i0, i1, f0, f1, ttl, proto, ..] = *header;
        if lead >> 4 != 4 {
            return None;
        }
        (self.src_addr, self.dst_addr) = ipv4_addresses(header);
        self.ip_length = u32::from(u16::from_be_bytes([l0, l1]));
        self.fragment_id = u32::from(u16::from_be_bytes([i0, i1]));
        let fragment = u16::from_be_bytes([f0, f1]);
        self.fragment_offset = fragment & 0x1fff;
        // Information element 197: reserved, don't fragment, more fragments, from the highest bit on.
        self.ip_flags = f0 & 0xe0;
        self.set(Column::IpFlags);
        // RFC 6864, 4.1: the identification of an atomic datagram means nothing.
        if fragment != 0x4000 {
            self.set(Column::FragmentId);
            self.set(Column::FragmentOffset);
        }
        self.addressed(tos, ttl);
        let options = usize::from(lead & 0x0f).checked_sub(5)? * 4;
        let upper = Upper { proto, first: self.fragment_offset == 0 };
        self.upper(upper, reader, options)
    }

    /// The packet's IPv6 header and what follows it.
    pub(super) fn ipv6(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        self.etype(IPV6);
        let header = reader.array::<40>()?;
        let [a, b, c, d, l0, l1, next, limit, ..] = *header;
        if a >> 4 != 6 {
            return None;
        }
        (self.src_addr, self.dst_addr) = ipv6_addresses(header);
        let payload = u32::from(u16::from_be_bytes([l0, l1]));
        self.ip_length = if payload == 0 { 0 } else { payload + 40 };
        self.flow_label = u32::from_be_bytes([0, b & 0x0f, c, d]);
        self.set(Column::Ipv6FlowLabel);
        self.addressed(a << 4 | b >> 4, limit);
        let upper = self.extensions(next, reader);
        self.upper(upper, reader, 0)
    }

    fn addressed(&mut self, tos: u8, ttl: u8) {
        self.tos = tos;
        self.ttl = ttl;
        self.set(Column::SrcAddr);
        self.set(Column::DstAddr);
        self.set(Column::IpTos);
        self.set(Column::MinTtl);
        self.set(Column::MaxTtl);
    }

    /// Walks the extension headers (RFC 8200, 4). Where they are cut, the last known number stands.
    fn extensions(&mut self, first: u8, reader: &mut Reader<'_>) -> Upper {
        let mut upper = Upper { proto: first, first: true };
        for _ in 0..MOST_EXTENSIONS {
            if upper.proto == FRAGMENT {
                let Some([next, _, o0, o1, id @ ..]) = reader.array::<8>().copied() else { break };
                let offset = u16::from_be_bytes([o0, o1]);
                self.fragment_id = u32::from_be_bytes(id);
                self.fragment_offset = offset >> 3;
                self.ip_flags = if offset & 1 == 1 { 0x20 } else { 0 };
                self.set(Column::IpFlags);
                self.set(Column::FragmentId);
                self.set(Column::FragmentOffset);
                upper = Upper { proto: next, first: offset >> 3 == 0 };
                if !upper.first {
                    return upper;
                }
            } else {
                if upper.proto == ROUTING {
                    self.segment_routing(*reader);
                }
                match extension(upper.proto, reader) {
                    Extension::None => return upper,
                    Extension::Passed(next) => upper.proto = next,
                    Extension::Cut => break,
                }
            }
        }
        Upper { first: false, ..upper }
    }

    /// The segment routing header, if the routing header is one and whole; it is passed as any other.
    fn segment_routing(&mut self, mut reader: Reader<'_>) -> Option<()> {
        let [_, length, kind, left, last, ..] = *reader.array::<8>()?;
        // TLVs may follow the list.
        let count = last.checked_add(1).filter(|count| *count <= length / 2)?;
        if kind != SEGMENTS || reader.len() < usize::from(count) * 16 {
            return None;
        }
        self.segments = (u16::try_from(reader.len()).ok()?, count);
        self.segments_left = left;
        self.set(Column::SrhSegmentsLeft);
        Some(())
    }

    /// The transport header after `options` bytes.
    fn upper(&mut self, upper: Upper, reader: &mut Reader<'_>, options: usize) -> Option<()> {
        self.proto = upper.proto;
        self.set(Column::Proto);
        if !upper.first {
            return None;
        }
        if options > 0 {
            reader.take(options)?;
        }
        match upper.proto {
            TCP => self.tcp(reader),
            UDP => {
                self.ports(reader)?;
                // Length and checksum.
                reader.array::<4>()?;
                self.udp_tunnel(reader)
            }
            SCTP | DCCP | UDP_LITE => self.ports(reader),
            ICMP | ICMPV6 => {
                [self.icmp_type, self.icmp_code] = *reader.array::<2>()?;
                self.set(Column::IcmpType);
                self.set(Column::IcmpCode);
                Some(())
            }
            IPIP => self.ip_in_ip(IPV4, reader),
            IPV6_IN_IP => self.ip_in_ip(IPV6, reader),
            ETHERNET => self.ip_in_ip(BRIDGING, reader),
            GRE => self.gre(reader),
            _ => None,
        }
    }

    fn ports(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        self.src_port = reader.u16()?;
        self.dst_port = reader.u16()?;
        self.set(Column::SrcPort);
        self.set(Column::DstPort);
        Some(())
    }

    fn tcp(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        self.ports(reader)?;
        // Sequence and acknowledgment numbers, then data offset and flags.
        let [_, _, _, _, _, _, _, _, high, low] = *reader.array::<10>()?;
        self.tcp_flags = u16::from_be_bytes([high & 0x0f, low]);
        self.set(Column::TcpFlags);
        Some(())
    }
}

/// An extension header that is passed by its length.
enum Extension {
    None,
    Passed(u8),
    Cut,
}

fn extension(number: u8, reader: &mut Reader<'_>) -> Extension {
    if !matches!(number, HOP_BY_HOP | ROUTING | DESTINATION | AUTHENTICATION) {
        return Extension::None;
    }
    let Some([next, length]) = reader.array::<2>().copied() else { return Extension::Cut };
    // In units of 8 bytes without the first; of 4 bytes without the first two in AH (RFC 4302, 2.2).
    let length =
        if number == AUTHENTICATION { (usize::from(length) + 2) * 4 } else { (usize::from(length) + 1) * 8 };
    match reader.take(length.saturating_sub(2)) {
        Some(_) => Extension::Passed(next),
        None => Extension::Cut,
    }
}

fn ipv4_addresses(header: &[u8; 20]) -> (u128, u128) {
    let [.., s0, s1, s2, s3, d0, d1, d2, d3] = *header;
    let mapped = |bytes| 0xffff_0000_0000 | u128::from(u32::from_be_bytes(bytes));
    (mapped([s0, s1, s2, s3]), mapped([d0, d1, d2, d3]))
}

fn ipv6_addresses(header: &[u8; 40]) -> (u128, u128) {
    let (halves, _) = header.split_at(8).1.as_chunks::<16>();
    match halves {
        [source, destination] => (u128::from_be_bytes(*source), u128::from_be_bytes(*destination)),
        _ => (0, 0),
    }
}

//! From a link-layer frame to a UDP datagram or an IP fragment, with `etherparse`.

use std::net::IpAddr;
use std::ops::ControlFlow;

use etherparse::err::packet::SliceError;
use etherparse::{EtherType, IpFragOffset, IpNumber, Ipv6ExtensionSlice, NetSlice, SlicedPacket, UdpSlice};

use super::Datagram;
use super::file::Frame;

/// Why a frame holds no datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Not {
    /// The link layer is not understood.
    Link,
    /// No IP packet.
    Ip,
    /// An IP packet of another protocol.
    Udp,
    /// Its lengths say that there should be more, or contradict each other.
    Sound,
}

/// What a frame holds.
#[derive(Debug)]
pub(super) enum Found<'a> {
    Whole(Packet<'a>),
    Fragment(Fragment<'a>),
    Not(Not),
}

/// The payload of an IP packet that says it is UDP.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) payload: &'a [u8],
}

/// A part of such a payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragment<'a> {
    pub(super) packet: Packet<'a>,
    pub(super) id: u32,
    pub(super) offset: IpFragOffset,
    pub(super) more: bool,
}

/// Finds the IP packet in a frame.
pub(super) fn packet<'a>(frame: &Frame<'a>) -> Found<'a> {
    match sliced(frame) {
        Ok(sliced) => match sliced.net {
            Some(NetSlice::Ipv4(ip)) => {
                let header = ip.header();
                let payload = ip.payload();
                let packet = Packet {
                    source: IpAddr::V4(header.source_addr()),
                    destination: IpAddr::V4(header.destination_addr()),
                    payload: payload.payload,
                };
                let fragment = header.is_fragmenting_payload().then(|| Fragment {
                    packet,
                    id: u32::from(header.identification()),
                    offset: header.fragments_offset(),
                    more: header.more_fragments(),
                });
                found(payload.ip_number, packet, fragment)
            }
            Some(NetSlice::Ipv6(ip)) => {
                let payload = ip.payload();
                let packet = Packet {
                    source: IpAddr::V6(ip.header().source_addr()).to_canonical(),
                    destination: IpAddr::V6(ip.header().destination_addr()),
                    payload: payload.payload,
                };
                let fragment = ip.extensions().clone().into_iter().find_map(|extension| match extension {
                    Ipv6ExtensionSlice::Fragment(part) if part.is_fragmenting_payload() => Some(Fragment {
                        packet,
                        id: part.identification(),
                        offset: part.fragment_offset(),
                        more: part.more_fragments(),
                    }),
                    _ => None,
                });
                found(payload.ip_number, packet, fragment)
            }
            _ => Found::Not(Not::Ip),
        },
        Err(not) => Found::Not(not),
    }
}

fn found<'a>(protocol: IpNumber, packet: Packet<'a>, fragment: Option<Fragment<'a>>) -> Found<'a> {
    match fragment {
        _ if protocol != IpNumber::UDP => Found::Not(Not::Udp),
        Some(fragment) => Found::Fragment(fragment),
        None => Found::Whole(packet),
    }
}

/// Link types by tcpdump's numbers: those with Ethernet's protocol numbers, and those with bare IP.
fn sliced<'a>(frame: &Frame<'a>) -> Result<SlicedPacket<'a>, Not> {
    let data = frame.data;
    let sliced = match frame.link {
        1 => SlicedPacket::from_ethernet(data),
        // Linux cooked, version 1: 14 bytes, then the protocol. Version 2: the protocol, then 18 bytes.
        113 => cooked(data, 14, 16)?,
        276 => cooked(data, 0, 20)?,
        // BSD loopback: 4 bytes of address family in the host's order (NULL) or the network's (LOOP); the IP
        // version says the same.
        0 | 108 => SlicedPacket::from_ip(data.get(4..).ok_or(Not::Sound)?),
        12 | 14 | 101 | 228 | 229 => SlicedPacket::from_ip(data),
        _ => return Err(Not::Link),
    };
    sliced.map_err(|error| match error {
        SliceError::Ip(etherparse::err::ip::HeaderError::UnsupportedIpVersion { .. }) => Not::Ip,
        _ => Not::Sound,
    })
}

fn cooked(data: &[u8], protocol: usize, header: usize) -> Result<Result<SlicedPacket<'_>, SliceError>, Not> {
    let kind = data.get(protocol..).and_then(<[u8]>::first_chunk::<2>).ok_or(Not::Sound)?;
    let payload = data.get(header..).ok_or(Not::Sound)?;
    Ok(SlicedPacket::from_ether_type(EtherType(u16::from_be_bytes(*kind)), payload))
}

/// Reads the UDP header and hands the datagram on.
pub(super) fn datagram(
    packet: &Packet<'_>,
    received_ms: u64,
    take: &mut dyn FnMut(Datagram<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Not> {
    let udp = UdpSlice::from_slice(packet.payload).map_err(|_| Not::Sound)?;
    Ok(take(Datagram {
        exporter: packet.source,
        exporter_port: udp.source_port(),
        port: udp.destination_port(),
        received_ms,
        payload: udp.payload(),
    }))
}

//! A flow as GoFlow2's FlowMessage: the field numbers of `pb/flow.proto` of GoFlow2 2.2.6.
//!
//! What Weir does not keep of a flow stays 0 or empty: `sequence_num`, `bgp_communities`, `as_path`, `mpls_ttl`,
//! `mpls_ip`, `observation_point_id`, the layers and SRv6's list.

use std::net::IpAddr;

use prost::Message;

use crate::flow::{Column, Protocol, Row};

/// The message. Absent numbers are 0, as Protocol Buffers version 3 has it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct FlowMessage {
    #[prost(int32, tag = "1")]
    protocol: i32,
    #[prost(uint64, tag = "3")]
    sampling_rate: u64,
    #[prost(bytes = "vec", tag = "6")]
    src_addr: Vec<u8>,
    #[prost(bytes = "vec", tag = "7")]
    dst_addr: Vec<u8>,
    #[prost(uint64, tag = "9")]
    bytes: u64,
    #[prost(uint64, tag = "10")]
    packets: u64,
    #[prost(bytes = "vec", tag = "11")]
    sampler_address: Vec<u8>,
    #[prost(bytes = "vec", tag = "12")]
    next_hop: Vec<u8>,
    #[prost(uint32, tag = "13")]
    next_hop_as: u32,
    #[prost(uint32, tag = "14")]
    src_as: u32,
    #[prost(uint32, tag = "15")]
    dst_as: u32,
    #[prost(uint32, tag = "16")]
    src_net: u32,
    #[prost(uint32, tag = "17")]
    dst_net: u32,
    #[prost(uint32, tag = "18")]
    in_if: u32,
    #[prost(uint32, tag = "19")]
    out_if: u32,
    #[prost(uint32, tag = "20")]
    proto: u32,
    #[prost(uint32, tag = "21")]
    src_port: u32,
    #[prost(uint32, tag = "22")]
    dst_port: u32,
    #[prost(uint32, tag = "23")]
    ip_tos: u32,
    #[prost(uint32, tag = "24")]
    forwarding_status: u32,
    #[prost(uint32, tag = "25")]
    ip_ttl: u32,
    #[prost(uint32, tag = "26")]
    tcp_flags: u32,
    #[prost(uint64, tag = "27")]
    src_mac: u64,
    #[prost(uint64, tag = "28")]
    dst_mac: u64,
    #[prost(uint32, tag = "30")]
    etype: u32,
    #[prost(uint32, tag = "31")]
    icmp_type: u32,
    #[prost(uint32, tag = "32")]
    icmp_code: u32,
    #[prost(uint32, tag = "33")]
    src_vlan: u32,
    #[prost(uint32, tag = "34")]
    dst_vlan: u32,
    #[prost(uint32, tag = "35")]
    fragment_id: u32,
    #[prost(uint32, tag = "36")]
    fragment_offset: u32,
    #[prost(uint32, tag = "37")]
    ipv6_flow_label: u32,
    #[prost(uint32, tag = "38")]
    ip_flags: u32,
    #[prost(uint32, tag = "70")]
    observation_domain_id: u32,
    #[prost(uint32, repeated, tag = "81")]
    mpls_label: Vec<u32>,
    #[prost(bytes = "vec", tag = "100")]
    bgp_next_hop: Vec<u8>,
    #[prost(uint64, tag = "110")]
    time_received_ns: u64,
    #[prost(uint64, tag = "111")]
    time_flow_start_ns: u64,
    #[prost(uint64, tag = "112")]
    time_flow_end_ns: u64,
}

impl FlowMessage {
    /// The message of a flow.
    pub(super) fn of(row: Row<'_>) -> Self {
        let run = row.run;
        let number = |column| row.number(column).unwrap_or_default();
        let small = |column| u32::try_from(number(column)).unwrap_or(u32::MAX);
        let address = |column| row.address(column).map(octets).unwrap_or_default();
        let labels = Column::MPLS_LABELS.iter().map_while(|column| row.number(*column));
        Self {
            protocol: kind(run.protocol),
            sampling_rate: number(Column::SamplingRate),
            src_addr: address(Column::SrcAddr),
            dst_addr: address(Column::DstAddr),
            bytes: number(Column::Bytes),
            packets: number(Column::Packets),
            sampler_address: octets(sampler(row)),
            next_hop: address(Column::NextHop),
            next_hop_as: small(Column::NextAs),
            src_as: small(Column::SrcAs),
            dst_as: small(Column::DstAs),
            src_net: small(Column::SrcMask),
            dst_net: small(Column::DstMask),
            in_if: small(Column::InIf),
            out_if: small(Column::OutIf),
            proto: small(Column::Proto),
            src_port: small(Column::SrcPort),
            dst_port: small(Column::DstPort),
            ip_tos: small(Column::IpTos),
            forwarding_status: small(Column::ForwardingStatus),
            ip_ttl: small(Column::MinTtl),
            tcp_flags: small(Column::TcpFlags),
            src_mac: number(Column::SrcMac),
            dst_mac: number(Column::DstMac),
            etype: small(Column::EType),
            icmp_type: small(Column::IcmpType),
            icmp_code: small(Column::IcmpCode),
            src_vlan: small(Column::SrcVlan),
            dst_vlan: small(Column::DstVlan),
            fragment_id: small(Column::FragmentId),
            fragment_offset: small(Column::FragmentOffset),
            ipv6_flow_label: small(Column::Ipv6FlowLabel),
            ip_flags: small(Column::IpFlags),
            observation_domain_id: run.domain,
            mpls_label: labels.map(|entry| u32::try_from(entry >> 4).unwrap_or_default()).collect(),
            bgp_next_hop: address(Column::BgpNextHop),
            time_received_ns: nanoseconds(run.received_ms),
            time_flow_start_ns: nanoseconds(number(Column::TimeStart)),
            time_flow_end_ns: nanoseconds(number(Column::TimeEnd)),
        }
    }
}

/// GoFlow2's FlowType. Version 7 has the fields of version 5, and no number of its own.
const fn kind(protocol: Protocol) -> i32 {
    match protocol {
        Protocol::SFlow5 => 1,
        Protocol::NetFlow5 | Protocol::NetFlow7 => 2,
        Protocol::NetFlow9 => 3,
        Protocol::Ipfix => 4,
    }
}

/// sFlow's agent; the UDP source of everything else.
fn sampler(row: Row<'_>) -> IpAddr {
    let agent = row.run.agent.filter(|_| row.run.protocol == Protocol::SFlow5);
    agent.unwrap_or(row.run.exporter)
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

const fn nanoseconds(ms: u64) -> u64 {
    ms.saturating_mul(1_000_000)
}

//! Sampled packets into columns, column by column.

use std::ops::Range;

use super::{LABELS, Packet};
use crate::flow::{Batch, Column, ColumnSet};

/// Writes one column for all packets if it is among those asked for.
macro_rules! each {
    ($which:expr, $batch:expr, $rows:expr, $packets:expr, $write:ident, $column:ident, $packet:ident => $value:expr) => {
        if $which.contains(Column::$column) {
            if let Some(values) = $batch.$write(Column::$column).get_mut($rows.clone()) {
                for (value, $packet) in values.iter_mut().zip($packets.clone()) {
                    *value = $value;
                }
            }
        }
    };
}

/// Writes the columns of `which` that packets have, one packet a row.
pub(in crate::decode) fn write<'a, P>(packets: &P, rows: &Range<usize>, which: ColumnSet, batch: &mut Batch)
where
    P: Iterator<Item = &'a Packet> + Clone,
{
    each!(which, batch, rows, packets, u16s_mut, EType, p => p.etype);
    each!(which, batch, rows, packets, u8s_mut, Proto, p => p.proto);
    each!(which, batch, rows, packets, addrs_mut, SrcAddr, p => p.src_addr);
    each!(which, batch, rows, packets, addrs_mut, DstAddr, p => p.dst_addr);
    each!(which, batch, rows, packets, u16s_mut, SrcPort, p => p.src_port);
    each!(which, batch, rows, packets, u16s_mut, DstPort, p => p.dst_port);
    each!(which, batch, rows, packets, u8s_mut, IpTos, p => p.tos);
    each!(which, batch, rows, packets, u16s_mut, TcpFlags, p => p.tcp_flags);
    each!(which, batch, rows, packets, u8s_mut, IcmpType, p => p.icmp_type);
    each!(which, batch, rows, packets, u8s_mut, IcmpCode, p => p.icmp_code);
    each!(which, batch, rows, packets, u64s_mut, SrcMac, p => p.src_mac);
    each!(which, batch, rows, packets, u64s_mut, DstMac, p => p.dst_mac);
    each!(which, batch, rows, packets, u16s_mut, SrcVlan, p => p.src_vlan);
    each!(which, batch, rows, packets, u16s_mut, SrcCvlan, p => p.src_cvlan);
    each!(which, batch, rows, packets, u8s_mut, MinTtl, p => p.ttl);
    each!(which, batch, rows, packets, u8s_mut, MaxTtl, p => p.ttl);
    each!(which, batch, rows, packets, u8s_mut, IpFlags, p => p.ip_flags);
    each!(which, batch, rows, packets, u32s_mut, FragmentId, p => p.fragment_id);
    each!(which, batch, rows, packets, u16s_mut, FragmentOffset, p => p.fragment_offset);
    each!(which, batch, rows, packets, u32s_mut, Ipv6FlowLabel, p => p.flow_label);
    each!(which, batch, rows, packets, u8s_mut, SrhSegmentsLeft, p => p.segments_left);
    tunnel(packets, rows, which, batch);
    labels(packets, rows, which, batch);
}

fn tunnel<'a, P>(packets: &P, rows: &Range<usize>, which: ColumnSet, batch: &mut Batch)
where
    P: Iterator<Item = &'a Packet> + Clone,
{
    each!(which, batch, rows, packets, addrs_mut, InnerSrcAddr, p => p.inner_src_addr);
    each!(which, batch, rows, packets, addrs_mut, InnerDstAddr, p => p.inner_dst_addr);
    each!(which, batch, rows, packets, u8s_mut, InnerProto, p => p.inner_proto);
    each!(which, batch, rows, packets, u16s_mut, InnerSrcPort, p => p.inner_src_port);
    each!(which, batch, rows, packets, u16s_mut, InnerDstPort, p => p.inner_dst_port);
    each!(which, batch, rows, packets, addrs_mut, TunSrcAddr, p => p.tun_src_addr);
    each!(which, batch, rows, packets, addrs_mut, TunDstAddr, p => p.tun_dst_addr);
    each!(which, batch, rows, packets, u8s_mut, TunProto, p => p.tun_proto);
}

fn labels<'a, P>(packets: &P, rows: &Range<usize>, which: ColumnSet, batch: &mut Batch)
where
    P: Iterator<Item = &'a Packet> + Clone,
{
    if !which.contains(Column::MplsLabel1) {
        return;
    }
    for (at, column) in LABELS.iter().enumerate().filter(|(_, column)| which.contains(**column)) {
        if let Some(values) = batch.u32s_mut(*column).get_mut(rows.clone()) {
            for (value, packet) in values.iter_mut().zip(packets.clone()) {
                *value = packet.labels.get(at).copied().unwrap_or_default();
            }
        }
    }
}

//! Samples into columns, column by column.

use super::sample::{Kind, Sample};
use crate::decode::packet::LABELS;
use crate::flow::{Batch, Column, ColumnSet, Run};

/// Discarded, reason unknown (information element 89).
const DISCARDED: u8 = 128;

/// Writes samples of one kind to the rows of `run`, and says in it which columns they carry.
pub(super) fn write(samples: &[Sample], run: &mut Run, batch: &mut Batch) {
    let (mut any, mut all) = (ColumnSet::default(), None::<ColumnSet>);
    for sample in samples {
        let present = sample.packet.present;
        any = any.union(&present);
        all = Some(all.map_or(present, |all| all.intersection(&present)));
    }
    any = any.intersection(batch.wanted());
    run.present = any.union(&ColumnSet::of(&[Column::TimeStart, Column::TimeEnd, Column::Flows]));
    run.sparse = any.difference(&all.unwrap_or_default());
    let rows = run.rows();
    always(samples, run, batch);
    packet(samples, &rows, any, batch);
    tunnel(samples, &rows, any, batch);
    route(samples, &rows, any, batch);
    for column in run.sparse.iter() {
        let valid = batch.valid_mut(column);
        for (row, sample) in rows.clone().zip(samples) {
            valid.set(row, sample.packet.present.contains(column));
        }
    }
}

/// Writes one column for all samples if any has it.
macro_rules! each {
    ($any:expr, $batch:expr, $rows:expr, $samples:expr, $write:ident, $column:ident, $sample:ident => $value:expr) => {
        if $any.contains(Column::$column) {
            if let Some(values) = $batch.$write(Column::$column).get_mut($rows.clone()) {
                for (value, $sample) in values.iter_mut().zip($samples) {
                    *value = $value;
                }
            }
        }
    };
}

fn always(samples: &[Sample], run: &Run, batch: &mut Batch) {
    let (rows, any) = (run.rows(), run.present);
    each!(any, batch, rows, samples, u64s_mut, TimeStart, _s => run.received_ms);
    each!(any, batch, rows, samples, u64s_mut, TimeEnd, _s => run.received_ms);
    each!(any, batch, rows, samples, u32s_mut, Flows, _s => 1);
    each!(any, batch, rows, samples, u64s_mut, Packets, s => u64::from(s.kind != Kind::Event));
    each!(any, batch, rows, samples, u64s_mut, Bytes, s => s.bytes);
    each!(any, batch, rows, samples, f32s_mut, SamplingRate, s => s.rate);
    each!(any, batch, rows, samples, u64s_mut, L2Bytes, s => s.l2_bytes);
    each!(any, batch, rows, samples, u32s_mut, InIf, s => s.in_if);
    each!(any, batch, rows, samples, u32s_mut, OutIf, s => s.out_if);
    each!(any, batch, rows, samples, u32s_mut, InIfState, s => s.in_if_state);
    each!(any, batch, rows, samples, u32s_mut, OutIfState, s => s.out_if_state);
    each!(any, batch, rows, samples, u8s_mut, Direction, s => s.direction);
    each!(any, batch, rows, samples, u8s_mut, ForwardingStatus, _s => DISCARDED);
}

fn packet(samples: &[Sample], rows: &std::ops::Range<usize>, any: ColumnSet, batch: &mut Batch) {
    each!(any, batch, rows, samples, u16s_mut, EType, s => s.packet.etype);
    each!(any, batch, rows, samples, u8s_mut, Proto, s => s.packet.proto);
    each!(any, batch, rows, samples, addrs_mut, SrcAddr, s => s.packet.src_addr);
    each!(any, batch, rows, samples, addrs_mut, DstAddr, s => s.packet.dst_addr);
    each!(any, batch, rows, samples, u16s_mut, SrcPort, s => s.packet.src_port);
    each!(any, batch, rows, samples, u16s_mut, DstPort, s => s.packet.dst_port);
    each!(any, batch, rows, samples, u8s_mut, IpTos, s => s.packet.tos);
    each!(any, batch, rows, samples, u16s_mut, TcpFlags, s => s.packet.tcp_flags);
    each!(any, batch, rows, samples, u8s_mut, IcmpType, s => s.packet.icmp_type);
    each!(any, batch, rows, samples, u8s_mut, IcmpCode, s => s.packet.icmp_code);
    each!(any, batch, rows, samples, u64s_mut, SrcMac, s => s.packet.src_mac);
    each!(any, batch, rows, samples, u64s_mut, DstMac, s => s.packet.dst_mac);
    each!(any, batch, rows, samples, u16s_mut, SrcVlan, s => s.packet.src_vlan);
    each!(any, batch, rows, samples, u16s_mut, SrcCvlan, s => s.packet.src_cvlan);
    each!(any, batch, rows, samples, u8s_mut, MinTtl, s => s.packet.ttl);
    each!(any, batch, rows, samples, u8s_mut, MaxTtl, s => s.packet.ttl);
    each!(any, batch, rows, samples, u8s_mut, IpFlags, s => s.packet.ip_flags);
    each!(any, batch, rows, samples, u32s_mut, FragmentId, s => s.packet.fragment_id);
    each!(any, batch, rows, samples, u16s_mut, FragmentOffset, s => s.packet.fragment_offset);
    each!(any, batch, rows, samples, u32s_mut, Ipv6FlowLabel, s => s.packet.flow_label);
}

fn tunnel(samples: &[Sample], rows: &std::ops::Range<usize>, any: ColumnSet, batch: &mut Batch) {
    each!(any, batch, rows, samples, addrs_mut, InnerSrcAddr, s => s.packet.inner_src_addr);
    each!(any, batch, rows, samples, addrs_mut, InnerDstAddr, s => s.packet.inner_dst_addr);
    each!(any, batch, rows, samples, u8s_mut, InnerProto, s => s.packet.inner_proto);
    each!(any, batch, rows, samples, u16s_mut, InnerSrcPort, s => s.packet.inner_src_port);
    each!(any, batch, rows, samples, u16s_mut, InnerDstPort, s => s.packet.inner_dst_port);
    if !any.contains(Column::MplsLabel1) {
        return;
    }
    for (at, column) in LABELS.iter().enumerate().filter(|(_, column)| any.contains(**column)) {
        if let Some(values) = batch.u32s_mut(*column).get_mut(rows.clone()) {
            for (value, sample) in values.iter_mut().zip(samples) {
                *value = sample.packet.labels.get(at).copied().unwrap_or_default();
            }
        }
    }
}

fn route(samples: &[Sample], rows: &std::ops::Range<usize>, any: ColumnSet, batch: &mut Batch) {
    each!(any, batch, rows, samples, u16s_mut, DstVlan, s => s.dst_vlan);
    each!(any, batch, rows, samples, u8s_mut, SrcMask, s => s.src_mask);
    each!(any, batch, rows, samples, u8s_mut, DstMask, s => s.dst_mask);
    each!(any, batch, rows, samples, u32s_mut, SrcAs, s => s.src_as);
    each!(any, batch, rows, samples, u32s_mut, DstAs, s => s.dst_as);
    each!(any, batch, rows, samples, u32s_mut, PrevAs, s => s.prev_as);
    each!(any, batch, rows, samples, u32s_mut, NextAs, s => s.next_as);
    each!(any, batch, rows, samples, addrs_mut, NextHop, s => s.next_hop);
    each!(any, batch, rows, samples, addrs_mut, BgpNextHop, s => s.bgp_next_hop);
    each!(any, batch, rows, samples, texts_mut, AsPath, s => s.as_path);
    each!(any, batch, rows, samples, texts_mut, Communities, s => s.communities);
}

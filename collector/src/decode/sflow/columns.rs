//! Samples into columns, column by column.

use super::sample::{Kind, Sample};
use crate::decode::packet;
use crate::flow::{Batch, Column, ColumnSet, Run};

/// Discarded, reason unknown (information element 89).
const DISCARDED: u8 = 128;

const MPLS_TOP_LABEL_PREFIX_LENGTH: u16 = 91;
const PSEUDO_WIRE_ID: u16 = 249;
const LAYER_2_SEGMENT_ID: u16 = 351;

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
    packet::write(&samples.iter().map(|sample| &sample.packet), &rows, any, batch);
    route(samples, &rows, any, batch);
    extras(samples, &rows, batch);
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
    each!(any, batch, rows, samples, texts_mut, SrhSegments, s => s.srh_segments);
    each!(any, batch, rows, samples, texts_mut, Username, s => s.username);
    each!(any, batch, rows, samples, texts_mut, HttpHost, s => s.http_host);
    each!(any, batch, rows, samples, addrs_mut, XlateSrcAddr, s => s.xlate_src_addr);
    each!(any, batch, rows, samples, addrs_mut, XlateDstAddr, s => s.xlate_dst_addr);
    each!(any, batch, rows, samples, u16s_mut, XlateSrcPort, s => s.xlate_src_port);
    each!(any, batch, rows, samples, u16s_mut, XlateDstPort, s => s.xlate_dst_port);
}

/// What has no column, as the information elements that stand for it. Of a virtual network's the first byte, its kind,
/// is not known (RFC 8158, 5.1).
fn extras(samples: &[Sample], rows: &std::ops::Range<usize>, batch: &mut Batch) {
    if !batch.keeps_extras() {
        return;
    }
    for (row, sample) in rows.clone().zip(samples) {
        if let Some(network) = sample.network {
            batch.keep_extra(row, 0, LAYER_2_SEGMENT_ID, &u64::from(network).to_be_bytes());
        }
        if let Some(circuit) = sample.circuit {
            batch.keep_extra(row, 0, PSEUDO_WIRE_ID, &circuit.to_be_bytes());
        }
        if let Some(length) = sample.class_length {
            batch.keep_extra(row, 0, MPLS_TOP_LABEL_PREFIX_LENGTH, &[length]);
        }
    }
}

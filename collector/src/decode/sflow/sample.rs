//! One flow sample or drop notification: its own header. The records in it are read in `records`.

use super::interface::Interface;
use super::interfaces::Seen;
use super::sources::Taken;
use crate::decode::packet::Packet;
use crate::decode::reader::Reader;
use crate::flow::{Batch, Column, TextRef};

/// Whether a sample's row has counters, and a rate for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// A sample with its rate.
    #[default]
    Rated,
    /// A sample whose rate is 0.
    Unrated,
    /// A packet that was dropped: an event without counters.
    Event,
}

/// What becomes one row; reused. What it has stands in `packet.present`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    pub(super) kind: Kind,
    pub(super) packet: Packet,
    pub(super) rate: f32,
    /// The rate as it was sent.
    stated: u32,
    pub(super) bytes: u64,
    pub(super) l2_bytes: u64,
    pub(super) in_if: u32,
    pub(super) out_if: u32,
    pub(super) in_if_state: u32,
    pub(super) out_if_state: u32,
    pub(super) direction: u8,
    pub(super) dst_vlan: u16,
    pub(super) src_mask: u8,
    pub(super) dst_mask: u8,
    pub(super) src_as: u32,
    pub(super) dst_as: u32,
    pub(super) prev_as: u32,
    pub(super) next_as: u32,
    pub(super) next_hop: u128,
    pub(super) bgp_next_hop: u128,
    pub(super) as_path: TextRef,
    pub(super) communities: TextRef,
    pub(super) srh_segments: TextRef,
    pub(super) xlate_src_addr: u128,
    pub(super) xlate_dst_addr: u128,
    pub(super) xlate_src_port: u16,
    pub(super) xlate_dst_port: u16,
    pub(super) username: TextRef,
    pub(super) http_host: TextRef,
    /// The virtual network; it has no column.
    pub(super) network: Option<u32>,
    /// The virtual circuit over MPLS, and the length of the prefix that its label stands for; they have none either.
    pub(super) circuit: Option<u32>,
    pub(super) class_length: Option<u8>,
    /// VLANs of the tags that were taken off: the outer and the second.
    pub(super) stripped: Option<(u16, Option<u16>)>,
    /// The switch knows the VLAN that the packet came in.
    pub(super) switched: bool,
    /// A raw header was read: the other descriptions of the packet add nothing.
    pub(super) raw: bool,
    pub(super) described: bool,
    /// Records of formats that are not read, or too short for theirs.
    pub(super) skipped: u32,
    /// Who took the sample, and how it numbers its samples; notifications number other things.
    pub(super) taken: Option<Taken>,
}

impl Sample {
    /// Reads format 1 in place of what stood here. `None` when its lengths contradict each other.
    pub(super) fn flow(&mut self, body: &[u8], text: &mut String, batch: &mut Batch) -> Option<()> {
        let mut reader = Reader::new(body);
        let sequence = reader.u32()?;
        let source = reader.u32()?;
        let source = (source >> 24, source & 0x00ff_ffff);
        let rate = reader.u32()?;
        let [pool, drops] = [reader.u32()?, reader.u32()?];
        let input = Interface::compact(reader.u32()?);
        let output = Interface::compact(reader.u32()?);
        self.sampled(rate, Taken { source, sequence, pool, drops }, input, output);
        self.records(&mut reader, text, batch)
    }

    /// Format 3: the same with 32 bits for each interface.
    pub(super) fn expanded_flow(&mut self, body: &[u8], text: &mut String, batch: &mut Batch) -> Option<()> {
        let mut reader = Reader::new(body);
        let sequence = reader.u32()?;
        let source = (reader.u32()?, reader.u32()?);
        let rate = reader.u32()?;
        let [pool, drops] = [reader.u32()?, reader.u32()?];
        let input = Interface::expanded(reader.u32()?, reader.u32()?);
        let output = Interface::expanded(reader.u32()?, reader.u32()?);
        self.sampled(rate, Taken { source, sequence, pool, drops }, input, output);
        self.records(&mut reader, text, batch)
    }

    /// Format 5: one dropped packet and why.
    pub(super) fn discarded(&mut self, body: &[u8], text: &mut String, batch: &mut Batch) -> Option<()> {
        let mut reader = Reader::new(body);
        let _sequence = reader.u32()?;
        let _source = (reader.u32()?, reader.u32()?);
        let _drops = reader.u32()?;
        let input = Interface::expanded(0, reader.u32()?);
        let _output = reader.u32()?;
        let reason = Interface::expanded(1, reader.u32()?);
        self.clear(Kind::Event);
        self.interfaces(input, reason);
        self.records(&mut reader, text, batch)?;
        for counter in [Column::Bytes, Column::L2Bytes] {
            self.packet.present.remove(counter);
        }
        Some(())
    }

    /// What the sample says of the interface that took it; the frame's bytes, where they are known.
    pub(super) fn seen(&self, taken: &Taken) -> Seen {
        let has = |column| self.packet.present.contains(column);
        Seen {
            rate: self.stated,
            sequence: taken.sequence,
            pool: taken.pool,
            bytes: if has(Column::L2Bytes) { self.l2_bytes } else { 0 },
            direction: has(Column::Direction).then_some(self.direction),
        }
    }

    /// Whether there is something to tell: a packet that a record described, or that one was dropped.
    pub(super) fn is_record(&self) -> bool {
        self.described || self.kind == Kind::Event
    }

    fn sampled(&mut self, rate: u32, taken: Taken, input: Interface, output: Interface) {
        self.clear(if rate == 0 { Kind::Unrated } else { Kind::Rated });
        self.taken = Some(taken);
        self.rate = rate as f32;
        self.stated = rate;
        self.set(Column::Packets);
        if rate > 0 {
            self.set(Column::SamplingRate);
        }
        self.interfaces(input, output);
        self.direction(taken.source, input, output);
    }

    /// Forgets the sample that stood here; as in [`Packet::read`], values without presence stay.
    fn clear(&mut self, kind: Kind) {
        self.kind = kind;
        self.packet.clear();
        self.raw = false;
        self.described = false;
        self.network = None;
        (self.circuit, self.class_length) = (None, None);
        self.stripped = None;
        self.switched = false;
        self.skipped = 0;
        self.taken = None;
    }

    pub(super) fn set(&mut self, column: Column) {
        self.packet.present.insert(column);
    }

    fn interfaces(&mut self, input: Interface, output: Interface) {
        match input {
            Interface::Index(index) => {
                self.in_if = index;
                self.set(Column::InIf);
            }
            Interface::State(state) => {
                self.in_if_state = state;
                self.set(Column::InIfState);
            }
        }
        match output {
            Interface::Index(index) => {
                self.out_if = index;
                self.set(Column::OutIf);
            }
            Interface::State(state) => {
                self.out_if_state = state;
                self.set(Column::OutIfState);
            }
        }
        if output.is_discarded() {
            self.set(Column::ForwardingStatus);
        }
    }

    /// The data source (class, index) is the interface that sampled; class 0 is an ifIndex.
    fn direction(&mut self, source: (u32, u32), input: Interface, output: Interface) {
        let sampled_at = Interface::Index(source.1);
        if source.0 != 0 || sampled_at != input && sampled_at != output {
            return;
        }
        self.direction = u8::from(sampled_at != input);
        self.set(Column::Direction);
    }
}

//! Records that carry the start of a packet (RFC 7133; layer2packetSectionData): its headers fill the columns that
//! no other field of the template fills.

use std::ops::Range;

use super::packet::{self, Packet, Start, Tunnels};
use super::program::Place;
use super::records::Records;
use super::template::Field;
use crate::flow::{Batch, Column, ColumnSet, Run};

/// How many packets are read before their columns are written.
const CHUNK: usize = 16;

/// dataLinkFrameType of Ethernet (RFC 7133, 4.1).
const ETHERNET: u64 = 1;

/// Where a template has the start of a packet, and what it says of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    start: Start,
    bytes: Place,
    /// How many bytes before the section were left out.
    offset: Option<Place>,
    /// How many of its bytes are the packet's; the rest is filling.
    exported: Option<Place>,
    frame_type: Option<Place>,
    /// How long the frame was.
    frame_size: Option<Place>,
}

impl Section {
    /// The first section among a template's fields.
    pub(super) fn of(fields: &[Field], places: &[Place]) -> Option<Self> {
        let iana = || fields.iter().zip(places).filter(|(field, _)| field.enterprise == 0);
        let (start, bytes) = iana().find_map(|(field, place)| Some((start(field.element)?, *place)))?;
        let find = |elements: [u16; 2]| {
            let number = |(field, _): &(&Field, &Place)| {
                elements.contains(&field.element) && (1..=8).contains(&field.length)
            };
            iana().find(number).map(|(_, place)| *place)
        };
        Some(Self {
            start,
            bytes,
            offset: find([409, 102]),
            exported: find([410, 103]),
            frame_type: find([408, 408]),
            frame_size: find([312, 352]),
        })
    }

    /// How much of a record's packet is above layer 2: by its own header, as for sFlow, else by the frame's size.
    fn length(&self, packet: &Packet, records: Records<'_>, record: usize) -> Option<u64> {
        if packet.ip_length > 0 {
            return Some(packet.ip_length.into());
        }
        let frame = records.number(self.frame_size?, record);
        Some(frame.saturating_sub(packet.network_at.into()))
    }

    /// What was sampled of a record's packet; nothing where the headers are not at its start, or of another link.
    fn sampled<'a>(&self, records: Records<'a>, record: usize) -> &'a [u8] {
        let number = |place: Option<Place>| place.map(|place| records.number(place, record));
        let elsewhere = number(self.offset).is_some_and(|offset| offset > 0);
        let foreign =
            self.start == Start::Ethernet && number(self.frame_type).is_some_and(|kind| kind != ETHERNET);
        if elsewhere || foreign {
            return &[];
        }
        let bytes = records.field(self.bytes, record);
        let exported = number(self.exported).and_then(|length| usize::try_from(length).ok());
        exported.filter(|length| *length > 0).and_then(|length| bytes.get(..length)).unwrap_or(bytes)
    }
}

/// Which information elements are the start of a packet.
pub(super) fn start(element: u16) -> Option<Start> {
    match element {
        104 | 315 => Some(Start::Ethernet),
        313 => Some(Start::Ip),
        314 => Some(Start::Mpls),
        _ => None,
    }
}

/// Fills what the packets' headers say into the rows of `run`, whose other columns are complete. A report without
/// counters is one packet.
pub(super) fn fill(
    section: &Section,
    records: Records<'_>,
    tunnels: Tunnels,
    batch: &mut Batch,
    run: &mut Run,
) {
    let mut filling = Filling::new(run, batch);
    let mut packets = [Packet::without(tunnels); CHUNK];
    let mut text = String::new();
    for start in (0..run.len).step_by(CHUNK) {
        let rows = run.start + start..(run.start + start + CHUNK).min(run.start + run.len);
        let packets = packets.get_mut(..rows.len()).unwrap_or_default();
        for ((record, row), packet) in (start..).zip(rows.clone()).zip(&mut *packets) {
            let bytes = section.sampled(records, record);
            packet.read(section.start, bytes);
            if !filling.not.contains(Column::SrhSegments) && packet.path(bytes, &mut text) {
                let kept = batch.keep_text(text.as_bytes());
                set(batch.texts_mut(Column::SrhSegments), row, kept);
            }
            if filling.counts {
                let length = section.length(packet, records, record);
                set(batch.u64s_mut(Column::Packets), row, 1);
                packet.present.insert(Column::Packets);
                if let Some(length) = length {
                    set(batch.u64s_mut(Column::Bytes), row, length);
                    packet.present.insert(Column::Bytes);
                }
            }
        }
        filling.write(packets, &rows, batch, run);
    }
    filling.finish(run);
}

fn set<T>(column: &mut [T], row: usize, value: T) {
    if let Some(place) = column.get_mut(row) {
        *place = value;
    }
}

/// The columns that the packets of a run fill.
struct Filling {
    /// Columns that nobody asks for, or that the template fills itself.
    not: ColumnSet,
    /// The packet counts itself.
    counts: bool,
    any: ColumnSet,
    all: ColumnSet,
}

impl Filling {
    fn new(run: &Run, batch: &Batch) -> Self {
        let counted = [Column::Packets, Column::Bytes].iter().any(|column| run.present.contains(*column));
        let all = ColumnSet::all();
        let not = all.difference(batch.wanted()).union(&run.present);
        Self { not, counts: !counted, any: ColumnSet::default(), all }
    }

    fn write(&mut self, packets: &[Packet], rows: &Range<usize>, batch: &mut Batch, run: &Run) {
        let mut any = ColumnSet::default();
        for (packet, row) in packets.iter().zip(rows.clone()) {
            let present = packet.present.difference(&self.not);
            any = any.union(&present);
            self.all = self.all.intersection(&present);
            for column in present.difference(&self.any).iter() {
                // The first row that has it: those before have not, and those after are still to come.
                let valid = batch.valid_mut(column);
                run.rows().for_each(|row| valid.set(row, false));
                self.any.insert(column);
            }
            for column in present.iter() {
                batch.valid_mut(column).set(row, true);
            }
        }
        packet::write(&packets.iter(), rows, any, batch);
    }

    fn finish(self, run: &mut Run) {
        run.present = run.present.union(&self.any);
        run.sparse = run.sparse.union(&self.any.difference(&self.all));
    }
}

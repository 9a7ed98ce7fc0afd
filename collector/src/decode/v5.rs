//! NetFlow v5 and v7: fixed records behind a fixed header (Cisco NetFlow Collection Engine, "NetFlow export
//! datagram formats").

use super::Datagram;
use super::habit::Held;
use super::normalize;
use super::output::{Origin, Output};
use super::reader::Reader;
use super::reason::{Rejected, Undecodable};
use super::sequence::Arrival;
use super::streams::Streams;
use crate::flow::{Batch, Column, ColumnSet, Protocol, SamplingFrom};

/// The most v5 records that one UDP datagram can hold.
const MOST: usize = 65_507 / V5;
const V5: usize = 48;
const V7: usize = 52;
/// EtherType of IPv4.
const IPV4: u16 = 0x0800;

struct Header {
    count: usize,
    uptime_ms: u32,
    export_ms: u64,
    sequence: u32,
    domain: u32,
    /// Engine type and id, which v7 has not.
    engine: Option<(u8, u8)>,
    rate: Option<f32>,
}

impl Header {
    fn read(reader: &mut Reader<'_>, protocol: Protocol) -> Option<Self> {
        let _version = reader.u16()?;
        let count = usize::from(reader.u16()?).min(MOST);
        let uptime_ms = reader.u32()?;
        let seconds = reader.u32()?;
        let nanoseconds = reader.u32()?;
        let sequence = reader.u32()?;
        let [kind, id, high, low] = *reader.array::<4>()?;
        let v5 = protocol == Protocol::NetFlow5;
        // The two bits above the interval tell the mode; exporters fill them at will.
        let interval = u16::from_be_bytes([high, low]) & 0x3fff;
        Some(Self {
            count,
            uptime_ms,
            export_ms: u64::from(seconds) * 1000 + u64::from(nanoseconds / 1_000_000).min(999),
            sequence,
            domain: if v5 { u32::from(u16::from_be_bytes([kind, id])) } else { 0 },
            engine: v5.then_some((kind, id)),
            rate: v5.then(|| f32::from(interval.max(1))),
        })
    }
}

/// Decodes one message and gives back what follows it.
pub(super) fn decode<'a>(
    protocol: Protocol,
    datagram: &Datagram<'_>,
    payload: &'a [u8],
    streams: &mut Streams,
    output: &mut Output<'_>,
) -> Result<&'a [u8], Rejected> {
    let mut reader = Reader::new(payload);
    let header = Header::read(&mut reader, protocol).ok_or(Rejected::TooShort)?;
    let size = if protocol == Protocol::NetFlow5 { V5 } else { V7 };
    let records = header.count.min(reader.len() / size);
    let body = reader.take(records * size).unwrap_or_default();
    let rest = if records < header.count { &[] } else { reader.rest() };
    let message = payload.get(..payload.len() - rest.len()).unwrap_or(payload);

    let key = datagram.key(protocol, header.domain);
    let at = streams.find(key, datagram.received_ms);
    let stream = streams.at(at);
    let flows = u32::try_from(header.count).unwrap_or(0);
    let (arrival, mark) = stream.arrive(message, header.sequence, flows);
    if arrival == Arrival::Duplicate {
        return Ok(rest);
    }
    stream.settle(arrival, mark, Held::flows(flows));
    stream.tally.records_received += i64::from(flows);
    stream.tally.records += records as u64;
    if records < header.count {
        stream.tally.lose(Undecodable::Truncated, u32::try_from(header.count - records).unwrap_or(0));
    }
    stream.sampling_rate = header.rate.or(stream.sampling_rate);

    let origin = datagram.origin(&key, at, header.export_ms);
    if protocol == Protocol::NetFlow5 {
        write::<V5>(&header, &origin, body, output);
    } else {
        write::<V7>(&header, &origin, body, output);
    }
    if records > 0 {
        let end = output.batch.u64s(Column::TimeEnd).get(output.batch.len().saturating_sub(1));
        let end = end.copied().unwrap_or_default();
        streams.at(at).clock_skew_ms = Some(datagram.received_ms.wrapping_sub(end).cast_signed());
    }
    Ok(rest)
}

fn write<const N: usize>(header: &Header, origin: &Origin, body: &[u8], output: &mut Output<'_>) {
    let (mut records, _) = body.as_chunks::<N>();
    while !records.is_empty() {
        let room = output.room(records.len());
        let (now, later) = records.split_at(room);
        let start = output.batch.len();
        let mut run = origin.run(start, now.len());
        let present = if header.rate.is_some() { PRESENT.union(&OF_HEADER) } else { PRESENT };
        run.present = present.intersection(output.batch.wanted());
        if header.rate.is_some() {
            run.sampling_from = SamplingFrom::Header;
        }
        columns(header, start, now, output.batch);
        normalize::ports(output.batch, &mut run);
        output.batch.push_run(run);
        records = later;
    }
}

/// The columns of v7.
const PRESENT: ColumnSet = ColumnSet::of(&[
    Column::TimeStart,
    Column::TimeEnd,
    Column::Packets,
    Column::Bytes,
    Column::Flows,
    Column::EType,
    Column::Proto,
    Column::SrcAddr,
    Column::DstAddr,
    Column::SrcPort,
    Column::DstPort,
    Column::IpTos,
    Column::TcpFlags,
    Column::InIf,
    Column::OutIf,
    Column::SrcAs,
    Column::DstAs,
    Column::SrcMask,
    Column::DstMask,
    Column::NextHop,
]);

/// The columns that v5 has beside them.
const OF_HEADER: ColumnSet = ColumnSet::of(&[Column::SamplingRate, Column::EngineType, Column::EngineId]);

/// Column by column over all records. The record's layout is the one of v5 and v7 up to byte 46.
fn columns<const N: usize>(header: &Header, start: usize, records: &[[u8; N]], batch: &mut Batch) {
    use Column as C;
    let time = |at: u32| {
        let relative = at.wrapping_sub(header.uptime_ms).cast_signed();
        header.export_ms.wrapping_add_signed(i64::from(relative))
    };
    let rows = start..start + records.len();
    let wanted = *batch.wanted();
    macro_rules! each {
        ($write:ident, $column:expr, $record:ident => $value:expr) => {
            if wanted.contains($column)
                && let Some(values) = batch.$write($column).get_mut(rows.clone())
            {
                fill(values, records, |$record| $value);
            }
        };
    }
    each!(addrs_mut, C::SrcAddr, r => mapped([r[0], r[1], r[2], r[3]]));
    each!(addrs_mut, C::DstAddr, r => mapped([r[4], r[5], r[6], r[7]]));
    each!(addrs_mut, C::NextHop, r => mapped([r[8], r[9], r[10], r[11]]));
    each!(u32s_mut, C::InIf, r => u32::from(u16::from_be_bytes([r[12], r[13]])));
    each!(u32s_mut, C::OutIf, r => u32::from(u16::from_be_bytes([r[14], r[15]])));
    each!(u64s_mut, C::Packets, r => u64::from(u32::from_be_bytes([r[16], r[17], r[18], r[19]])));
    each!(u64s_mut, C::Bytes, r => u64::from(u32::from_be_bytes([r[20], r[21], r[22], r[23]])));
    each!(u64s_mut, C::TimeStart, r => time(u32::from_be_bytes([r[24], r[25], r[26], r[27]])));
    each!(u64s_mut, C::TimeEnd, r => time(u32::from_be_bytes([r[28], r[29], r[30], r[31]])));
    each!(u16s_mut, C::SrcPort, r => u16::from_be_bytes([r[32], r[33]]));
    each!(u16s_mut, C::DstPort, r => u16::from_be_bytes([r[34], r[35]]));
    each!(u16s_mut, C::TcpFlags, r => u16::from(r[37]));
    each!(u8s_mut, C::Proto, r => r[38]);
    each!(u8s_mut, C::IpTos, r => r[39]);
    each!(u32s_mut, C::SrcAs, r => u32::from(u16::from_be_bytes([r[40], r[41]])));
    each!(u32s_mut, C::DstAs, r => u32::from(u16::from_be_bytes([r[42], r[43]])));
    each!(u8s_mut, C::SrcMask, r => r[44]);
    each!(u8s_mut, C::DstMask, r => r[45]);
    each!(u16s_mut, C::EType, _r => IPV4);
    each!(u32s_mut, C::Flows, _r => 1);
    if let Some(rate) = header.rate {
        each!(f32s_mut, C::SamplingRate, _r => rate);
    }
    if let Some((kind, id)) = header.engine {
        each!(u8s_mut, C::EngineType, _r => kind);
        each!(u8s_mut, C::EngineId, _r => id);
    }
}

/// One column. Most datagrams hold the 30 records that fit: three turns of ten, and no rest.
#[inline]
fn fill<T, const N: usize>(values: &mut [T], records: &[[u8; N]], value: impl Fn(&[u8; N]) -> T) {
    let (value_tens, value_rest) = values.as_chunks_mut::<10>();
    let (record_tens, record_rest) = records.as_chunks::<10>();
    for (values, records) in value_tens.iter_mut().zip(record_tens) {
        *values = std::array::from_fn(|at| value(&records[at]));
    }
    for (values, record) in value_rest.iter_mut().zip(record_rest) {
        *values = value(record);
    }
}

/// An IPv4 address as the address columns hold it.
fn mapped(bytes: [u8; 4]) -> u128 {
    0xffff_0000_0000 | u128::from(u32::from_be_bytes(bytes))
}

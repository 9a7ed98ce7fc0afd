//! Counter samples: of their records, what tells of an interface (sFlow version 5; sFlow Host Structures). The rest
//! is passed.

use super::tagged;
use crate::decode::reader::Reader;
use crate::flow::TEXT_LIMIT;

/// Counter record formats of enterprise 0.
const INTERFACE: u32 = 1;
const PORT_NAME: u32 = 1005;
const HOST: u32 = 2000;

/// Records in one sample; more than fit into a datagram are a lie.
const MOST_RECORDS: u32 = 8192;

/// What a counter sample says of its data source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters<'a> {
    /// Class and index.
    pub(super) source: (u32, u32),
    /// The port's name, or the host's.
    pub(super) name: Option<&'a [u8]>,
    /// Bits per second.
    pub(super) speed: Option<u64>,
    /// ifAdminStatus and ifOperStatus.
    pub(super) up: Option<[bool; 2]>,
    /// ifInOctets and ifOutOctets.
    pub(super) octets: Option<[u64; 2]>,
}

impl<'a> Counters<'a> {
    /// Reads the body of a sample. `None` when its lengths contradict each other.
    pub(super) fn read(body: &'a [u8], expanded: bool) -> Option<Self> {
        let mut reader = Reader::new(body);
        let _sequence = reader.u32()?;
        let source = if expanded {
            (reader.u32()?, reader.u32()?)
        } else {
            let source = reader.u32()?;
            (source >> 24, source & 0x00ff_ffff)
        };
        let mut counters = Self { source, ..Self::default() };
        for _ in 0..reader.u32()?.min(MOST_RECORDS) {
            let (format, body) = tagged(&mut reader)?;
            let mut body = Reader::new(body);
            match format {
                INTERFACE => counters.interface(&mut body),
                PORT_NAME | HOST => counters.name(&mut body),
                _ => Some(()),
            }?;
        }
        Some(counters)
    }

    fn name(&mut self, body: &mut Reader<'a>) -> Option<()> {
        let length = body.u32()? as usize;
        let name = body.take(length)?;
        let name = name.get(..TEXT_LIMIT).unwrap_or(name);
        if !name.is_empty() {
            self.name = Some(name);
        }
        Some(())
    }

    /// A counter that the device does not have is all ones.
    fn interface(&mut self, body: &mut Reader<'_>) -> Option<()> {
        let [_index, _kind] = [body.u32()?, body.u32()?];
        let speed = wide(body)?;
        let [_duplex, status] = [body.u32()?, body.u32()?];
        let received = wide(body)?;
        // Packets by kind, discards, errors, unknown protocols.
        body.take(6 * 4)?;
        let sent = wide(body)?;
        self.speed = (speed != 0 && speed != u64::MAX).then_some(speed);
        self.up = Some([status & 1 == 1, status & 2 == 2]);
        self.octets = (received != u64::MAX && sent != u64::MAX).then_some([received, sent]);
        Some(())
    }
}

fn wide(reader: &mut Reader<'_>) -> Option<u64> {
    reader.array().copied().map(u64::from_be_bytes)
}

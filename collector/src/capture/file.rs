//! The containers: pcap and pcapng, to link-layer frames with their time.

use std::io::{self, Read};
use std::ops::ControlFlow;

use pcap_parser::traits::{PcapNGPacketBlock, PcapReaderIterator};
use pcap_parser::{
    Block, EnhancedPacketBlock, InterfaceDescriptionBlock, LegacyPcapBlock, LegacyPcapReader, PcapBlockOwned,
    PcapError, PcapHeader, PcapNGReader,
};

use super::Error;

/// The largest packet or block that is read; a larger one is taken for damage. (tcpdump's largest snap length
/// is 256 KiB; pcapng's blocks of names and keys can be larger than packets.)
pub const LARGEST_BLOCK: usize = 4 << 20;

/// The most interfaces that one pcapng section may describe.
const MOST_INTERFACES: usize = 4096;

const FIRST_BUFFER: usize = 256 << 10;

/// What a file is, by its first bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Pcap,
    PcapNg,
    /// No capture: the payload of one datagram.
    Payload,
    /// Nothing that can be read, and what it looks like.
    Other(String),
}

/// One captured frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    /// LINKTYPE_ number (tcpdump.org/linktypes.html).
    pub(super) link: i32,
    /// Unix milliseconds; pcapng's simple packets have none.
    pub(super) time_ms: Option<u64>,
    pub(super) data: &'a [u8],
    /// The capture kept less than the wire carried.
    pub(super) cut: bool,
}

/// Why reading stopped early.
#[derive(Debug)]
pub(super) struct Stop {
    offset: usize,
    packets: u64,
    what: String,
}

impl Stop {
    pub(super) fn named(self, file: &str) -> Error {
        let Self { offset, packets, what } = self;
        Error::Damaged { file: file.to_owned(), offset, packets, what }
    }
}

/// Reads the first bytes: enough to tell the formats apart, and a pcapng's first block whole (the parser wants
/// it in one piece).
pub(super) fn head(source: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(64);
    source.by_ref().take(24).read_to_end(&mut head)?;
    if let Some(length) = section_length(&head) {
        let rest = length.min(FIRST_BUFFER / 2).saturating_sub(head.len());
        source.take(rest as u64).read_to_end(&mut head)?;
    }
    Ok(head)
}

/// The length of a pcapng section header block, in the byte order that its magic number tells.
fn section_length(head: &[u8]) -> Option<usize> {
    let (kind, rest) = head.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let order = rest.first_chunk::<4>()?;
    match (kind, order) {
        ([0x0a, 0x0d, 0x0d, 0x0a], [0x1a, 0x2b, 0x3c, 0x4d]) => Some(u32::from_be_bytes(*length) as usize),
        ([0x0a, 0x0d, 0x0d, 0x0a], [0x4d, 0x3c, 0x2b, 0x1a]) => Some(u32::from_le_bytes(*length) as usize),
        _ => None,
    }
}

/// Tells the formats apart by their magic numbers.
pub(super) fn kind(head: &[u8]) -> Kind {
    match head {
        [] => Kind::Other("the file is empty".into()),
        [0xd4, 0xc3, 0xb2, 0xa1, ..]
        | [0xa1, 0xb2, 0xc3, 0xd4, ..]
        | [0x4d, 0x3c, 0xb2, 0xa1, ..]
        | [0xa1, 0xb2, 0x3c, 0x4d, ..]
        | [0x34, 0xcd, 0xb2, 0xa1, ..] => Kind::Pcap,
        [0x0a, 0x0d, 0x0d, 0x0a, ..] => Kind::PcapNg,
        [0x1f, 0x8b, ..] => Kind::Other(compressed("gzip")),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Kind::Other(compressed("zstd")),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Kind::Other(compressed("xz")),
        _ => Kind::Payload,
    }
}

fn compressed(with: &str) -> String {
    format!("compressed by {with}: unpack it first (`{with} -dc FILE | weir decode -`)")
}

/// Hands every packet of a capture to `take` until it breaks off.
pub(super) fn frames(
    kind: &Kind,
    source: impl Read,
    take: &mut dyn FnMut(Frame<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Stop> {
    let start = |error: PcapError<&[u8]>| Stop { offset: 0, packets: 0, what: said(&error) };
    if *kind == Kind::Pcap {
        walk(LegacyPcapReader::new(FIRST_BUFFER, source).map_err(start)?, take)
    } else {
        walk(PcapNGReader::new(FIRST_BUFFER, source).map_err(start)?, take)
    }
}

/// What the parser answered, freed from its buffer.
enum Next {
    Took(usize, ControlFlow<()>),
    Refill,
    Grow,
    End,
}

fn walk(
    mut reader: impl PcapReaderIterator,
    take: &mut dyn FnMut(Frame<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Stop> {
    let mut state = State::default();
    let mut room = FIRST_BUFFER;
    loop {
        let (offset, packets) = (reader.consumed(), state.packets);
        let stop = |what: String| Stop { offset, packets, what };
        let next = match reader.next() {
            Ok((length, block)) => Next::Took(length, state.block(&block, take).map_err(stop)?),
            Err(PcapError::Eof) => Next::End,
            Err(PcapError::Incomplete(_)) => Next::Refill,
            Err(PcapError::BufferTooSmall) if room < LARGEST_BLOCK => Next::Grow,
            Err(error) => return Err(stop(said(&error))),
        };
        match next {
            Next::Took(_, ControlFlow::Break(())) => return Ok(ControlFlow::Break(())),
            Next::Took(length, ControlFlow::Continue(())) => reader.consume(length),
            Next::End => return Ok(ControlFlow::Continue(())),
            Next::Refill => reader.refill().map_err(|error| stop(said(&error)))?,
            Next::Grow => {
                room *= 2;
                reader.grow(room);
                reader.refill().map_err(|error| stop(said(&error)))?;
            }
        }
    }
}

/// The parser's errors in an operator's words.
fn said(error: &PcapError<&[u8]>) -> String {
    match error {
        PcapError::UnexpectedEof | PcapError::Incomplete(_) => "the file ends inside a packet".into(),
        PcapError::BufferTooSmall => {
            format!("a packet claims more than {LARGEST_BLOCK} bytes, so its header is damaged")
        }
        PcapError::ReadError => "the file could not be read on".into(),
        PcapError::HeaderNotRecognized => "the file's header is not that of a capture".into(),
        _ => "this is not the start of a packet or block".into(),
    }
}

/// What a reader must remember between blocks.
#[derive(Debug, Default)]
struct State {
    packets: u64,
    link: i32,
    nanoseconds: bool,
    big_endian: bool,
    interfaces: Vec<Interface>,
}

impl State {
    fn block(
        &mut self,
        block: &PcapBlockOwned<'_>,
        take: &mut dyn FnMut(Frame<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, String> {
        let frame = match block {
            PcapBlockOwned::LegacyHeader(header) => self.header(header),
            PcapBlockOwned::Legacy(packet) => Some(self.legacy(packet)),
            PcapBlockOwned::NG(Block::SectionHeader(section)) => {
                self.big_endian = section.big_endian();
                self.interfaces.clear();
                None
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(description)) => self.interface(description)?,
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => Some(self.enhanced(packet)?),
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                let link = self.interfaces.first().ok_or(UNDESCRIBED)?.link;
                let cut = packet.origlen as usize > packet.data.len();
                Some(Frame { link, time_ms: None, data: packet.packet_data(), cut })
            }
            PcapBlockOwned::NG(_) => None,
        };
        let Some(frame) = frame else { return Ok(ControlFlow::Continue(())) };
        self.packets += 1;
        Ok(take(frame))
    }

    fn header<'a>(&mut self, header: &PcapHeader) -> Option<Frame<'a>> {
        // The upper bits tell the length of a frame check sequence.
        self.link = header.network.0 & 0xffff;
        self.nanoseconds = header.is_nanosecond_precision();
        None
    }

    fn legacy<'a>(&self, packet: &LegacyPcapBlock<'a>) -> Frame<'a> {
        let to_ms = if self.nanoseconds { 1_000_000 } else { 1_000 };
        let time_ms = u64::from(packet.ts_sec) * 1000 + u64::from(packet.ts_usec / to_ms);
        let cut = packet.origlen > packet.caplen;
        Frame { link: self.link, time_ms: Some(time_ms), data: packet.data, cut }
    }

    fn interface<'a>(&mut self, found: &InterfaceDescriptionBlock<'_>) -> Result<Option<Frame<'a>>, String> {
        if self.interfaces.len() == MOST_INTERFACES {
            return Err(format!("more than {MOST_INTERFACES} interfaces in one section"));
        }
        // The parser reads the offset as little-endian whatever the section is.
        let offset_s = if self.big_endian { found.if_tsoffset.swap_bytes() } else { found.if_tsoffset };
        let per_second = ticks_per_second(found.if_tsresol)
            .ok_or_else(|| format!("a time resolution of {:#04x}", found.if_tsresol))?;
        self.interfaces.push(Interface { link: found.linktype.0, per_second, offset_s });
        Ok(None)
    }

    fn enhanced<'a>(&self, packet: &EnhancedPacketBlock<'a>) -> Result<Frame<'a>, String> {
        let interface = self.interfaces.get(packet.if_id as usize).ok_or(UNDESCRIBED)?;
        let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
        let data = packet.data.get(..packet.caplen as usize).unwrap_or(packet.data);
        let cut = packet.origlen > packet.caplen;
        Ok(Frame { link: interface.link, time_ms: Some(interface.time_ms(ticks)), data, cut })
    }
}

const UNDESCRIBED: &str = "a packet of an interface that the file does not describe";

/// What pcapng says about the interface of a packet.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: i32,
    per_second: u64,
    offset_s: i64,
}

impl Interface {
    fn time_ms(self, ticks: u64) -> u64 {
        let ms = u128::from(ticks) * 1000 / u128::from(self.per_second);
        let ms = i128::try_from(ms).unwrap_or(i128::MAX);
        let ms = ms.saturating_add(i128::from(self.offset_s) * 1000);
        u64::try_from(ms.max(0)).unwrap_or(u64::MAX)
    }
}

/// `if_tsresol`: a negative power of 2 where the highest bit is set, of 10 where not.
fn ticks_per_second(resolution: u8) -> Option<u64> {
    let power = u32::from(resolution & 0x7f);
    if resolution & 0x80 == 0 { 10_u64.checked_pow(power) } else { 1_u64.checked_shl(power) }
}

//! Below IP: Ethernet II and IEEE 802.3, VLAN tags, PPPoE, PPP, MPLS with Ethernet over it.

use super::{ARP, BRIDGING, IPV4, IPV6, LABELS, MPLS, MPLS_MULTICAST, PPPOE_SESSION, Packet};
use crate::decode::reader::Reader;
use crate::flow::Column;

/// More tags than this in a row are no Ethernet.
const MOST_TAGS: usize = 8;
/// More label stack entries than this are no MPLS.
const MOST_LABELS: usize = 32;
/// LLC and SNAP before an EtherType (RFC 1042).
const SNAP: [u8; 6] = [0xaa, 0xaa, 0x03, 0, 0, 0];

/// 802.1Q, 802.1ad and the numbers used before it was agreed on.
const fn is_tag(kind: u16) -> bool {
    matches!(kind, 0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300)
}

impl Packet {
    /// A frame from its destination address on.
    pub(super) fn ethernet(&mut self, reader: &mut Reader<'_>, total: usize) -> Option<()> {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *reader.array::<12>()?;
        self.dst_mac = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        self.src_mac = u64::from_be_bytes([0, 0, g, h, i, j, k, l]);
        self.set(Column::DstMac);
        self.set(Column::SrcMac);
        let mut kind = reader.u16()?;
        for tag in 0..MOST_TAGS {
            if !is_tag(kind) {
                break;
            }
            let vlan = reader.u16()? & 0x0fff;
            kind = reader.u16()?;
            match tag {
                0 => {
                    self.src_vlan = vlan;
                    self.set(Column::SrcVlan);
                }
                1 => {
                    self.src_cvlan = vlan;
                    self.set(Column::SrcCvlan);
                }
                _ => {}
            }
        }
        if kind < 0x0600 {
            // A length instead of a type: the type follows SNAP, or there is none.
            self.mark(reader, total);
            let header = reader.array::<6>()?;
            if *header != SNAP {
                return None;
            }
            kind = reader.u16()?;
        }
        self.protocol(kind, reader, total)
    }

    /// What an EtherType announces.
    pub(super) fn protocol(&mut self, kind: u16, reader: &mut Reader<'_>, total: usize) -> Option<()> {
        self.mark(reader, total);
        match kind {
            IPV4 => self.ipv4(reader),
            IPV6 => self.ipv6(reader),
            MPLS | MPLS_MULTICAST => self.mpls(reader, total),
            PPPOE_SESSION => {
                self.etype(kind);
                // Version and type, code, session, length.
                reader.array::<6>()?;
                self.ppp(reader, total)
            }
            _ => {
                self.etype(kind);
                None
            }
        }
    }

    /// PPP from its protocol field on, or from HDLC's address and control (RFC 1661, 1662).
    pub(super) fn ppp(&mut self, reader: &mut Reader<'_>, total: usize) -> Option<()> {
        let mut kind = reader.u16()?;
        if kind == 0xff03 {
            kind = reader.u16()?;
        }
        match kind {
            0x0021 => self.protocol(IPV4, reader, total),
            0x0057 => self.protocol(IPV6, reader, total),
            0x0281 => self.protocol(MPLS, reader, total),
            0x0283 => self.protocol(MPLS_MULTICAST, reader, total),
            _ => {
                self.mark(reader, total);
                None
            }
        }
    }

    /// IPv4 or IPv6, by the version.
    pub(super) fn version(&mut self, reader: &mut Reader<'_>, total: usize) -> Option<()> {
        match reader.rest().first()? >> 4 {
            4 => self.protocol(IPV4, reader, total),
            6 => self.protocol(IPV6, reader, total),
            _ => None,
        }
    }

    /// A label stack and what it carries (RFC 3032).
    pub(super) fn mpls(&mut self, reader: &mut Reader<'_>, total: usize) -> Option<()> {
        self.etype(MPLS);
        for at in 0..MOST_LABELS {
            let entry = reader.u32()? >> 8;
            if let (Some(label), Some(column)) = (self.labels.get_mut(at), LABELS.get(at)) {
                *label = entry;
                self.set(*column);
            }
            if entry & 1 == 1 {
                self.mark(reader, total);
                return self.labelled(reader, total);
            }
        }
        None
    }

    /// MPLS does not say what follows: IP shows its version, a control word starts with 0 (RFC 4385, whatever
    /// its length and sequence bits say), and Ethernet without one shows a known EtherType behind its addresses.
    fn labelled(&mut self, reader: &mut Reader<'_>, total: usize) -> Option<()> {
        let rest = reader.rest();
        let bare = known_type(rest, 12);
        match rest.first()? >> 4 {
            4 if !bare || checksum_is_right(rest) => self.version(reader, total),
            6 if !bare => self.version(reader, total),
            0 if known_type(rest, 16) || !bare => {
                reader.array::<4>()?;
                self.pseudowire(reader, total)
            }
            _ if bare => self.pseudowire(reader, total),
            _ => None,
        }
    }

    /// A frame over MPLS: its IP header counts, its addresses and tags are not those of this link.
    fn pseudowire(&mut self, reader: &mut Reader<'_>, total: usize) -> Option<()> {
        let mut kind = Reader::new(reader.take(14)?.get(12..)?).u16()?;
        for _ in 0..MOST_TAGS {
            if !is_tag(kind) {
                break;
            }
            reader.u16()?;
            kind = reader.u16()?;
        }
        match kind {
            IPV4 | IPV6 => self.protocol(kind, reader, total),
            _ => None,
        }
    }

    /// What tells the family; MPLS only as long as no IP header was found below it.
    pub(super) fn etype(&mut self, kind: u16) {
        self.etype = kind;
        self.set(Column::EType);
    }
}

/// Whether a type that frames carry stands at `at`.
fn known_type(bytes: &[u8], at: usize) -> bool {
    let kind = bytes.get(at..).and_then(<[u8]>::first_chunk::<2>).copied().map(u16::from_be_bytes);
    kind.is_some_and(|kind| {
        is_tag(kind) || matches!(kind, IPV4 | IPV6 | ARP | MPLS | PPPOE_SESSION | BRIDGING)
    })
}

/// Whether an IPv4 header without options sums up (RFC 1071).
fn checksum_is_right(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk::<20>() else { return false };
    let (words, _) = header.as_chunks::<2>();
    let sum: u32 = words.iter().map(|word| u32::from(u16::from_be_bytes(*word))).sum();
    (sum & 0xffff) + (sum >> 16) == 0xffff
}

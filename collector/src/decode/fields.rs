//! Which information element fills which column: the table, and nothing else.
//!
//! An element may fill several columns, and a column may have several elements. Those are ranked: the first that
//! a template carries fills the column; one marked [`Rank::IfZero`] fills it in rows where all before it left 0.

use super::template::{Field, VARIABLE};
use super::vendor;
use crate::flow::Column;

/// How a field's bytes become a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// An unsigned number of 1 to 8 bytes (reduced-size encoding, RFC 7011, 6.2).
    Number,
    /// A number whose low byte's upper six bits count: a DSCP becomes a TOS byte.
    Dscp,
    /// The high byte of two.
    High,
    /// The low byte of two.
    Low,
    /// Four bytes.
    V4,
    /// Sixteen bytes.
    V6,
    /// Six bytes.
    Mac,
    /// Text, without the zeros at its end.
    Text,
    /// Three ids of four bytes, in hexadecimal.
    Acl,
    /// An engine's byte and a selector (RFC 6759).
    Application,
    /// Unix milliseconds.
    Milliseconds,
    /// Unix seconds.
    Seconds,
    /// NTP's 64-bit time, epoch 1900.
    Ntp,
    /// A number of thousands: milliseconds where the column has microseconds.
    Thousand,
    /// A label stack entry, with its TTL or without: the label, its class and the bottom bit count.
    Label,
    /// Segments of 16 bytes each.
    Segments,
    /// A basicList of segments (RFC 6313).
    SegmentList,
    /// A segment routing header (RFC 8754).
    SegmentHeader,
    /// How many segments are left, in a segment routing header.
    SegmentsLeft,
    /// Microseconds before the export time.
    Before,
    /// Milliseconds of the exporter's uptime.
    Uptime,
}

impl Read {
    /// Whether a field of this length can be read so.
    pub(super) const fn takes(self, length: u16) -> bool {
        match self {
            Self::Number
            | Self::Dscp
            | Self::Thousand
            | Self::Milliseconds
            | Self::Seconds
            | Self::Before
            | Self::Uptime => length >= 1 && length <= 8,
            Self::High | Self::Low => length == 2,
            Self::V4 => length == 4,
            Self::V6 => length == 16,
            Self::Label => length == 3 || length == 4,
            Self::Segments => length > 0 && length.is_multiple_of(16),
            Self::SegmentList => length > 5,
            Self::SegmentHeader | Self::SegmentsLeft => length >= 8,
            Self::Mac => length == 6,
            Self::Text => length > 0,
            Self::Acl => length == 12,
            Self::Application => length >= 2 && length <= 9,
            Self::Ntp => length == 8,
        }
    }

    /// Whether a variable-length field can be read so: texts and lists mostly; numbers were seen.
    pub(super) const fn takes_variable(self) -> bool {
        !matches!(
            self,
            Self::High | Self::Low | Self::V4 | Self::V6 | Self::Mac | Self::Acl | Self::Label | Self::Ntp
        )
    }
}

/// What an element means for a column that it is not the first choice of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// The element of the column.
    First,
    /// Takes its place where the template has no element ranked before it; the lower number goes first.
    Else(u8),
    /// Fills it where those ranked before it are 0.
    IfZero(u8),
}

impl Rank {
    /// The order in which elements are asked.
    pub(super) const fn order(self) -> u8 {
        match self {
            Self::First => 0,
            Self::Else(order) | Self::IfZero(order) => order,
        }
    }
}

/// One element's part in one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) column: Column,
    pub(super) read: Read,
    pub(super) rank: Rank,
}

pub(super) const fn rule(column: Column, read: Read, rank: Rank) -> Rule {
    Rule { column, read, rank }
}

/// The number under which RFC 5103 puts the reverse direction.
pub(super) const REVERSE: u32 = 29_305;

/// What an element fills; empty for elements without a column.
pub(super) fn rules(field: Field, v9: bool) -> &'static [Rule] {
    let rules = match field.enterprise {
        0 => match iana(field.element) {
            [] if v9 => vendor::rules_v9(field.element),
            rules => rules,
        },
        REVERSE => reverse(field.element),
        _ => vendor::rules(field),
    };
    let fits = |rule: &Rule| match field.length {
        VARIABLE => rule.read.takes_variable(),
        length => rule.read.takes(length),
    };
    if rules.iter().all(fits) { rules } else { &[] }
}

macro_rules! table {
    ($element:expr; $($number:literal => $(($column:ident, $read:ident, $rank:expr))+,)*) => {
        match $element {
            $($number => const { &[$(rule(crate::flow::Column::$column, Read::$read, $rank)),+] },)*
            _ => &[],
        }
    };
}

pub(super) use table;

#[allow(clippy::too_many_lines, reason = "a table")]
fn iana(element: u16) -> &'static [Rule] {
    use Rank::{Else, First, IfZero};
    table! { element;
        // ip
        8 => (SrcAddr, V4, First), 27 => (SrcAddr, V6, Else(1)),
        12 => (DstAddr, V4, First), 28 => (DstAddr, V6, Else(1)),
        4 => (Proto, Number, First),
        5 => (IpTos, Number, First), 195 => (IpTos, Dscp, Else(1)), 55 => (DstTos, Number, First),
        6 => (TcpFlags, Number, First),
        7 => (SrcPort, Number, First), 180 => (SrcPort, Number, IfZero(1)), 182 => (SrcPort, Number, IfZero(2)),
        11 => (DstPort, Number, First), 181 => (DstPort, Number, IfZero(1)), 183 => (DstPort, Number, IfZero(2)),
        256 => (EType, Number, First),
        176 => (IcmpType, Number, First), 177 => (IcmpCode, Number, First),
        178 => (IcmpType, Number, IfZero(1)), 179 => (IcmpCode, Number, IfZero(1)),
        32 => (IcmpType, High, IfZero(2)) (IcmpCode, Low, IfZero(2)),
        139 => (IcmpType, High, IfZero(3)) (IcmpCode, Low, IfZero(3)),
        // always
        1 => (Bytes, Number, First), 85 => (Bytes, Number, IfZero(1)), 231 => (Bytes, Number, Else(2)),
        2 => (Packets, Number, First), 86 => (Packets, Number, IfZero(1)), 298 => (Packets, Number, Else(2)),
        23 => (PostBytes, Number, First) (Bytes, Number, Else(3)),
        24 => (PostPackets, Number, First) (Packets, Number, Else(3)),
        3 => (Flows, Number, First),
        // times
        152 => (TimeStart, Milliseconds, First), 154 => (TimeStart, Ntp, Else(1)), 156 => (TimeStart, Ntp, Else(2)),
        150 => (TimeStart, Seconds, Else(3)), 158 => (TimeStart, Before, Else(4)), 22 => (TimeStart, Uptime, Else(5)),
        153 => (TimeEnd, Milliseconds, First), 155 => (TimeEnd, Ntp, Else(1)), 157 => (TimeEnd, Ntp, Else(2)),
        151 => (TimeEnd, Seconds, Else(3)), 159 => (TimeEnd, Before, Else(4)), 21 => (TimeEnd, Uptime, Else(5)),
        323 => (TimeStart, Milliseconds, Else(6)) (TimeEnd, Milliseconds, Else(6)),
        324 => (TimeStart, Ntp, Else(7)) (TimeEnd, Ntp, Else(7)), 325 => (TimeStart, Ntp, Else(8)) (TimeEnd, Ntp, Else(8)),
        322 => (TimeStart, Seconds, Else(9)) (TimeEnd, Seconds, Else(9)),
        // l2
        56 => (SrcMac, Mac, First), 57 => (DstMac, Mac, First), 80 => (InDstMac, Mac, First),
        81 => (OutSrcMac, Mac, First),
        58 => (SrcVlan, Number, First), 243 => (SrcVlan, Number, IfZero(1)),
        59 => (DstVlan, Number, First), 254 => (DstVlan, Number, IfZero(1)),
        245 => (SrcCvlan, Number, First), 255 => (DstCvlan, Number, First),
        312 => (L2Bytes, Number, Else(1)), 352 => (L2Bytes, Number, First),
        // route
        10 => (InIf, Number, First), 252 => (InIf, Number, Else(1)),
        14 => (OutIf, Number, First), 253 => (OutIf, Number, Else(1)),
        16 => (SrcAs, Number, First), 17 => (DstAs, Number, First),
        128 => (NextAs, Number, First), 129 => (PrevAs, Number, First),
        9 => (SrcMask, Number, First), 29 => (SrcMask, Number, IfZero(1)),
        13 => (DstMask, Number, First), 30 => (DstMask, Number, IfZero(1)),
        15 => (NextHop, V4, First), 62 => (NextHop, V6, IfZero(1)),
        18 => (BgpNextHop, V4, First), 63 => (BgpNextHop, V6, IfZero(1)),
        // state
        61 => (Direction, Number, First),
        89 => (ForwardingStatus, Number, First), 136 => (EndReason, Number, First),
        52 => (MinTtl, Number, First), 53 => (MaxTtl, Number, First),
        192 => (MinTtl, Number, Else(1)) (MaxTtl, Number, Else(1)),
        197 => (IpFlags, Number, First), 54 => (FragmentId, Number, First), 88 => (FragmentOffset, Number, First),
        31 => (Ipv6FlowLabel, Number, First),
        // counters
        232 => (RevBytes, Number, First), 299 => (RevPackets, Number, First),
        // mpls
        70 => (MplsLabel1, Label, First), 71 => (MplsLabel2, Label, First), 72 => (MplsLabel3, Label, First),
        73 => (MplsLabel4, Label, First), 74 => (MplsLabel5, Label, First), 75 => (MplsLabel6, Label, First),
        76 => (MplsLabel7, Label, First), 77 => (MplsLabel8, Label, First), 78 => (MplsLabel9, Label, First),
        79 => (MplsLabel10, Label, First),
        46 => (MplsTopLabelType, Number, First),
        47 => (MplsTopLabelAddr, V4, First), 140 => (MplsTopLabelAddr, V6, IfZero(1)),
        // srv6
        497 => (SrhSegments, Segments, First), 496 => (SrhSegments, SegmentList, Else(1)),
        499 => (SrhSegments, SegmentHeader, Else(2)) (SrhSegmentsLeft, SegmentsLeft, Else(1)),
        494 => (SrhSegments, Segments, Else(3)), 498 => (SrhSegmentsLeft, Number, First),
        // nat
        225 => (XlateSrcAddr, V4, First), 281 => (XlateSrcAddr, V6, IfZero(1)),
        226 => (XlateDstAddr, V4, First), 282 => (XlateDstAddr, V6, IfZero(1)),
        227 => (XlateSrcPort, Number, First), 228 => (XlateDstPort, Number, First),
        230 => (NatEvent, Number, First), 234 => (VrfIn, Number, First), 235 => (VrfOut, Number, First),
        361 => (PortBlockStart, Number, First), 362 => (PortBlockEnd, Number, First),
        363 => (PortBlockStep, Number, First), 364 => (PortBlockSize, Number, First),
        // asa
        233 => (FwEvent, Number, First), 371 => (Username, Text, First),
        // perf
        95 => (AppId, Application, First), 96 => (AppName, Text, First),
        457 => (HttpStatus, Number, First), 460 => (HttpHost, Text, First),
        // point
        148 => (FlowId, Number, First), 138 => (ObservationPointId, Number, First),
        38 => (EngineType, Number, First), 39 => (EngineId, Number, First),
    }
}

fn reverse(element: u16) -> &'static [Rule] {
    use Rank::{Else, First};
    table! { element;
        1 => (RevBytes, Number, Else(1)), 85 => (RevBytes, Number, Else(2)),
        2 => (RevPackets, Number, Else(1)), 86 => (RevPackets, Number, Else(2)),
        6 => (RevTcpFlags, Number, First),
    }
}

//! Elements that vendors defined, where they mean what a column means; all others go to `extra`.
//!
//! IPFIX has them under enterprise numbers, NetFlow v9 under field types that nobody registered. Each table
//! names the document that defines its elements.

use super::fields::{Rank, Read, Rule, rule, table};
use super::template::Field;

/// nProbe's enterprise number; in NetFlow v9 its elements stand at [`NPROBE_V9`] and up.
const NPROBE: u32 = 35_632;
/// What nProbe adds to its elements' numbers in NetFlow v9.
const NPROBE_V9: u16 = 57_472;
/// Cisco's enterprise number; in NetFlow v9 its elements stand at [`CISCO_V9`] and up.
const CISCO: u32 = 9;
/// What Cisco adds to its elements' numbers in NetFlow v9.
const CISCO_V9: u16 = 32_768;
/// Citrix NetScaler (AppFlow).
const CITRIX: u32 = 5951;
/// Ixia (IxFlow).
const IXIA: u32 = 3054;
/// CERT (YAF).
const CERT: u32 = 6871;
/// Procera Networks (PacketLogic).
const PROCERA: u32 = 15_397;

/// What an enterprise's element fills.
pub(super) fn rules(field: Field) -> &'static [Rule] {
    match field.enterprise {
        NPROBE => nprobe(field.element),
        CISCO => cisco(field.element),
        CITRIX => citrix(field.element),
        CERT => cert(field.element),
        IXIA => ixia(field.element),
        PROCERA => procera(field.element),
        _ => &[],
    }
}

/// What an unregistered field type of NetFlow v9 fills.
pub(super) fn rules_v9(element: u16) -> &'static [Rule] {
    match element {
        33_000..=33_002 | 40_000..=40_005 => asa(element),
        42_000..=42_999 => cisco(element - CISCO_V9),
        56_701..=56_702 => palo_alto(element),
        NPROBE_V9.. => nprobe(element - NPROBE_V9),
        _ => &[],
    }
}

/// Whether a vendor's field counts packets or bytes of a record.
pub(super) fn counts(field: Field) -> bool {
    field.enterprise == PROCERA && matches!(field.element, 3 | 5)
}

/// Cisco ASA, "NetFlow Implementation Guide": 33000-33002 as of version 8.2, 40001-40005 are what older
/// versions number 225-228 and 233.
fn asa(element: u16) -> &'static [Rule] {
    use Rank::{Else, First};
    table! { element;
        33000 => (AclIn, Acl, First), 33001 => (AclOut, Acl, First), 33002 => (FwExtEvent, Number, First),
        40000 => (Username, Text, First),
        40001 => (XlateSrcAddr, V4, Else(1)), 40002 => (XlateDstAddr, V4, Else(1)),
        40003 => (XlateSrcPort, Number, Else(1)), 40004 => (XlateDstPort, Number, Else(1)),
        40005 => (FwEvent, Number, Else(1)),
    }
}

/// Palo Alto Networks, PAN-OS Administrator's Guide, "NetFlow Templates": both are texts of fixed length.
fn palo_alto(element: u16) -> &'static [Rule] {
    use Rank::Else;
    table! { element;
        56701 => (AppName, Text, Else(1)), 56702 => (Username, Text, Else(1)),
    }
}

/// ntop, nProbe User's Guide, "Flow Information Elements". Latencies are in milliseconds, retransmissions those
/// from source to destination.
fn nprobe(element: u16) -> &'static [Rule] {
    use Rank::{Else, First};
    table! { element;
        109 => (TcpRetransmits, Number, First),
        119 => (AppName, Text, Else(2)), 121 => (Username, Text, Else(2)),
        123 => (ClientLatency, Thousand, First), 124 => (ServerLatency, Thousand, First),
        125 => (AppLatency, Thousand, First),
        181 => (HttpStatus, Number, Else(1)), 187 => (HttpHost, Text, Else(1)),
        188 => (TlsSni, Text, First),
        205 => (DnsQuery, Text, First), 208 => (DnsRcode, Number, First),
    }
}

/// Cisco, Application Visibility and Control, "Field Definition Guide": packets that the client sent again. Its
/// delays and response times are sums over many connections, hence no latency: they stay as they are.
fn cisco(element: u16) -> &'static [Rule] {
    use Rank::Else;
    table! { element;
        9268 => (TcpRetransmits, Number, Else(1)),
    }
}

/// Citrix, "AppFlow": the round trip time is in milliseconds.
fn citrix(element: u16) -> &'static [Rule] {
    use Rank::Else;
    table! { element;
        128 => (TcpRtt, Thousand, Else(1)), 142 => (HttpHost, Text, Else(2)), 144 => (HttpStatus, Number, Else(2)),
    }
}

/// Ixia, "NetFlow and IxFlow Fields": 176 and 177 count the other direction.
fn ixia(element: u16) -> &'static [Rule] {
    use Rank::Else;
    table! { element;
        111 => (AppName, Text, Else(3)),
        176 => (RevBytes, Number, Else(5)), 177 => (RevPackets, Number, Else(5)),
        183 => (HttpHost, Text, Else(3)), 201 => (TlsSni, Text, Else(1)),
    }
}

/// CERT NetSA, YAF, reverseFlowDeltaMilliseconds: between the first packets of both directions.
fn cert(element: u16) -> &'static [Rule] {
    use Rank::Else;
    table! { element;
        21 => (TcpRtt, Thousand, Else(2)),
    }
}

/// Procera Networks, "IPFIX information elements": what the flow's source sent is incoming, the answer outgoing.
fn procera(element: u16) -> &'static [Rule] {
    use Rank::Else;
    table! { element;
        3 => (Bytes, Number, Else(4)), 4 => (RevBytes, Number, Else(4)),
        5 => (Packets, Number, Else(4)), 6 => (RevPackets, Number, Else(4)),
    }
}

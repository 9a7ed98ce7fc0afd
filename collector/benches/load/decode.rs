//! Datagrams of each protocol and template shape, from many exporters, each with a sequence that goes on.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use collector::decode::{Datagram, Decoder, Limits};
use collector::flow::Batch;
use crds::config::Protocol;
use etherparse::PacketBuilder;

#[expect(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../../tests/decoding/message.rs"]
mod message;

use message::{Message, Spec, V5};

/// What one measurement decodes, again and again.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Records, or samples, in one round.
    pub(crate) records: u64,
    exporters: u32,
    template: Vec<u8>,
    datagrams: Vec<Vec<u8>>,
    /// Where the sequence number stands, and by how much a datagram advances it.
    sequence: (usize, u32),
}

/// A case with the decoder that knows its exporters.
pub(crate) struct Running {
    pub(crate) case: Case,
    decoder: Decoder,
    batch: Batch,
    sequences: Vec<u32>,
}

/// The 20 fields of a usual v9 export, 60 bytes a record.
const V9: &[Spec] = &[
    (8, 4, 0),
    (12, 4, 0),
    (15, 4, 0),
    (10, 4, 0),
    (14, 4, 0),
    (2, 4, 0),
    (1, 4, 0),
    (22, 4, 0),
    (21, 4, 0),
    (7, 2, 0),
    (11, 2, 0),
    (6, 1, 0),
    (4, 1, 0),
    (5, 1, 0),
    (61, 1, 0),
    (16, 4, 0),
    (17, 4, 0),
    (9, 1, 0),
    (13, 1, 0),
    (58, 2, 0),
];

/// The same in IPFIX: 64-bit counters and millisecond times, 72 bytes a record.
const IPFIX: &[Spec] = &[
    (8, 4, 0),
    (12, 4, 0),
    (15, 4, 0),
    (10, 4, 0),
    (14, 4, 0),
    (2, 8, 0),
    (1, 8, 0),
    (152, 8, 0),
    (153, 8, 0),
    (7, 2, 0),
    (11, 2, 0),
    (6, 1, 0),
    (4, 1, 0),
    (5, 1, 0),
    (61, 1, 0),
    (16, 4, 0),
    (17, 4, 0),
    (9, 1, 0),
    (13, 1, 0),
    (58, 2, 0),
];

/// IPv6 with a name of variable length, as security devices send it.
const VARIABLE: &[Spec] = &[
    (27, 16, 0),
    (28, 16, 0),
    (2, 8, 0),
    (1, 8, 0),
    (152, 8, 0),
    (153, 8, 0),
    (7, 2, 0),
    (11, 2, 0),
    (4, 1, 0),
    (371, 65_535, 0),
    (10, 4, 0),
    (14, 4, 0),
];

/// Samples in a datagram of sFlow.
const SAMPLES: u32 = 7;

/// Every case, in the order of the report.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        netflow5(),
        netflow9("netflow9, 20 fields, 20 records, 64 exporters", 20, 64),
        netflow9("netflow9, 20 fields, 3 records, 512 exporters", 3, 512),
        ipfix("ipfix, 20 fields, 20 records, 64 exporters", IPFIX, 20, 64),
        ipfix("ipfix, 20 fields, 3 records, 512 exporters", IPFIX, 3, 512),
        ipfix("ipfix, 12 fields, one variable, 12 records, 64 exporters", VARIABLE, 12, 64),
        sflow("sflow, 128-byte headers of TCP, 64 exporters", false),
        sflow("sflow, 128-byte headers of TCP and UDP over IPv4 and IPv6, 64 exporters", true),
    ]
}

impl Running {
    /// Feeds the templates.
    pub(crate) fn new(case: Case) -> Self {
        let sequences = vec![1; case.exporters as usize];
        let mut running =
            Self { decoder: Decoder::new(Limits::default()), batch: Batch::default(), sequences, case };
        for exporter in 0..running.case.exporters {
            if !running.case.template.is_empty() {
                let template = running.case.template.clone();
                running.feed(exporter, &template);
            }
        }
        running
    }

    /// Decodes every datagram once.
    pub(crate) fn round(&mut self) {
        let (place, step) = self.case.sequence;
        let mut datagrams = std::mem::take(&mut self.case.datagrams);
        for (exporter, datagram) in (0..self.case.exporters).cycle().zip(&mut datagrams) {
            let next = &mut self.sequences[exporter as usize];
            datagram[place..place + 4].copy_from_slice(&next.to_be_bytes());
            *next = next.wrapping_add(step);
            self.feed(exporter, black_box(datagram));
        }
        self.case.datagrams = datagrams;
    }

    fn feed(&mut self, exporter: u32, payload: &[u8]) {
        let datagram = Datagram {
            listener: 0,
            accepts: Protocol::Auto,
            exporter: IpAddr::V4(Ipv4Addr::from_bits(0xc000_0200 + exporter)),
            port: 40_000,
            received_ms: 1_700_000_000_000,
            payload,
        };
        self.decoder.decode(&datagram, &mut self.batch, &mut |batch| {
            black_box(&*batch);
        });
    }
}

fn netflow5() -> Case {
    let datagram = |at: u32| V5 { count: 30, dst_port: at as u16, ..V5::default() }.bytes();
    Case {
        name: "netflow5, 30 records, 64 exporters",
        records: 256 * 30,
        exporters: 64,
        template: Vec::new(),
        datagrams: (0..256).map(datagram).collect(),
        sequence: (16, 30),
    }
}

fn netflow9(name: &'static str, records: u32, exporters: u32) -> Case {
    let datagrams = exporters.max(256);
    let datagram = |at: u32| Message::v9(0).data(256, &random(V9, records, at)).bytes();
    Case {
        name,
        records: u64::from(datagrams * records),
        exporters,
        template: Message::v9(0).template(256, V9).bytes(),
        datagrams: (0..datagrams).map(datagram).collect(),
        sequence: (12, 1),
    }
}

fn ipfix(name: &'static str, fields: &[Spec], records: u32, exporters: u32) -> Case {
    let datagrams = exporters.max(256);
    let datagram = |at: u32| Message::ipfix(0).data(256, &random(fields, records, at)).bytes();
    Case {
        name,
        records: u64::from(datagrams * records),
        exporters,
        template: Message::ipfix(0).template(256, fields).bytes(),
        datagrams: (0..datagrams).map(datagram).collect(),
        sequence: (8, records),
    }
}

fn sflow(name: &'static str, mixed: bool) -> Case {
    Case {
        name,
        records: u64::from(256 * SAMPLES),
        exporters: 64,
        template: Vec::new(),
        datagrams: (0..256).map(|at| samples(at, mixed)).collect(),
        sequence: (16, 1),
    }
}

/// Records of numbers that look random; protocols are TCP, UDP and now and then ICMP.
fn random(fields: &[Spec], count: u32, seed: u32) -> Vec<Vec<u8>> {
    let mut state = u64::from(seed) | 1;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    let mut field = |element: u16, length: u16| match (element, length) {
        (4, _) => vec![[6, 6, 17, 1][usize::from(byte() > 128) + usize::from(byte() > 230) * 2]],
        (_, 65_535) => {
            let length = byte() % 24;
            std::iter::once(length).chain((0..length).map(|_| b'a' + byte() % 26)).collect()
        }
        _ => (0..length).map(|_| byte()).collect(),
    };
    (0..count)
        .map(|_| fields.iter().flat_map(|(element, length, _)| field(*element, *length)).collect())
        .collect()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A datagram of samples, each with the start of a packet and the switch's VLANs.
fn samples(number: u32, mixed: bool) -> Vec<u8> {
    let mut out = words(&[5, 1, 0xc000_020a, 0, 0, 1000, SAMPLES]);
    for at in 0..SAMPLES {
        let body = [1, 3, 512, 1000, 0, 3, 4, 2];
        let switch = [1001, 16, 100, 0, 200, 0];
        out.extend(words(&[1, 4 * 8 + 24 + 24 + 128]));
        out.extend(words(&body));
        out.extend(words(&[1, 16 + 128, 1, 458, 4, 128]));
        out.extend(header(number * SAMPLES + at, mixed));
        out.extend(words(&switch));
    }
    out
}

/// The first 128 bytes of a frame; `number` varies addresses, ports and, if `mixed`, the kind of packet.
fn header(number: u32, mixed: bool) -> Vec<u8> {
    let [a, b, c, d] = number.wrapping_mul(2_654_435_761).to_be_bytes();
    let port = u16::from_be_bytes([c, d]);
    let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let mut frame = Vec::new();
    let built = match number.count_ones() % 3 {
        1 if mixed => {
            link.ipv4([192, 0, 2, a], [198, 51, 100, b], 61).udp(53, port).write(&mut frame, &[0; 400])
        }
        2 if mixed => link.ipv6([a; 16], [b; 16], 61).tcp(443, port, 1, 2).write(&mut frame, &[0; 400]),
        _ => {
            link.ipv4([192, 0, 2, a], [198, 51, 100, b], 61).tcp(443, port, 1, 2).write(&mut frame, &[0; 400])
        }
    };
    built.expect("the packet fits");
    frame.truncate(128);
    frame
}

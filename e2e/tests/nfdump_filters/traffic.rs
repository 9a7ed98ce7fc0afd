//! NetFlow v9 and v5 with every field that filters of both programs can test, drawn from few values, so that each
//! filter meets some flows and misses others.

/// The element of the TCP flags.
const FLAGS: u16 = 6;

/// Records in a datagram.
pub(crate) const RECORDS: usize = 8;

/// Flow ids of the templates, with what they carry beside [`COMMON`].
const TEMPLATES: [(u16, &[(u16, u16)]); 4] = [
    (256, &[(8, 4), (12, 4), (15, 4), (18, 4), (7, 2), (11, 2)]),
    (257, &[(27, 16), (28, 16), (62, 16), (63, 16), (7, 2), (11, 2)]),
    (258, &[(8, 4), (12, 4), (15, 4), (18, 4), (32, 2)]),
    (259, &[(27, 16), (28, 16), (62, 16), (63, 16), (32, 2)]),
];

/// Elements that every record carries, with their lengths.
const COMMON: [(u16, u16); 26] = [
    (22, 4),
    (21, 4),
    (2, 8),
    (1, 8),
    (24, 8),
    (23, 8),
    (4, 1),
    (5, 1),
    (6, 1),
    (9, 1),
    (13, 1),
    (10, 4),
    (14, 4),
    (16, 4),
    (17, 4),
    (58, 2),
    (59, 2),
    (56, 6),
    (80, 6),
    (81, 6),
    (57, 6),
    (61, 1),
    (89, 1),
    (70, 3),
    (71, 3),
    (72, 3),
];

/// A number generator that gives the same flows on every run.
struct Random(u64);

impl Random {
    fn pick<const N: usize>(&mut self, from: [u128; N]) -> u128 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        from[(self.0 >> 20) as usize % N]
    }
}

/// `count` datagrams; the first one carries the templates.
pub(crate) fn netflow9(count: u32) -> Vec<Vec<u8>> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    (0..count)
        .map(|sequence| {
            let mut datagram = Vec::new();
            // Version, records, uptime, 2026-01-01, sequence, source id.
            for part in [9 << 16 | RECORDS as u32, 100_000, 1_767_225_600, sequence, 5] {
                datagram.extend(part.to_be_bytes());
            }
            if sequence == 0 {
                set(&mut datagram, 0, &templates());
            }
            let (id, own) = TEMPLATES[[0, 0, 0, 1, 2, 0, 1, 3][sequence as usize % 8]];
            let records: Vec<u8> = (0..RECORDS).flat_map(|_| record(&mut random, id, own)).collect();
            set(&mut datagram, id, &records);
            datagram
        })
        .collect()
}

/// `count` datagrams of NetFlow v5.
pub(crate) fn netflow5(count: u32) -> Vec<Vec<u8>> {
    let mut random = Random(0xbf58_476d_1ce4_e5b9);
    let datagram = |number: u32| {
        let mut datagram = Vec::new();
        // Version, records, uptime, 2026-01-01, nanoseconds, sequence; engine type and id, no sampling.
        for part in
            [5 << 16 | RECORDS as u32, 100_000, 1_767_225_600, 0, number * RECORDS as u32, 0x0102_0000]
        {
            datagram.extend(part.to_be_bytes());
        }
        for _ in 0..RECORDS {
            datagram.extend(record5(&mut random));
        }
        datagram
    };
    (0..count).map(datagram).collect()
}

fn record5(random: &mut Random) -> Vec<u8> {
    let protocol = random.pick([6, 6, 6, 17, 17, 1, 47]);
    let flags = if protocol == 6 { value(random, FLAGS) } else { 0 };
    let ports = match protocol {
        6 | 17 => [value(random, 7), value(random, 11)],
        1 => [0, value(random, 32)],
        _ => [0, 0],
    };
    let mut record = Vec::new();
    let mut put = |value: u128, length: usize| record.extend(&value.to_be_bytes()[16 - length..]);
    for (element, length) in [(8, 4), (12, 4), (15, 4), (10, 2)] {
        put(value(random, element), length);
    }
    put(random.pick([1, 2, 4]), 2);
    for element in [2, 1, 22, 21] {
        put(value(random, element), 4);
    }
    for port in ports {
        put(port, 2);
    }
    for (part, length) in [(0, 1), (flags, 1), (protocol, 1)] {
        put(part, length);
    }
    put(value(random, 5), 1);
    // AS numbers, masks, padding.
    for (part, length) in [(64_496, 2), (64_497, 2), (24, 1), (8, 1), (0, 2)] {
        put(part, length);
    }
    record
}

fn set(datagram: &mut Vec<u8>, id: u16, body: &[u8]) {
    let padding = body.len().wrapping_neg() % 4;
    datagram.extend(id.to_be_bytes());
    datagram.extend((u16::try_from(body.len() + padding).expect("a short set") + 4).to_be_bytes());
    datagram.extend(body);
    datagram.extend(std::iter::repeat_n(0, padding));
}

fn templates() -> Vec<u8> {
    let mut body = Vec::new();
    for (id, own) in TEMPLATES {
        let fields: Vec<(u16, u16)> = COMMON.iter().chain(own).copied().collect();
        body.extend(id.to_be_bytes());
        body.extend(u16::try_from(fields.len()).expect("few fields").to_be_bytes());
        for (element, length) in fields {
            body.extend(element.to_be_bytes());
            body.extend(length.to_be_bytes());
        }
    }
    body
}

fn record(random: &mut Random, template: u16, own: &[(u16, u16)]) -> Vec<u8> {
    let protocol = match template {
        258 => 1,
        259 => 58,
        _ => random.pick([6, 6, 6, 17, 17, 47]),
    };
    let ports = matches!(protocol, 6 | 17);
    let mut record = Vec::new();
    for (element, length) in COMMON.iter().chain(own) {
        let value = match element {
            4 => protocol,
            6 if protocol != 6 => 0,
            7 | 11 if !ports => 0,
            _ => value(random, *element),
        };
        record.extend(&value.to_be_bytes()[16 - usize::from(*length)..]);
    }
    record
}

fn value(random: &mut Random, element: u16) -> u128 {
    const V6: u128 = 0x2001_0db8 << 96;
    match element {
        22 => random.pick([50_000, 59_000, 60_000]),
        21 => random.pick([60_000, 61_500]),
        2 => random.pick([1, 10, 1_000, 2_500]),
        1 => random.pick([60, 1_000, 1_500, 150_000, 2_000_000]),
        24 => random.pick([0, 5, 50]),
        23 => random.pick([0, 500, 5_000]),
        5 => random.pick([0, 8, 16, 184]),
        FLAGS => random.pick([0x02, 0x12, 0x1b, 0x10, 0x3f, 0x14, 0x18, 0x01]),
        7 | 11 => random.pick([22, 53, 80, 443, 1_024, 1_025, 50_000, 65_535]),
        8 => random.pick([0x0a01_0101, 0x0a01_0102, 0x0a01_0201, 0x0a02_0001, 0xc000_0201]),
        12 => random.pick([0x0a01_0101, 0x0a01_0103, 0xc633_6407, 0xcb00_7109]),
        9 => random.pick([16, 24]),
        13 => random.pick([8, 24]),
        15 => random.pick([0xc000_0263, 0xc000_0264]),
        18 => random.pick([0xc000_0265, 0xc000_0266]),
        27 => random.pick([V6 | 1, V6 | 1 << 64 | 2, V6 | 3]),
        28 => random.pick([V6 | 1, V6 | 2 << 64 | 2]),
        62 => random.pick([V6 | 0x99, V6 | 0x98]),
        63 => random.pick([V6 | 0x89, V6 | 0x88]),
        32 => random.pick([0, 0x0800, 0x0301, 0x0303, 0x8000]),
        10 => random.pick([1, 2, 3]),
        14 => random.pick([1, 2, 4, 70_000]),
        16 | 17 => random.pick([64_496, 64_497, 65_550]),
        58 | 59 => random.pick([0, 100, 200]),
        56 | 80 | 81 | 57 => random.pick([0x5e00_5301, 0x5e00_5302, 0x5e00_5303]),
        61 => random.pick([0, 1]),
        89 => random.pick([64, 66, 128, 129, 192]),
        70 => random.pick([100 << 4 | 3 << 1, 200 << 4 | 5 << 1]),
        71 => random.pick([300 << 4, 400 << 4 | 1 << 1]),
        72 => random.pick([500 << 4 | 1, 600 << 4 | 7 << 1 | 1]),
        _ => 0,
    }
}

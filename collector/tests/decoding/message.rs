//! Messages put together by hand, byte for byte as the specifications say.

/// NetFlow v5 messages of like records.
#[derive(Clone, Debug)]
pub(crate) struct V5 {
    pub(crate) sequence: u32,
    pub(crate) count: u16,
    pub(crate) uptime: u32,
    pub(crate) seconds: u32,
    pub(crate) engine: u16,
    pub(crate) sampling: u16,
    pub(crate) proto: u8,
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) first: u32,
    pub(crate) last: u32,
}

impl Default for V5 {
    fn default() -> Self {
        Self {
            sequence: 0,
            count: 1,
            uptime: 100_000,
            seconds: 1_700_000_000,
            engine: 0x0102,
            sampling: 0,
            proto: 6,
            src_port: 50_000,
            dst_port: 443,
            first: 90_000,
            last: 95_000,
        }
    }
}

impl V5 {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = vec![0, 5];
        out.extend(self.count.to_be_bytes());
        for word in [self.uptime, self.seconds, 500_000_000, self.sequence] {
            out.extend(word.to_be_bytes());
        }
        out.extend(self.engine.to_be_bytes());
        out.extend(self.sampling.to_be_bytes());
        for at in 0..self.count {
            out.extend([192, 0, 2, 10, 198, 51, 100, (at % 250) as u8, 203, 0, 113, 1]);
            for half in [3_u16, 4] {
                out.extend(half.to_be_bytes());
            }
            for word in [10 + u32::from(at), 1500, self.first, self.last] {
                out.extend(word.to_be_bytes());
            }
            out.extend(self.src_port.to_be_bytes());
            out.extend(self.dst_port.to_be_bytes());
            out.extend([0, 0x1b, self.proto, 0x48]);
            out.extend(64_496_u16.to_be_bytes());
            out.extend(64_497_u16.to_be_bytes());
            out.extend([24, 25, 0, 0]);
        }
        out
    }
}

/// A field specifier: information element, length, enterprise (0: none).
pub(crate) type Spec = (u16, u16, u32);

/// NetFlow v9 and IPFIX messages, set by set.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    version: u16,
    sequence: u32,
    domain: u32,
    count: u16,
    sets: Vec<u8>,
}

/// Unix seconds in the headers.
pub(crate) const EXPORTED: u32 = 1_700_000_000;
/// The uptime in v9's header, ms.
pub(crate) const UPTIME: u32 = 500_000;

impl Message {
    pub(crate) fn v9(sequence: u32) -> Self {
        Self { version: 9, sequence, domain: 7, count: 0, sets: vec![] }
    }

    pub(crate) fn ipfix(sequence: u32) -> Self {
        Self { version: 10, sequence, domain: 7, count: 0, sets: vec![] }
    }

    pub(crate) fn domain(mut self, domain: u32) -> Self {
        self.domain = domain;
        self
    }

    /// Any set.
    pub(crate) fn set(mut self, id: u16, body: &[u8]) -> Self {
        self.sets.extend(id.to_be_bytes());
        self.sets.extend((body.len() as u16 + 4).to_be_bytes());
        self.sets.extend(body);
        self
    }

    /// A template set with one template.
    pub(crate) fn template(mut self, id: u16, fields: &[Spec]) -> Self {
        let mut body = id.to_be_bytes().to_vec();
        body.extend((fields.len() as u16).to_be_bytes());
        body.extend(specifiers(fields));
        self.count += 1;
        let set = if self.version == 9 { 0 } else { 2 };
        self.set(set, &body)
    }

    /// An options template set with one template; `scope` are v9's scope types.
    pub(crate) fn options(mut self, id: u16, scope: &[Spec], fields: &[Spec]) -> Self {
        let mut body = id.to_be_bytes().to_vec();
        let (of_scope, of_all) = (scope.len() as u16, (scope.len() + fields.len()) as u16);
        let counts = match self.version {
            9 => [of_scope * 4, fields.len() as u16 * 4],
            _ => [of_all, of_scope],
        };
        body.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
        body.extend(specifiers(scope));
        body.extend(specifiers(fields));
        self.count += 1;
        let set = if self.version == 9 { 1 } else { 3 };
        self.set(set, &body)
    }

    /// A data set of whole records.
    pub(crate) fn data(mut self, id: u16, records: &[Vec<u8>]) -> Self {
        self.count += records.len() as u16;
        let body = records.concat();
        self.set(id, &body)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = self.version.to_be_bytes().to_vec();
        if self.version == 9 {
            out.extend(self.count.to_be_bytes());
            out.extend(UPTIME.to_be_bytes());
        } else {
            out.extend((self.sets.len() as u16 + 16).to_be_bytes());
        }
        out.extend(EXPORTED.to_be_bytes());
        out.extend(self.sequence.to_be_bytes());
        out.extend(self.domain.to_be_bytes());
        out.extend(&self.sets);
        out
    }
}

fn specifiers(fields: &[Spec]) -> Vec<u8> {
    let mut out = vec![];
    for (element, length, enterprise) in fields {
        let bit = if *enterprise == 0 { 0 } else { 0x8000 };
        out.extend((element | bit).to_be_bytes());
        out.extend(length.to_be_bytes());
        if *enterprise != 0 {
            out.extend(enterprise.to_be_bytes());
        }
    }
    out
}

/// Numbers as big-endian bytes of the given lengths.
pub(crate) fn record(values: &[(u64, usize)]) -> Vec<u8> {
    values.iter().flat_map(|(value, length)| value.to_be_bytes()[8 - length..].to_vec()).collect()
}

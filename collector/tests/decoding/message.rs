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

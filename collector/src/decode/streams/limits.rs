//! How much of what exporters send one decoder keeps.

/// How many streams have a place, and what is kept of them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Streams in all.
    pub streams: usize,
    /// Streams of which only one datagram came.
    pub newcomers: usize,
    /// Bytes for templates; as many for data that waits for them, half as many for names from option tables.
    pub memory: usize,
}

impl Limits {
    /// For the connections of one receiving thread, which are few.
    pub const CONNECTIONS: Self = Self { streams: 4_096, newcomers: 1024, memory: 4 << 20 };

    /// The part of one of several decoders that share them.
    #[must_use]
    pub fn shared_by(self, decoders: usize) -> Self {
        let part = |whole: usize| (whole / decoders.max(1)).max(1);
        Self { streams: part(self.streams), newcomers: part(self.newcomers), memory: part(self.memory) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { streams: 65_536, newcomers: 1024, memory: 16 << 20 }
    }
}

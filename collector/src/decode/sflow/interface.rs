//! sFlow's interfaces: a number, or why there is none.

/// The packet came from the device itself, or went to it.
const LOCAL: u32 = 0x3fff_ffff;

/// Where a packet came in or went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interface {
    Index(u32),
    /// No interface: two bits of format and a value, as in the compact form; 0 when it is unknown.
    State(u32),
}

impl Interface {
    /// The compact form: format in the two highest bits.
    pub(super) fn compact(word: u32) -> Self {
        Self::expanded(word >> 30, word & 0x3fff_ffff)
    }

    /// The expanded form: format and value apart, so that an index has 32 bits.
    pub(super) fn expanded(format: u32, value: u32) -> Self {
        match (format, value) {
            (0, 0 | LOCAL) => Self::State(value),
            (0, index) => Self::Index(index),
            (format, value) => Self::State(format.min(3) << 30 | value & 0x3fff_ffff),
        }
    }

    /// The packet was dropped.
    pub(super) fn is_discarded(self) -> bool {
        matches!(self, Self::State(state) if state >> 30 == 1)
    }
}

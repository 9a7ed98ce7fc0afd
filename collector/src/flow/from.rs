//! Where a record's values came from, when more than one thing may have told them.

/// How a run's sampling rate became known; shown as `sampling_from`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SamplingFrom {
    /// In the data record itself.
    Record,
    /// In the message header (NetFlow v5, sFlow samples).
    Header,
    /// From options data of the same stream.
    Options,
    /// From `sources[].sampling` in the FlowCollector.
    Spec,
    /// Not known: the column `sampling_rate` is absent.
    #[default]
    None,
}

impl SamplingFrom {
    /// The value shown in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Header => "header",
            Self::Options => "options",
            Self::Spec => "spec",
            Self::None => "none",
        }
    }
}

/// Where a record's start and end times came from, when it was not the record itself; shown as `time_from`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeFrom {
    /// From time elements of the record.
    #[default]
    Record,
    /// The record had none: the message's export time.
    Export,
    /// The protocol has none (sFlow): the time of receipt.
    Received,
}

impl TimeFrom {
    /// The value shown in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Export => "export",
            Self::Received => "received",
        }
    }
}

/// From which elements `packets` and `bytes` come where it is not 1 and 2; the column `counters_from` holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CountersFrom {
    /// 85 and 86: totals since the flow began.
    Total,
    /// 231 and 298: what the initiator sent.
    Initiator,
    /// 23 and 24: behind the observation point.
    Post,
    /// A vendor's elements, under its enterprise number.
    Vendor,
}

impl CountersFrom {
    /// The value shown in JSON, by the column's number.
    pub const fn name(number: u8) -> &'static str {
        match number {
            0 => "total",
            1 => "initiator",
            2 => "post",
            _ => "vendor",
        }
    }
}

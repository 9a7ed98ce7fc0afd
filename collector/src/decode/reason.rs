//! Why something could not be read: one name for each reason, the same in logs, metrics, the API and the ledger.

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$what:meta])* $variant:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$what])* $variant,)* }

        impl $name {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
            /// How many reasons there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The name in the ledger.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

reasons! {
    /// Why a datagram belongs to no stream.
    Rejected {
        /// Fewer bytes than the header of its version has.
        TooShort "too_short",
        /// The version word names no protocol that Weir knows.
        UnknownVersion "unknown_version",
        /// A protocol that this listener does not take.
        WrongProtocol "wrong_protocol",
    }
}

reasons! {
    /// What was wrong in a datagram of a known stream; where it cost records, why they were not decoded.
    Undecodable {
        /// The datagram ends before the records that its header promises.
        Truncated "truncated",
        /// Bytes after the last message that are no message.
        TrailingBytes "trailing_bytes",
        /// A set's length is below 4 or passes the end of the message.
        SetLength "set_length",
        /// A set with a number that the specification reserves.
        ReservedSet "reserved_set",
        /// A template that contradicts itself or the bytes that carry it.
        MalformedTemplate "malformed_template",
        /// A template with more fields or longer records than Weir takes.
        TemplateTooLarge "template_too_large",
        /// The template table is full.
        TemplateTableFull "template_table_full",
        /// It waited for its template when the edge was killed.
        LostAtRestart "lost_at_restart",
        /// A set too short for one record of its template.
        SetTooShort "set_too_short",
        /// A variable-length field passes the end of its set.
        FieldLength "field_length",
        /// No template came in time.
        UnknownTemplate "unknown_template",
        /// No template, and the memory for waiting data is full.
        WaitingFull "waiting_full",
        /// An sFlow sample whose lengths contradict each other.
        MalformedSample "malformed_sample",
        /// An sFlow sample of a kind that Weir does not read.
        UnknownSample "unknown_sample",
    }
}

/// Counts by reason, since they were last taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted<const N: usize>([u32; N]);

impl<const N: usize> Default for Counted<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> Counted<N> {
    fn add(&mut self, at: usize, count: u32) {
        if let Some(counter) = self.0.get_mut(at) {
            *counter = counter.saturating_add(count);
        }
    }

    fn named(&self, names: impl Iterator<Item = &'static str>) -> Vec<(String, u64)> {
        let counted = self.0.iter().zip(names).filter(|(count, _)| **count > 0);
        counted.map(|(count, name)| (name.to_owned(), u64::from(*count))).collect()
    }
}

/// Counts by what was wrong.
pub(super) type Undecoded = Counted<{ Undecodable::COUNT }>;

impl Undecoded {
    /// Counts records, or occurrences.
    pub(super) fn count(&mut self, reason: Undecodable, count: u32) {
        self.add(reason as usize, count);
    }

    /// The reasons that occurred.
    pub(super) fn report(&self) -> Vec<(String, u64)> {
        self.named(Undecodable::ALL.iter().map(|reason| reason.name()))
    }
}

/// Counts of rejected datagrams.
pub(super) type Refused = Counted<{ Rejected::COUNT }>;

impl Refused {
    /// Counts one datagram.
    pub(super) fn count(&mut self, reason: Rejected) {
        self.add(reason as usize, 1);
    }

    /// The reasons that occurred.
    pub(super) fn report(&self) -> Vec<(String, u64)> {
        self.named(Rejected::ALL.iter().map(|reason| reason.name()))
    }
}

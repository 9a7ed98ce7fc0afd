//! What exporters taught, stream by stream: their templates, and what their option tables say.
//!
//! An edge reports a stream's facts when they change, and about every ten minutes while they are repeated. The
//! spool keeps the last ones for the edge's next start; the aggregator keeps them for those who ask for names.

use serde::{Deserialize, Serialize};

use super::StreamKey;

/// Everything that is known of one stream now; replaces what was reported before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamFacts {
    /// Which stream.
    pub key: StreamKey,
    /// Unix milliseconds of its last datagram.
    pub seen_ms: u64,
    /// NetFlow v9: Unix milliseconds at which the exporter's uptime was 0.
    pub boot_ms: Option<u64>,
    /// Its templates, by number.
    pub templates: Vec<TemplateFact>,
    /// What its options told of sampling.
    pub rates: Vec<RateFact>,
    /// When the exporter started, in Unix milliseconds, by its options (160).
    pub init_ms: Option<u64>,
    /// Unix milliseconds at which a name was told last.
    pub named_ms: u64,
    /// The names were told before a restart of the edge, and not since.
    pub names_restored: bool,
    /// Names of interfaces, VRFs, applications, samplers.
    pub names: Vec<NameFact>,
}

impl StreamFacts {
    /// A stream of which nothing is known yet.
    pub fn new(key: StreamKey, seen_ms: u64, boot_ms: Option<u64>) -> Self {
        Self {
            key,
            seen_ms,
            boot_ms,
            templates: vec![],
            rates: vec![],
            init_ms: None,
            named_ms: 0,
            names_restored: false,
            names: vec![],
        }
    }

    /// Whether nothing is known of it.
    pub fn is_empty(&self) -> bool {
        self.templates.is_empty() && self.rates.is_empty() && self.names.is_empty() && self.init_ms.is_none()
    }

    /// About how many bytes of memory it takes.
    pub fn cost(&self) -> usize {
        let fields = self.templates.iter().map(|template| 40 + 8 * template.fields.len()).sum::<usize>();
        let names = self.names.iter().map(|name| 48 + name.name.len()).sum::<usize>();
        256 + fields + 40 * self.rates.len() + names
    }
}

/// One template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateFact {
    /// Its number.
    pub id: u16,
    /// How many of its fields are scope; above 0 it describes options.
    pub scope: u16,
    /// Enterprise number, element, and length of each field; 65,535 is a variable length.
    pub fields: Vec<(u32, u16, u16)>,
    /// Unix milliseconds at which the exporter announced it last.
    pub announced_ms: u64,
    /// That was before a restart of the edge.
    pub restored: bool,
}

/// A sampling rate that options told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateFact {
    /// The observation domain that it is about.
    pub domain: u32,
    /// What of it.
    pub of: RateOf,
    /// Each packet stands for this many.
    pub rate: f32,
    /// Unix milliseconds at which it was told last.
    pub told_ms: u64,
    /// That was before a restart of the edge.
    pub restored: bool,
}

/// To what a sampling rate applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RateOf {
    /// Everything that the stream sends.
    #[default]
    Any,
    /// A sampler (48) or selector (302).
    Sampler(u64),
    /// Flows that came in, or went out, on this interface.
    Interface(u64),
    /// Records of this template.
    Template(u64),
}

/// A name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameFact {
    /// Of what.
    pub of: NameOf,
    /// By which number; an application's has the engine in its highest byte.
    pub number: u64,
    /// At most 255 bytes.
    pub name: String,
}

/// What exporters name in their option tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NameOf {
    /// An interface, by its index (82 by 10, 14, 252, 253 or v9's interface scope).
    Interface,
    /// The description of an interface (83).
    InterfaceDescription,
    /// A VRF (236 by 234 or 235).
    Vrf,
    /// An application (96, or 94 where there is none, by 95).
    Application,
    /// A sampler (84 by 48).
    Sampler,
    /// A selector (335 by 302).
    Selector,
}

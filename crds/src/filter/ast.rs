//! A filter as a tree.

use std::net::IpAddr;

use ipnet::IpNet;

use super::error::{FilterError, Span};

/// A filter, or a part of one. Equality leaves out where it stood in the text.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it tests.
    pub node: Node,
    /// Where it stood.
    pub span: Span,
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

/// How parts are joined. A chain of one operator is one node: depth comes only from parentheses and `not`.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// All of two or more.
    And(Vec<Expr>),
    /// At least one of two or more.
    Or(Vec<Expr>),
    /// The opposite, but for `flags` (see [`Term::Flags`]).
    Not(Box<Expr>),
    /// One test.
    Term(Term),
}

/// One test of a flow.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// Every flow.
    Any,
    /// The FlowCollector source that the exporter maps to, by name.
    Ident(String),
    /// The family of the flow's addresses.
    Family(Family),
    /// The IP protocol.
    Proto(u8),
    /// The IP protocol of the tunnel around the flow.
    TunnelProto(u8),
    /// A number against a constant.
    Number {
        /// Which number.
        field: NumberField,
        /// Of which side.
        dir: Dir,
        /// How it is compared.
        compare: Compare,
        /// With what.
        value: u64,
    },
    /// Whether a number is in a set.
    NumberIn {
        /// Which number.
        field: NumberField,
        /// Of which side.
        dir: Dir,
        /// The set, as written.
        values: Vec<u64>,
    },
    /// An address against one host.
    Address {
        /// Which address.
        field: AddressField,
        /// Of which side.
        dir: Dir,
        /// The host.
        host: Host,
    },
    /// An address against one network.
    Net {
        /// Which address.
        field: AddressField,
        /// Of which side.
        dir: Dir,
        /// The network, its host bits cleared.
        net: IpNet,
    },
    /// Whether an address is in a union of addresses and networks.
    AddressIn {
        /// Which address.
        field: AddressField,
        /// Of which side.
        dir: Dir,
        /// The members, as written; an address is a network of one.
        nets: Vec<IpNet>,
    },
    /// A MAC address, in the low 48 bits.
    Mac {
        /// Of which side.
        dir: Dir,
        /// The address.
        mac: u64,
    },
    /// TCP with all of these flags set. Negated: not TCP, or none of them set.
    Flags(u8),
    /// TCP with exactly these flags set.
    FlagsExactly(u8),
    /// The forwarding status, by a name of [`super::names::FORWARDING_STATUS`].
    ForwardingStatus(&'static str),
    /// Whether the flow was seen leaving (`egress`) or entering the exporter.
    Direction {
        /// Leaving.
        egress: bool,
    },
    /// The time of the first or the last packet.
    Seen {
        /// The last packet, else the first.
        last: bool,
        /// How it is compared.
        compare: Compare,
        /// Unix milliseconds.
        at_ms: u64,
    },
    /// Whether a port lies in the NAT port block of the record.
    PortInBlock {
        /// Of which side.
        dir: Dir,
    },
    /// The country of an address, two upper-case letters.
    Country {
        /// Of which side.
        dir: Dir,
        /// ISO 3166-1 alpha-2.
        code: String,
    },
    /// A name that enrichment adds.
    Named {
        /// Which name.
        field: NamedField,
        /// Of which side.
        dir: Dir,
        /// The name.
        name: String,
    },
    /// A tag that enrichment adds.
    Tag {
        /// The tag's key.
        key: String,
        /// Its value.
        value: String,
    },
    /// Whether an interface is at the boundary of the network.
    Boundary {
        /// `in` or `out`.
        dir: Dir,
        /// At the boundary.
        external: bool,
    },
    /// Whether an address is on a threat list: on any, or on the one named.
    Threat(Option<String>),
    /// Whether the BGP path holds this AS.
    AsPath(u32),
    /// Whether the route has this BGP community (RFC 1997).
    Community(u16, u16),
    /// What the packets carry; no exporter that Weir knows of sends it.
    Payload {
        /// How it is tested.
        test: PayloadTest,
        /// The text or the expression.
        text: String,
    },
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// How [`Term::Payload`] is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadTest {
    /// The text occurs.
    Content,
    /// The expression matches.
    Regex,
}

/// A comparator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compare {
    /// Equal.
    Eq,
    /// Carried, and equal on no side that the direction names.
    Ne,
    /// Greater.
    Gt,
    /// Less.
    Lt,
    /// Greater or equal.
    Ge,
    /// Less or equal.
    Le,
}

/// Which side of a flow, or which interface, a test looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the word that it stands for")]
pub enum Dir {
    /// No word: either side.
    Either,
    Src,
    Dst,
    SrcAndDst,
    In,
    Out,
    InSrc,
    InDst,
    OutSrc,
    OutDst,
    Prev,
    Next,
    Ingress,
    Egress,
}

impl Dir {
    /// The word in the canonical form; empty for either side.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Either => "",
            Self::Src => "src",
            Self::Dst => "dst",
            Self::SrcAndDst => "src and dst",
            Self::In => "in",
            Self::Out => "out",
            Self::InSrc => "in src",
            Self::InDst => "in dst",
            Self::OutSrc => "out src",
            Self::OutDst => "out dst",
            Self::Prev => "prev",
            Self::Next => "next",
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

/// A host: an address, or a name that must be resolved before the filter is compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// An address.
    Address(IpAddr),
    /// A name.
    Name(String),
}

/// Which address a test looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressField {
    /// Source and destination.
    Ip,
    /// The next hop.
    NextHop,
    /// The BGP next hop.
    BgpNextHop,
    /// The exporter.
    Exporter,
    /// The tunnel's ends.
    Tunnel,
    /// The addresses after translation.
    Nat,
}

/// A name that enrichment adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the word that it stands for")]
pub enum NamedField {
    Namespace,
    Pod,
    Workload,
    Service,
    Node,
    Network,
    Interface,
}

macro_rules! number_fields {
    ($($variant:ident $name:literal $max:expr, $dirs:ident;)*) => {
        /// Which number a test looks at.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the filter language says what each is")]
        pub enum NumberField {
            $($variant,)*
            /// The label at a place of the MPLS stack, 1 at the top.
            MplsLabel(u8),
            /// The traffic class bits at a place of the MPLS stack, 1 at the top.
            MplsExp(u8),
        }

        impl NumberField {
            /// All but the places of the MPLS stack.
            pub const PLAIN: &'static [Self] = &[$(Self::$variant,)*];

            /// The words that name it in the canonical form.
            pub fn name(self) -> String {
                match self {
                    $(Self::$variant => $name.to_owned(),)*
                    Self::MplsLabel(place) => format!("mpls label{place}"),
                    Self::MplsExp(place) => format!("mpls exp{place}"),
                }
            }

            /// The largest value that it can have.
            pub const fn max(self) -> u64 {
                match self {
                    $(Self::$variant => $max,)*
                    Self::MplsLabel(_) => 0xf_ffff,
                    Self::MplsExp(_) => 7,
                }
            }

            /// The directions that it takes.
            pub const fn dirs(self) -> &'static [Dir] {
                match self {
                    $(Self::$variant => $dirs,)*
                    Self::MplsLabel(_) | Self::MplsExp(_) => NONE,
                }
            }
        }
    };
}

const NONE: &[Dir] = &[Dir::Either];
/// Source and destination.
pub(super) const SIDES: &[Dir] = &[Dir::Either, Dir::Src, Dir::Dst, Dir::SrcAndDst];
const AS_SIDES: &[Dir] = &[Dir::Either, Dir::Src, Dir::Dst, Dir::SrcAndDst, Dir::Prev, Dir::Next];
/// Input and output.
pub(super) const WAYS: &[Dir] = &[Dir::Either, Dir::In, Dir::Out];
const GRESS: &[Dir] = &[Dir::Ingress, Dir::Egress];
const U8: u64 = u8::MAX as u64;
const U16: u64 = u16::MAX as u64;
const U32: u64 = u32::MAX as u64;
const U64: u64 = u64::MAX;

number_fields! {
    Packets "packets" U64, WAYS;
    Bytes "bytes" U64, WAYS;
    Flows "flows" U64, NONE;
    Pps "pps" U64, NONE;
    Bps "bps" U64, NONE;
    Bpp "bpp" U64, NONE;
    Duration "duration" U64, NONE;
    Count "count" U64, NONE;
    Port "port" U16, SIDES;
    As "as" U32, AS_SIDES;
    Mask "mask" 128, SIDES;
    Interface "if" U32, WAYS;
    Vlan "vlan" U16, SIDES;
    Tos "tos" U8, SIDES;
    Flags "flags" U16, NONE;
    IcmpType "icmp type" U8, NONE;
    IcmpCode "icmp code" U8, NONE;
    ForwardingStatus "fwdstat" U8, NONE;
    EngineType "engine type" U8, NONE;
    EngineId "engine id" U8, NONE;
    ExporterId "exporter id" U32, NONE;
    ObservationDomain "observation domain id" U32, NONE;
    ObservationPoint "observation point id" U64, NONE;
    MplsEos "mpls eos" 0xf_ffff, NONE;
    MplsAny "mpls any" 0xf_ffff, NONE;
    MinTtl "min ttl" U8, NONE;
    MaxTtl "max ttl" U8, NONE;
    EtherType "etherType" U16, NONE;
    ClientLatency "client latency" U32, NONE;
    ServerLatency "server latency" U32, NONE;
    AppLatency "app latency" U32, NONE;
    AsaEvent "asa event" U8, NONE;
    AsaXevent "asa xevent" U16, NONE;
    NatPort "nport" U16, SIDES;
    Acl "acl" U32, GRESS;
    Ace "ace" U32, GRESS;
    Xace "xace" U32, GRESS;
    NatEvent "nat event" U8, NONE;
    Vrf "vrf" U32, GRESS;
    BlockStart "nat pblock start" U16, NONE;
    BlockEnd "nat pblock end" U16, NONE;
    BlockStep "nat pblock step" U16, NONE;
    BlockSize "nat pblock size" U16, NONE;
}

impl Expr {
    /// Calls `visit` for each term, from left to right.
    pub fn for_each_term<'a>(&'a self, visit: &mut impl FnMut(&'a Term, Span)) {
        match &self.node {
            Node::And(parts) | Node::Or(parts) => {
                for part in parts {
                    part.for_each_term(visit);
                }
            }
            Node::Not(inner) => inner.for_each_term(visit),
            Node::Term(term) => visit(term, self.span),
        }
    }

    /// Replaces host names by their addresses. `lookup` gives all addresses of a name, or why it cannot.
    ///
    /// # Errors
    /// A name without an address; the position refers to `text`, which this tree was parsed from.
    pub fn resolve<E: std::fmt::Display>(
        &mut self,
        text: &str,
        lookup: &mut impl FnMut(&str) -> Result<Vec<IpAddr>, E>,
    ) -> Result<(), FilterError> {
        let span = self.span;
        match &mut self.node {
            Node::And(parts) | Node::Or(parts) => {
                parts.iter_mut().try_for_each(|part| part.resolve(text, lookup))
            }
            Node::Not(inner) => inner.resolve(text, lookup),
            Node::Term(Term::Address { field, dir, host: Host::Name(name) }) => {
                let addresses = lookup(name).map_err(|reason| {
                    FilterError::at(text, span, format!("cannot resolve `{name}`: {reason}"))
                })?;
                if addresses.is_empty() {
                    return Err(FilterError::at(text, span, format!("`{name}` has no address")));
                }
                let nets = addresses.into_iter().map(|address| IpNet::from(address.to_canonical()));
                self.node = Node::Term(Term::AddressIn { field: *field, dir: *dir, nets: nets.collect() });
                Ok(())
            }
            Node::Term(_) => Ok(()),
        }
    }
}

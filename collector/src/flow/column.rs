//! The table of columns: `flow-record`'s names, kinds and groups, in one place.

/// How a column's values are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One byte.
    U8,
    /// Two bytes.
    U16,
    /// Four bytes.
    U32,
    /// Eight bytes.
    U64,
    /// A 32-bit float: sampling rates.
    F32,
    /// An address, 128 bits, IPv4 mapped.
    Addr,
    /// A MAC address in the low 48 bits of 64.
    Mac,
    /// Text in the batch's arena.
    Text,
}

/// Columns that come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the record's own groups")]
pub enum Group {
    Always,
    Ip,
    L2,
    Route,
    State,
    Counters,
    Mpls,
    Srv6,
    Nat,
    Asa,
    Perf,
    Point,
    Tunnel,
    Enriched,
}

macro_rules! columns {
    ($($variant:ident $name:literal $kind:ident $group:ident,)*) => {
        /// A column of the flow record. What stands in each is said in `docs/fields.md`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "the table of names is the documentation")]
        pub enum Column { $($variant,)* }

        impl Column {
            /// Every column, in the order of the record.
            pub const ALL: &'static [Column] = &[$(Column::$variant,)*];
            /// How many columns there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The name in JSON, Parquet and the API.
            pub const fn name(self) -> &'static str {
                match self { $(Column::$variant => $name,)* }
            }

            /// How its values are held.
            #[inline]
            pub const fn kind(self) -> Kind {
                match self { $(Column::$variant => Kind::$kind,)* }
            }

            /// The group that it comes with.
            pub const fn group(self) -> Group {
                match self { $(Column::$variant => Group::$group,)* }
            }
        }
    };
}

columns! {
    TimeStart "time_start_ms" U64 Always,
    TimeEnd "time_end_ms" U64 Always,
    Packets "packets" U64 Always,
    Bytes "bytes" U64 Always,
    SamplingRate "sampling_rate" F32 Always,
    Flows "flows" U32 Always,
    EType "etype" U16 Ip,
    Proto "proto" U8 Ip,
    SrcAddr "src_addr" Addr Ip,
    DstAddr "dst_addr" Addr Ip,
    SrcPort "src_port" U16 Ip,
    DstPort "dst_port" U16 Ip,
    IpTos "ip_tos" U8 Ip,
    DstTos "dst_tos" U8 Ip,
    TcpFlags "tcp_flags" U16 Ip,
    IcmpType "icmp_type" U8 Ip,
    IcmpCode "icmp_code" U8 Ip,
    SrcMac "src_mac" Mac L2,
    InDstMac "in_dst_mac" Mac L2,
    OutSrcMac "out_src_mac" Mac L2,
    DstMac "dst_mac" Mac L2,
    SrcVlan "src_vlan" U16 L2,
    DstVlan "dst_vlan" U16 L2,
    SrcCvlan "src_cvlan" U16 L2,
    DstCvlan "dst_cvlan" U16 L2,
    L2Bytes "l2_bytes" U64 L2,
    InIf "in_if" U32 Route,
    OutIf "out_if" U32 Route,
    InIfState "in_if_state" U32 Route,
    OutIfState "out_if_state" U32 Route,
    SrcAs "src_as" U32 Route,
    DstAs "dst_as" U32 Route,
    PrevAs "prev_as" U32 Route,
    NextAs "next_as" U32 Route,
    SrcMask "src_mask" U8 Route,
    DstMask "dst_mask" U8 Route,
    NextHop "next_hop" Addr Route,
    BgpNextHop "bgp_next_hop" Addr Route,
    Direction "direction" U8 State,
    ForwardingStatus "forwarding_status" U8 State,
    EndReason "end_reason" U8 State,
    MinTtl "min_ttl" U8 State,
    MaxTtl "max_ttl" U8 State,
    IpFlags "ip_flags" U8 State,
    FragmentId "fragment_id" U32 State,
    FragmentOffset "fragment_offset" U16 State,
    Ipv6FlowLabel "ipv6_flow_label" U32 State,
    RevPackets "rev_packets" U64 Counters,
    RevBytes "rev_bytes" U64 Counters,
    RevTcpFlags "rev_tcp_flags" U16 Counters,
    PostPackets "post_packets" U64 Counters,
    PostBytes "post_bytes" U64 Counters,
    CountersFrom "counters_from" U8 Counters,
    MplsLabel1 "mpls_label_1" U32 Mpls,
    MplsLabel2 "mpls_label_2" U32 Mpls,
    MplsLabel3 "mpls_label_3" U32 Mpls,
    MplsLabel4 "mpls_label_4" U32 Mpls,
    MplsLabel5 "mpls_label_5" U32 Mpls,
    MplsLabel6 "mpls_label_6" U32 Mpls,
    MplsLabel7 "mpls_label_7" U32 Mpls,
    MplsLabel8 "mpls_label_8" U32 Mpls,
    MplsLabel9 "mpls_label_9" U32 Mpls,
    MplsLabel10 "mpls_label_10" U32 Mpls,
    MplsTopLabelType "mpls_top_label_type" U8 Mpls,
    MplsTopLabelAddr "mpls_top_label_addr" Addr Mpls,
    SrhSegments "srh_segments" Text Srv6,
    SrhSegmentsLeft "srh_segments_left" U8 Srv6,
    XlateSrcAddr "xlate_src_addr" Addr Nat,
    XlateDstAddr "xlate_dst_addr" Addr Nat,
    XlateSrcPort "xlate_src_port" U16 Nat,
    XlateDstPort "xlate_dst_port" U16 Nat,
    NatEvent "nat_event" U8 Nat,
    VrfIn "vrf_in" U32 Nat,
    VrfOut "vrf_out" U32 Nat,
    PortBlockStart "port_block_start" U16 Nat,
    PortBlockEnd "port_block_end" U16 Nat,
    PortBlockStep "port_block_step" U16 Nat,
    PortBlockSize "port_block_size" U16 Nat,
    FwEvent "fw_event" U8 Asa,
    FwExtEvent "fw_ext_event" U16 Asa,
    AclIn "acl_in" Text Asa,
    AclOut "acl_out" Text Asa,
    Username "username" Text Asa,
    ClientLatency "client_latency_us" U32 Perf,
    ServerLatency "server_latency_us" U32 Perf,
    AppLatency "app_latency_us" U32 Perf,
    TcpRtt "tcp_rtt_us" U32 Perf,
    TcpRetransmits "tcp_retransmits" U32 Perf,
    AppId "app_id" Text Perf,
    AppName "app_name" Text Perf,
    HttpHost "http_host" Text Perf,
    HttpStatus "http_status" U16 Perf,
    TlsSni "tls_sni" Text Perf,
    DnsQuery "dns_query" Text Perf,
    DnsRcode "dns_rcode" U16 Perf,
    FlowId "flow_id" U64 Point,
    ObservationPointId "observation_point_id" U32 Point,
    EngineType "engine_type" U8 Point,
    EngineId "engine_id" U8 Point,
    InnerSrcAddr "inner_src_addr" Addr Tunnel,
    InnerDstAddr "inner_dst_addr" Addr Tunnel,
    InnerProto "inner_proto" U8 Tunnel,
    InnerSrcPort "inner_src_port" U16 Tunnel,
    InnerDstPort "inner_dst_port" U16 Tunnel,
    TunSrcAddr "tun_src_addr" Addr Tunnel,
    TunDstAddr "tun_dst_addr" Addr Tunnel,
    TunProto "tun_proto" U8 Tunnel,
    AsPath "as_path" Text Enriched,
    Communities "communities" Text Enriched,
    InIfName "in_if_name" Text Enriched,
    OutIfName "out_if_name" Text Enriched,
}

impl Column {
    /// The MPLS label columns, from the top of the stack.
    pub const MPLS_LABELS: [Self; 10] = [
        Self::MplsLabel1,
        Self::MplsLabel2,
        Self::MplsLabel3,
        Self::MplsLabel4,
        Self::MplsLabel5,
        Self::MplsLabel6,
        Self::MplsLabel7,
        Self::MplsLabel8,
        Self::MplsLabel9,
        Self::MplsLabel10,
    ];
}

const WORDS: usize = Column::COUNT.div_ceil(64);

/// A set of columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColumnSet([u64; WORDS]);

impl ColumnSet {
    /// The set of the given columns.
    pub const fn of(columns: &[Column]) -> Self {
        let mut set = Self([0; WORDS]);
        let mut at = 0;
        while at < columns.len() {
            set.insert(columns[at]);
            at += 1;
        }
        set
    }

    /// Every column.
    pub const fn all() -> Self {
        Self::of(Column::ALL)
    }

    /// Adds a column.
    #[inline]
    pub const fn insert(&mut self, column: Column) {
        self.0[column as usize / 64] |= 1 << (column as usize % 64);
    }

    /// Takes a column out.
    #[inline]
    pub const fn remove(&mut self, column: Column) {
        self.0[column as usize / 64] &= !(1 << (column as usize % 64));
    }

    /// Whether the column is in the set.
    #[inline]
    pub const fn contains(&self, column: Column) -> bool {
        self.0[column as usize / 64] >> (column as usize % 64) & 1 == 1
    }

    /// The columns that are in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] | other.0[at]))
    }

    /// The columns that are in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] & other.0[at]))
    }

    /// The columns that are in this set and not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] & !other.0[at]))
    }

    /// Whether no column is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// The columns of the set, in the order of the record.
    pub fn iter(&self) -> impl Iterator<Item = Column> + '_ {
        self.0.iter().enumerate().flat_map(|(word, bits)| {
            let mut left = *bits;
            std::iter::from_fn(move || {
                let at = word * 64 + left.trailing_zeros() as usize;
                left &= left.wrapping_sub(1);
                Column::ALL.get(at).copied().filter(|_| at < word * 64 + 64)
            })
        })
    }
}

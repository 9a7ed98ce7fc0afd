//! The values that have names: protocols, forwarding status, NAT and firewall events.

/// IP protocols: number and name, the preferred name first (IANA's registry, lower case, and nfdump's names).
pub const PROTOCOLS: &[(u8, &str)] = &[
    (0, "hopopt"),
    (1, "icmp"),
    (2, "igmp"),
    (3, "ggp"),
    (4, "ipip"),
    (4, "ipv4"),
    (4, "ipencap"),
    (5, "st"),
    (6, "tcp"),
    (7, "cbt"),
    (8, "egp"),
    (9, "igp"),
    (10, "bbn-rcc-mon"),
    (11, "nvp-ii"),
    (12, "pup"),
    (13, "argus"),
    (14, "emcon"),
    (15, "xnet"),
    (16, "chaos"),
    (17, "udp"),
    (18, "mux"),
    (19, "dcn-meas"),
    (20, "hmp"),
    (21, "prm"),
    (22, "xns-idp"),
    (23, "trunk-1"),
    (24, "trunk-2"),
    (25, "leaf-1"),
    (26, "leaf-2"),
    (27, "rdp"),
    (28, "irtp"),
    (29, "iso-tp4"),
    (30, "netblt"),
    (31, "mfe-nsp"),
    (32, "merit-inp"),
    (33, "dccp"),
    (34, "3pc"),
    (35, "idpr"),
    (36, "xtp"),
    (37, "ddp"),
    (38, "idpr-cmtp"),
    (40, "il"),
    (41, "ipv6"),
    (42, "sdrp"),
    (43, "ipv6-route"),
    (44, "ipv6-frag"),
    (45, "idrp"),
    (46, "rsvp"),
    (47, "gre"),
    (48, "dsr"),
    (49, "bna"),
    (50, "esp"),
    (51, "ah"),
    (52, "i-nlsp"),
    (53, "swipe"),
    (54, "narp"),
    (55, "mobile"),
    (56, "tlsp"),
    (57, "skip"),
    (58, "icmp6"),
    (58, "ipv6-icmp"),
    (58, "icmpv6"),
    (59, "ipv6-nonxt"),
    (60, "ipv6-opts"),
    (62, "cftp"),
    (64, "sat-expak"),
    (65, "kryptolan"),
    (66, "rvd"),
    (67, "ippc"),
    (69, "sat-mon"),
    (70, "visa"),
    (71, "ipcv"),
    (72, "cpnx"),
    (73, "cphb"),
    (74, "wsn"),
    (75, "pvp"),
    (76, "br-sat-mon"),
    (77, "sun-nd"),
    (78, "wb-mon"),
    (79, "wb-expak"),
    (80, "iso-ip"),
    (81, "vmtp"),
    (82, "secure-vmtp"),
    (83, "vines"),
    (84, "ttp"),
    (85, "nsfnet-igp"),
    (86, "dgp"),
    (87, "tcf"),
    (88, "eigrp"),
    (89, "ospf"),
    (89, "ospfigp"),
    (90, "sprite-rpc"),
    (91, "larp"),
    (92, "mtp"),
    (93, "ax.25"),
    (94, "os"),
    (95, "micp"),
    (96, "scc-sp"),
    (97, "etherip"),
    (98, "encap"),
    (100, "gmtp"),
    (101, "ifmp"),
    (102, "pnni"),
    (103, "pim"),
    (104, "aris"),
    (105, "scps"),
    (106, "qnx"),
    (107, "a-n"),
    (108, "ipcomp"),
    (109, "snp"),
    (110, "compaq-peer"),
    (111, "ipx-in-ip"),
    (112, "vrrp"),
    (113, "pgm"),
    (115, "l2tp"),
    (116, "ddx"),
    (117, "iatp"),
    (118, "stp"),
    (119, "srp"),
    (120, "uti"),
    (121, "smp"),
    (122, "sm"),
    (123, "ptp"),
    (124, "isis"),
    (125, "fire"),
    (126, "crtp"),
    (127, "crudp"),
    (128, "sscopmce"),
    (129, "iplt"),
    (130, "sps"),
    (131, "pipe"),
    (132, "sctp"),
    (133, "fc"),
    (134, "rsvp-e2e-ignore"),
    (135, "mobility"),
    (136, "udplite"),
    (137, "mpls-in-ip"),
    (138, "manet"),
    (139, "shim6"),
    (140, "wesp"),
    (141, "rohc"),
    (142, "ethernet"),
];

/// Names of the forwarding status with the values of IE 89's byte that each covers, first and last
/// (RFC 7270: the status is in the top two bits, the reason in the rest).
pub const FORWARDING_STATUS: &[(&str, u8, u8)] = &[
    ("Ukwn", 0, 0),
    ("Forw", 64, 127),
    ("Frag", 65, 65),
    ("Drop", 128, 191),
    ("DaclD", 129, 129),
    ("Daclp", 130, 130),
    ("Noroute", 131, 131),
    ("Dadj", 132, 132),
    ("Dfrag", 133, 133),
    ("Dbadh", 134, 134),
    ("Dbadtlen", 135, 135),
    ("Dbadhlen", 136, 136),
    ("DbadTTL", 137, 137),
    ("Dpolicy", 138, 138),
    ("Dwred", 139, 139),
    ("Drpf", 140, 140),
    ("Dforus", 141, 141),
    ("DbadOf", 142, 142),
    ("Dhw", 143, 143),
    ("Term", 192, 255),
    ("Tadj", 193, 193),
    ("TincAdj", 194, 194),
    ("Tforus", 195, 195),
];

/// Names of NAT events (IE 230); the number is the place in the list.
pub const NAT_EVENTS: &[&str] = &[
    "INVALID", "ADD", "DELETE", "EXHAUST", "ADD44", "DEL44", "ADD64", "DEL64", "ADD44BIB", "DEL44BIB",
    "ADD64BIB", "DEL64BIB", "PEXHAUST", "QUOTAEXH", "ADDADDR", "DELADDR", "ADDPBLK", "DELPBLK", "THRESHLD",
];

/// Names of firewall events (IE 233).
pub const ASA_EVENTS: &[(&str, u8)] =
    &[("ignore", 0), ("create", 1), ("delete", 2), ("term", 2), ("deny", 3), ("alert", 4), ("update", 5)];

/// Reasons of `asa event denied`, by the extended event (IE 33002).
pub const ASA_DENIED: &[(&str, u16)] =
    &[("ingress", 1001), ("egress", 1002), ("interface", 1003), ("nosyn", 1004)];

/// TCP flags by their letters; `X` stands for the first six together.
pub const TCP_FLAGS: &[(char, u8)] =
    &[('F', 0x01), ('S', 0x02), ('R', 0x04), ('P', 0x08), ('A', 0x10), ('U', 0x20), ('E', 0x40), ('C', 0x80)];

/// The number of a protocol's name.
pub fn protocol(name: &str) -> Option<u8> {
    PROTOCOLS.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(number, _)| *number)
}

/// The preferred name of a protocol's number.
pub fn protocol_name(number: u8) -> Option<&'static str> {
    PROTOCOLS.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

/// The values of IE 89 that a name of the forwarding status covers, first and last.
pub fn forwarding_status(name: &str) -> Option<(&'static str, u8, u8)> {
    FORWARDING_STATUS.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name)).copied()
}

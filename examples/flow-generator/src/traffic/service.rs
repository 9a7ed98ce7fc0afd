//! The services of zone 1: a table, in the order of the channels of `zone1_profile`.

/// The transport a service runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// ICMP echo.
    Icmp,
    /// TCP alone.
    Tcp,
    /// UDP alone.
    Udp,
    /// UDP in so many of 100 flows, TCP otherwise.
    Mixed {
        /// 0 to 100.
        udp_percent: u8,
    },
}

impl Transport {
    /// The IP protocol number; a mix must be decided first and counts as TCP.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Icmp => 1,
            Self::Udp => 17,
            Self::Tcp | Self::Mixed { .. } => 6,
        }
    }
}

/// A service, and the traffic it makes.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// The channel of `zone1_profile` that counts it.
    pub channel: &'static str,
    /// Its port; 0 for ICMP.
    pub port: u16,
    /// What carries it.
    pub transport: Transport,
    /// Its share of the demo's flows, against the sum of all.
    pub share: f64,
    /// Typical number of packets in a flow; one in a hundred flows is a hundred times larger.
    pub packets: u32,
    /// The largest usual packet from the client, layer 3 bytes.
    pub request_bytes: u64,
    /// The largest usual packet from the server, layer 3 bytes.
    pub answer_bytes: u64,
    /// IP type of service.
    pub tos: u8,
    /// Whether some of it runs over IPv6.
    pub ipv6: bool,
}

const fn service(channel: &'static str, port: u16, transport: Transport, share: f64, size: Size) -> Service {
    let Size(packets, request_bytes, answer_bytes) = size;
    Service { channel, port, transport, share, packets, request_bytes, answer_bytes, tos: 0, ipv6: false }
}

/// Packets, then the largest packets of client and server.
#[derive(Clone, Copy)]
struct Size(u32, u64, u64);

const UDP: Transport = Transport::Udp;
const TCP: Transport = Transport::Tcp;

const fn mixed(udp_percent: u8) -> Transport {
    Transport::Mixed { udp_percent }
}

const fn over_ipv6(service: Service) -> Service {
    Service { ipv6: true, ..service }
}

const fn with_tos(tos: u8, service: Service) -> Service {
    Service { tos, ..service }
}

/// All services, in the order of their channels.
pub const SERVICES: [Service; 21] = [
    service("icmp", 0, Transport::Icmp, 3.0, Size(5, 84, 84)),
    service("chargen", 19, UDP, 0.3, Size(2, 60, 1_000)),
    service("ftp", 21, TCP, 0.8, Size(20, 120, 400)),
    with_tos(0x10, over_ipv6(service("ssh", 22, TCP, 3.0, Size(60, 500, 1_200)))),
    service("telnet", 23, TCP, 1.0, Size(8, 80, 200)),
    over_ipv6(service("dns", 53, mixed(95), 18.0, Size(1, 90, 480))),
    over_ipv6(service("http", 80, TCP, 10.0, Size(25, 700, 1_500))),
    service("pop3", 110, TCP, 0.8, Size(18, 90, 1_400)),
    with_tos(0xb8, service("ntp", 123, UDP, 4.0, Size(1, 76, 76))),
    service("loc-srv", 135, TCP, 0.7, Size(8, 220, 300)),
    service("netbios-ns", 137, UDP, 1.2, Size(2, 78, 110)),
    service("snmp", 161, UDP, 3.5, Size(4, 120, 900)),
    over_ipv6(service("https", 443, mixed(30), 32.0, Size(45, 900, 1_500))),
    service("microsoft-ds", 445, TCP, 3.0, Size(80, 1_300, 1_500)),
    service("http-alt", 8080, TCP, 3.0, Size(22, 700, 1_500)),
    service("ms-sql-s", 1433, TCP, 1.5, Size(30, 450, 1_400)),
    service("mysql", 3306, TCP, 2.5, Size(35, 400, 1_400)),
    service("rdp", 3389, mixed(40), 1.5, Size(150, 200, 1_300)),
    with_tos(0x60, service("sip", 5060, mixed(90), 1.2, Size(6, 800, 700))),
    service("p2p", 6681, mixed(50), 2.0, Size(70, 1_300, 1_400)),
    service("bittorrent", 6682, mixed(60), 3.0, Size(120, 1_400, 1_450)),
];

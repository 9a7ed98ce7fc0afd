//! The command line, and the checked plan made from it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::num::NonZeroU32;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Parser, ValueEnum};
use serde::Serialize;

/// The first exporter's address in 127.0.0.0/8; the others follow it.
pub const FIRST_EXPORTER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

const EXAMPLES: &str = "\
Examples:
  Demo traffic from 127.0.0.11 and 127.0.0.12 until Ctrl-C:
    flow-generator -t 127.0.0.1 -p 9996
  Exactly 100000 flows as IPFIX, the same ones at every run:
    flow-generator -t 127.0.0.1 -p 4739 --protocol ipfix --flows 100000 --rate 50000 --seed 7
  The same over TCP:
    flow-generator -t 127.0.0.1 -p 4739 --protocol ipfix --transport tcp --flows 100000 --seed 7
  sFlow for one minute, as JSON into a file:
    flow-generator -t 127.0.0.1 -p 6343 --protocol sflow --duration 1m > sent.json

Exit codes: 0 done or interrupted, 2 usage, 3 the system refused (address, socket).";

/// Sends flows to a collector and prints what it sent: flows, packets and bytes, in all, by exporter and by
/// channel of the profile zone1_profile.
#[derive(Debug, Clone, Parser)]
#[command(name = "flow-generator", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Arguments {
    /// Address or name of the collector.
    #[arg(short = 't', long, value_name = "HOST")]
    pub target: String,
    /// Port of the collector.
    #[arg(short, long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// What the exporters speak.
    #[arg(long, value_enum, default_value_t = Protocol::Netflow5)]
    pub protocol: Protocol,
    /// Over what they send; IPFIX alone has TCP.
    #[arg(long, value_enum, default_value_t = Transport::Udp)]
    pub transport: Transport,
    /// Flows (sFlow: samples) a second, all exporters together; the day's mean for demo traffic.
    #[arg(long, value_name = "N", default_value = "200")]
    pub rate: NonZeroU32,
    /// Stop after exactly N flows.
    #[arg(long, value_name = "N", conflicts_with = "duration")]
    pub flows: Option<u64>,
    /// Stop after this time: a number and s, m, h, d, w or y.
    #[arg(long, value_name = "D", value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// How many exporters: 127.0.0.11, 127.0.0.12 and so on; past loopback they share an address and differ in
    /// port and domain.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub exporters: u16,
    /// demo: services with shares that wander, rates that follow the day (UTC), bursts. uniform: every service
    /// alike, at an even rate.
    #[arg(long, value_enum, default_value_t = Traffic::Demo)]
    pub traffic: Traffic,
    /// The exporters' active timeout: the longest time from a flow's first packet to its last.
    #[arg(long, value_name = "D", default_value = "8s", value_parser = parse_duration)]
    pub active_timeout: Duration,
    /// The same seed and arguments give the same flows, apart from their times; without it every run differs.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Allow a target outside 127.0.0.0/8 and ::1.
    #[arg(long)]
    pub allow_remote: bool,
}

/// What the exporters speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// NetFlow version 5.
    Netflow5,
    /// NetFlow version 9 (RFC 3954).
    Netflow9,
    /// IPFIX (RFC 7011).
    Ipfix,
    /// sFlow version 5: flow samples with raw headers.
    Sflow,
}

/// Over what exporters send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A connection an exporter (RFC 7011 10.4).
    Tcp,
}

/// How the flows are mixed and paced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Traffic {
    /// Services with their own shares, sizes and noise; the rate follows the day.
    Demo,
    /// Every service alike, sizes evenly spread, the rate even.
    Uniform,
}

/// When sending ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// After exactly so many flows.
    Flows(u64),
    /// After this time.
    Time(Duration),
    /// When interrupted.
    Never,
}

/// Arguments that were checked and resolved.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the datagrams go.
    pub target: SocketAddr,
    /// What the exporters speak.
    pub protocol: Protocol,
    /// Over what they send.
    pub transport: Transport,
    /// Flows a second, all exporters together.
    pub rate: u32,
    /// When it ends.
    pub limit: Limit,
    /// The source address of each exporter.
    pub exporters: Vec<IpAddr>,
    /// How the flows are mixed.
    pub traffic: Traffic,
    /// What the flows follow from.
    pub seed: u64,
    /// The longest time from a flow's first packet to its last, in milliseconds; at least 1.
    pub active_timeout_ms: u32,
}

/// Why arguments do not make a plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The target's name did not resolve.
    #[error("cannot resolve the target `{host}`: {reason}")]
    Resolve {
        /// As given.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// The target is outside loopback.
    #[error(
        "{0} is not a loopback address: made-up flows would reach a real network; add --allow-remote if that is meant"
    )]
    Remote(IpAddr),
    /// A protocol that has no TCP.
    #[error("only IPFIX is sent over TCP; add --protocol ipfix, or leave --transport out")]
    Transport,
}

impl Plan {
    /// Checks and resolves what was given.
    ///
    /// # Errors
    /// [`PlanError`]: the target does not resolve, or lies outside loopback without `--allow-remote`, or the protocol
    /// has no such transport.
    pub fn new(arguments: &Arguments) -> Result<Self, PlanError> {
        let target = resolve(&arguments.target, arguments.port)?;
        if !target.ip().is_loopback() && !arguments.allow_remote {
            return Err(PlanError::Remote(target.ip()));
        }
        if arguments.transport == Transport::Tcp && arguments.protocol != Protocol::Ipfix {
            return Err(PlanError::Transport);
        }
        let limit = match (arguments.flows, arguments.duration) {
            (Some(flows), _) => Limit::Flows(flows),
            (None, Some(time)) => Limit::Time(time),
            (None, None) => Limit::Never,
        };
        Ok(Self {
            target,
            protocol: arguments.protocol,
            transport: arguments.transport,
            rate: arguments.rate.get(),
            limit,
            exporters: (0..arguments.exporters).map(|index| source_address(target.ip(), index)).collect(),
            traffic: arguments.traffic,
            seed: arguments.seed.unwrap_or_else(fresh_seed),
            active_timeout_ms: u32::try_from(arguments.active_timeout.as_millis()).unwrap_or(u32::MAX).max(1),
        })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.protocol.to_possible_value().map(|value| value.get_name().to_owned());
        write!(
            f,
            "sending {} to {} from {} exporter(s), the first {}, at {} flows/s, seed {}",
            name.unwrap_or_default(),
            self.target,
            self.exporters.len(),
            self.exporters.first().copied().unwrap_or(IpAddr::V4(FIRST_EXPORTER)),
            self.rate,
            self.seed
        )
    }
}

fn resolve(host: &str, port: u16) -> Result<SocketAddr, PlanError> {
    let failed = |reason: String| PlanError::Resolve { host: host.to_owned(), reason };
    let mut found = (host, port).to_socket_addrs().map_err(|error| failed(error.to_string()))?;
    found.next().ok_or_else(|| failed("it has no address".to_owned()))
}

/// Only 127.0.0.0/8 has an address for each exporter; elsewhere the system chooses the one it routes from.
fn source_address(target: IpAddr, index: u16) -> IpAddr {
    match target {
        IpAddr::V4(v4) if v4.is_loopback() => {
            IpAddr::V4(Ipv4Addr::from_bits(FIRST_EXPORTER.to_bits() + u32::from(index)))
        }
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) ^ now.as_secs().rotate_left(32) ^ u64::from(std::process::id())
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("`{text}` is no duration: write a number and s, m, h, d, w or y, such as 90s or 5m");
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        'y' => 365 * 86_400,
        _ => return Err(wrong()),
    };
    let number = &text[..text.len() - 1];
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let count: u64 = if digits { number.parse().map_err(|_| wrong())? } else { return Err(wrong()) };
    count.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(std::iter::once(&"flow-generator").chain(words))
    }

    #[test]
    fn a_target_outside_loopback_needs_a_word() {
        let refused = Plan::new(&parse(&["-t", "192.0.2.1", "-p", "9996"]).unwrap());
        assert!(refused.unwrap_err().to_string().contains("--allow-remote"));
        let allowed = Plan::new(&parse(&["-t", "192.0.2.1", "-p", "9996", "--allow-remote"]).unwrap());
        assert_eq!(allowed.unwrap().target.to_string(), "192.0.2.1:9996");
    }

    #[test]
    fn only_ipfix_is_sent_over_tcp() {
        let refused = Plan::new(&parse(&["-t", "127.0.0.1", "-p", "1", "--transport", "tcp"]).unwrap());
        assert!(refused.unwrap_err().to_string().contains("--protocol ipfix"));
        let words = ["-t", "127.0.0.1", "-p", "1", "--transport", "tcp", "--protocol", "ipfix"];
        assert_eq!(Plan::new(&parse(&words).unwrap()).unwrap().transport, Transport::Tcp);
    }

    #[test]
    fn exporters_are_consecutive_loopback_addresses() {
        let plan = Plan::new(&parse(&["-t", "127.0.0.1", "-p", "1", "--exporters", "300"]).unwrap()).unwrap();
        assert_eq!(plan.exporters[0].to_string(), "127.0.0.11");
        assert_eq!(plan.exporters[1].to_string(), "127.0.0.12");
        assert_eq!(plan.exporters[299].to_string(), "127.0.1.54");
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("2h"), Ok(Duration::from_secs(7200)));
        for wrong in ["", "s", "90", "1.5s", "-1s", "+1s", "5 m", "99999999999999999999y", "5é"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn flows_and_duration_exclude_each_other() {
        assert!(parse(&["-t", "::1", "-p", "1", "--flows", "1", "--duration", "1s"]).is_err());
    }
}

//! One socket an exporter, and the pace.

use std::future::Future;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use socket2::{Domain, Socket, Type};
use tokio::time::{MissedTickBehavior, interval};

use crate::arguments::{Limit, Plan, Transport};
use crate::encode::{Encoder, Identity, encoder, sampling_rate};
use crate::summary::{ExporterSummary, Summary, total};
use crate::traffic::{Flow, Model, rate_factor};

/// A datagram that is not full leaves after this time.
const FLUSH_AFTER: Duration = Duration::from_millis(500);
/// What may be caught up with after a stall; past it the time is lost rather than sent as one burst.
const MOST_CATCH_UP: Duration = Duration::from_millis(100);

/// How long a collector may take to answer a connection, or to make room in one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why sending failed.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The source address cannot be used.
    #[error("cannot send from {address}: {reason}")]
    Bind {
        /// The exporter's address.
        address: IpAddr,
        /// What the system said.
        reason: io::Error,
    },
    /// A connection, a datagram or a message was refused.
    #[error("cannot send to {target}: {reason}")]
    Send {
        /// The collector.
        target: SocketAddr,
        /// What the system said.
        reason: io::Error,
    },
}

/// Sends what a [`Plan`] says.
pub struct Sender {
    plan: Plan,
    model: Model,
    exporters: Vec<Exporter>,
    flows: u64,
}

/// One exporter with the flows that wait for its next datagram.
struct Exporter {
    way: Way,
    encoder: Box<dyn Encoder + Send>,
    waiting: Vec<Flow>,
    waiting_octets: usize,
    summary: ExporterSummary,
}

/// How an exporter's messages leave.
enum Way {
    /// Not connected: a collector that is not there yet is no error, as for a real exporter.
    Udp(UdpSocket),
    Tcp(TcpStream),
}

/// A token bucket over the clock: how many flows are due.
struct Pace {
    last: Instant,
    due: f64,
}

impl Sender {
    /// Opens a socket for each exporter; nothing is sent yet.
    ///
    /// # Errors
    /// [`SendError::Bind`] when a source address cannot be used, [`SendError::Send`] when nobody takes a connection.
    pub fn open(plan: &Plan) -> Result<Self, SendError> {
        let start_ms = unix_ms();
        let exporters = (0_u32..).zip(&plan.exporters);
        let open = |(domain, address): (u32, &IpAddr)| Exporter::open(plan, *address, domain, start_ms);
        Ok(Self {
            plan: plan.clone(),
            model: Model::new(plan),
            exporters: exporters.map(open).collect::<Result<_, _>>()?,
            flows: 0,
        })
    }

    /// Sends until the plan's limit, or until `stop` is ready; what was made by then is sent and counted.
    ///
    /// # Errors
    /// [`SendError::Send`] when the system refuses a datagram.
    pub async fn run(&mut self, stop: impl Future<Output = ()>) -> Result<Summary, SendError> {
        let (start, from_ms) = (Instant::now(), unix_ms());
        let mut pace = Pace { last: start, due: 0.0 };
        let mut flushed = start;
        let mut ticks = interval(tick(self.plan.rate));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(stop);
        while !self.reached(start) {
            tokio::select! {
                biased;
                () = &mut stop => break,
                _ = ticks.tick() => (),
            }
            let now = Instant::now();
            self.make(pace.take(self.plan.rate, rate_factor(self.plan.traffic, unix_ms()), now))?;
            if now - flushed >= FLUSH_AFTER {
                self.flush()?;
                flushed = now;
            }
        }
        self.flush()?;
        Ok(self.summary(from_ms))
    }

    fn reached(&self, start: Instant) -> bool {
        match self.plan.limit {
            Limit::Flows(flows) => self.flows >= flows,
            Limit::Time(time) => start.elapsed() >= time,
            Limit::Never => false,
        }
    }

    fn make(&mut self, flows: u64) -> Result<(), SendError> {
        let left = match self.plan.limit {
            Limit::Flows(limit) => limit - self.flows,
            _ => u64::MAX,
        };
        for _ in 0..flows.min(left) {
            let exporter = self.model.exporter(self.exporters.len());
            let flow = self.model.next_flow();
            self.exporters[exporter].push(flow, &self.plan)?;
            self.flows += 1;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SendError> {
        self.exporters.iter_mut().try_for_each(|exporter| exporter.flush(&self.plan))
    }

    fn summary(&self, from_ms: u64) -> Summary {
        let exporters: Vec<_> = self.exporters.iter().map(|exporter| exporter.summary.clone()).collect();
        let (datagrams, sums, channels) = total(&exporters);
        Summary {
            protocol: self.plan.protocol,
            traffic: self.plan.traffic,
            seed: self.plan.seed,
            from_ms,
            to_ms: unix_ms(),
            sampling_rate: sampling_rate(self.plan.protocol),
            datagrams,
            sums,
            channels,
            exporters,
        }
    }
}

impl Exporter {
    fn open(plan: &Plan, address: IpAddr, domain: u32, start_ms: u64) -> Result<Self, SendError> {
        let failed = |reason| SendError::Bind { address, reason };
        let mut encoder = encoder(plan.protocol, Identity { address, domain, start_ms });
        let (way, local) = match plan.transport {
            Transport::Udp => {
                let socket = UdpSocket::bind((address, 0)).map_err(failed)?;
                let local = socket.local_addr();
                (Way::Udp(socket), local)
            }
            Transport::Tcp => {
                encoder.announce_once();
                let stream = connect(address, plan.target)?;
                let local = stream.local_addr();
                (Way::Tcp(stream), local)
            }
        };
        let port = local.map_err(failed)?.port();
        Ok(Self {
            way,
            encoder,
            waiting: Vec::new(),
            waiting_octets: 0,
            summary: ExporterSummary::new(address, port, domain),
        })
    }

    fn push(&mut self, flow: Flow, plan: &Plan) -> Result<(), SendError> {
        let octets = self.encoder.size(&flow);
        if self.waiting_octets + octets > self.encoder.room() {
            self.flush(plan)?;
        }
        self.waiting.push(flow);
        self.waiting_octets += octets;
        Ok(())
    }

    fn flush(&mut self, plan: &Plan) -> Result<(), SendError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let datagram = self.encoder.datagram(&self.waiting, unix_ms());
        let failed = |reason| SendError::Send { target: plan.target, reason };
        match &mut self.way {
            Way::Udp(socket) => socket.send_to(&datagram, plan.target).map(|_| ()),
            Way::Tcp(stream) => stream.write_all(&datagram),
        }
        .map_err(failed)?;
        self.summary.add(&self.waiting, sampling_rate(plan.protocol));
        self.waiting.clear();
        self.waiting_octets = 0;
        Ok(())
    }
}

fn connect(address: IpAddr, target: SocketAddr) -> Result<TcpStream, SendError> {
    let bound = || {
        let socket = Socket::new(Domain::for_address(target), Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(address, 0).into())?;
        Ok(socket)
    };
    let socket = bound().map_err(|reason| SendError::Bind { address, reason })?;
    let connected = socket.connect_timeout(&target.into(), PATIENCE);
    let connected = connected.and_then(|()| socket.set_write_timeout(Some(PATIENCE)));
    connected.map_err(|reason| SendError::Send { target, reason })?;
    Ok(socket.into())
}

impl Pace {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by MOST_CATCH_UP")]
    fn take(&mut self, rate: u32, factor: f64, now: Instant) -> u64 {
        let passed = (now - self.last).min(MOST_CATCH_UP);
        self.last = now;
        self.due += passed.as_secs_f64() * f64::from(rate) * factor;
        let whole = self.due.floor();
        self.due -= whole;
        whole as u64
    }
}

/// Fine enough that a burst stays small against a receiver's buffer, and no finer than the flows are.
fn tick(rate: u32) -> Duration {
    Duration::from_millis(u64::from(1_000 / rate.max(1)).clamp(1, 50))
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

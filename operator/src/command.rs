//! The program: its command line, and its life from election to the last request.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use kube::Client;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tracing::{error, info};

use crate::apply::Applier;
use crate::cache::Cache;
use crate::context::{Context, Options};
use crate::controller::{self, Concerns};
use crate::enroll::{self, Authority, Desk, Home, Lifetimes};
use crate::event::Teller;
use crate::facts::Facts;
use crate::fleet::Fleet;
use crate::lease::{self, Election};
use crate::queue::Queue;
use crate::secrets::Secrets;
use crate::telemetry::{self, Metrics, Readiness};
use crate::watch::{self as watches, Scope, Synced};

const EXAMPLES: &str = "\
Exit codes: 0 stopped by SIGTERM or SIGINT, 2 usage, 3 the system or the API server refused, or a part ended.

Examples:
  weir-operator --namespace weir-system --image registry.example/weir:0.1.0
  weir-operator --namespace weir-system --image weir:0.1.0 --watch-namespaces net,security";

/// Turns FlowCollectors and FlowProfiles into running collectors
#[derive(Clone, Debug, Parser)]
#[command(name = "weir-operator", version, after_help = EXAMPLES)]
struct Arguments {
    /// The operator's own namespace: its Lease and the certificate authority lie there
    #[arg(long, env = "POD_NAMESPACE", default_value = "weir-system")]
    namespace: String,
    /// How this replica is called
    #[arg(long, env = "POD_NAME", default_value = "weir-operator")]
    name: String,
    /// The name of the installation: of the Lease, and in the labels of everything that is made
    #[arg(long, default_value = "weir")]
    release: String,
    /// Namespaces that are looked at, separated by commas [default: all]
    #[arg(long, value_delimiter = ',')]
    watch_namespaces: Vec<String>,
    /// The image of edges and aggregators
    #[arg(long, env = "WEIR_IMAGE")]
    image: String,
    /// With what the image of another version must begin, separated by commas [default: none is allowed]
    #[arg(long, value_delimiter = ',', value_name = "PREFIX")]
    allowed_images: Vec<String>,
    /// The folder of the nodes below which edges may keep data
    #[arg(long, default_value = "/var/lib/weir", value_name = "DIR")]
    host_path_prefix: String,
    /// Priority classes that a FlowCollector may name, separated by commas [default: none]
    #[arg(long, value_delimiter = ',', value_name = "CLASS")]
    allowed_priority_classes: Vec<String>,
    /// Where pods ask for certificates
    #[arg(long, default_value = "0.0.0.0:8472", value_name = "ADDRESS:PORT")]
    enroll_listen: SocketAddr,
    /// The Service in front of that
    #[arg(long, default_value = enroll::SERVICE)]
    enroll_service: String,
    #[command(flatten)]
    lifetimes: Lifetimes,
    /// How the operator reaches an aggregator
    #[arg(long, default_value = "https://{name}-aggregator.{namespace}.svc:8471", value_name = "URL")]
    aggregator_url: String,
    /// Where metrics and health are served
    #[arg(long, default_value = "0.0.0.0:8080", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Seconds for which a leader that fell silent is still the leader
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(3..=300))]
    lease_seconds: u64,
    /// text or json [default: text on a terminal, else json]
    #[arg(long)]
    log_format: Option<LogFormat>,
    /// error, warn, info, debug, trace, or filters as RUST_LOG has them
    #[arg(long, default_value = "info")]
    log: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// Why the program ends.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// What is asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The system or the API server refuses.
    #[error("{0}")]
    System(String),
}

/// Runs the program.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(error) = logs(&arguments) {
        return told(&error);
    }
    // One provider for all: the API server, the aggregators, the enrolment port.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return told(&Failure::System("TLS is set up twice".to_owned()));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(run(&arguments)),
        Err(error) => Err(Failure::System(format!("cannot start: {error}"))),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => told(&error),
    }
}

#[allow(clippy::print_stderr, reason = "the last word of the program")]
fn told(failure: &Failure) -> ExitCode {
    eprintln!("weir-operator: {failure}");
    match failure {
        Failure::Usage(_) => ExitCode::from(2),
        Failure::System(_) => ExitCode::from(3),
    }
}

fn logs(arguments: &Arguments) -> Result<(), Failure> {
    use std::io::IsTerminal;
    let filter = tracing_subscriber::EnvFilter::try_new(&arguments.log)
        .map_err(|error| Failure::Usage(format!("--log {}: {error}; try info", arguments.log)))?;
    let terminal = std::io::stderr().is_terminal();
    let json = match arguments.log_format {
        Some(format) => format == LogFormat::Json,
        None => !terminal,
    };
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(terminal);
    if json {
        builder.json().init();
    } else {
        builder.init();
    }
    Ok(())
}

async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let stop = stop_signal()?;
    tokio::pin!(stop);
    let client =
        Client::try_default().await.map_err(|error| Failure::System(format!("no cluster: {error}")))?;
    let health = bind(arguments.listen).await?;
    let enrolment = bind(arguments.enroll_listen).await?;
    ready(&health, &enrolment);
    let (metrics, readiness) = (Metrics::default(), Readiness::default());
    let mut tasks = JoinSet::new();
    tasks.spawn(telemetry::serve(health, metrics.clone(), readiness.clone()));
    let home = Home {
        namespace: arguments.namespace.clone(),
        secret: enroll::SECRET.to_owned(),
        service: arguments.enroll_service.clone(),
    };
    let authority = tokio::select! {
        () = &mut stop => return Ok(()),
        authority = Authority::start(client.clone(), home, arguments.lifetimes.policy()) => {
            authority.map_err(|error| Failure::System(error.to_string()))?
        }
    };
    tasks.spawn(authority.clone().follow());
    let outcomes = metrics.enrolments();
    let context = context(arguments, client.clone(), metrics, &authority);
    let concerns = Concerns::new(context.clone());
    let synced = watch(arguments, &context, &concerns, &mut tasks);
    let owners = controller::owners(&context.cache, &context.options.controller);
    let desk = Desk::new(authority.clone(), client.clone(), owners, outcomes);
    let (_open, closed) = oneshot::channel::<()>();
    tasks.spawn(enroll::serve(enrolment, desk, async { _ = closed.await }));
    tasks.spawn(tell_readiness(readiness, synced.clone()));
    let election = Election {
        namespace: arguments.namespace.clone(),
        name: arguments.release.clone(),
        identity: arguments.name.clone(),
        duration: arguments.lease_seconds,
    };
    let led = elected(&client, &election);
    let (leads, lease) = tokio::select! {
        () = &mut stop => return Ok(()),
        led = led => led?,
    };
    let ended = tokio::select! {
        () = &mut stop => Ok(()),
        Some(ended) = tasks.join_next() => Err(died(&ended)),
        ended = as_leader(&context, &authority, &concerns, &synced, leads.clone()) => ended,
    };
    // The lease is free for the next one as soon as nothing is written any more.
    drop(leads);
    if tokio::time::timeout(Duration::from_secs(5), lease).await.is_err() {
        error!("the lease was not released within 5 s");
    }
    ended
}

type Lease =
    tokio::task::JoinHandle<Result<kube_lease_manager::LeaseManager, kube_lease_manager::LeaseManagerError>>;

async fn elected(client: &Client, election: &Election) -> Result<(watch::Receiver<bool>, Lease), Failure> {
    lease::stand(client.clone(), election)
        .await
        .map_err(|error| Failure::System(format!("Lease {}/{}: {error}", election.namespace, election.name)))
}

/// Waits until this replica leads, and leads until it no longer does: then the process ends, and a new one stands for
/// election with nothing that could be stale.
async fn as_leader(
    context: &Context,
    authority: &Authority,
    concerns: &Concerns,
    synced: &Synced,
    mut leads: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let gone = |_| Failure::System("the election ended".to_owned());
    info!("waiting for the lease");
    leads.wait_for(|leads| *leads).await.map_err(gone)?;
    watches::listed(synced).await;
    info!("leading");
    context.metrics.leads(true);
    concerns.live();
    controller::all(context);
    let mut tasks = controller::lead(context, authority);
    tokio::select! {
        lost = leads.wait_for(|leads| !*leads) => {
            lost.map_err(gone)?;
            Err(Failure::System("the lease was lost: another replica leads".to_owned()))
        }
        Some(ended) = tasks.join_next() => Err(died(&ended)),
    }
}

fn context(arguments: &Arguments, client: Client, metrics: Metrics, authority: &Authority) -> Context {
    let cache = Cache::default();
    let options = Options {
        controller: format!("{}.{}", arguments.namespace, arguments.release),
        image: arguments.image.clone(),
        allowed_images: arguments.allowed_images.clone(),
        host_path_prefix: arguments.host_path_prefix.clone(),
        allowed_priority_classes: arguments.allowed_priority_classes.clone(),
        enroll: format!(
            "https://{}.{}.svc:{}",
            arguments.enroll_service,
            arguments.namespace,
            crds::enroll::PORT
        ),
        aggregator: arguments.aggregator_url.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let tls = authority.clone();
    Context {
        applier: Applier::new(client.clone(), cache.clone()),
        cache,
        queue: Queue::default(),
        fleet: Fleet::default(),
        facts: Facts::default(),
        secrets: Secrets::default(),
        service_monitors: Arc::default(),
        metrics,
        teller: Teller::new(client.clone(), &arguments.name),
        bundle: authority.bundle(),
        tls: Arc::new(move || tls.client_config()),
        options: Arc::new(options),
        client,
    }
}

fn watch(arguments: &Arguments, context: &Context, concerns: &Concerns, tasks: &mut JoinSet<()>) -> Synced {
    let scope = match arguments.watch_namespaces.as_slice() {
        [] => Scope::Cluster,
        some => Scope::Namespaces(some.to_vec()),
    };
    let concerns = concerns.clone();
    let tell = move |change: watches::Change| concerns.tell(&change);
    watches::start(&context.client, &scope, &context.options.controller, &context.cache, &tell, tasks)
}

async fn tell_readiness(readiness: Readiness, synced: Synced) {
    let mut look = tokio::time::interval(Duration::from_secs(1));
    loop {
        look.tick().await;
        readiness.set(synced.missing());
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::System(format!("cannot listen on {address}: {error}; give another address"))
    })
}

/// The addresses that are bound, on standard output, so that programs can ask for port 0.
fn ready(health: &TcpListener, enrolment: &TcpListener) {
    use std::io::Write;
    let port = |listener: &TcpListener| listener.local_addr().map_or(0, |address| address.port());
    let line = format!(
        "weir-operator is ready: metrics and health port {}, enrolment port {}",
        port(health),
        port(enrolment)
    );
    // Nobody may be reading any more; the program runs all the same.
    drop(writeln!(std::io::stdout(), "{line}"));
}

fn died(ended: &Result<(), tokio::task::JoinError>) -> Failure {
    Failure::System(match ended {
        Ok(()) => "a part ended that should run".to_owned(),
        Err(error) => format!("a part ended: {error}"),
    })
}

fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::System(format!("signals: {error}")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

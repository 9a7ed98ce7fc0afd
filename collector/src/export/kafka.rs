//! Writes flows to a topic of Apache Kafka, by librdkafka.
//!
//! librdkafka keeps at most [`MESSAGES`] messages of at most [`KBYTES`] KiB together, for at most [`TIMEOUT_MS`]: a
//! broker that is away costs what comes after that, counted, and nothing else.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crds::config::target::{KafkaConfig, SecretFile};
use crds::target::{Format, Key};
use prost::Message as _;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext, PurgeConfig};
use tracing::{debug, info};

use super::account::{Account, Reason};
use super::flows::Flows;
use super::goflow::FlowMessage;
use crate::flow::{Row, write_json};

const MESSAGES: &str = "100000";
const KBYTES: &str = "32768";
const TIMEOUT_MS: &str = "30000";
/// How often files with secrets are looked at, and a producer that could not be made is tried again.
const LOOK: Duration = Duration::from_secs(5);
/// How long one look at what the brokers answered takes, while nothing is there to send.
const TURN: Duration = Duration::from_millis(20);
/// For how long what is under way may still be delivered when a producer is replaced or ends.
const DRAIN: Duration = Duration::from_secs(3);

/// Writes for one target.
pub(super) struct Writer {
    config: KafkaConfig,
    folder: PathBuf,
    account: Arc<Account>,
    producer: Option<BaseProducer<Told>>,
    /// What the files held with which the producer was made, and when they were looked at.
    secrets: Vec<Vec<u8>>,
    looked: Option<Instant>,
    payload: Vec<u8>,
}

/// What librdkafka tells.
struct Told {
    account: Arc<Account>,
}

impl Writer {
    /// `folder` holds the files that the configuration names.
    pub(super) fn new(config: &KafkaConfig, folder: &Path, account: Arc<Account>) -> Self {
        Self {
            config: config.clone(),
            folder: folder.to_owned(),
            account,
            producer: None,
            secrets: Vec::new(),
            looked: None,
            payload: Vec::new(),
        }
    }

    /// Writes what comes until nobody is left to send anything.
    pub(super) fn run(mut self, input: &Receiver<Flows>) {
        loop {
            self.look();
            match input.recv_timeout(if self.producer.is_some() { Duration::ZERO } else { TURN }) {
                Ok(flows) => {
                    flows.each(|row| self.write(row));
                    self.serve(Duration::ZERO);
                }
                Err(RecvTimeoutError::Timeout) => self.serve(TURN),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.retire();
    }

    /// Makes a producer where there is none, and another one when a secret has changed.
    fn look(&mut self) {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return;
        }
        self.looked = Some(Instant::now());
        let secrets = match self.read_secrets() {
            Ok(secrets) => secrets,
            // A secret that is away for a moment ends nothing that runs.
            Err(_) if self.producer.is_some() => return,
            Err(message) => return self.account.ailing("SecretMissing", message),
        };
        let broken = self.producer.as_ref().is_some_and(|running| running.client().fatal_error().is_some());
        if self.producer.is_some() && secrets == self.secrets && !broken {
            return;
        }
        if self.producer.is_some() {
            info!(
                export = self.account.name(),
                "connects anew: a secret has changed, or the producer failed"
            );
        }
        self.retire();
        match self.connect(&secrets) {
            Ok(producer) => {
                (self.producer, self.secrets) = (Some(producer), secrets);
                self.account.recovered();
            }
            Err(error) => self.account.ailing("Misconfigured", error.to_string()),
        }
    }

    fn read_secrets(&self) -> Result<Vec<Vec<u8>>, String> {
        let tls = self.config.tls.iter().flat_map(|tls| [&tls.ca, &tls.certificate, &tls.key]).flatten();
        let files = tls.chain(self.config.sasl.iter().map(|sasl| &sasl.password));
        files.map(|file| read(&self.path(file))).collect()
    }

    fn path(&self, file: &SecretFile) -> PathBuf {
        self.folder.join(&file.0)
    }

    fn connect(&self, secrets: &[Vec<u8>]) -> Result<BaseProducer<Told>, KafkaError> {
        let KafkaConfig { brokers, compression, tls, sasl, .. } = &self.config;
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers.join(","));
        config.set("client.id", "weir").set("enable.idempotence", "true");
        config.set("compression.type", compression.name()).set("linger.ms", "100");
        config.set("queue.buffering.max.messages", MESSAGES).set("queue.buffering.max.kbytes", KBYTES);
        config.set("message.timeout.ms", TIMEOUT_MS).set("socket.keepalive.enable", "true");
        config.set("reconnect.backoff.max.ms", "5000");
        let protocol = match (tls.is_some(), sasl.is_some()) {
            (false, false) => "PLAINTEXT",
            (true, false) => "SSL",
            (false, true) => "SASL_PLAINTEXT",
            (true, true) => "SASL_SSL",
        };
        config.set("security.protocol", protocol);
        if let Some(tls) = tls {
            let path = |file: &SecretFile| self.path(file).to_string_lossy().into_owned();
            config.set("ssl.ca.location", tls.ca.as_ref().map_or_else(|| "probe".to_owned(), path));
            if let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) {
                config.set("ssl.certificate.location", path(certificate));
                config.set("ssl.key.location", path(key));
            }
        }
        if let (Some(sasl), Some(password)) = (sasl, secrets.last()) {
            let password = String::from_utf8_lossy(password);
            config.set("sasl.mechanisms", sasl.mechanism.name()).set("sasl.username", &sasl.username);
            config.set("sasl.password", password.trim_end_matches(['\n', '\r']));
        }
        config.set_log_level(RDKafkaLogLevel::Warning);
        config.create_with_context(Told { account: Arc::clone(&self.account) })
    }

    fn write(&mut self, row: Row<'_>) {
        let Some(producer) = &self.producer else { return self.account.dropped(Reason::NotConnected, 1) };
        self.payload.clear();
        let encoded = match self.config.format {
            Format::Json => write_json(row, &mut self.payload).map_err(|error| error.to_string()).map(|()| {
                // The line's end belongs to files.
                self.payload.pop();
            }),
            Format::GoFlow2Protobuf => FlowMessage::of(row)
                .encode_length_delimited(&mut self.payload)
                .map_err(|error| error.to_string()),
        };
        if let Err(message) = encoded {
            self.account.dropped(Reason::Refused, 1);
            return self.account.trouble(Reason::Refused.condition(), || message);
        }
        let exporter = row.run.exporter.to_string();
        let record = BaseRecord::to(&self.config.topic).payload(&self.payload);
        let record = match self.config.key {
            Key::Exporter => record.key(exporter.as_str()),
            Key::None => record,
        };
        if let Err((error, _)) = producer.send(record) {
            let reason = reason(&error);
            self.account.dropped(reason, 1);
            if reason != Reason::QueueFull {
                self.account.trouble(reason.condition(), || error.to_string());
            }
        }
    }

    /// Hears what the brokers said.
    fn serve(&self, time: Duration) {
        let Some(producer) = &self.producer else { return };
        producer.poll(time);
        if time.is_zero() {
            // One event each; a delivery report tells of many messages.
            (0..7).for_each(|_| producer.poll(time));
        }
    }

    /// Delivers what it can within [`DRAIN`]; the rest is counted as not acknowledged.
    fn retire(&mut self) {
        let Some(producer) = self.producer.take() else { return };
        if producer.flush(DRAIN).is_err() {
            producer.purge(PurgeConfig::default().queue().inflight());
            let ended = Instant::now();
            while producer.in_flight_count() > 0 && ended.elapsed() < DRAIN {
                producer.poll(TURN);
            }
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!(
            "{} is not there: does the Secret exist, with that key and the label weir.dev/use: export-target?",
            path.display()
        ),
        _ => format!("{}: {error}", path.display()),
    })
}

impl ClientContext for Told {
    fn error(&self, error: KafkaError, reason: &str) {
        let condition = error.rdkafka_error_code().map_or("Unreachable", condition);
        // That no broker is left follows from whatever was said of each.
        if condition != "Unreachable" || !self.account.is_ailing() {
            self.account.ailing(condition, reason.to_owned());
        }
        debug!(export = self.account.name(), %error, reason, "Kafka");
    }

    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        debug!(export = self.account.name(), facility, message, "librdkafka");
    }
}

impl ProducerContext for Told {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.account.sent(1);
                self.account.recovered();
            }
            Err((error, _)) => {
                let reason = reason(error);
                self.account.dropped(reason, 1);
                // What is known of the connection says more than that time ran out.
                if reason != Reason::Unacknowledged || !self.account.is_ailing() {
                    let condition = error.rdkafka_error_code().map_or(reason.condition(), condition);
                    self.account.ailing(condition, error.to_string());
                }
            }
        }
    }
}

/// Why a message was not delivered.
fn reason(error: &KafkaError) -> Reason {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::QueueFull) => Reason::QueueFull,
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => Reason::TooLarge,
        Some(
            RDKafkaErrorCode::MessageTimedOut
            | RDKafkaErrorCode::PurgeQueue
            | RDKafkaErrorCode::PurgeInflight
            | RDKafkaErrorCode::RequestTimedOut
            | RDKafkaErrorCode::OperationTimedOut,
        ) => Reason::Unacknowledged,
        _ => Reason::Refused,
    }
}

/// What an error makes of the condition Delivering.
fn condition(code: RDKafkaErrorCode) -> &'static str {
    use RDKafkaErrorCode as Code;
    match code {
        Code::Authentication | Code::SaslAuthenticationFailed => "AuthenticationFailed",
        Code::SSL => "TLSFailed",
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => "NotAuthorized",
        Code::UnknownTopic | Code::UnknownTopicOrPartition => "UnknownTopic",
        Code::MessageSizeTooLarge => Reason::TooLarge.condition(),
        Code::MessageTimedOut => Reason::Unacknowledged.condition(),
        Code::AllBrokersDown | Code::BrokerTransportFailure | Code::Resolve | Code::NodeUpdate => {
            "Unreachable"
        }
        _ => Reason::Refused.condition(),
    }
}

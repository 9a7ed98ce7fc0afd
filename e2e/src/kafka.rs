//! A real Apache Kafka: one broker that is its own controller (KRaft), and a reader that is not Weir's.
//!
//! `make kafka` fetches the broker's jars (e2e/kafka/pom.xml) and builds the reader (e2e/kafka/reader) into the user's
//! cache.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::deadline::wait_for;
use crate::namespace::Namespace;
use crate::program::{Program, output_of};

/// Without TLS and without a user.
pub const PLAIN: &str = "127.0.0.1:19092";
/// With TLS, and a user by SCRAM.
pub const SECURE: &str = "127.0.0.1:19094";
/// The user that [`SECURE`] knows.
pub const USER: &str = "weir";
/// The user's password.
pub const PASSWORD: &str = "correct-horse";

const START: Duration = Duration::from_secs(60);

/// A broker's folder; the broker itself may be stopped and started again.
#[derive(Debug)]
pub struct Kafka<'a> {
    namespace: &'a Namespace,
    folder: PathBuf,
    broker: Option<Program>,
}

impl<'a> Kafka<'a> {
    /// Formats a folder below `folder` and starts a broker on it, in a namespace.
    ///
    /// # Panics
    /// When it does not start within a minute.
    #[must_use]
    pub fn start(namespace: &'a Namespace, folder: &Path) -> Self {
        let folder = folder.join("kafka");
        fs::create_dir_all(&folder).expect("the test's folder is writable");
        write_certificates(&folder);
        fs::write(folder.join("server.properties"), properties(&folder)).expect("the folder is writable");
        let mut kafka = Self { namespace, folder, broker: None };
        let scram = format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]");
        let words = ["kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c"];
        let mut format = kafka.java(&words);
        format.arg(kafka.folder.join("server.properties")).args(["--add-scram", &scram]);
        output_of(format);
        kafka.resume();
        kafka
    }

    /// Starts the broker again on what it had.
    ///
    /// # Panics
    /// When it runs, or does not start within a minute.
    pub fn resume(&mut self) {
        assert!(self.broker.is_none(), "it runs");
        let mut command = self.java(&["kafka.Kafka"]);
        command.arg(self.folder.join("server.properties"));
        let mut broker = Program::start("kafka", &self.folder, command);
        let address: SocketAddr = SECURE.parse().expect("an address");
        let namespace = self.namespace;
        let log = self.folder.join("kafka.log");
        let explain = || fs::read_to_string(log).unwrap_or_default();
        wait_for("Kafka", START, explain, || {
            broker.assert_running();
            let started = broker.output().contains("Kafka Server started");
            (started && namespace.run(move || TcpStream::connect(address).is_ok())).then_some(())
        });
        self.broker = Some(broker);
    }

    /// Kills the broker.
    pub fn kill(&mut self) {
        self.broker = None;
    }

    /// The roots that the broker's certificate chains to, as PEM.
    #[must_use]
    pub fn roots(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Every message of a topic, as (key, value), once there are `count`; GoFlow2's messages in the form of protojson.
    ///
    /// # Panics
    /// When fewer come within a minute, or one cannot be read.
    #[must_use]
    pub fn read(&self, topic: &str, format: &str, count: usize) -> Vec<(String, Value)> {
        let mut command = self.namespace.command(cached("kafka-reader"));
        command.args(["-broker", PLAIN, "-topic", topic, "-format", format, "-count", &count.to_string()]);
        let output = output_of(command);
        let message = |line: &str| {
            let line: Value = serde_json::from_str(line).expect("a line of JSON");
            (line["key"].as_str().unwrap_or_default().to_owned(), line["value"].clone())
        };
        output.lines().map(message).collect()
    }

    fn java(&self, words: &[&str]) -> Command {
        let mut command = self.namespace.command("java");
        let jars = cached("kafka-4.1.1").join("*");
        command.args(["-Xmx512m", "-cp"]).arg(jars).args(words).current_dir(&self.folder);
        command
    }
}

/// What `make kafka` put into the user's cache.
fn cached(name: &str) -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").expect("a user has a home")).join(".cache");
    let path = cache.unwrap_or_else(home).join("weir").join(name);
    assert!(path.exists(), "{} is not there: run `make kafka`", path.display());
    path
}

fn properties(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:19093
listeners=PLAIN://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093,SECURE://{SECURE}
advertised.listeners=PLAIN://127.0.0.1:19092,SECURE://{SECURE}
listener.security.protocol.map=PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL
inter.broker.listener.name=PLAIN
controller.listener.names=CONTROLLER
listener.name.secure.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={folder}/server.pem
log.dirs={folder}/data
num.partitions=3
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
"
    )
}

/// A root, and a certificate for 127.0.0.1 that chains to it.
fn write_certificates(folder: &Path) {
    let write =
        |name: &str, text: String| fs::write(folder.join(name), text).expect("the folder is writable");
    let mut root = rcgen::CertificateParams::default();
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    root.distinguished_name.push(rcgen::DnType::CommonName, "roots of a test");
    let root_key = rcgen::KeyPair::generate().expect("a key is made");
    let root = rcgen::CertifiedIssuer::self_signed(root, root_key).expect("a root is made");
    let server = rcgen::CertificateParams::new(vec![Ipv4Addr::LOCALHOST.to_string()]).expect("an address");
    let key = rcgen::KeyPair::generate().expect("a key is made");
    let server = server.signed_by(&key, &root).expect("a certificate is made");
    write("ca.pem", root.pem());
    write("server.pem", key.serialize_pem() + &server.pem());
}

//! Open vSwitch on its userspace datapath, with a database and sockets of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::deadline::wait_for;
use crate::namespace::Namespace;
use crate::program::{Program, output_of};

const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";
const BRIDGE: &str = "br0";

/// What a bridge exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    /// NetFlow v5.
    NetFlow,
    /// sFlow, every packet sampled.
    SFlow,
    /// IPFIX, every packet sampled.
    Ipfix,
}

/// A running switch with one bridge.
#[derive(Debug)]
pub struct Switch<'a> {
    namespace: &'a Namespace,
    folder: PathBuf,
    // Dropped in this order: the switch first, its database after.
    _switch: Program,
    _database: Program,
}

impl<'a> Switch<'a> {
    /// Starts one in `namespace`, with a bridge and nothing on it.
    ///
    /// # Panics
    /// When a part of it does not start.
    #[must_use]
    pub fn start(namespace: &'a Namespace, folder: &Path) -> Self {
        let folder = folder.join("openvswitch");
        fs::create_dir_all(&folder).expect("the test's folder is writable");
        let file = folder.join("conf.db");
        let mut create = Command::new("ovsdb-tool");
        create.arg("create").arg(&file).arg(SCHEMA);
        output_of(create);
        let (socket, mut command) = (folder.join("db.sock"), command(namespace, &folder, "ovsdb-server"));
        command.arg(&file).arg(format!("--remote=punix:{}", socket.display()));
        command.arg(format!("--unixctl={}", folder.join("db.ctl").display()));
        let mut database = Program::start("ovsdb-server", &folder, command);
        wait_for("ovsdb-server", Duration::from_secs(10), String::new, || {
            database.assert_running();
            socket.exists().then_some(())
        });
        let mut command = self::command(namespace, &folder, "ovs-vswitchd");
        command.arg(format!("unix:{}", socket.display()));
        command.arg(format!("--unixctl={}", folder.join("switch.ctl").display()));
        let program = Program::start("ovs-vswitchd", &folder, command);
        let switch = Self { namespace, folder, _switch: program, _database: database };
        switch.vsctl(&["add-br", BRIDGE, "--", "set", "bridge", BRIDGE, "datapath_type=netdev"]);
        switch
    }

    /// Adds a port and hands it to another namespace as its `eth0`. An internal port computes its checksums in
    /// software; the userspace datapath would pass on a cable's unfinished ones.
    ///
    /// # Panics
    /// When `ovs-vsctl` or `ip` fails.
    pub fn connect(&self, port: &str, to: &Namespace, addresses: &[&str]) {
        self.vsctl(&["add-port", BRIDGE, port, "--", "set", "interface", port, "type=internal"]);
        self.namespace.hand_over(port, to, "eth0");
        to.address("eth0", addresses);
    }

    /// Has the bridge export to `targets`.
    ///
    /// # Panics
    /// When `ovs-vsctl` fails.
    pub fn export(&self, export: Export, targets: &[SocketAddr]) {
        let quoted: Vec<_> = targets.iter().map(|target| format!("\"{target}\"")).collect();
        let targets = format!("targets=[{}]", quoted.join(","));
        let (table, options): (&str, &[&str]) = match export {
            Export::NetFlow => ("netflow", &["active_timeout=2"]),
            Export::SFlow => ("sflow", &["agent=exp0", "header=128", "sampling=1", "polling=0"]),
            Export::Ipfix => {
                ("ipfix", &["sampling=1", "cache_active_timeout=2", "cache_max_flows=100", "obs_domain_id=7"])
            }
        };
        let reference = format!("{table}=@new");
        let create = ["--", "--id=@new", "create", table, &targets];
        self.vsctl(&[&["set", "bridge", BRIDGE, &reference][..], &create, options].concat());
    }

    /// Takes the export away again; what was still held is sent.
    ///
    /// # Panics
    /// When `ovs-vsctl` fails.
    pub fn clear(&self, export: Export) {
        let column = match export {
            Export::NetFlow => "netflow",
            Export::SFlow => "sflow",
            Export::Ipfix => "ipfix",
        };
        self.vsctl(&["clear", "bridge", BRIDGE, column]);
    }

    /// Runs a line with a shell, as somebody who types it on the switch; gives what it prints.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn shell(&self, line: &str) -> String {
        let mut command = command(self.namespace, &self.folder, "sh");
        command.arg("-ec").arg(line);
        output_of(command)
    }

    fn vsctl(&self, words: &[&str]) {
        let mut command = command(self.namespace, &self.folder, "ovs-vsctl");
        command.arg(format!("--db=unix:{}", self.folder.join("db.sock").display()));
        command.arg("--timeout=20").args(words);
        output_of(command);
    }
}

/// A program of Open vSwitch that keeps everything in `folder`.
fn command(namespace: &Namespace, folder: &Path, program: &str) -> Command {
    let mut command = namespace.command(program);
    for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR"] {
        command.env(variable, folder);
    }
    command
}

//! Network namespaces and the virtual cables between them, made with `ip`.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::program::output_of;

const PREFIX: &str = "weir-e2e";
const FOLDER: &str = "/run/netns";

static NUMBER: AtomicU32 = AtomicU32::new(0);
static SWEEP: Once = Once::new();

/// A network namespace with its loopback up. Dropping it removes it and its interfaces.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one; `label` helps a reader of `ip netns`.
    ///
    /// # Panics
    /// Without root, or when `ip` fails.
    #[must_use]
    pub fn create(label: &str) -> Self {
        require_root();
        SWEEP.call_once(sweep);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}-{}-{number}-{label}", std::process::id());
        ip(&["netns", "add", &name]);
        let namespace = Self { name };
        namespace.ip(&["link", "set", "lo", "up"]);
        namespace
    }

    /// Its name, as `ip` takes it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that runs in it. `ip` replaces itself by the program, so that the process id is the program's.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs `work` on a thread that lives in it. Sockets opened there stay there.
    ///
    /// # Panics
    /// When the namespace cannot be entered, and when `work` panics.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let file = File::open(Path::new(FOLDER).join(&self.name)).expect("the namespace is there");
        let enter = move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("root may enter a namespace");
            work()
        };
        thread::scope(|scope| scope.spawn(enter).join())
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// The ids of the processes that live in it, as `ip` lists them.
    ///
    /// # Panics
    /// When `ip` fails.
    #[must_use]
    pub fn processes(&self) -> String {
        let mut command = Command::new("ip");
        command.args(["netns", "pids", &self.name]);
        output_of(command)
    }

    /// `ip` with these arguments, in the namespace.
    ///
    /// # Panics
    /// When it fails.
    pub fn ip(&self, arguments: &[&str]) {
        let all: Vec<_> = ["-n", &self.name].iter().chain(arguments).copied().collect();
        ip(&all);
    }

    /// Gives an interface an address with prefix length, at once usable, and sets it up.
    ///
    /// # Panics
    /// When `ip` fails.
    pub fn address(&self, interface: &str, addresses: &[&str]) {
        for address in addresses {
            let ipv6 = address.contains(':');
            // Duplicate address detection would delay the first packet by seconds.
            let flags: &[&str] = if ipv6 { &["nodad"] } else { &[] };
            let words: Vec<_> =
                ["addr", "add", address, "dev", interface].iter().chain(flags).copied().collect();
            self.ip(&words);
        }
        self.ip(&["link", "set", interface, "up"]);
    }

    /// Moves an interface into another namespace under another name.
    ///
    /// # Panics
    /// When `ip` fails.
    pub fn hand_over(&self, interface: &str, to: &Self, name: &str) {
        self.ip(&["link", "set", interface, "netns", &to.name, "name", name]);
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // A panic in a destructor would hide the test's own.
        let _ = Command::new("ip").args(["netns", "del", &self.name]).output();
    }
}

/// A virtual cable: an interface in each of two namespaces.
///
/// # Panics
/// When `ip` fails.
pub fn cable(a: (&Namespace, &str), b: (&Namespace, &str)) {
    let (first, second) = (["link", "add", a.1, "netns", &a.0.name], ["type", "veth", "peer", "name", b.1]);
    ip(&[&first[..], &second[..], &["netns", &b.0.name]].concat());
}

/// # Panics
/// Without root: namespaces need it.
pub fn require_root() {
    assert!(
        rustix::process::geteuid().is_root(),
        "this test makes network namespaces and needs root: run `sudo -E make test`, or `make check` without it"
    );
}

/// Removes the namespaces of runs that are no more, and ends what still lives in them.
fn sweep() {
    let Ok(entries) = fs::read_dir(FOLDER) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').nth(1)?.parse::<u32>().ok());
        if owner.is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists()) {
            let left = Namespace { name };
            for id in left.processes().lines().filter_map(|line| Pid::from_raw(line.trim().parse().ok()?)) {
                // It may end by itself meanwhile.
                let _ = kill_process(id, Signal::KILL);
            }
        }
    }
}

/// `ip` with these arguments.
///
/// # Panics
/// When it fails.
pub(crate) fn ip(arguments: &[&str]) {
    let mut command = Command::new("ip");
    command.args(arguments);
    output_of(command);
}

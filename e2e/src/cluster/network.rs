//! The cluster's network: a bridge in a namespace of its own, a cable to the machine, a cable to each node.
//!
//! The machine gets one interface and the routes to the pods, nothing else: no bridge that a firewall of the
//! machine's would filter.

use std::path::PathBuf;
use std::process::Command;

use super::address::Slot;
use crate::namespace::{Namespace, ip};

const BRIDGE: &str = "br0";
/// The interface of a node or guest.
const INTERFACE: &str = "eth0";

/// The network of one cluster. The guard removes it.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    slot: Slot,
}

impl Network {
    pub(crate) fn create(slot: Slot) -> Self {
        let network = Self { slot };
        let switch = network.switch();
        ip(&["netns", "add", &switch]);
        ip(&["-n", &switch, "link", "set", "lo", "up"]);
        ip(&["-n", &switch, "link", "add", BRIDGE, "type", "bridge"]);
        ip(&["-n", &switch, "link", "set", BRIDGE, "up"]);
        let name = slot.name();
        ip(&["link", "add", &name, "type", "veth", "peer", "name", "host", "netns", &switch]);
        ip(&["addr", "add", &format!("{}/24", slot.host()), "dev", &name]);
        ip(&["link", "set", &name, "up"]);
        network.attach("host");
        network
    }

    /// The name of a node's namespace.
    pub(crate) fn namespace(&self, node: &str) -> String {
        format!("{}-{node}", self.slot.name())
    }

    /// A command prefix that runs a program in a node's network and in everything else of the machine: what
    /// `ip netns exec` does to /sys would hide the cgroups.
    pub(crate) fn enter(&self, node: &str, command: &mut Command) {
        let path = PathBuf::from("/run/netns").join(self.namespace(node));
        command.arg(format!("--net={}", path.display())).arg("--");
    }

    /// Makes a node's namespace and connects it.
    pub(crate) fn add_node(&self, node: &str, number: u8, others: &[u8]) {
        let space = self.namespace(node);
        ip(&["netns", "add", &space]);
        ip(&["-n", &space, "link", "set", "lo", "up"]);
        self.plug(&space, node, &self.slot.node(number).to_string());
        // A Service's address is replaced only after a route to it was found.
        let services = format!("{}/24", self.slot.service(0));
        ip(&["-n", &space, "route", "add", &services, "via", &self.slot.host().to_string()]);
        let mut forward = Command::new("ip");
        forward.args(["netns", "exec", &space, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
        crate::program::output_of(forward);
        self.route(None, number);
        for &other in others {
            self.route(Some(&space), other);
            self.route(Some(&self.namespace(&super::node::name(other))), number);
        }
    }

    /// Forgets the routes to a node that is no more.
    pub(crate) fn remove_node(&self, number: u8, others: &[u8]) {
        let pods = format!("{}/24", self.slot.pods(number));
        ip(&["route", "del", &pods]);
        for &other in others {
            ip(&["-n", &self.namespace(&super::node::name(other)), "route", "del", &pods]);
        }
    }

    /// Connects a namespace of a test's own, as the interface `eth0`, with an address that nodes and machine reach.
    pub(crate) fn add_guest(&self, guest: &Namespace, number: u8) {
        self.plug(guest.name(), &format!("guest{number}"), &self.slot.guest(number).to_string());
    }

    /// Pulls a node's cable, or plugs it in again.
    pub(crate) fn set_cable(&self, node: &str, up: bool) {
        ip(&["-n", &self.switch(), "link", "set", node, if up { "up" } else { "down" }]);
    }

    fn plug(&self, space: &str, port: &str, address: &str) {
        let switch = self.switch();
        ip(&["-n", &switch, "link", "add", port, "type", "veth", "peer", "name", INTERFACE, "netns", space]);
        self.attach(port);
        ip(&["-n", space, "addr", "add", &format!("{address}/24"), "dev", INTERFACE]);
        ip(&["-n", space, "link", "set", INTERFACE, "up"]);
    }

    fn attach(&self, port: &str) {
        ip(&["-n", &self.switch(), "link", "set", port, "master", BRIDGE, "up"]);
    }

    /// In `space`, or on the machine: a node's pods are reached by the node.
    fn route(&self, space: Option<&str>, to: u8) {
        let (pods, node) = (format!("{}/24", self.slot.pods(to)), self.slot.node(to).to_string());
        let route = ["route", "replace", &pods, "via", &node];
        match space {
            Some(space) => ip(&[&["-n", space][..], &route].concat()),
            None => ip(&route),
        }
    }

    fn switch(&self) -> String {
        self.namespace("switch")
    }
}

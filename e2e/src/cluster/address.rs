//! Which addresses a test cluster uses: sixteen clusters fit on a machine, each with a number of its own.
//!
//! Every address is either loopback or in 198.18.0.0/15, which RFC 2544 keeps for tests: nothing leaves the machine.

use std::net::Ipv4Addr;

/// How many clusters can run at once.
pub(crate) const SLOTS: u8 = 16;
/// The addresses of a cluster outside of loopback: a /19.
const ADDRESSES: u32 = 1 << 13;
const FIRST: u32 = Ipv4Addr::new(198, 18, 0, 0).to_bits();

/// The number of a cluster on this machine, and all that follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u8);

impl Slot {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..SLOTS).map(Self)
    }

    /// What its interfaces, namespaces and cgroups are called, or begin with.
    #[must_use]
    pub fn name(self) -> String {
        format!("weir{}", self.0)
    }

    pub(crate) fn number(self) -> u8 {
        self.0
    }

    /// Where etcd listens, and the API server of a cluster without nodes.
    pub(crate) fn loopback(self) -> Ipv4Addr {
        Ipv4Addr::new(127, 18, self.0, 1)
    }

    /// The machine's own address on the nodes' network.
    #[must_use]
    pub fn host(self) -> Ipv4Addr {
        self.within(1)
    }

    /// The address of a node, the first being 0.
    #[must_use]
    pub fn node(self, number: u8) -> Ipv4Addr {
        self.within(10 + u32::from(number))
    }

    /// An address on the nodes' network for something that is no node, such as an exporter; the first is 0.
    #[must_use]
    pub fn guest(self, number: u8) -> Ipv4Addr {
        self.within(100 + u32::from(number))
    }

    /// The addresses of Services, a /24; the first is that of the API server, the tenth that of DNS.
    pub(crate) fn service(self, number: u8) -> Ipv4Addr {
        self.within(256 + u32::from(number))
    }

    /// The network of a node's pods, a /24.
    pub(crate) fn pods(self, node: u8) -> Ipv4Addr {
        self.within((4 + u32::from(node)) * 256)
    }

    fn within(self, offset: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(FIRST + u32::from(self.0) * ADDRESSES + offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_of_a_cluster_belongs_to_another_or_leaves_the_range_for_tests() {
        let slots: Vec<_> = Slot::all().collect();
        assert_eq!(slots[0].host(), Ipv4Addr::new(198, 18, 0, 1));
        assert_eq!(slots[15].pods(27), Ipv4Addr::new(198, 19, 255, 0));
        for pair in slots.windows(2) {
            assert!(pair[0].pods(27) < pair[1].host());
        }
    }
}

//! What is known of the interfaces of sFlow agents: how they call themselves, and two checks on the sampling.

use serde::{Deserialize, Serialize};

/// From so many samples on the effective rate says something: its error is then about a tenth.
const ENOUGH: u64 = 100;

/// A rate that is off by more than this factor is no accident of so many samples.
const FACTOR: f64 = 1.5;

/// One data source of an sFlow agent, as it stands: a later report replaces an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InterfaceReport {
    /// What `index` counts: 0 interfaces (it is an ifIndex), 1 VLANs, 2 physical entities, 3 logical ones.
    pub class: u32,
    /// Which of them.
    pub index: u32,
    /// Its name, or that of the host that it is.
    pub name: Option<String>,
    /// Bits per second.
    pub speed: Option<u64>,
    /// Whether it is up: as configured, and in fact.
    pub up: Option<[bool; 2]>,
    /// Unix milliseconds of the last sample.
    pub last_seen_ms: u64,
    /// The rate that the last flow sample stated.
    pub stated_rate: u32,
    /// Flow samples, and the packets from among which they were taken, of about the last hour.
    pub samples: u64,
    /// See `samples`.
    pub pool: u64,
    /// Octets by the interface's counters beside those of the samples.
    pub octets: Option<Octets>,
}

/// What passed an interface between two of its counter samples, at most an hour or so apart: `[in, out]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Octets {
    /// Unix milliseconds of the first counter sample.
    pub since_ms: u64,
    /// Unix milliseconds of the last one.
    pub until_ms: u64,
    /// By the counters ifInOctets and ifOutOctets.
    pub counted: [u64; 2],
    /// Bytes of the sampled frames, each multiplied by its rate.
    pub sampled: [u64; 2],
}

impl InterfaceReport {
    /// How many packets stand behind each sample, by the agent's own count; none while it is too little to tell.
    pub fn effective_rate(&self) -> Option<f64> {
        (self.samples >= ENOUGH && self.pool > 0).then(|| self.pool as f64 / self.samples as f64)
    }

    /// Whether the effective rate is another one than the stated.
    pub fn rate_differs(&self) -> bool {
        let stated = f64::from(self.stated_rate);
        self.effective_rate().is_some_and(|rate| rate > stated * FACTOR || rate * FACTOR < stated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_differs_only_when_enough_samples_say_so() {
        let report =
            |stated_rate, samples, pool| InterfaceReport { stated_rate, samples, pool, ..Default::default() };
        let seen = |report: InterfaceReport| (report.effective_rate(), report.rate_differs());
        assert_eq!(seen(report(512, 1000, 512_000)), (Some(512.0), false));
        assert_eq!(seen(report(512, 1000, 700_000)), (Some(700.0), false));
        assert_eq!(seen(report(512, 1000, 1_024_000)), (Some(1024.0), true));
        assert_eq!(seen(report(512, 1000, 256_000)), (Some(256.0), true));
        assert_eq!(seen(report(512, 99, 256_000)), (None, false));
        assert_eq!(seen(report(512, 1000, 0)), (None, false), "the agent does not count");
        assert_eq!(seen(report(0, 1000, 1000)), (Some(1.0), true));
    }
}

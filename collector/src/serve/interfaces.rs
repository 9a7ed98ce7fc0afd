//! What sFlow agents tell of their interfaces, and whether their samples agree with it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::slot::{InterfaceReport, Octets};

/// One data source of an sFlow agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Interface {
    /// What `index` counts: 0 interfaces (it is an ifIndex), 1 VLANs, 2 physical entities, 3 logical ones.
    pub class: u32,
    /// Which of them.
    pub index: u32,
    /// Its name, or that of the host that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Bits per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<u64>,
    /// Whether it is up as configured (ifAdminStatus).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_up: Option<bool>,
    /// Whether it is up in fact (ifOperStatus).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oper_up: Option<bool>,
    /// Unix ms of its last sample.
    pub last_seen: u64,
    /// The sampling rate that its last flow sample stated; 0: none.
    pub stated_rate: u32,
    /// Packets behind each sample by the agent's own count, over about the last hour; absent while fewer than 100
    /// samples tell, and where the agent does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_rate: Option<f64>,
    /// The two rates differ by more than half: scaled numbers of this interface are wrong by as much.
    pub rate_differs: bool,
    /// What the counters say beside the scaled samples; absent before two counter samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub octets: Option<OctetsBeside>,
}

/// Octets of an interface between two of its counter samples, at most about an hour apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OctetsBeside {
    /// Unix ms of the first counter sample.
    pub since: u64,
    /// Unix ms of the last one.
    pub until: u64,
    /// Received, by the counter.
    pub counted_in: u64,
    /// Received, by the samples: frame lengths times the rate.
    pub sampled_in: u64,
    /// Sent, by the counter.
    pub counted_out: u64,
    /// Sent, by the samples; 0 where packets are only sampled as they come in.
    pub sampled_out: u64,
}

impl From<InterfaceReport> for Interface {
    fn from(report: InterfaceReport) -> Self {
        Self {
            effective_rate: report.effective_rate(),
            rate_differs: report.rate_differs(),
            class: report.class,
            index: report.index,
            name: report.name,
            speed: report.speed,
            admin_up: report.up.map(|[admin, _]| admin),
            oper_up: report.up.map(|[_, oper]| oper),
            last_seen: report.last_seen_ms,
            stated_rate: report.stated_rate,
            octets: report.octets.map(OctetsBeside::from),
        }
    }
}

impl From<Octets> for OctetsBeside {
    fn from(octets: Octets) -> Self {
        let Octets { since_ms: since, until_ms: until, counted, sampled } = octets;
        let ([counted_in, counted_out], [sampled_in, sampled_out]) = (counted, sampled);
        Self { since, until, counted_in, sampled_in, counted_out, sampled_out }
    }
}

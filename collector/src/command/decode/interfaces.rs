//! The interfaces of sFlow agents, as `weir decode --counters` shows them.

use serde::Serialize;

use crate::slot::{InterfaceReport, Octets};

/// One data source of an agent.
#[derive(Serialize)]
pub(super) struct Interface<'a> {
    class: u32,
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    admin_up: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oper_up: Option<bool>,
    stated_rate: u32,
    samples: u64,
    pool: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    rate_differs: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    octets: Option<Octets>,
}

/// Them, by class and index.
pub(super) fn shown(reports: &[InterfaceReport]) -> Vec<Interface<'_>> {
    let mut reports: Vec<&InterfaceReport> = reports.iter().collect();
    reports.sort_by_key(|report| (report.class, report.index));
    reports.into_iter().map(Interface::new).collect()
}

impl<'a> Interface<'a> {
    fn new(report: &'a InterfaceReport) -> Self {
        Self {
            class: report.class,
            index: report.index,
            name: report.name.as_deref(),
            speed: report.speed,
            admin_up: report.up.map(|[admin, _]| admin),
            oper_up: report.up.map(|[_, oper]| oper),
            stated_rate: report.stated_rate,
            samples: report.samples,
            pool: report.pool,
            rate_differs: report.rate_differs(),
            octets: report.octets,
        }
    }
}

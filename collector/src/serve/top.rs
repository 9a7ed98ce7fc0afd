//! Top-N tables of a profile's channels.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameters::Parameters;
use super::problem::Problem;
use super::profiles::Profile;
use crate::aggregate::view::{ReadError, TopQuery, TopTable};

/// Without `from` the last hour is answered.
const USUAL_SPAN_MS: u64 = 3_600_000;

pub(super) const PARAMETERS: &[&str] = &["channel", "element", "order", "from", "to", "limit"];

/// The largest keys of a channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TopAnswer {
    /// Unix ms of the first window's start.
    pub from: u64,
    /// Unix ms of the last window's end.
    pub to: u64,
    /// The channel.
    pub channel: String,
    /// What the keys are.
    pub element: String,
    /// By what they are ranked.
    pub order: String,
    /// The largest first.
    pub rows: Vec<Row>,
    /// A key that is not listed has at most this sum.
    pub absent: u64,
    /// The sum over all keys.
    pub total: u64,
    /// Whether the bounds separate the ranks: these are the largest, in this order.
    pub exact: bool,
}

/// One key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Row {
    /// An address, a port, a protocol ...
    pub key: String,
    /// Its sum is at least this.
    pub lower: u64,
    /// Its sum is at most this.
    pub upper: u64,
}

/// Reads the question. Order and size are the profile's where they are not given; what it does not keep, the reader
/// refuses.
pub(super) fn question(given: &Parameters, profile: &Profile, now_ms: u64) -> Result<TopQuery, Problem> {
    let (from_ms, to_ms) = given.window(now_ms, USUAL_SPAN_MS)?;
    if profile.top.is_empty() {
        let advice = if profile.built_in { "ask for another profile" } else { "add spec.top to the profile" };
        return Err(Problem::not_found(format!("{} keeps no top-N tables; {advice}", profile.name)));
    }
    let channel = given.needed("channel", "the name of one channel")?;
    let elements: Vec<&str> = profile.top.iter().map(|top| top.element.as_str()).collect();
    let element = given.needed("element", &format!("one of {}", elements.join(", ")))?;
    let kept = profile.top.iter().find(|top| top.element == element);
    let first = kept.and_then(|top| top.orders.first()).map_or("bytes", String::as_str);
    let size = kept.map_or(1, |top| top.size);
    Ok(TopQuery {
        profile: profile.name.clone(),
        channel: channel.to_owned(),
        element: element.to_owned(),
        order: given.text("order").unwrap_or(first).to_owned(),
        from_ms,
        to_ms,
        limit: limit(size, given.number("limit")?)?,
    })
}

fn limit(size: u32, given: Option<u64>) -> Result<usize, Problem> {
    match given {
        None => Ok(size as usize),
        Some(limit) if (1..=u64::from(size)).contains(&limit) => Ok(limit as usize),
        Some(limit) => {
            let detail = format!("limit={limit} is not from 1 to {size}, the size of this table");
            Err(Problem::parameter("limit", detail))
        }
    }
}

/// Here a channel is asked for by `channel`, not by a list.
pub(super) fn refused(error: ReadError) -> Problem {
    let name = if matches!(error, ReadError::Channel { .. }) { Some("channel".to_owned()) } else { None };
    let problem = Problem::from(error);
    Problem { parameter: name.or(problem.parameter.clone()), ..problem }
}

impl TopAnswer {
    pub(super) fn new(table: TopTable, query: TopQuery) -> Self {
        let rows = table.rows.into_iter().map(|row| Row { key: row.key, lower: row.lower, upper: row.upper });
        Self {
            from: table.from_ms,
            to: table.to_ms,
            channel: query.channel,
            element: query.element,
            order: query.order,
            rows: rows.collect(),
            absent: table.absent,
            total: table.total,
            exact: table.exact,
        }
    }
}

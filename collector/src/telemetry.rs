//! What the programs tell about themselves: logs, metrics, health.
//!
//! * [`LogOptions`]: the two flags of every program, and the subscriber that they set up.
//! * [`Metric`] and [`Metrics`]: every metric name in one table, and the values behind it. Stages count in plain
//!   fields of their own and hand the sums over at a cut; nothing here is on the path of a flow.
//! * [`Repeated`]: an error is fatal, or it is counted and said at most once an interval.
//! * [`Health`]: what has started and what fails, for `/readyz` and for `weir health`.

mod health;
mod logs;
mod metrics;
mod repeated;
mod table;

pub use health::{Check, CheckState, Health, HealthError, Report, SOCKET_NAME, ask};
pub use logs::{LogError, LogFormat, LogOptions};
pub use metrics::{Metrics, Sample, Values};
pub use repeated::Repeated;
pub use table::{Kind, Metric};

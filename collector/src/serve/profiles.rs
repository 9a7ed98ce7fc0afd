//! Which profiles there are: what the configuration in force says, and what they hold.

use std::collections::BTreeMap;

use crds::config::{ProfileConfig, Sign};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::aggregate::view::ProfileUsage;

pub use crate::slot::LIVE;

/// All profiles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProfileList {
    /// `live` first, then as configured.
    pub profiles: Vec<Profile>,
}

/// One profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// `namespace/name`, or `live`: what follows `/api/v1/profiles/` in its address.
    pub name: String,
    /// What people read.
    pub display_name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// The group under which it is listed; may be empty.
    pub group: String,
    /// Made by Weir itself, not by a FlowProfile.
    pub built_in: bool,
    /// In stack order.
    pub channels: Vec<Channel>,
    /// The top-N tables that are kept for each channel.
    pub top: Vec<Top>,
}

/// One channel of a profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Channel {
    /// Unique in its profile.
    pub name: String,
    /// `#RRGGBB`.
    pub color: String,
    /// `+` is drawn above the axis, `-` below.
    pub sign: String,
    /// Place in the stack, 1 first.
    pub order: u32,
    /// The filter in nfdump's language; empty: every flow.
    pub filter: String,
    /// The sources that it counts; empty: all.
    pub sources: Vec<String>,
}

/// A top-N table that is kept for each channel of a profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Top {
    /// nfdump's name of the element: `srcip`, `dstport`, `proto` ...
    pub element: String,
    /// By what it is ranked: `flows`, `packets`, `bytes`.
    pub orders: Vec<String>,
    /// How many rows are kept.
    pub size: u32,
}

/// One profile with what it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProfileDetail {
    /// What it is.
    #[serde(flatten)]
    pub profile: Profile,
    /// What it holds.
    pub usage: Usage,
}

/// What a profile occupies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// Unix ms of its first data; absent while there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<u64>,
    /// Unix ms of the end of its newest data; absent while there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<u64>,
    /// Bytes of its series on disk.
    pub bytes: u64,
    /// The same for each channel that has data.
    pub channels: BTreeMap<String, ChannelUsage>,
}

/// What a channel occupies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChannelUsage {
    /// Unix ms of its first data.
    pub start: u64,
    /// Unix ms of the end of its newest data.
    pub end: u64,
}

impl From<ProfileConfig> for Profile {
    fn from(config: ProfileConfig) -> Self {
        let channels = config.channels.into_iter().map(|channel| Channel {
            name: channel.name,
            color: channel.color,
            sign: if channel.sign == Sign::Plus { "+" } else { "-" }.to_owned(),
            order: channel.order,
            filter: channel.filter,
            sources: channel.sources,
        });
        let top = config.top.into_iter().map(|top| Top {
            element: top.element,
            orders: top.orders.iter().map(|order| order.name().to_owned()).collect(),
            size: top.size,
        });
        Self {
            built_in: config.name == LIVE,
            name: config.name,
            display_name: config.display_name,
            description: config.description,
            group: config.group,
            channels: channels.collect(),
            top: top.collect(),
        }
    }
}

impl From<ProfileUsage> for Usage {
    fn from(usage: ProfileUsage) -> Self {
        let channel = |(name, start, end)| (name, ChannelUsage { start, end });
        Self {
            start: usage.start_ms,
            end: usage.end_ms,
            bytes: usage.bytes,
            channels: usage.channels.into_iter().map(channel).collect(),
        }
    }
}

//! Names as numbers: profiles, channels, sources, plans; and which series there are, up to a bound.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;
use redb::{ReadTransaction, ReadableTable, WriteTransaction};

use super::cover::Plans;
use super::grid;
use super::store::{META, NAMES, StoreError};
use crate::slot::ChannelKey;

/// Channels whose rows share one stored value: reading one channel does not unpack a whole profile.
const CHANNELS_A_PART: u32 = 64;
const SOURCES: usize = 4_096;
const REFUSED_NAMES: usize = 100;

/// What an id stands for; the order is the stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Profile,
    Channel,
    Source,
    Plan,
}

/// A channel that data came for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Channel {
    /// Its profile's id.
    pub(super) profile: u32,
    /// Its name.
    pub(super) name: String,
    /// Unix ms of its first slot.
    pub(super) first_ms: u64,
    /// Unix ms of the end of its last slot.
    pub(super) end_ms: u64,
}

/// What was refused because a bound was reached.
#[derive(Clone, Debug, Default)]
pub(super) struct Refused {
    /// Rows left out.
    pub(super) rows: u64,
    /// The first names, as `profile/channel/source`.
    pub(super) names: BTreeSet<String>,
}

/// All names, and the series.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    profiles: Ids<String>,
    sources: Ids<String>,
    plans: Ids<Vec<u32>>,
    channels: BTreeMap<u32, Channel>,
    by_channel: HashMap<(u32, String), u32>,
    next_channel: u32,
    /// (channel, source) to the end of its last slot.
    series: HashMap<(u32, u32), u64>,
    fresh: Vec<(Kind, u32)>,
    /// What was refused.
    pub(super) refused: Refused,
}

#[derive(Clone, Debug)]
struct Ids<T> {
    by_value: HashMap<T, u32>,
    by_id: BTreeMap<u32, T>,
}

impl<T> Default for Ids<T> {
    fn default() -> Self {
        Self { by_value: HashMap::default(), by_id: BTreeMap::new() }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Ids<T> {
    fn put(&mut self, id: u32, value: T) {
        self.by_value.insert(value.clone(), id);
        self.by_id.insert(id, value);
    }

    /// The id, and whether it is new.
    fn get_or_make(&mut self, value: &T) -> (u32, bool) {
        if let Some(id) = self.by_value.get(value) {
            return (*id, false);
        }
        let id = self.by_id.last_key_value().map_or(0, |(id, _)| id + 1);
        self.put(id, value.clone());
        (id, true)
    }
}

impl Names {
    /// The part under which a channel's rows are stored: profile in the upper half.
    pub(super) fn part(&self, channel: u32) -> u64 {
        let profile = self.channels.get(&channel).map_or(u32::MAX, |c| c.profile);
        u64::from(profile) << 32 | u64::from(channel / CHANNELS_A_PART)
    }

    /// A profile's id.
    pub(super) fn profile_id(&self, name: &str) -> Option<u32> {
        self.profiles.by_value.get(name).copied()
    }

    /// A channel's id.
    pub(super) fn channel_id(&self, profile: &str, channel: &str) -> Option<u32> {
        let profile = self.profile_id(profile)?;
        self.by_channel.get(&(profile, channel.to_owned())).copied()
    }

    /// A profile's channels in the order in which they were first seen.
    pub(super) fn channels_of(&self, profile: &str) -> impl Iterator<Item = (u32, &Channel)> {
        let profile = self.profile_id(profile);
        self.channels.iter().filter(move |(_, c)| Some(c.profile) == profile).map(|(id, c)| (*id, c))
    }

    /// Every channel.
    pub(super) fn channels(&self) -> impl Iterator<Item = (u32, &Channel)> {
        self.channels.iter().map(|(id, channel)| (*id, channel))
    }

    /// A source's id.
    pub(super) fn source_id(&self, name: &str) -> Option<u32> {
        self.sources.by_value.get(name).copied()
    }

    /// A source's name.
    pub(super) fn source_name(&self, id: u32) -> Option<&str> {
        self.sources.by_id.get(&id).map(String::as_str)
    }

    /// The channels that each plan counted.
    pub(super) fn plans(&self) -> &Plans {
        &self.plans.by_id
    }

    /// Whether anything was counted for a channel while its raw slots are kept.
    pub(super) fn has_series(&self, channel: u32) -> bool {
        self.series.keys().any(|(held, _)| *held == channel)
    }

    /// How many series are kept.
    pub(super) fn series(&self) -> usize {
        self.series.len()
    }

    /// The id of a channel, made when there is room for one more.
    pub(super) fn channel(&mut self, key: &ChannelKey, limit: usize) -> Option<u32> {
        if let Some(id) = self.channel_id(&key.profile, &key.channel) {
            return Some(id);
        }
        if self.channels.len() >= limit {
            self.refuse(&format!("{}/{}", key.profile, key.channel));
            return None;
        }
        let (profile, new) = self.profiles.get_or_make(&key.profile);
        if new {
            self.fresh.push((Kind::Profile, profile));
        }
        let id = self.next_channel;
        self.put_channel(id, Channel { profile, name: key.channel.clone(), first_ms: u64::MAX, end_ms: 0 });
        self.fresh.push((Kind::Channel, id));
        Some(id)
    }

    fn put_channel(&mut self, id: u32, channel: Channel) {
        self.by_channel.insert((channel.profile, channel.name.clone()), id);
        self.channels.insert(id, channel);
        self.next_channel = self.next_channel.max(id + 1);
    }

    /// The id of a source, made when there is room for one more.
    pub(super) fn source(&mut self, name: &str) -> Option<u32> {
        if let Some(id) = self.sources.by_value.get(name) {
            return Some(*id);
        }
        if self.sources.by_id.len() >= SOURCES {
            self.refuse(&format!("source {name}"));
            return None;
        }
        let (id, _) = self.sources.get_or_make(&name.to_owned());
        self.fresh.push((Kind::Source, id));
        Some(id)
    }

    /// The id of a set of channels.
    pub(super) fn plan_id(&mut self, mut channels: Vec<u32>) -> u32 {
        channels.sort_unstable();
        channels.dedup();
        let (id, new) = self.plans.get_or_make(&channels);
        if new {
            self.fresh.push((Kind::Plan, id));
        }
        id
    }

    /// Whether a series may take a row that ends at `end_ms`; makes it when there is room.
    pub(super) fn admit(&mut self, channel: u32, source: u32, end_ms: u64, limit: usize) -> bool {
        let room = self.series.len() < limit;
        match self.series.entry((channel, source)) {
            std::collections::hash_map::Entry::Occupied(mut last) => {
                *last.get_mut() = end_ms.max(*last.get());
                return true;
            }
            std::collections::hash_map::Entry::Vacant(place) if room => {
                place.insert(end_ms);
                return true;
            }
            std::collections::hash_map::Entry::Vacant(_) => {}
        }
        let title = self.title(channel, source);
        self.refuse(&title);
        false
    }

    fn title(&self, channel: u32, source: u32) -> String {
        let channel = self.channels.get(&channel);
        let profile = channel.and_then(|c| self.profiles.by_id.get(&c.profile)).map_or("", String::as_str);
        let source = self.sources.by_id.get(&source).map_or("", String::as_str);
        format!("{profile}/{}/{source}", channel.map_or("", |c| &c.name))
    }

    fn refuse(&mut self, name: &str) {
        self.refused.rows += 1;
        if self.refused.names.len() < REFUSED_NAMES && self.refused.names.insert(name.to_owned()) {
            tracing::warn!(series = name, "not kept: the limit of series is reached");
        }
    }

    /// Notes that a channel was collected in a slot.
    pub(super) fn seen(&mut self, channel: u32, start_ms: u64, end_ms: u64) {
        if let Some(channel) = self.channels.get_mut(&channel) {
            channel.first_ms = channel.first_ms.min(start_ms);
            channel.end_ms = channel.end_ms.max(end_ms);
        }
    }

    /// Channels all of whose data are older than `oldest_ms`.
    pub(super) fn expired(&self, oldest_ms: u64) -> Vec<u32> {
        self.channels.iter().filter(|(_, c)| c.end_ms <= oldest_ms).map(|(id, _)| *id).collect()
    }

    /// Gives up series last seen before `active_ms`, and channels.
    pub(super) fn remove(&mut self, active_ms: u64, channels: &[u32]) {
        self.series.retain(|_, end| *end > active_ms);
        for id in channels {
            if let Some(channel) = self.channels.remove(id) {
                self.by_channel.remove(&(channel.profile, channel.name));
            }
        }
    }

    /// Reads everything.
    pub(super) fn load(transaction: &ReadTransaction) -> Result<Self, StoreError> {
        let mut names = Self::default();
        for entry in transaction.open_table(NAMES)?.iter()? {
            let (key, value) = entry?;
            let (kind, id) = key.value();
            match kind {
                0 => names.profiles.put(id, postcard::from_bytes(value.value())?),
                1 => {
                    let (profile, name) = postcard::from_bytes(value.value())?;
                    names.put_channel(id, Channel { profile, name, first_ms: u64::MAX, end_ms: 0 });
                }
                2 => names.sources.put(id, postcard::from_bytes(value.value())?),
                3 => names.plans.put(id, postcard::from_bytes(value.value())?),
                other => return Err(StoreError::Damaged(format!("a name of kind {other}"))),
            }
        }
        names.load_spans(transaction)?;
        Ok(names)
    }

    fn load_spans(&mut self, transaction: &ReadTransaction) -> Result<(), StoreError> {
        let meta = transaction.open_table(META)?;
        if let Some(value) = meta.get("channels")? {
            let columns = grid::decode(value.value(), 3)?;
            for ((id, first), end) in columns[0].iter().zip(&columns[1]).zip(&columns[2]) {
                if let Some(channel) = self.channels.get_mut(&(*id as u32)) {
                    (channel.first_ms, channel.end_ms) = (*first, *end);
                }
            }
        }
        if let Some(value) = meta.get("series")? {
            let columns = grid::decode(value.value(), 3)?;
            for ((channel, source), end) in columns[0].iter().zip(&columns[1]).zip(&columns[2]) {
                self.series.insert((*channel as u32, *source as u32), *end);
            }
        }
        Ok(())
    }

    /// Writes what is new.
    pub(super) fn save(&self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        let mut table = transaction.open_table(NAMES)?;
        for (kind, id) in &self.fresh {
            let value = match kind {
                Kind::Profile => postcard::to_stdvec(&self.profiles.by_id.get(id))?,
                Kind::Source => postcard::to_stdvec(&self.sources.by_id.get(id))?,
                Kind::Plan => postcard::to_stdvec(&self.plans.by_id.get(id))?,
                Kind::Channel => postcard::to_stdvec(&self.channels.get(id).map(|c| (c.profile, &c.name)))?,
            };
            // An Option's first byte says that it is there.
            match value.split_first() {
                Some((1, value)) => table.insert((*kind as u8, *id), value)?,
                _ => None,
            };
        }
        drop(table);
        self.save_spans(transaction)
    }

    fn save_spans(&self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        let mut meta = transaction.open_table(META)?;
        let channels = [
            self.channels.keys().map(|id| u64::from(*id)).collect(),
            self.channels.values().map(|c| c.first_ms).collect(),
            self.channels.values().map(|c| c.end_ms).collect(),
        ];
        meta.insert("channels", grid::encode(&channels).as_slice())?;
        let mut series: Vec<_> = self.series.iter().collect();
        series.sort_unstable();
        let series = [
            series.iter().map(|((channel, _), _)| u64::from(*channel)).collect(),
            series.iter().map(|((_, source), _)| u64::from(*source)).collect(),
            series.iter().map(|(_, end)| **end).collect(),
        ];
        meta.insert("series", grid::encode(&series).as_slice())?;
        Ok(())
    }

    /// Removes expired channels from the store.
    pub(super) fn forget(transaction: &WriteTransaction, channels: &[u32]) -> Result<(), StoreError> {
        let mut table = transaction.open_table(NAMES)?;
        for id in channels {
            table.remove((Kind::Channel as u8, *id))?;
        }
        Ok(())
    }

    /// Everything new has been made durable.
    pub(super) fn saved(&mut self) {
        self.fresh.clear();
    }
}

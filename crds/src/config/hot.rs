//! The hot plane: what edges and aggregator take over without a restart, as four ConfigMaps carry it.
//!
//! A profile or target lies in one of four shards, by its UID, under a key of its own, as plain YAML: only the shard that changed
//! is written, and `kubectl get configmap -o yaml` shows the filters. Shard 0 also holds `sources.yaml` and
//! `index.yaml`, which names the hashes of all shards: a reader that sees shards of different writings waits for the
//! rest. A shard whose texts pass 64 KiB holds them compressed (gzip, RFC 1952) under the same keys with `.gz`.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::target::TargetConfig;
use super::{CONFIG_VERSION, ProfileConfig, SourceConfig};

/// How many ConfigMaps carry the hot plane.
pub const SHARDS: usize = 4;
/// A shard with more text than this is compressed.
const PLAIN_BYTES: usize = 64 << 10;
/// A shard is no larger; a ConfigMap may have 1 MiB in all.
const SHARD_BYTES: usize = 900 << 10;
/// No text is larger once unpacked.
const TEXT_BYTES: u64 = 16 << 20;
const INDEX: &str = "index.yaml";
const SOURCES: &str = "sources.yaml";
/// What a target's key begins with; no namespace has an underscore.
const TARGET: &str = "export_target.";

/// A profile as it is sent, with what the acknowledgement names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HotProfile {
    /// UID of the FlowProfile: chooses the shard.
    pub uid: String,
    /// Generation of the FlowProfile that was rendered.
    pub generation: i64,
    /// What runs.
    pub profile: ProfileConfig,
}

/// A target as it is sent, with what the acknowledgement names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HotTarget {
    /// UID of the ExportTarget: chooses the shard.
    pub uid: String,
    /// Generation of the ExportTarget that was rendered.
    pub generation: i64,
    /// What runs.
    pub target: TargetConfig,
}

/// Everything that is hot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hot {
    /// `namespace/name` of the FlowCollector.
    pub collector: String,
    /// Exporters by name.
    pub sources: Vec<SourceConfig>,
    /// Sorted by name.
    pub profiles: Vec<HotProfile>,
    /// Sorted by name.
    pub targets: Vec<HotTarget>,
}

/// What one ConfigMap holds: `data` and `binaryData`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shard {
    /// Plain YAML by key.
    pub data: BTreeMap<String, String>,
    /// Compressed YAML by key.
    pub binary: BTreeMap<String, Vec<u8>>,
}

/// The key that says which writings belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Index {
    version: String,
    collector: String,
    shards: [String; SHARDS],
}

/// Why shards are no configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HotError {
    /// Another writing is under way: look again when a shard changes.
    #[error("shard {0} is of another writing")]
    Mixed(usize),
    /// Nothing was written yet.
    #[error("the hot configuration has no index.yaml yet")]
    Absent,
    /// Written by a program of another version.
    #[error("the hot configuration is of version {0:?}; this program reads {CONFIG_VERSION:?}")]
    Version(String),
    /// A text that cannot be read.
    #[error("{key} of the hot configuration: {reason}")]
    Form {
        /// The key.
        key: String,
        /// What does not fit.
        reason: String,
    },
}

/// More than four ConfigMaps hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the profiles of one collector do not fit: shard {shard} would have {bytes} bytes, {SHARD_BYTES} are allowed"
)]
pub struct Full {
    /// The shard.
    pub shard: usize,
    /// How large it would be.
    pub bytes: usize,
}

/// The hash by which a rendered profile is acknowledged.
///
/// # Panics
/// Never: a profile is plain data.
pub fn profile_hash(profile: &ProfileConfig) -> String {
    hex(xxh3_64(yaml(profile).as_bytes()))
}

/// Which shard a profile lies in.
pub fn shard_of(uid: &str) -> usize {
    usize::try_from(xxh3_64(uid.as_bytes()) % SHARDS as u64).unwrap_or_default()
}

/// Distributes over the shards. The same input gives the same bytes.
///
/// # Errors
/// When a shard would be too large for a ConfigMap.
pub fn split(hot: &Hot) -> Result<[Shard; SHARDS], Full> {
    let mut texts: [BTreeMap<String, String>; SHARDS] = Default::default();
    texts[0].insert(SOURCES.to_owned(), yaml(&hot.sources));
    for profile in &hot.profiles {
        let key = format!("{}.yaml", profile.profile.name.replace('/', "."));
        texts[shard_of(&profile.uid)].insert(key, yaml(profile));
    }
    for target in &hot.targets {
        let key = format!("{TARGET}{}.yaml", target.target.name.replace('/', "."));
        texts[shard_of(&target.uid)].insert(key, yaml(target));
    }
    let mut shards: [Shard; SHARDS] = texts.map(packed);
    let index = Index {
        version: CONFIG_VERSION.to_owned(),
        collector: hot.collector.clone(),
        shards: std::array::from_fn(|shard| shards[shard].hash()),
    };
    shards[0].data.insert(INDEX.to_owned(), yaml(&index));
    for (shard, content) in shards.iter().enumerate() {
        let bytes = content.bytes();
        if bytes > SHARD_BYTES {
            return Err(Full { shard, bytes });
        }
    }
    Ok(shards)
}

/// Puts the shards together again, with the hash of the whole ([`crate::fleet::Running::hot`]).
///
/// # Errors
/// When they are of different writings, absent, of another version, or not of the form.
pub fn join(shards: &[Shard; SHARDS]) -> Result<(Hot, String), HotError> {
    let text = shards[0].data.get(INDEX).ok_or(HotError::Absent)?;
    let index: Index = read(INDEX, text)?;
    if index.version != CONFIG_VERSION {
        return Err(HotError::Version(index.version));
    }
    if let Some(shard) = (0..SHARDS).find(|&shard| shards[shard].hash() != index.shards[shard]) {
        return Err(HotError::Mixed(shard));
    }
    let mut hot = Hot { collector: index.collector, ..Hot::default() };
    for shard in shards {
        for (key, text) in shard.texts()? {
            match key.as_str() {
                INDEX => {}
                SOURCES => hot.sources = read(&key, &text)?,
                target if target.starts_with(TARGET) => hot.targets.push(read(&key, &text)?),
                _ => hot.profiles.push(read(&key, &text)?),
            }
        }
    }
    hot.profiles.sort_by(|a, b| a.profile.name.cmp(&b.profile.name));
    hot.targets.sort_by(|a, b| a.target.name.cmp(&b.target.name));
    Ok((hot, hex(xxh3_64(text.as_bytes()))))
}

impl Shard {
    /// Over everything but the index.
    fn hash(&self) -> String {
        let mut hash = Xxh3::new();
        let plain = self.data.iter().filter(|(key, _)| *key != INDEX).map(|(k, v)| (k, v.as_bytes()));
        for (key, value) in plain.chain(self.binary.iter().map(|(k, v)| (k, v.as_slice()))) {
            for part in [key.as_bytes(), value] {
                hash.update(&part.len().to_le_bytes());
                hash.update(part);
            }
        }
        hex(hash.digest())
    }

    fn bytes(&self) -> usize {
        let plain = self.data.iter().map(|(key, text)| key.len() + text.len());
        plain.chain(self.binary.iter().map(|(key, packed)| key.len() + packed.len())).sum()
    }

    fn texts(&self) -> Result<Vec<(String, String)>, HotError> {
        let mut texts: Vec<_> = self.data.iter().map(|(key, text)| (key.clone(), text.clone())).collect();
        for (key, packed) in &self.binary {
            let mut text = String::new();
            let unpacked = GzDecoder::new(packed.as_slice()).take(TEXT_BYTES).read_to_string(&mut text);
            unpacked.map_err(|error| HotError::Form { key: key.clone(), reason: error.to_string() })?;
            texts.push((key.trim_end_matches(".gz").to_owned(), text));
        }
        Ok(texts)
    }
}

fn packed(texts: BTreeMap<String, String>) -> Shard {
    if texts.values().map(String::len).sum::<usize>() <= PLAIN_BYTES {
        return Shard { data: texts, binary: BTreeMap::new() };
    }
    let binary = texts.into_iter().map(|(key, text)| (format!("{key}.gz"), gzip(&text))).collect();
    Shard { data: BTreeMap::new(), binary }
}

/// The header carries no time: the same text gives the same bytes.
#[allow(clippy::expect_used, reason = "a Vec takes what is written")]
fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).expect("a Vec takes what is written");
    encoder.finish().expect("a Vec takes what is written")
}

#[allow(clippy::expect_used, reason = "a configuration is plain data")]
fn yaml<T: Serialize>(value: &T) -> String {
    serde_yaml::to_string(value).expect("a configuration is plain data")
}

fn read<T: DeserializeOwned>(key: &str, text: &str) -> Result<T, HotError> {
    serde_yaml::from_str(text)
        .map_err(|error| HotError::Form { key: key.to_owned(), reason: error.to_string() })
}

fn hex(hash: u64) -> String {
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(index: usize) -> HotTarget {
        let text = format!(
            "{{name: target/t{index}, export: {{type: Replicate, oneIn: 1, destinations: [{{address: 192.0.2.1, port: 2055}}]}}}}"
        );
        HotTarget {
            uid: format!("uid-t{index}"),
            generation: 1,
            target: serde_yaml::from_str(&text).unwrap(),
        }
    }

    fn hot(count: usize, filter: &str) -> Hot {
        let profile = |index: usize| {
            HotProfile {
            uid: format!("uid-{index}"),
            generation: 3,
            profile: serde_yaml::from_str(&format!(
                "{{name: net/p{index:04}, displayName: p, channels: [{{name: a, filter: {filter:?}, color: '#000000', order: 1}}]}}"
            ))
            .unwrap(),
        }
        };
        Hot {
            collector: "net/zone1".to_owned(),
            sources: Vec::new(),
            profiles: (0..count).map(profile).collect(),
            targets: (0..count.min(3)).map(target).collect(),
        }
    }

    #[test]
    fn what_was_split_joins_to_the_same_plain_or_compressed() {
        for (count, compressed) in [(0, false), (9, false), (900, true)] {
            let hot = hot(count, &"port 80 or ".repeat(40));
            let shards = split(&hot).unwrap();
            assert_eq!(!shards[1].binary.is_empty(), compressed, "{count}");
            assert_eq!(join(&shards).unwrap().0, hot);
        }
    }

    #[test]
    fn a_changed_profile_changes_its_shard_and_the_index_alone_and_half_a_writing_waits() {
        let before = split(&hot(40, "port 80")).unwrap();
        let mut changed = hot(40, "port 80");
        let profile = changed.profiles.iter_mut().find(|profile| shard_of(&profile.uid) == 2).unwrap();
        profile.generation = 4;
        let after = split(&changed).unwrap();
        let same: Vec<bool> = (0..SHARDS).map(|shard| before[shard] == after[shard]).collect();
        assert_eq!(same, [false, true, false, true]);
        let [first, _, third, _] = &after;
        let half = [first.clone(), before[1].clone(), before[2].clone(), before[3].clone()];
        assert_eq!(join(&half), Err(HotError::Mixed(2)));
        let other = [before[0].clone(), before[1].clone(), third.clone(), before[3].clone()];
        assert_eq!(join(&other), Err(HotError::Mixed(2)));
        assert_eq!(join(&Default::default()), Err(HotError::Absent));
    }

    #[test]
    fn what_four_config_maps_cannot_hold_is_refused_with_its_size() {
        // Filters that do not compress: the numbers are a pseudorandom walk.
        let mut state = 1_u64;
        let mut filter = || {
            (0..16_000 / 20).fold(String::new(), |text, _| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                format!("{text}{state:020} ")
            })
        };
        let mut hot = hot(700, "any");
        for profile in &mut hot.profiles {
            profile.profile.channels[0].filter = filter();
        }
        assert!(split(&hot).unwrap_err().bytes > SHARD_BYTES);
    }
}

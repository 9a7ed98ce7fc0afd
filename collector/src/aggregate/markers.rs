//! What a new configuration changes: the filter of a channel leaves a marker in its graph.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::store::{MARKERS, META, StoreError};
use super::{Shared, read};
use crds::config::AggregatorConfig;

/// What a channel counts: its filter and its sources.
type Meaning = BTreeMap<(String, String), (String, Vec<String>)>;

/// Takes a configuration, and notes which channels count something else from now on.
pub(super) fn configure(shared: &Shared, config: AggregatorConfig) {
    let meaning = meaning_of(&config);
    shared.config.store(Arc::new(config));
    if let Err(error) = note(shared, &meaning) {
        tracing::error!(%error, "could not note which filters changed");
    }
}

fn meaning_of(config: &AggregatorConfig) -> Meaning {
    let channels = config.profiles.iter().flat_map(|p| p.channels.iter().map(move |c| (p, c)));
    channels.map(|(p, c)| ((p.name.clone(), c.name.clone()), (c.filter.clone(), c.sources.clone()))).collect()
}

fn note(shared: &Shared, meaning: &Meaning) -> Result<(), StoreError> {
    let before: Meaning = {
        let meta = shared.store.read()?.open_table(META)?;
        let value = meta.get("meaning")?;
        value.map(|value| postcard::from_bytes(value.value())).transpose()?.unwrap_or_default()
    };
    if meaning.iter().all(|(key, now)| before.get(key) == Some(now)) {
        return Ok(());
    }
    let changed: Vec<u32> = {
        let state = read(&shared.state);
        let changed = meaning.iter().filter(|(key, now)| before.get(*key).is_some_and(|then| then != *now));
        changed.filter_map(|((profile, channel), _)| state.names.channel_id(profile, channel)).collect()
    };
    let now_ms = (shared.clock)();
    shared.store.write(|transaction| {
        let mut markers = transaction.open_table(MARKERS)?;
        for channel in changed {
            markers.insert((now_ms, channel), ())?;
        }
        // A removed channel keeps its meaning: the same name again continues it.
        let mut all = before;
        all.extend(meaning.clone());
        let mut meta = transaction.open_table(META)?;
        meta.insert("meaning", postcard::to_stdvec(&all)?.as_slice())?;
        Ok(())
    })
}

//! The hot configuration: the newest complete one, from wherever it can be had.
//!
//! In a cluster the API tells of changes at once (`watch`); the mounted files (`mount`) are there at a cold start,
//! and while the API cannot be reached; what ran last is kept on disk (`kept`), so that an edge that starts while
//! both are away goes on with it. What is incomplete waits, what is damaged is reported and changes nothing.

mod fit;
mod kept;
mod mount;
mod watch;

pub use fit::{Fitted, Fitting};
pub use kept::{KeepError, Kept};
pub use watch::{WatchError, Watched, follow, follow_with};

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crds::config::hot::{self, Hot, HotError, Shard};
use tokio::sync::watch::Receiver;

use self::mount::Mount;

/// How often the mounted files are looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Files follow the API with so much delay: after so long without the API they are the newer ones.
const FILES_LAG: Duration = Duration::from_secs(120);
/// Shards of different writings are a writing under way for so long, then a fault.
const WRITING: Duration = Duration::from_secs(10);

/// A complete hot configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// What it says.
    pub hot: Hot,
    /// Its hash.
    pub hash: String,
}

/// What there is now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct News {
    /// The newest complete one, if there was any.
    pub taken: Option<Arc<Taken>>,
    /// Why what lies there now is not taken.
    pub trouble: Option<String>,
}

/// Where the hot configuration comes from.
#[derive(Debug)]
pub struct Sources {
    collector: String,
    mount: Option<Mount>,
    api: Option<Receiver<Watched>>,
    now: News,
    /// Since when the shards do not belong together.
    mixed: Option<Instant>,
    /// Whether what the files hold was looked at last, and is what they hold.
    by_files: bool,
    files_lag: Duration,
}

impl Sources {
    /// Of the FlowCollector `collector` (`namespace/name`): from files in `mounted`, from the API as `api` tells it.
    /// What the files hold is taken at once; while there is nothing, what was `kept`.
    pub fn open(
        collector: &str,
        mounted: Option<&Path>,
        api: Option<Receiver<Watched>>,
        kept: Option<Taken>,
    ) -> Self {
        let mut sources = Self {
            collector: collector.to_owned(),
            mount: mounted.map(Mount::new),
            api,
            now: News { taken: kept.map(Arc::new), trouble: None },
            mixed: None,
            by_files: false,
            files_lag: FILES_LAG,
        };
        sources.look_at_files();
        sources
    }

    /// What there is now.
    pub fn now(&self) -> &News {
        &self.now
    }

    /// Waits until something else is there. May be dropped and called again: nothing is lost.
    pub async fn next(&mut self) -> News {
        let before = self.now.clone();
        while self.now == before {
            tokio::select! {
                () = told(&mut self.api) => self.look_at_api(),
                () = tokio::time::sleep(LOOK) => self.look_at_files(),
            }
        }
        self.now.clone()
    }

    fn look_at_api(&mut self) {
        let Some(api) = &mut self.api else { return };
        let shards = {
            let watched = api.borrow_and_update();
            watched.synced.then(|| watched.shards.clone())
        };
        if let Some(shards) = shards {
            self.by_files = false;
            self.consider(&shards);
        }
    }

    /// The files count until the API has told everything once, and when it has been away for long.
    fn look_at_files(&mut self) {
        let superseded = self.api.as_ref().is_some_and(|api| {
            let watched = api.borrow();
            watched.synced || watched.heard.is_some_and(|heard| heard.elapsed() < self.files_lag)
        });
        if superseded {
            // Only time can tell something new here: whether a writing is still under way.
            if self.mixed.is_some() {
                self.look_at_api();
            }
            return;
        }
        let Some(mount) = &mut self.mount else { return };
        match mount.read() {
            Ok(changed) => {
                if changed || !self.by_files || self.mixed.is_some() {
                    let shards = mount.shards().clone();
                    self.by_files = true;
                    self.consider(&shards);
                }
            }
            Err(error) => {
                self.by_files = false;
                self.now.trouble = Some(error.to_string());
            }
        }
    }

    fn consider(&mut self, shards: &[Shard; hot::SHARDS]) {
        let joined = hot::join(shards);
        if !matches!(joined, Err(HotError::Mixed(_))) {
            self.mixed = None;
        }
        match joined {
            Ok((hot, _)) if hot.collector != self.collector => {
                let (found, own) = (&hot.collector, &self.collector);
                self.now.trouble =
                    Some(format!("the hot configuration is of FlowCollector {found}, not of {own}"));
            }
            Ok((hot, hash)) => {
                self.now.trouble = None;
                if self.now.taken.as_ref().is_none_or(|taken| taken.hash != hash) {
                    self.now.taken = Some(Arc::new(Taken { hot, hash }));
                }
            }
            // Nothing there is no order to stop: what was taken goes on.
            Err(HotError::Absent) => self.now.trouble = None,
            Err(error @ HotError::Mixed(_)) => {
                if self.mixed.get_or_insert_with(Instant::now).elapsed() > WRITING {
                    self.now.trouble = Some(error.to_string());
                }
            }
            Err(error) => self.now.trouble = Some(error.to_string()),
        }
    }
}

/// Waits until the API tells something; forever without one, or when nobody watches it any more.
async fn told(api: &mut Option<Receiver<Watched>>) {
    let changed = match api {
        Some(api) => api.changed().await.is_ok(),
        None => false,
    };
    if !changed {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;

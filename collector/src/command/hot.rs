//! What both roles do with the hot configuration: the flags, and the plan that comes of a file and of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use crds::config::{AggregatorConfig, EdgeConfig};
use tracing::{info, warn};

use super::Failure;
use crate::hot::{self, Fitting, Kept, News, Sources, Taken};
use crate::pipeline::{self, Wanted};

/// Where profiles and sources come from in a cluster.
#[derive(Clone, Debug, Args)]
pub(super) struct HotArgs {
    /// Take profiles and sources from the files of the mounted hot ConfigMaps: a folder 0 to 3 for each
    #[arg(long, value_name = "DIR")]
    hot: Option<PathBuf>,
    /// Take profiles and sources from the API server as soon as they change, for this FlowCollector
    #[arg(long, value_name = "NAMESPACE/NAME")]
    watch: Option<String>,
}

/// The hot configuration of a running program.
#[derive(Debug)]
struct Hot {
    sources: Sources,
    kept: Kept,
    stored: Option<Taken>,
}

impl HotArgs {
    /// Begins to follow; none when nothing is to be followed.
    async fn open(&self, collector: &str, folder: &Path) -> Result<Option<Hot>, Failure> {
        if self.hot.is_none() && self.watch.is_none() {
            return Ok(None);
        }
        let watched = match &self.watch {
            Some(watched) if watched != collector => {
                return Err(Failure::Usage(format!(
                    "--watch {watched}, but the configuration is of FlowCollector {collector}"
                )));
            }
            Some(watched) => {
                Some(hot::follow(watched).await.map_err(|error| Failure::Usage(error.to_string()))?)
            }
            None => None,
        };
        let kept = Kept::new(folder);
        let stored = kept.load(collector).unwrap_or_else(|error| {
            warn!("{error}; it is not used");
            None
        });
        let sources = Sources::open(collector, self.hot.as_deref(), watched, stored.clone());
        Ok(Some(Hot { sources, kept, stored }))
    }
}

impl Hot {
    /// Keeps what runs for a start without API and files.
    fn keep(&mut self, taken: &Taken) {
        if self.stored.as_ref() == Some(taken) {
            return;
        }
        match tokio::task::block_in_place(|| self.kept.store(taken)) {
            Ok(()) => self.stored = Some(taken.clone()),
            Err(error) => warn!("{error}; a start without the API would not know it"),
        }
    }

    async fn changed(&mut self) {
        let News { taken, trouble } = self.sources.next().await;
        match trouble {
            Some(trouble) => warn!("{trouble}; what is in force goes on"),
            None => info!(hot = taken.map(|taken| taken.hash.clone()), "the hot configuration changed"),
        }
    }
}

async fn changed(hot: &mut Option<Hot>) {
    match hot {
        Some(hot) => hot.changed().await,
        None => std::future::pending().await,
    }
}

/// What an edge is to run.
#[derive(Debug)]
pub(super) struct EdgePlan {
    /// What the file says.
    pub(super) fixed: EdgeConfig,
    hot: Option<Hot>,
    fitting: Fitting,
}

impl EdgePlan {
    pub(super) async fn open(args: &HotArgs, fixed: EdgeConfig, folder: &Path) -> Result<Self, Failure> {
        let hot = args.open(&fixed.collector, folder).await?;
        Ok(Self { fixed, hot, fitting: Fitting::default() })
    }

    /// As of now.
    pub(super) fn wanted(&mut self) -> Wanted {
        let Some(hot) = &mut self.hot else { return self.fixed.clone().into() };
        let News { taken, trouble } = hot.sources.now().clone();
        let mut wanted = match taken {
            None => self.fixed.clone().into(),
            Some(taken) => {
                let check = |config: &_| pipeline::check(config).map_err(|error| error.to_string());
                let fitted = self.fitting.fit(&taken, &self.fixed, check);
                for error in fitted.reports.iter().filter_map(|report| report.error.as_ref()) {
                    warn!("{error}; the profile goes on as it was");
                }
                hot.keep(&fitted.taken);
                Wanted::hot(&self.fixed, &fitted)
            }
        };
        wanted.error = trouble.or(wanted.error);
        wanted
    }

    /// Waits until something else is wanted.
    pub(super) async fn changed(&mut self) {
        changed(&mut self.hot).await;
    }
}

/// What an aggregator is to show and to keep.
#[derive(Debug)]
pub(super) struct CentralPlan {
    /// What the file says.
    pub(super) fixed: AggregatorConfig,
    hot: Option<Hot>,
}

impl CentralPlan {
    pub(super) async fn open(
        args: &HotArgs,
        fixed: AggregatorConfig,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let hot = args.open(&fixed.collector, folder).await?;
        Ok(Self { fixed, hot })
    }

    /// As of now, with the hash of what is hot and why something newer is not taken.
    pub(super) fn wanted(&mut self) -> (AggregatorConfig, String, Option<String>) {
        let Some(hot) = &mut self.hot else { return (self.fixed.clone(), String::new(), None) };
        let News { taken, trouble } = hot.sources.now().clone();
        let Some(taken) = taken else { return (self.fixed.clone(), String::new(), trouble) };
        hot.keep(&taken);
        let Taken { hot, hash } = Arc::unwrap_or_clone(taken);
        let profiles = hot.profiles.into_iter().map(|hot| hot.profile).collect();
        (AggregatorConfig { sources: hot.sources, profiles, ..self.fixed.clone() }, hash, trouble)
    }

    /// Waits until something else is wanted.
    pub(super) async fn changed(&mut self) {
        changed(&mut self.hot).await;
    }
}

#[cfg(test)]
mod tests {
    use crds::config::hot::{Hot as Written, HotProfile, split};

    use super::*;

    const FIXED: &str = "version: weir.dev/config/v1\ncollector: net/zone1\nslotMs: 10000\nlisteners: []\n\
                         sources: []\nprofiles: []\n";

    fn write(folder: &Path) {
        let profile = serde_json::json!({
            "name": "net/web", "displayName": "web",
            "channels": [{"name": "https", "filter": "port 443", "color": "#000000", "order": 1}],
        });
        let profile =
            HotProfile { uid: "1".into(), generation: 7, profile: serde_json::from_value(profile).unwrap() };
        let written =
            Written { collector: "net/zone1".into(), profiles: vec![profile], ..Written::default() };
        for (number, shard) in split(&written).unwrap().iter().enumerate() {
            let folder = folder.join(number.to_string());
            std::fs::create_dir_all(&folder).unwrap();
            for (key, text) in &shard.data {
                std::fs::write(folder.join(key), text).unwrap();
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_edge_that_starts_without_api_and_files_goes_on_with_what_ran_before() {
        let (mounted, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(mounted.path());
        let args = HotArgs { hot: Some(mounted.path().to_owned()), watch: None };
        let fixed: EdgeConfig = serde_yaml::from_str(FIXED).unwrap();
        let open = async || EdgePlan::open(&args, fixed.clone(), data.path()).await.unwrap().wanted();
        let before = open().await;
        assert_eq!((before.profiles[0].name.as_str(), before.profiles[0].generation), ("net/web", 7));
        for shard in 0..4 {
            std::fs::remove_dir_all(mounted.path().join(shard.to_string())).unwrap();
        }
        assert_eq!(open().await, before);
        let other = EdgeConfig { collector: "net/zone2".into(), ..fixed.clone() };
        let other = EdgePlan::open(&args, other, data.path()).await.unwrap().wanted();
        assert!(other.profiles.is_empty(), "another collector's");
    }
}

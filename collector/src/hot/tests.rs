//! Which of several hot configurations is taken.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crds::config::hot::{Hot, HotProfile, SHARDS, Shard, join, split};
use tokio::sync::watch;

use super::{Kept, Sources, Taken, Watched};

fn hot(profiles: usize, filter: &str) -> Hot {
    let profile = |index: usize| HotProfile {
        uid: format!("uid-{index}"),
        generation: 1,
        profile: serde_json::from_value(serde_json::json!({
            "name": format!("net/p{index:04}"), "displayName": "p",
            "channels": [{"name": "a", "filter": filter, "color": "#000000", "order": 1}],
        }))
        .unwrap(),
    };
    let profiles = (0..profiles).map(profile).collect();
    Hot { collector: "net/zone1".into(), sources: Vec::new(), profiles, targets: Vec::new() }
}

fn shards(hot: &Hot) -> [Shard; SHARDS] {
    split(hot).unwrap()
}

fn mount(folder: &Path, shards: &[Shard]) {
    for (number, shard) in shards.iter().enumerate() {
        let folder = folder.join(number.to_string());
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder).unwrap();
        for (key, text) in &shard.data {
            std::fs::write(folder.join(key), text).unwrap();
        }
        for (key, bytes) in &shard.binary {
            std::fs::write(folder.join(key), bytes).unwrap();
        }
    }
}

async fn next(sources: &mut Sources) -> super::News {
    tokio::time::timeout(Duration::from_secs(20), sources.next()).await.expect("something comes")
}

fn filter(news: &super::News) -> String {
    let taken = news.taken.as_ref().unwrap();
    taken.hot.profiles[0].profile.channels[0].filter.clone()
}

#[tokio::test]
async fn mounted_files_are_taken_plain_and_compressed_as_soon_as_they_are_complete() {
    let folder = tempfile::tempdir().unwrap();
    for (profiles, text) in [(3, "port 1"), (900, &*"port 80 or ".repeat(40))] {
        let wanted = hot(profiles, text);
        mount(folder.path(), &shards(&wanted));
        let sources = Sources::open("net/zone1", Some(folder.path()), None, None);
        assert_eq!(sources.now().taken.as_ref().unwrap().hot, wanted);
    }
    let mut sources = Sources::open("net/zone1", Some(folder.path()), None, None);
    let changed = shards(&hot(900, "port 81"));
    mount(folder.path(), &changed[..2]);
    sources.look_at_files();
    assert_ne!(filter(sources.now()), "port 81", "half of it");
    mount(folder.path(), &changed);
    assert_eq!(filter(&next(&mut sources).await), "port 81");
}

#[tokio::test]
async fn what_the_api_tells_goes_before_the_files_until_it_is_away_for_long() {
    let folder = tempfile::tempdir().unwrap();
    mount(folder.path(), &shards(&hot(1, "port 1")));
    let (api, told) = watch::channel(Watched::default());
    let mut sources = Sources::open("net/zone1", Some(folder.path()), Some(told), None);
    assert_eq!(filter(sources.now()), "port 1", "a cold start");
    let tell = |filter: &str, synced| Watched {
        shards: shards(&hot(1, filter)),
        synced,
        heard: Some(Instant::now()),
    };
    api.send_replace(tell("port 2", true));
    assert_eq!(filter(&next(&mut sources).await), "port 2");
    sources.look_at_files();
    assert_eq!(filter(sources.now()), "port 2", "the files are older");
    api.send_replace(tell("port 2", false));
    mount(folder.path(), &shards(&hot(1, "port 3")));
    sources.look_at_files();
    assert_eq!(filter(sources.now()), "port 2", "the files may be late");
    sources.files_lag = Duration::ZERO;
    assert_eq!(filter(&next(&mut sources).await), "port 3");
    api.send_replace(tell("port 4", true));
    assert_eq!(filter(&next(&mut sources).await), "port 4");
}

#[tokio::test]
async fn what_is_damaged_foreign_or_gone_leaves_what_was_taken_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    mount(folder.path(), &shards(&hot(1, "port 1")));
    let mut sources = Sources::open("net/zone1", Some(folder.path()), None, None);
    let foreign = Hot { collector: "net/other".into(), ..hot(1, "port 2") };
    mount(folder.path(), &shards(&foreign));
    let news = next(&mut sources).await;
    assert_eq!(filter(&news), "port 1");
    assert!(news.trouble.unwrap().contains("net/other, not of net/zone1"));
    mount(folder.path(), &<[Shard; SHARDS]>::default());
    std::fs::write(folder.path().join("0/index.yaml"), "version: weir.dev/config/v9").unwrap();
    let news = next(&mut sources).await;
    assert!(filter(&news) == "port 1" && news.trouble.unwrap().contains("index.yaml"));
    std::fs::remove_dir_all(folder.path().join("0")).unwrap();
    let news = next(&mut sources).await;
    assert_eq!((filter(&news).as_str(), news.trouble), ("port 1", None));
}

#[test]
fn what_was_kept_is_there_when_nothing_else_is_and_only_for_its_collector() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::new(folder.path());
    assert_eq!(kept.load("net/zone1").unwrap(), None);
    let (hot, hash) = join(&shards(&hot(2, "port 7"))).unwrap();
    let taken = Taken { hot, hash };
    kept.store(&taken).unwrap();
    let loaded = kept.load("net/zone1").unwrap();
    assert_eq!(loaded.as_ref(), Some(&taken));
    assert_eq!(kept.load("net/zone2").unwrap(), None);
    let nothing = folder.path().join("none");
    let sources = Sources::open("net/zone1", Some(&nothing), None, loaded);
    assert_eq!(sources.now().taken, Some(Arc::new(taken)));
    std::fs::write(folder.path().join("hot.json"), "{").unwrap();
    assert!(kept.load("net/zone1").unwrap_err().to_string().contains("hot.json"));
}

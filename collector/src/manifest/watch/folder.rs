//! What a watched folder gave, and what it gives now.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crds::config::target::TargetConfig;
use crds::config::{Fleet, ProfileConfig, Rendered};

use super::super::object::Object;
use super::super::problem::{Note, Problem};
use super::super::{file, no_collector, set, whole};
use super::stamp::{Listing, Stamp, listing};
use super::{Change, note};

/// Looks for which a folder that keeps changing is waited for.
const PATIENCE: u32 = 2;

#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    files: BTreeMap<PathBuf, Known>,
    /// The listing that `files` stands for, and one that is seen but may still be moving.
    applied: Listing,
    moving: Option<(Listing, u32)>,
    /// Counts readings, to tell which file gave an object first.
    reading: u64,
    /// What was good last.
    fleet: Option<Fleet>,
    profiles: HashMap<String, ProfileConfig>,
    targets: HashMap<String, TargetConfig>,
    /// What the processes started with, and what was told last.
    started: Option<Rendered>,
    last: Option<Change>,
    untold: bool,
}

/// A file as it was last read.
#[derive(Debug)]
struct Known {
    stamp: Option<Stamp>,
    since: u64,
    objects: Vec<Object>,
    problems: Vec<Problem>,
    notes: Vec<Note>,
}

impl Folder {
    pub(super) fn open(path: PathBuf) -> Result<(Self, Change), Vec<Problem>> {
        let applied = listing(&path);
        let mut folder = Self {
            path,
            files: BTreeMap::new(),
            applied: Ok(BTreeMap::new()),
            moving: None,
            reading: 0,
            fleet: None,
            profiles: HashMap::new(),
            targets: HashMap::new(),
            started: None,
            last: None,
            untold: false,
        };
        let problems = folder.apply(applied);
        match folder.told() {
            Some(change) => Ok((folder, change)),
            None => Err(problems),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Looks once; what changed is told by [`Folder::told`].
    pub(super) fn look(&mut self) {
        let seen = listing(&self.path);
        if seen == self.applied {
            self.moving = None;
            return;
        }
        let looks = match &self.moving {
            Some((before, _)) if *before == seen => PATIENCE,
            Some((_, looks)) => looks + 1,
            None => 0,
        };
        if looks < PATIENCE {
            self.moving = Some((seen, looks));
        } else {
            self.moving = None;
            self.apply(seen);
        }
    }

    /// What changed and was not told yet.
    pub(super) fn told(&mut self) -> Option<Change> {
        std::mem::take(&mut self.untold).then(|| self.last.clone()).flatten()
    }

    /// Reads what changed and renders anew. Gives what is wrong.
    fn apply(&mut self, seen: Listing) -> Vec<Problem> {
        self.reading += 1;
        let mut problems = Vec::new();
        match &seen {
            Ok(files) => {
                self.files.retain(|path, _| files.contains_key(path));
                for (path, stamp) in files {
                    self.read(path, stamp);
                }
            }
            Err(problem) => problems.push(problem.clone()),
        }
        self.applied = seen;
        self.renew(problems)
    }

    /// Reads a file if it changed. While something is wrong with it nothing that it gave is taken away.
    fn read(&mut self, path: &Path, stamp: &Option<Stamp>) {
        let known = self.files.get(path);
        if known.is_some_and(|known| known.stamp == *stamp && stamp.is_some()) {
            return;
        }
        let mut parsed = file::read(path);
        if let Some(known) = known.filter(|_| !parsed.problems.is_empty()) {
            let given: Vec<String> = parsed.objects.iter().map(Object::identity).collect();
            let kept = known.objects.iter().filter(|object| !given.contains(&object.identity()));
            parsed.objects.extend(kept.map(Object::kept));
        }
        let since = known.map_or(self.reading, |known| known.since);
        let (objects, problems, notes) = (parsed.objects, parsed.problems, parsed.notes);
        self.files.insert(path.to_owned(), Known { stamp: stamp.clone(), since, objects, problems, notes });
    }

    fn renew(&mut self, mut problems: Vec<Problem>) -> Vec<Problem> {
        let mut files: Vec<&Known> = self.files.values().collect();
        files.sort_by_key(|known| known.since);
        let objects: Vec<Object> = files.iter().flat_map(|known| known.objects.clone()).collect();
        problems.extend(files.iter().flat_map(|known| known.problems.clone()));
        let mut notes: Vec<Note> = files.iter().flat_map(|known| known.notes.clone()).collect();
        let examined = set::examine(&objects);
        problems.extend(examined.problems);
        notes.extend(examined.notes);
        match examined.collector {
            Some((_, Some(fleet))) => self.fleet = Some(fleet),
            Some((_, None)) => {}
            None => problems.push(no_collector(&self.path)),
        }
        keep(&mut self.profiles, examined.profiles);
        keep(&mut self.targets, examined.targets);
        if let Some(rendered) = self.rendered(&mut problems, &mut notes) {
            self.tell(rendered, &mut problems, notes);
        }
        problems
    }

    fn rendered(&mut self, problems: &mut Vec<Problem>, notes: &mut Vec<Note>) -> Option<Rendered> {
        let profiles = self.profiles.values().cloned().collect();
        let targets = self.targets.values().cloned().collect();
        match self.fleet.clone()?.with(profiles).and_then(|rendered| rendered.exporting(targets)) {
            Ok(rendered) => {
                let started = self.started.get_or_insert_with(|| rendered.clone());
                Some(pin(started, rendered, &self.path, notes))
            }
            Err(violation) => {
                problems.push(whole(&self.path, &violation));
                self.last.as_ref().map(|change| change.rendered.clone())
            }
        }
    }

    fn tell(&mut self, rendered: Rendered, problems: &mut Vec<Problem>, mut notes: Vec<Note>) {
        problems.sort();
        problems.dedup();
        notes.sort();
        let (renewed, news) = match &self.last {
            None => (true, true),
            Some(last) => {
                let renewed = last.rendered != rendered;
                (renewed, renewed || last.problems != *problems || last.notes != notes)
            }
        };
        // What was renewed and not told yet stays new.
        let renewed = renewed || (self.untold && self.last.as_ref().is_some_and(|last| last.renewed));
        self.untold |= news;
        self.last = Some(Change { rendered, renewed, problems: problems.clone(), notes });
    }
}

/// Takes the objects that are good; those that are not keep what they last were.
fn keep<T>(kept: &mut HashMap<String, T>, given: Vec<(String, Option<T>)>) {
    let mut before = std::mem::take(kept);
    for (name, config) in given {
        if let Some(config) = config.or_else(|| before.remove(&name)) {
            kept.insert(name, config);
        }
    }
}

/// Leaves as they run the fields that only a restart can change, and notes it.
fn pin(started: &Rendered, mut rendered: Rendered, folder: &Path, notes: &mut Vec<Note>) -> Rendered {
    let mut waits = |field: &str| notes.push(note(folder, format!("{field} changed: it needs a restart")));
    let (edge, aggregator) = (&started.edge, &started.aggregator);
    if rendered.edge.collector != edge.collector {
        waits("metadata.name of the FlowCollector");
        rendered.edge.collector.clone_from(&edge.collector);
        rendered.aggregator.collector.clone_from(&aggregator.collector);
    }
    if rendered.edge.listeners != edge.listeners {
        waits("spec.listeners");
        rendered.edge.listeners.clone_from(&edge.listeners);
    }
    if rendered.edge.receive != edge.receive {
        waits("spec.edge");
        rendered.edge.receive = edge.receive;
    }
    if rendered.edge.slot_ms != edge.slot_ms {
        waits("spec.slotLength");
        rendered.edge.slot_ms = edge.slot_ms;
        rendered.aggregator.slot_ms = aggregator.slot_ms;
        rendered.aggregator.retention.clone_from(&aggregator.retention);
    }
    if rendered.aggregator.storage_path != aggregator.storage_path {
        waits("spec.aggregator.storage.path");
        rendered.aggregator.storage_path.clone_from(&aggregator.storage_path);
    }
    rendered
}

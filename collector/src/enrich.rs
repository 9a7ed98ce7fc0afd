//! Names the source of each run and fills in stated sampling rates; never waits.
//!
//! An exporter that no source of the FlowCollector matches becomes an automatic source under its own address,
//! at most [`MAX_AUTOMATIC`] of them; the rest count as [`OTHER`].

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crds::config::{ListenerConfig, OutCounters, SamplingConfig, SourceConfig};
use crds::sources::{Sources, Tie};
use foldhash::HashMap;

use crate::flow::{Batch, Column, CountersFrom, Run, SamplingFrom};

/// The most sources that are made for exporters which no source matches.
pub const MAX_AUTOMATIC: usize = 64;

/// The source of exporters for which there is no place left.
pub use crate::slot::OTHER;

/// Exporters whose source is remembered; beyond them it is looked up each time.
const MAX_REMEMBERED: usize = 65_536;

/// The places that are left for automatic sources, shared by all that receive in one process. An exporter is
/// seen by one of them only.
#[derive(Clone, Debug)]
pub struct Places(Arc<AtomicUsize>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(MAX_AUTOMATIC)))
    }
}

impl Places {
    fn take(&self) -> bool {
        let one_less = |left: usize| left.checked_sub(1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }
}

/// The sources of one configuration, and the automatic ones that it gave rise to.
#[derive(Debug)]
pub struct Enrich {
    table: Sources,
    listeners: Vec<String>,
    /// Sampling by index of the named sources.
    sampling: Vec<SamplingConfig>,
    /// What 23 and 24 count, likewise.
    out_counters: Vec<OutCounters>,
    /// The named sources, then `other`, then the automatic ones.
    names: Vec<String>,
    remembered: HashMap<(u16, IpAddr), u16>,
    places: Places,
}

impl Enrich {
    /// The sources of a configuration. Indexes in [`Run::source`] refer to [`Enrich::names`].
    ///
    /// # Errors
    /// When two sources match equally well.
    pub fn new(listeners: &[ListenerConfig], sources: &[SourceConfig]) -> Result<Self, Vec<Tie>> {
        let mut names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
        names.push(OTHER.to_owned());
        Ok(Self {
            table: Sources::new(sources)?,
            listeners: listeners.iter().map(|listener| listener.name.clone()).collect(),
            sampling: sources.iter().map(|source| source.sampling).collect(),
            out_counters: sources.iter().map(|source| source.out_counters).collect(),
            names,
            remembered: HashMap::default(),
            places: Places::default(),
        })
    }

    /// The same, with places for automatic sources that others take from too.
    #[must_use]
    pub fn sharing(mut self, places: &Places) -> Self {
        self.places = places.clone();
        self
    }

    /// Turns to another configuration's sources. Automatic sources keep their names, not their indexes: to be
    /// called right after a cut.
    ///
    /// # Errors
    /// As [`Enrich::new`]; then nothing has changed.
    pub fn replace(
        &mut self,
        listeners: &[ListenerConfig],
        sources: &[SourceConfig],
    ) -> Result<(), Vec<Tie>> {
        let automatic = self.names.split_off(self.sampling.len() + 1);
        let mut new = match Self::new(listeners, sources) {
            Ok(new) => new,
            Err(ties) => {
                self.names.extend(automatic);
                return Err(ties);
            }
        };
        new.names.extend(automatic);
        *self = new.sharing(&self.places);
        Ok(())
    }

    /// The names of all sources, by index.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether `sources[].sampling` states a rate for this source: where nothing was announced, it counts.
    pub fn states_rate(&self, source: u16) -> bool {
        let stated = self.sampling.get(usize::from(source));
        stated.is_some_and(|sampling| sampling.override_.or(sampling.default).is_some())
    }

    /// The index of the source `other`.
    pub fn other(&self) -> u16 {
        u16::try_from(self.sampling.len()).unwrap_or(u16::MAX)
    }

    /// Fills in the source of every run and the rates that `sources[].sampling` states; where
    /// `sources[].outCounters` says so, post-observation counters become the other direction's.
    pub fn run(&mut self, batch: &mut Batch) {
        for index in 0..batch.runs().len() {
            let run = batch.runs()[index];
            let source = self.source(run.listener, run.exporter);
            batch.runs_mut()[index].source = source;
            let Some(sampling) = self.sampling.get(usize::from(source)) else { continue };
            if let Some(rate) = sampling.override_ {
                overrule(batch, index, rate as f32);
            } else if let Some(rate) = sampling.default {
                fill_in(batch, index, rate as f32);
            }
            if self.out_counters.get(usize::from(source)) == Some(&OutCounters::Reverse) {
                reverse(batch, index);
            }
        }
    }

    /// The source to which an exporter's flows belong.
    pub fn source(&mut self, listener: u16, exporter: IpAddr) -> u16 {
        if let Some(source) = self.remembered.get(&(listener, exporter)) {
            return *source;
        }
        let name = self.listeners.get(usize::from(listener)).map_or("", String::as_str);
        let source = match self.table.resolve(name, exporter) {
            Some(named) => u16::try_from(named).unwrap_or(u16::MAX),
            None => self.automatic(exporter),
        };
        if self.remembered.len() < MAX_REMEMBERED {
            self.remembered.insert((listener, exporter), source);
        }
        source
    }

    fn automatic(&mut self, exporter: IpAddr) -> u16 {
        let name = exporter.to_string();
        let first = self.sampling.len() + 1;
        if let Some(at) = self.names[first..].iter().position(|known| *known == name) {
            return u16::try_from(first + at).unwrap_or(u16::MAX);
        }
        if !self.places.take() {
            return self.other();
        }
        self.names.push(name);
        u16::try_from(self.names.len() - 1).unwrap_or(u16::MAX)
    }
}

/// The stated rate counts for every row.
fn overrule(batch: &mut Batch, index: usize, rate: f32) {
    let rows = batch.runs()[index].rows();
    batch.f32s_mut(Column::SamplingRate)[rows].fill(rate);
    stated(&mut batch.runs_mut()[index]);
}

/// The stated rate counts where the exporter announced none.
fn fill_in(batch: &mut Batch, index: usize, rate: f32) {
    let run = batch.runs()[index];
    if !run.present.contains(Column::SamplingRate) {
        return overrule(batch, index, rate);
    }
    for row in run.rows() {
        if !batch.has(&run, Column::SamplingRate, row) {
            batch.f32s_mut(Column::SamplingRate)[row] = rate;
        }
    }
    batch.runs_mut()[index].sparse.remove(Column::SamplingRate);
}

/// 23 and 24 count the other direction. Where they served as the record's own counters, they stay that.
fn reverse(batch: &mut Batch, index: usize) {
    let run = &batch.runs()[index];
    let own = run.present.contains(Column::CountersFrom)
        && batch.u8s(Column::CountersFrom)[run.start] == CountersFrom::Post as u8;
    if !own {
        batch.move_counter(index, Column::PostPackets, Column::RevPackets);
        batch.move_counter(index, Column::PostBytes, Column::RevBytes);
    }
}

fn stated(run: &mut Run) {
    run.present.insert(Column::SamplingRate);
    run.sparse.remove(Column::SamplingRate);
    run.sampling_from = SamplingFrom::Spec;
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use crds::config::Protocol as Accepts;

    use super::*;
    use crate::flow::{ColumnSet, Protocol, TimeFrom};

    fn listeners() -> Vec<ListenerConfig> {
        let listener = |name: &str| ListenerConfig {
            name: name.into(),
            protocol: Accepts::Auto,
            transport: crds::config::Transport::Udp,
            port: 0,
        };
        vec![listener("netflow"), listener("any")]
    }

    fn source(name: &str, prefix: &str, sampling: SamplingConfig) -> SourceConfig {
        SourceConfig {
            name: name.into(),
            prefixes: vec![prefix.parse().unwrap()],
            sampling,
            ..SourceConfig::default()
        }
    }

    fn batch(rates: Option<&[Option<f32>]>) -> Batch {
        let mut batch = Batch::default();
        let mut run = Run {
            start: 0,
            len: rates.map_or(2, <[_]>::len),
            protocol: Protocol::Ipfix,
            stream: 0,
            listener: 1,
            exporter: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            exporter_port: 1,
            agent: None,
            domain: 0,
            received_ms: 0,
            export_ms: 0,
            time_from: TimeFrom::Record,
            sampling_from: SamplingFrom::None,
            source: 0,
            present: ColumnSet::default(),
            sparse: ColumnSet::default(),
        };
        for (row, rate) in rates.unwrap_or_default().iter().enumerate() {
            run.present.insert(Column::SamplingRate);
            run.sparse.insert(Column::SamplingRate);
            batch.f32s_mut(Column::SamplingRate)[row] = rate.unwrap_or_default();
            batch.valid_mut(Column::SamplingRate).set(row, rate.is_some());
        }
        batch.push_run(run);
        batch
    }

    fn rates(batch: &Batch) -> Vec<Option<f32>> {
        let run = &batch.runs()[0];
        let rate =
            |row| batch.has(run, Column::SamplingRate, row).then(|| batch.f32s(Column::SamplingRate)[row]);
        run.rows().map(rate).collect()
    }

    #[test]
    fn an_unmatched_exporter_becomes_a_source_of_its_own_until_the_bound_and_then_other() {
        let mut enrich = Enrich::new(&listeners(), &[]).unwrap();
        let exporter = |last: u8| IpAddr::V4(Ipv4Addr::new(198, 51, 100, last));
        for last in 0..MAX_AUTOMATIC as u8 {
            enrich.source(0, exporter(last));
        }
        assert_eq!(enrich.source(0, exporter(200)), enrich.other());
        let known = enrich.source(1, exporter(3));
        assert_eq!(enrich.names()[usize::from(known)], "198.51.100.3", "the same over another listener");
        assert_eq!(enrich.names().len(), MAX_AUTOMATIC + 1);
    }

    #[test]
    fn an_override_counts_always_and_a_default_only_where_nothing_was_announced() {
        let stated = SamplingConfig { default: None, override_: Some(7.0) };
        let mut enrich = Enrich::new(&listeners(), &[source("a", "192.0.2.0/24", stated)]).unwrap();
        let mut announced = batch(Some(&[Some(3.0), None]));
        enrich.run(&mut announced);
        assert_eq!(rates(&announced), [Some(7.0), Some(7.0)]);
        assert_eq!(announced.runs()[0].sampling_from, SamplingFrom::Spec);

        let fallback = SamplingConfig { default: Some(9.0), override_: None };
        let mut enrich = Enrich::new(&listeners(), &[source("a", "192.0.2.0/24", fallback)]).unwrap();
        let mut announced = batch(Some(&[Some(3.0), None]));
        enrich.run(&mut announced);
        assert_eq!(rates(&announced), [Some(3.0), Some(9.0)]);
        let mut silent = batch(None);
        enrich.run(&mut silent);
        assert_eq!(rates(&silent), [Some(9.0), Some(9.0)]);
        assert!(enrich.states_rate(0) && !enrich.states_rate(enrich.other()));
    }

    #[test]
    fn post_counters_are_the_other_direction_only_where_the_source_says_so() {
        let sent = |from: Option<CountersFrom>| {
            let mut batch = batch(None);
            let post = [Column::PostPackets, Column::PostBytes];
            for (column, row, value) in [(post[0], 0, 7), (post[0], 1, 0), (post[1], 0, 700), (post[1], 1, 0)]
            {
                batch.u64s_mut(column)[row] = value;
                batch.runs_mut()[0].present.insert(column);
            }
            if let Some(from) = from {
                batch.u8s_mut(Column::CountersFrom).fill(from as u8);
                batch.runs_mut()[0].present.insert(Column::CountersFrom);
            }
            batch
        };
        let with = |out_counters, mut batch: Batch| {
            let source =
                SourceConfig { out_counters, ..source("a", "192.0.2.0/24", SamplingConfig::default()) };
            Enrich::new(&listeners(), &[source]).unwrap().run(&mut batch);
            let run = batch.runs()[0];
            let read = |column| batch.has(&run, column, 0).then(|| batch.u64s(column)[0]);
            [Column::RevPackets, Column::RevBytes, Column::PostPackets, Column::PostBytes].map(read)
        };
        assert_eq!(with(OutCounters::Post, sent(None)), [None, None, Some(7), Some(700)]);
        assert_eq!(with(OutCounters::Reverse, sent(None)), [Some(7), Some(700), None, None]);
        let served = sent(Some(CountersFrom::Post));
        assert_eq!(with(OutCounters::Reverse, served), [None, None, Some(7), Some(700)]);
    }

    #[test]
    fn a_tie_in_new_sources_is_refused_and_the_old_ones_stay() {
        let none = SamplingConfig::default();
        let mut enrich = Enrich::new(&listeners(), &[source("a", "192.0.2.0/24", none)]).unwrap();
        let automatic = enrich.source(0, IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)));
        let tied = [source("a", "192.0.2.0/24", none), source("b", "192.0.2.0/24", none)];
        assert!(enrich.replace(&listeners(), &tied).is_err());
        assert_eq!(enrich.names()[usize::from(automatic)], "203.0.113.1");
        assert_eq!(enrich.source(0, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))), 0);
    }
}

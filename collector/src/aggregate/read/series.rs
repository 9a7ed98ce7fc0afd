//! Series: points of sums, rates or maxima.

use foldhash::{HashMap, HashSet};

use super::super::bucket::Rolled;
use super::super::cell::{ALL_SOURCES, peak_column, rate_milli, sum};
use super::super::level::MINUTE_MS;
use super::super::read;
use super::super::store::MARKERS;
use super::super::view::{Metric, Series, SeriesLine, SeriesQuery, Value};
use super::coverage;
use super::snapshot::Snapshot;
use super::step::Plan;
use super::{ReadError, Reader};

/// One line while it is made.
struct Line {
    channel: String,
    source: Option<String>,
    channel_id: Option<u32>,
    source_id: Option<u32>,
    points: Vec<Point>,
    /// The bucket that is being read.
    bucket: Point,
}

/// One point while it is made.
#[derive(Clone, Copy, Default)]
struct Point {
    sum: u64,
    covered_ms: u64,
    peak: u64,
    at_least: bool,
}

/// Answers a question for series.
pub(super) fn answer(reader: &Reader, query: &SeriesQuery) -> Result<Series, ReadError> {
    let mut lines = lines(reader, query)?;
    let levels = reader.shared.levels();
    let deleted = read(&reader.shared.progress).deleted;
    let taken = coverage::Taken::new(reader, query)?;
    let within_ms = taken.reported_within_ms(reader);
    let plan = Plan::new(query, lines.len(), &levels, &deleted, within_ms)?;
    let wanted: HashSet<u32> = lines.iter().filter_map(|line| line.channel_id).collect();
    let drawn = by_channel(&lines);
    let snapshot = Snapshot::take(&reader.shared, wanted.clone())?;
    lines.iter_mut().for_each(|line| line.points = vec![Point::default(); plan.points()]);
    let mut coverage = coverage::Making::new(taken, plan.points());
    let mut start = plan.from_ms;
    while start < plan.to_ms {
        let rows = snapshot.bucket(plan.level, start)?;
        let at = ((start - plan.from_ms) / plan.step_ms) as usize;
        for ((channel, source), row) in &rows {
            for line in drawn.get(channel).into_iter().flatten() {
                lines[*line].add(*source, row, query);
            }
        }
        lines.iter_mut().for_each(|line| line.close(at, plan.averages));
        coverage.add(at, &snapshot.presence(plan.level, start)?);
        start += levels.step[plan.level];
    }
    let markers = markers(&snapshot, &plan, &lines)?;
    let longest = |at: usize| lines.iter().map(|line: &Line| line.points[at].covered_ms).max().unwrap_or(0);
    let covered_ms = (0..plan.points()).map(longest).collect();
    let coverage = coverage.finish();
    let lines = lines.into_iter().map(|line| line.finish(query)).collect();
    let Plan { from_ms, to_ms, step_ms, .. } = plan;
    let maximum_of = if plan.averages { levels.step[plan.level] } else { MINUTE_MS };
    let maximum_of_ms = (query.value == Value::Max).then_some(maximum_of);
    Ok(Series { from_ms, to_ms, step_ms, covered_ms, coverage, within_ms, maximum_of_ms, lines, markers })
}

/// The lines that are asked for, in the profile's order.
fn lines(reader: &Reader, query: &SeriesQuery) -> Result<Vec<Line>, ReadError> {
    let profile = reader.profile(&query.profile)?;
    let known: Vec<&str> = profile.channels.iter().map(|c| c.name.as_str()).collect();
    if let Some(name) = query.channels.iter().find(|name| !known.contains(&name.as_str())) {
        let (profile, name) = (profile.name.clone(), name.clone());
        return Err(ReadError::Channel { profile, name, known: known.join(", ") });
    }
    let config = reader.config();
    let state = read(&reader.shared.state);
    let is_source = |name: &String| {
        config.sources.iter().any(|s| s.name == *name) || state.names.source_id(name).is_some()
    };
    if let Some(name) = query.sources.iter().find(|name| !is_source(name)) {
        let known = config.sources.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(ReadError::Source { name: name.clone(), known });
    }
    let mut lines = Vec::new();
    for channel in
        known.iter().filter(|c| query.channels.is_empty() || query.channels.iter().any(|q| q == *c))
    {
        let channel_id = state.names.channel_id(&query.profile, channel);
        let line = |source: Option<&String>| Line {
            channel: (*channel).to_owned(),
            source: source.cloned(),
            channel_id,
            source_id: source.and_then(|source| state.names.source_id(source)),
            points: Vec::new(),
            bucket: Point::default(),
        };
        if query.sources.is_empty() {
            lines.push(line(None));
        }
        lines.extend(query.sources.iter().map(|source| line(Some(source))));
    }
    Ok(lines)
}

/// Which lines a channel's rows go to: each row is then looked at once, however many lines there are.
fn by_channel(lines: &[Line]) -> HashMap<u32, Vec<usize>> {
    let mut drawn: HashMap<u32, Vec<usize>> = HashMap::default();
    for (at, line) in lines.iter().enumerate() {
        if let Some(channel) = line.channel_id {
            drawn.entry(channel).or_default().push(at);
        }
    }
    drawn
}

impl Line {
    /// Adds a row of the line's channel.
    fn add(&mut self, source: u32, row: &Rolled, query: &SeriesQuery) {
        let point = &mut self.bucket;
        let (whole, mine) = (self.source.is_none(), self.source_id == Some(source));
        if source == ALL_SOURCES {
            point.covered_ms += row.covered_ms;
        }
        if mine || (whole && source == ALL_SOURCES) {
            point.peak = point.peak.max(row.cell.peaks[peak_column(query.metric, query.class)]);
        }
        if mine || whole {
            point.sum = point.sum.saturating_add(sum(&row.cell.sums, query.metric, query.class));
            point.at_least |= row.cell.at_least;
        }
    }

    /// Adds the bucket to a point.
    fn close(&mut self, at: usize, averages: bool) {
        let bucket = std::mem::take(&mut self.bucket);
        let Some(point) = self.points.get_mut(at) else { return };
        let peak = if averages { rate_milli(bucket.sum, bucket.covered_ms) } else { bucket.peak };
        point.peak = point.peak.max(peak);
        point.sum = point.sum.saturating_add(bucket.sum);
        point.covered_ms += bucket.covered_ms;
        point.at_least |= bucket.at_least;
    }

    fn finish(self, query: &SeriesQuery) -> SeriesLine {
        let is_max = query.value == Value::Max;
        let marks = self.points.iter().enumerate().filter(|(_, p)| is_max && p.at_least && p.covered_ms > 0);
        let at_least = marks.map(|(at, _)| at as u32).collect();
        let values = self.points.iter().map(|point| point.value(query)).collect();
        SeriesLine { channel: self.channel, source: self.source, values, at_least }
    }
}

impl Point {
    /// Bytes as a rate are bits per second.
    fn value(&self, query: &SeriesQuery) -> Option<f64> {
        let unit = if query.metric == Metric::Bytes { 8.0 } else { 1.0 };
        let covered = self.covered_ms > 0;
        match query.value {
            Value::Sum => (covered || self.sum > 0).then_some(self.sum as f64),
            Value::Rate => covered.then(|| self.sum as f64 * unit * 1_000.0 / self.covered_ms as f64),
            Value::Max => covered.then(|| self.peak as f64 * unit / 1_000.0),
        }
    }
}

fn markers(snapshot: &Snapshot, plan: &Plan, lines: &[Line]) -> Result<Vec<(u64, String)>, ReadError> {
    let table = snapshot.transaction().open_table(MARKERS).map_err(super::StoreError::from)?;
    let range = table.range((plan.from_ms, 0)..(plan.to_ms, 0)).map_err(super::StoreError::from)?;
    let mut markers = Vec::new();
    for entry in range {
        let (key, _) = entry.map_err(super::StoreError::from)?;
        let (at_ms, channel) = key.value();
        if let Some(line) = lines.iter().find(|line| line.channel_id == Some(channel)) {
            markers.push((at_ms, line.channel.clone()));
        }
    }
    Ok(markers)
}
